"""How far annotators agree with each other: the ceiling that people set. A annotators, T frames, C behaviours."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from rbc.scoring.labels import NOT_SCORED, PRESENT

ALL = "all pairs"
COLUMNS = ("annotators", "behaviour", "sessions", "frames", "f1", "kappa")


def agreement(tracks: Mapping[str, Mapping[str, np.ndarray]], behaviours: Sequence[str]) -> pd.DataFrame:
    """F1 and Cohen's kappa of each behaviour between annotators, a row for all pairs together and one for each pair.

    tracks: {session: {annotator: labels (T, C)}}. Frames that both of a pair scored count; `frames` says how many. F1
    is the same whichever of two is taken for the truth, and NaN where neither marks the behaviour.
    """
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for by in tracks.values():
        for one, other in combinations(sorted(by), 2):
            pairs.setdefault(f"{one}, {other}", []).append((by[one], by[other]))
    everyone = [pair for found in pairs.values() for pair in found]
    rows = []
    for name, found in {ALL: everyone, **dict(sorted(pairs.items()))}.items() if everyone else ():
        first, second = (np.concatenate(side) for side in zip(*found, strict=True))
        both = (first != NOT_SCORED) & (second != NOT_SCORED)
        hit = (both & (first == PRESENT) & (second == PRESENT)).sum(0)
        marked = (both & (first == PRESENT)).sum(0) + (both & (second == PRESENT)).sum(0)
        f1 = np.where(marked > 0, 2 * hit / np.maximum(marked, 1), np.nan)
        shared = np.array([((a != NOT_SCORED) & (b != NOT_SCORED)).any(0) for a, b in found]).sum(0)
        columns = (behaviours, shared.tolist(), both.sum(0).tolist(), f1, kappa(first, second))
        rows += [(name, *row) for row in zip(*columns, strict=True) if row[2]]
    return pd.DataFrame(rows, columns=COLUMNS)


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean F1 and kappa over the behaviours that have one, all pairs together; NaN without several annotators."""
    whole = table[table["annotators"] == ALL]
    return {name: float(whole[name].astype(float).mean()) for name in ("f1", "kappa")}


def kappa(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cohen's kappa (C,) of two annotators' labels (T, C) over the frames that both scored.

    NaN where no frame is shared, or where both say the same one thing throughout.
    """
    both = (first != NOT_SCORED) & (second != NOT_SCORED)
    frames = np.maximum(both.sum(0), 1)
    a, b = (both & (first == PRESENT)), (both & (second == PRESENT))
    agreed = (both & (a == b)).sum(0) / frames
    share_a, share_b = a.sum(0) / frames, b.sum(0) / frames
    chance = share_a * share_b + (1 - share_a) * (1 - share_b)
    return np.where(both.any(0) & (chance < 1), (agreed - chance) / np.where(chance < 1, 1 - chance, 1), np.nan)
