"""Rows of metrics/accuracy.json against each other: rbc and the best of its peers, paired by fold and draw."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.accuracy.methods import CHANCE, RBC, VARIANTS

SCORES = {"AP": "mean_average_precision", "F1": "macro_f1"}
KEY = ["dataset", "label_fraction"]
PAIR = ["fold", "draw"]
JUDGED = 0.1
"""The share of the labels at which a verdict is given."""
CELLS = 9
"""How many cells a verdict takes: three folds, three draws of labels each."""


def used_mode(rows: Sequence[dict]) -> pd.DataFrame:
    """The rows in the mode in which each method is used: rbc adapts to each recording, its peers do not."""
    found = pd.DataFrame(rows)
    ours = found["method"].isin([RBC, *VARIANTS])
    return found[found["mode"] == np.where(ours, "transductive", "inductive")]


def headlines(rows: Sequence[dict]) -> pd.DataFrame:
    """A row per cell and method: with both modalities, in the mode in which the method is used."""
    found = used_mode(rows)
    return found[found["modalities"] == "both"]


def interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences (n,) and its 95 % interval by Student's t; NaN bounds for a single one."""
    mean, n = float(np.mean(difference)), len(difference)
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.975, n - 1) * np.std(difference, ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def verdicts(heads: pd.DataFrame) -> pd.DataFrame:
    """rbc against the best peer with JUDGED of the labels, by data set and score: the peer's name, cells that both have,
    mean difference, low and high of its 95 % interval, and the verdict: ahead, behind, no difference, or none."""
    found = []
    for dataset, score, wide in _judged(heads):
        peer = best_peer(wide)
        if peer:
            row = _difference(wide, RBC, peer)
            found.append({"dataset": dataset, "score": score, "peer": peer, **row, "verdict": _verdict(row)})
    return pd.DataFrame(found, columns=["dataset", "score", "peer", "cells", "difference", "low", "high", "verdict"])


def _verdict(row: dict) -> str:
    if row["cells"] < CELLS:
        return f"no verdict ({row['cells']} of {CELLS} cells)"
    return "ahead" if row["low"] > 0 else "behind" if row["high"] < 0 else "no difference shown"


def best_peer(wide: pd.DataFrame) -> str | None:
    """The peer that rbc is least ahead of on average, of those that share most cells with it; scores have a row per cell
    and a column per method. None without any."""
    if RBC not in wide:
        return None
    ahead = wide.drop(columns=[m for m in wide if m in (RBC, *VARIANTS, *CHANCE)]).rsub(wide[RBC], axis=0)
    cells = ahead.notna().sum()
    ahead = ahead.loc[:, (cells > 0) & (cells == cells.max())].mean()
    return str(ahead.idxmin()) if len(ahead) else None


def label_factors(heads: pd.DataFrame) -> pd.DataFrame:
    """How many times more labels the best peer needs for the score that rbc has with JUDGED of them, by data set and
    score: read off the peer's own mean learning curve."""
    found = []
    for dataset, score, wide in _judged(heads):
        peer = best_peer(wide)
        if not peer:
            continue
        shared = wide[[RBC, peer]].dropna()
        own = heads[(heads["dataset"] == dataset) & (heads["method"] == peer)]
        curve = own.groupby("label_fraction")[["labelled_minutes", SCORES[score]]].mean()
        curve.loc[JUDGED, SCORES[score]] = shared[peer].mean()
        found.append({"dataset": dataset, "score": score, "peer": peer, "factor": label_factor(
            curve["labelled_minutes"].to_numpy(), curve[SCORES[score]].to_numpy(),
            int(curve.index.get_loc(JUDGED)), shared[RBC].mean())})
    return pd.DataFrame(found, columns=["dataset", "score", "peer", "factor"])


def label_factor(minutes: np.ndarray, score: np.ndarray, judged: int, target: float) -> str:
    """Minutes at which a learning curve, scores (B,) at rising labelled minutes (B,), reaches the target, over those of
    the budget `judged`; straight between budgets against the logarithm of minutes. `< 1` where the curve is there at that
    budget, `> x` where it does not get there within the labels that there are, x times as many."""
    if score[judged] >= target:
        return "< 1"
    for i in range(judged + 1, len(score)):
        if score[i] >= target:
            share = (target - score[i - 1]) / (score[i] - score[i - 1])
            log = np.log(minutes[i - 1]) + share * np.log(minutes[i] / minutes[i - 1])
            return f"{np.exp(log) / minutes[judged]:.1f}"
    return f"> {minutes[-1] / minutes[judged]:.0f}"


def by_part(heads: pd.DataFrame) -> pd.DataFrame:
    """What each part is worth: rbc less its variants, paired, by data set, budget and score."""
    found = [{**key, "method": method, "score": score, **_difference(wide, RBC, method)}
             for score in SCORES for key, wide in _wide(heads, score) for method in VARIANTS if {RBC, method} <= {*wide}]
    return pd.DataFrame(found, columns=[*KEY, "method", "score", "cells", "difference", "low", "high"])


def _judged(heads: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Data set, score and its values in the cells that a verdict is given on, of data sets that rbc has rows of."""
    at_budget = heads[heads["label_fraction"] == JUDGED]
    found = [(key["dataset"], score, wide) for score in SCORES for key, wide in _wide(at_budget, score) if RBC in wide]
    yield from sorted(found, key=lambda of: of[0])


def _wide(rows: pd.DataFrame, score: str) -> Iterator[tuple[dict, pd.DataFrame]]:
    """Data set and budget, and their scores with a row per fold and draw and a column per method."""
    for key, part in rows.groupby(KEY):
        wide = part.assign(value=part[SCORES[score]].astype(float)).pivot_table(index=PAIR, columns="method", values="value")
        yield dict(zip(KEY, key, strict=True)), wide


def _difference(wide: pd.DataFrame, one: str, other: str) -> dict:
    """Of the cells that have both columns: how many, mean difference, low and high of its interval."""
    both = wide[[one, other]].dropna()
    mean, low, high = interval((both[one] - both[other]).to_numpy())
    return {"cells": len(both), "difference": mean, "low": low, "high": high}
