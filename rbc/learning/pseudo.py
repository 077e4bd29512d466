"""Soft labels for frames that nobody scored, by two learners of different kinds, and labels that are doubtful.

The heads of the network and a random forest on window statistics err in different places; what both say together is
what the MLP learns from where there is no label (tri-training, doi 10.1109/TKDE.2005.186; distillation,
arXiv 1503.02531). T frames, C behaviours, M heads.
"""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, bouts, union, unscored

STRIDE = 4  # neighbouring unlabelled frames say much the same
MOST_FREE = 150_000  # unlabelled frames to look at, however long the recordings are
BOUT_DOUBT = 0.3  # of the way from what is said of absent frames to what is said of present ones


def stride_of(frames: int) -> int:
    """Every so many-th of the training animals' unlabelled frames is looked at, where they have so many frames."""
    return max(STRIDE, -(-frames // MOST_FREE))


def frames_of(labels: np.ndarray | None, frames: int, stride: int) -> np.ndarray:
    """Frames (N,) to look at: those with a label (T, C) or (A, T, C), and every `stride`-th of the others."""
    wanted = np.arange(frames) % stride == 0
    return np.flatnonzero(wanted if labels is None else wanted | (union(labels) != NOT_SCORED).any(1))


def teacher_probability(probability: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T, C) of the heads' (T, M, C): the fused head, averaged with whichever single modality is surer, so that one
    modality teaches the other where they differ in confidence; that one alone where the fused head has nothing to read,
    0 where none has."""
    sure = np.abs(probability[:, :2] - 0.5) * there[:, :2, None]
    surest = np.take_along_axis(probability[:, :2], sure.argmax(1)[:, None], axis=1)[:, 0]
    both = np.where(there[:, 2:], (probability[:, 2] + surest) / 2, surest)
    return np.where(there.any(1, keepdims=True), both, 0.0).astype(np.float32)


def both_say(probability: np.ndarray, there: np.ndarray, forest: np.ndarray) -> np.ndarray:
    """(T, C) the even mean of what the heads (T, M, C) say where they are there (T, M), and the forest (T, C)."""
    return (teacher_probability(probability, there) + forest) / 2


def soft_labels(probability: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray], forest: Mapping[str, np.ndarray],
                labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Soft labels (T, C) f4, `both_say`, of every session that the forest speaks of (T, C). NaN in frames that somebody
    scored, and where no head is there (T, M)."""
    made = {}
    for name, other in forest.items():
        free = unscored(labels, name, len(other)) & there[name].any(1)
        both = both_say(probability[name], there[name], other)
        made[name] = np.where(free[:, None], both, np.nan).astype(np.float32)
    return made


def without_doubtful(labels: Mapping[str, np.ndarray], opinion: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tracks in which labels that a second opinion (T, C) contradicts are not scored: absent where it is as high as on
    average where the behaviour was annotated, present where it is as low as on average where it was not, and whole
    bouts over which its mean is little higher than that.

    The opinion must come from a model that has not learnt these labels. The cuts are those of confident learning
    (arXiv 1911.00068), by behaviour, so that rare ones keep theirs; but annotators miss and confuse bouts, and what is
    said of a bout's frames is surer together.
    """
    said, pooled = (np.concatenate([x.reshape(-1, x.shape[-1]) for x in column]) for column in zip(
        *(np.broadcast_arrays(opinion[n], y) for n, y in labels.items()), strict=True))
    high, low = (_mean_where(said, pooled == state) for state in (PRESENT, ABSENT))
    out = {}
    for name, y in labels.items():
        doubtful = ((y == ABSENT) & (opinion[name] >= high)) | ((y == PRESENT) & (opinion[name] <= low))
        doubtful |= over_bouts(opinion[name], y) <= low + BOUT_DOUBT * (high - low)
        out[name] = np.where(doubtful, NOT_SCORED, y).astype(y.dtype)
    return out


def over_bouts(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Values (T, C) averaged over each annotated bout of labels (T, C) or (A, T, C), of that shape; NaN outside bouts."""
    out = np.full(labels.shape, np.nan, np.float32)
    tracks = out.reshape(-1, *values.shape)
    for a, c, start, stop in bouts(labels):
        tracks[a, start:stop, c] = values[start:stop, c].mean()
    return out


def _mean_where(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(C,) mean of values (N, C) where the mask holds; NaN, which nothing reaches, where it never does."""
    return np.where(mask.any(0), (values * mask).sum(0) / np.maximum(mask.sum(0), 1), np.nan)
