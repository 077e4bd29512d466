"""What is known of training animals out of fold: guesses by members that have not learnt from them, and their labels.

N scored frames, C behaviours, M heads. Decisions are fitted on them too.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

KNOWN = "known"
Guess = tuple[np.ndarray, np.ndarray]
"""A session's probabilities (T, M, C) and which heads are there (T, M)."""
Known = Mapping[str, tuple[Guess, np.ndarray]]
"""Guess and labels (N, C) of the scored frames, by training session."""
NOTHING: Known = MappingProxyType({})


def write_known(path: Path, labels: np.ndarray, **said: np.ndarray) -> None:
    """What was said of a training animal's scored frames, out of fold, beside its labels (N, C): a method's
    probabilities (N, C), or (N, M, C) and what heads are `there` (N, M)."""
    path.parent.mkdir(exist_ok=True)
    np.savez(path, labels=labels, **said)


def read_known(folder: Path) -> dict[str, Known]:
    """What `write_known` left in a folder, by method; empty where nothing could be left out."""
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            said = dict(file)
        labels, there = said.pop("labels"), said.pop("there", None)
        for method, probability in said.items():
            heads = probability if probability.ndim == 3 else probability[:, None]
            speak = np.ones(heads.shape[:2], bool) if there is None else there
            found.setdefault(method, {})[path.stem] = (heads, speak), labels
    return found


def of_head(known: Known, head: int) -> Known:
    """What is known where one head speaks alone; frames in which it has nothing to read are left out."""
    found = {}
    for name, ((probability, there), labels) in known.items():
        rows, only = there[:, head], np.arange(there.shape[1]) == head
        if rows.any():
            found[name] = (probability[rows], there[rows] & only), labels[rows]
    return found
