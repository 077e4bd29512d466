"""Features on one scale, from training sessions only. T frames, F features."""

from collections.abc import Callable

import numpy as np

from benchmarks.peers.training_data import Tracks

FURTHEST = 10.0  # standard deviations
LEAST = 1e-3  # standard deviation of a feature that hardly moves


def fit_scaling(tracks: Tracks) -> Callable[[np.ndarray], np.ndarray]:
    """What makes of features (T, F) their standard scores, 0 where missing, and the share that is missing, (T, F + 1)
    f4; mean and deviation are those of all tracks, 0 and 1 of a feature that is never there."""
    x = np.concatenate(list(tracks.values()))
    there = np.isfinite(x)
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, x, 0).sum(0, dtype=float) / count
    spread = np.sqrt(np.square(np.where(there, x - mean, 0)).sum(0) / count)
    mean, spread = mean.astype(np.float32), np.where(there.any(0), np.maximum(spread, LEAST), 1).astype(np.float32)

    def scaled(x: np.ndarray) -> np.ndarray:
        scores = np.clip((x - mean) / spread, -FURTHEST, FURTHEST)
        return np.concatenate([np.nan_to_num(scores), np.isnan(x).mean(1, keepdims=True, dtype=np.float32)], axis=1)

    return scaled
