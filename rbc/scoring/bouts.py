"""Runs of frames of one behaviour: finding them, matching annotated to predicted ones, and what that says.

A bout is a half-open interval [start, stop) of frames; n annotated, m predicted. Both sides are sorted and disjoint,
as `find_bouts` returns them. Where a frame is not scored, a bout ends: nothing is known beyond.
"""

import numpy as np

PRESENT, NOT_SCORED = 1, -1


def find_bouts(track: np.ndarray) -> np.ndarray:
    """Bouts (n, 2) of the track (T,) bool: start and stop (exclusive) of every run of True."""
    edges = np.flatnonzero(np.diff(np.asarray(track, bool).astype(np.int8), prepend=0, append=0))
    return edges.reshape(-1, 2)


def scored_bouts(labels: np.ndarray, decision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Annotated (n, 2) and predicted (m, 2) bouts of one behaviour, both within scored frames.

    labels (T,) 1, 0, -1; decision (T,) bool.
    """
    return find_bouts(labels == PRESENT), find_bouts(np.asarray(decision, bool) & (labels != NOT_SCORED))


def match_bouts(true: np.ndarray, predicted: np.ndarray, iou: float) -> np.ndarray:
    """Pairs (k, 2) of indices (annotated, predicted), one to one, as many as possible with IoU >= iou.

    Disjoint intervals overlap in a forest, and of its leftmost pair the bout that ends first has no other partner left:
    taking pairs from left to right is therefore a maximum matching. Raises ValueError unless 0 < iou <= 1.
    """
    if not 0 < iou <= 1:
        raise ValueError(f"iou {iou}; needs 0 < iou <= 1")
    if not len(true) or not len(predicted):
        return np.zeros((0, 2), dtype=np.int64)
    first = np.searchsorted(predicted[:, 1], true[:, 0], side="right")
    last = np.searchsorted(predicted[:, 0], true[:, 1], side="left")
    count = np.maximum(last - first, 0)
    i = np.repeat(np.arange(len(true)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    shared = np.minimum(true[i, 1], predicted[j, 1]) - np.maximum(true[i, 0], predicted[j, 0])
    joined = np.maximum(true[i, 1], predicted[j, 1]) - np.minimum(true[i, 0], predicted[j, 0])
    near = shared / joined >= iou  # a quotient of integers rounds like the literal 0.1; a product does not
    pairs, free_i, free_j = [], -1, -1
    for a, b in zip(i[near].tolist(), j[near].tolist(), strict=True):
        if a > free_i and b > free_j:
            pairs.append((a, b))
            free_i, free_j = a, b
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def bout_counts(true: np.ndarray, predicted: np.ndarray, iou: float) -> np.ndarray:
    """Counts (3,) matched, annotated, predicted; they add up over sessions."""
    return np.array([len(match_bouts(true, predicted, iou)), len(true), len(predicted)])


def bout_f1(counts: np.ndarray) -> np.ndarray:
    """Event F1 (...) of counts (..., 3) = 2 matched / (annotated + predicted); NaN where nothing was annotated."""
    matched, annotated, predicted = np.moveaxis(np.asarray(counts, float), -1, 0)
    return np.where(annotated > 0, 2 * matched / np.maximum(annotated + predicted, 1), np.nan)


def bout_sides(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of annotated bouts found (...) and share of predicted bouts that are right (...), of counts (..., 3).

    Both NaN where nothing was annotated; predicting nothing where something was annotated is 0 right.
    """
    matched, annotated, predicted = np.moveaxis(np.asarray(counts, float), -1, 0)
    known = annotated > 0
    return (np.where(known, matched / np.maximum(annotated, 1), np.nan),
            np.where(known, matched / np.maximum(predicted, 1), np.nan))


def onset_errors(labels: np.ndarray, true: np.ndarray, predicted: np.ndarray, iou: float) -> np.ndarray:
    """Predicted minus annotated onset (k,) in frames, of the bouts matched at `iou`.

    labels (T,) as in `scored_bouts`. Bouts that begin where scoring begins have no known onset and are left out.
    """
    pairs = match_bouts(true, predicted, iou)
    start = true[pairs[:, 0], 0]
    known = (start > 0) & (labels[np.maximum(start - 1, 0)] != NOT_SCORED)
    return (predicted[pairs[:, 1], 0] - start)[known]
