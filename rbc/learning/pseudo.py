"""Soft labels for frames that nobody scored, from the network's own predictions.

The fused head is averaged with whichever single modality is more confident, so that one modality teaches the other
where they differ (co-training, doi 10.1145/279943.279962); the MLP trains on these beside the real labels (pseudo
labels; distillation, arXiv 1503.02531). T frames, C behaviours, M heads (imu, pose, fused).
"""

import numpy as np

from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, scored_rows

STRIDE = 4  # every so many-th unlabelled frame: neighbours are nearly the same example
MOST_UNLABELLED = 150_000  # frames, however long the recordings are
CONFIDENT = 0.95  # probability from which a pseudo label counts as confident in the metrics


def stride_of(frames: int) -> int:
    """Every so many-th of the training animals' unlabelled frames is used, where they have so many frames."""
    return max(STRIDE, -(-frames // MOST_UNLABELLED))


def frames_of(labels: np.ndarray | None, frames: int, stride: int) -> np.ndarray:
    """Frames (N,) to train on: those with a label (T, C), and every `stride`-th of the others."""
    wanted = np.arange(frames) % stride == 0
    return np.flatnonzero(wanted if labels is None else wanted | scored_rows(labels))


def teacher_probability(probability: np.ndarray, available: np.ndarray) -> np.ndarray:
    """(T, C) f4 of the heads' (T, M, C): the fused head, averaged with the more confident single modality; that one alone
    where the fused head has nothing to read, 0 where no head is available (T, M)."""
    confidence = np.abs(probability[:, :2] - 0.5) * available[:, :2, None]
    single = np.take_along_axis(probability[:, :2], confidence.argmax(1)[:, None], axis=1)[:, 0]
    both = np.where(available[:, 2:], (probability[:, 2] + single) / 2, single)
    return np.where(available.any(1, keepdims=True), both, 0.0).astype(np.float32)


def soft_labels(probability: np.ndarray, available: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Soft labels (T, C) f4 of a session, `teacher_probability`; NaN in frames that somebody scored (T, C), and where no
    head is available (T, M)."""
    use = available.any(1)
    if labels is not None:
        use &= ~scored_rows(labels)
    return np.where(use[:, None], teacher_probability(probability, available), np.nan).astype(np.float32)


def confident_labels(soft: np.ndarray) -> np.ndarray:
    """Labels (T, C) i1 of probabilities (T, C): 1 from CONFIDENT on, 0 up to 1 - CONFIDENT, else (and for NaN) -1."""
    labels = np.full(soft.shape, NOT_SCORED, np.int8)
    labels[soft >= CONFIDENT], labels[soft <= 1 - CONFIDENT] = PRESENT, ABSENT
    return labels
