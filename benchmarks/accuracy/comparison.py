"""Rows of metrics/accuracy.json against each other: rbc and the best of its peers, paired by fold and draw."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from benchmarks.accuracy.ours import VARIANTS, WHOLE, half_gone
from rbc.recordings.session import MODALITIES

KEY = ["dataset", "label_fraction"]
PAIR = ["fold", "draw"]
CHANCE = ("always_present", "validity_only")


def headlines(rows: Sequence[dict]) -> pd.DataFrame:
    """A row per cell and method: with both modalities, in the mode in which the method is used."""
    found = pd.DataFrame(rows)
    ours = found["method"].isin([WHOLE, *VARIANTS])
    return found[(found["modalities"] == "both") & (found["mode"] == np.where(ours, "transductive", "inductive"))]


def interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences (n,) and its 95 % interval by Student's t; NaN bounds for a single one."""
    mean, n = float(np.mean(difference)), len(difference)
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.975, n - 1) * np.std(difference, ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def paired(heads: pd.DataFrame) -> pd.DataFrame:
    """rbc against the peer that is best on average, by data set and budget: its name, cells that both have, mean
    difference of macro F1, low and high of its 95 % interval."""
    found = []
    for key, wide in _wide(heads, "method"):
        if WHOLE not in wide:
            continue
        wide = wide[wide[WHOLE].notna()]
        peers = wide.drop(columns=[m for m in wide if m in (WHOLE, *VARIANTS, *CHANCE)]).dropna(axis=1)
        if not peers.empty:
            best = peers.mean().idxmax()
            found.append({**key, "peer": best, **_difference(wide, WHOLE, best)})
    return _table(found, "peer")


def by_part(heads: pd.DataFrame) -> pd.DataFrame:
    """What each part is worth: rbc less rbc without it, or with one that is off, paired, by data set and budget."""
    return _table([{**key, "method": method, **_difference(wide, WHOLE, method)}
                   for key, wide in _wide(heads, "method") for method in VARIANTS if {WHOLE, method} <= {*wide}],
                  "method")


def fusion(rows: Sequence[dict]) -> pd.DataFrame:
    """rbc with both modalities less the one of them that is better alone on average, and with one of them gone half the
    time less the other alone; paired, in the cells in which no session has never had one of them."""
    ours = pd.DataFrame([row for row in rows if row["method"] == WHOLE and row["mode"] == "transductive"])
    found = []
    for key, wide in _wide(ours, "modalities") if len(ours) else ():
        if {*MODALITIES} <= {*wide}:
            pairs = {"both": wide[[*MODALITIES]].mean().idxmax()}
            pairs |= {half_gone(lost): kept for lost, kept in zip(MODALITIES, reversed(MODALITIES), strict=True)}
            found += [{**key, "modalities": with_both, "alone": alone, **_difference(wide, with_both, alone)}
                      for with_both, alone in pairs.items() if with_both in wide]
    return _table(found, "modalities", "alone")


def _wide(rows: pd.DataFrame, by: str) -> Iterator[tuple[dict, pd.DataFrame]]:
    """Data set and budget, and their macro F1 with a row per fold and draw and a column per value of `by`."""
    for key, part in rows.groupby(KEY):
        yield dict(zip(KEY, key, strict=True)), part.pivot_table(index=PAIR, columns=by, values="macro_f1")


def _difference(wide: pd.DataFrame, one: str, other: str) -> dict:
    """Of the cells that have both columns: how many, mean difference, low and high of its interval."""
    both = wide[[one, other]].dropna()
    mean, low, high = interval((both[one] - both[other]).to_numpy())
    return {"cells": len(both), "difference": mean, "low": low, "high": high}


def _table(rows: list[dict], *names: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*KEY, *names, "cells", "difference", "low", "high"])


def table(rows: Sequence[dict]) -> str:
    """Markdown: macro F1 of each method by data set and budget, then the paired differences."""
    if not rows:
        return "No rows.\n"
    heads = headlines(rows)
    mean = heads.pivot_table(index=KEY, columns="method", values="macro_f1")
    minutes = heads.groupby(KEY)["labelled_minutes"].agg(["min", "max"])
    cells = heads[heads["method"] == WHOLE].groupby(KEY).size()
    order = [WHOLE, *mean.drop(columns=WHOLE, errors="ignore").mean().sort_values(ascending=False).index]
    lines = ["Macro F1 on held-out animals, mean over folds and draws.", ""]
    lines += _head(["data", "labels", "minutes", "cells of rbc", *(m for m in order if m in mean)])
    for key, row in mean.iterrows():
        span = "{min:.1f}–{max:.1f}".format(**minutes.loc[key])
        scores = [f"{row[m]:.3f}" if np.isfinite(row[m]) else "–" for m in order if m in mean]
        lines.append(_line([key[0], f"{key[1]:.0%}", span, str(cells.get(key, 0)), *scores]))
    for title, differences in {
        "rbc less the best peer": paired(heads), "rbc less rbc without a part, or with one that is off": by_part(heads),
        "Both modalities less one of them alone": fusion(rows),
    }.items():
        if len(differences):
            lines += ["", f"{title}, macro F1, paired by fold and draw, 95 % interval (Student's t).", ""]
            lines += _head([c for c in differences if c not in ("low", "high")] + ["95 %"])
            for row in differences.to_dict("records"):
                low, high = row.pop("low"), row.pop("high")
                lines.append(_line([f"{row.pop('dataset')}", f"{row.pop('label_fraction'):.0%}",
                                    *(f"{v:+.3f}" if isinstance(v, float) else str(v) for v in row.values()),
                                    "–" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|" + "---|" * len(cells)]
