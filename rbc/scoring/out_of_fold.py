"""Out-of-fold predictions for training animals, by ensemble members that did not train on them, beside their labels.

N scored frames, C behaviours, M heads. Decisions are fitted on them.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

OUT_OF_FOLD = "out_of_fold"
Predictions = tuple[np.ndarray, np.ndarray]
"""A session's probabilities (T, M, C) and which heads are available (T, M)."""
OutOfFoldLabelled = Mapping[str, tuple[Predictions, np.ndarray]]
"""Predictions and labels (N, C) of the scored frames, by training session."""
NONE_OUT_OF_FOLD: OutOfFoldLabelled = MappingProxyType({})


def write_out_of_fold(path: Path, labels: np.ndarray, **predicted: np.ndarray) -> None:
    """Write the out-of-fold predictions for a training session's scored frames beside its labels (N, C): probabilities
    by method, (N, C), or (N, M, C) with the heads that are available, `there` (N, M)."""
    path.parent.mkdir(exist_ok=True)
    np.savez(path, labels=labels, **predicted)


def read_out_of_fold(folder: Path) -> dict[str, OutOfFoldLabelled]:
    """What `write_out_of_fold` left in a folder, by method; empty where nothing could be left out."""
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            stored = dict(file)
        labels, there = stored.pop("labels"), stored.pop("there", None)
        for method, probability in stored.items():
            heads = probability if probability.ndim == 3 else probability[:, None]
            available = np.ones(heads.shape[:2], bool) if there is None else there
            found.setdefault(method, {})[path.stem] = (heads, available), labels
    return found
