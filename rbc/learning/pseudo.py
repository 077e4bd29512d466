"""Soft labels for frames that nobody scored, by two learners of different kinds.

The heads of the network and a random forest on window statistics err in different places; what both say together is
what the MLP learns from where there is no label (tri-training, doi 10.1109/TKDE.2005.186; distillation,
arXiv 1503.02531). T frames, C behaviours, M heads.
"""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.labels import scored_rows, unscored

STRIDE = 4  # neighbouring unlabelled frames say much the same
MOST_FREE = 150_000  # unlabelled frames to look at, however long the recordings are


def stride_of(frames: int) -> int:
    """Every so many-th of the training animals' unlabelled frames is looked at, where they have so many frames."""
    return max(STRIDE, -(-frames // MOST_FREE))


def frames_of(labels: np.ndarray | None, frames: int, stride: int) -> np.ndarray:
    """Frames (N,) to look at: those with a label (T, C), and every `stride`-th of the others."""
    wanted = np.arange(frames) % stride == 0
    return np.flatnonzero(wanted if labels is None else wanted | scored_rows(labels))


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
