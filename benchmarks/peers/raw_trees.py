"""Extremely randomised trees (Geurts, Ernst & Wehenkel, Machine Learning 63:3, 2006) on window statistics of raw
channels: what a lab can do in an afternoon, and the floor that features and networks have to beat.

T frames, N rows, F channels, F' inputs of the trees.
"""

from dataclasses import replace

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from benchmarks.peers.classifiers import classifiers
from benchmarks.peers.training_data import Predictions, Tracks, TrainingData, ensemble
from rbc.scoring.labels import scored_rows

WINDOWS_S = 0.5, 1.6
STEP_S = 0.04  # between predicted frames of held-out sessions: windows change little within it
TREES, LEAF = 34, 4  # of each of the members of an ensemble; frames in a leaf


def raw_trees(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by extremely randomised trees, a model per behaviour, of channels as in `raw_channels`; a missing
    value is one that trees can ask for."""
    rows = {name: np.flatnonzero(scored_rows(y)) for name, y in data.labels.items()}
    halves = [max(round(window_s * data.rate_hz / 2), 1) for window_s in WINDOWS_S]
    tables = {name: window_table(data.features[name], halves, rows[name]) for name in rows}  # (N, F')
    cut = replace(data, labels={name: y[rows[name]] for name, y in data.labels.items()})
    step = max(round(STEP_S * data.rate_hz), 1)
    read = ((name, window_table(x, halves, np.arange(0, len(x), step))) for name, x in held.items())
    predicted, out_of_fold = ensemble(cut, tables, read, lambda part: classifiers(part, tables, _trees))
    return {name: np.repeat(p, step, axis=0)[: len(held[name])] for name, p in predicted.items()}, out_of_fold


def window_table(x: np.ndarray, halves: list[int], rows: np.ndarray | None = None) -> np.ndarray:
    """(N, F * (1 + 3 W)) f4: channels (T, F), then of each window, so many frames to each side, the mean, the deviation
    and the mean of the half ahead less that of the half behind; NaN where a window or a half holds nothing.

    rows: frames wanted (N,), default all.
    """
    rows = np.arange(len(x)) if rows is None else rows
    there = np.isfinite(x)
    level = np.where(there, x, 0).sum(0, dtype=float) / np.maximum(there.sum(0), 1)  # keeps the sums of squares small
    shifted = np.where(there, x - level, 0)
    sums, squares, counts = (_sums(values) for values in (shifted, shifted**2, there))

    def mean(total: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        count = counts[stop] - counts[start]
        return np.where(count > 0, (total[stop] - total[start]) / np.maximum(count, 1), np.nan)

    columns = [x[rows]]
    for half in halves:
        start, stop = np.maximum(rows - half, 0), np.minimum(rows + half + 1, len(x))
        middle = mean(sums, start, stop)
        spread = np.sqrt(np.maximum(mean(squares, start, stop) - middle**2, 0))
        columns += [middle + level, spread, mean(sums, rows, stop) - mean(sums, start, rows + 1)]
    return np.concatenate(columns, 1, dtype=np.float32)


def _sums(values: np.ndarray) -> np.ndarray:
    """Sums (T + 1, F) f8 of all values in front of each frame."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0, dtype=float)])


def _trees(seed: int) -> ExtraTreesClassifier:
    return ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed)
