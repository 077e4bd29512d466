"""pseudo_label: soft labels for unlabelled frames, behaviour by behaviour, so that rare ones do not vanish.

T frames, C behaviours, M heads.
"""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, prevalence, unscored


def teacher_probability(probability: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T, C) of the heads' (T, M, C): the fused head, averaged with whichever single modality is surer, so that one
    modality teaches the other where they differ in confidence."""
    sure = np.abs(probability[:, :2] - 0.5) * there[:, :2, None]
    surest = np.take_along_axis(probability[:, :2], sure.argmax(1)[:, None], axis=1)[:, 0]
    return np.where(there[:, 2:], (probability[:, 2] + surest) / 2, 0.0).astype(np.float32)


def cut_points(probability: np.ndarray, prevalence: np.ndarray, max_share: float,
               negative_quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower cut (C,) of unlabelled probabilities (N, C): above the upper one lies as large a share of frames
    as `max_share` times the behaviour's labelled prevalence (C,); below the lower one the quantile of sure negatives."""
    place = np.clip(1 - max_share * prevalence, 0, 1)
    upper = np.array([np.quantile(p, q) for p, q in zip(probability.T, place, strict=True)])
    lower = np.quantile(probability, negative_quantile, axis=0)
    return upper, np.minimum(lower, upper)


def pseudo_labels(probability: np.ndarray, similarity: np.ndarray, upper: np.ndarray, lower: np.ndarray,
                  threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Soft labels (T, C) f2 and state (T, C) i1 (1 accepted, 0 absent, -1 undecided).

    Accepted: above the behaviour's upper cut and more likely than not, or near to its prototype. Where probability or
    similarity reaches `threshold`, the soft label is 1, elsewhere the probability itself.
    """
    near = similarity >= threshold
    present = (probability >= upper) & ((probability >= 0.5) | near)
    absent = (probability <= lower) & (probability < 0.5) & ~present
    sure = near | (probability >= threshold)
    soft = np.select([present & sure, absent], [1.0, 0.0], probability)
    state = np.where(present, PRESENT, np.where(absent, ABSENT, NOT_SCORED)).astype(np.int8)
    return soft.astype(np.float16), state


def relabel(probability: Mapping[str, np.ndarray], encoded: Mapping, labels: Mapping[str, np.ndarray], *,
            threshold: float, negative_quantile: float, max_share: float,
            judged: Mapping | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Soft labels (T, C) and state (T, C) of every session, real labels spared.

    probability: the heads' (T, M, C); encoded: what heads are `there` and the `similarity` to prototypes; labels: of
    the labelled sessions. The cuts come from the frames of these sessions that nobody scored.
    judged: further sessions (probability, there, similarity) that take the same cuts, to see how good they are.
    """
    guess = {n: teacher_probability(p, encoded[n].there) for n, p in probability.items()}
    free = {n: unscored(labels, n, len(p)) & encoded[n].there.any(1) for n, p in guess.items()}
    pooled = np.concatenate([p[free[n]] for n, p in guess.items()])
    cuts = cut_points(pooled, prevalence(labels), max_share, negative_quantile) if len(pooled) else None
    out = {}
    for name, p in guess.items():
        soft, state = pseudo_labels(p, encoded[name].similarity, *cuts, threshold) if cuts else _nothing(p)
        state[~free[name]] = NOT_SCORED
        out[name] = soft, state
    for name, e in (judged or {}).items():
        p = teacher_probability(e.probability, e.there)
        out[name] = pseudo_labels(p, e.similarity, *cuts, threshold) if cuts else _nothing(p)
    return out


def without_doubtful(labels: Mapping[str, np.ndarray], opinion: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tracks in which labels that a second opinion (T, C) contradicts are not scored: absent where it is as high
    as on average where the behaviour was annotated, present where it is as low as on average where it was not.

    The opinion must come from a model that has not learnt these labels. Annotators miss and confuse bouts; the cuts
    are those of confident learning (arXiv 1911.00068), by behaviour, so that rare ones keep theirs.
    """
    said, pooled = (np.concatenate([x.reshape(-1, x.shape[-1]) for x in column]) for column in zip(
        *(np.broadcast_arrays(opinion[n], y) for n, y in labels.items()), strict=True))
    high, low = (_mean_where(said, pooled == state) for state in (PRESENT, ABSENT))
    out = {}
    for name, y in labels.items():
        doubtful = ((y == ABSENT) & (opinion[name] >= high)) | ((y == PRESENT) & (opinion[name] <= low))
        out[name] = np.where(doubtful, NOT_SCORED, y).astype(y.dtype)
    return out


def _mean_where(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(C,) mean of values (N, C) where the mask holds; NaN, which nothing reaches, where it never does."""
    return np.where(mask.any(0), (values * mask).sum(0) / np.maximum(mask.sum(0), 1), np.nan)


def _nothing(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(probability.shape, np.float16), np.full(probability.shape, NOT_SCORED, np.int8)


def agreement(state: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Coverage of state (T, C) and how often accepted and rejected frames agree with labels (T, C) that were scored."""
    scored = labels >= 0
    taken, left = scored & (state == PRESENT), scored & (state == ABSENT)
    return {
        "coverage": float((state >= 0)[scored].mean()) if scored.any() else float("nan"),
        "present_precision": float((labels[taken] == 1).mean()) if taken.any() else float("nan"),
        "absent_precision": float((labels[left] == 0).mean()) if left.any() else float("nan"),
    }
