"""The comparison as Markdown: benchmarks/results/accuracy.md, and the screen's table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.accuracy.comparison import (CELLS, JUDGED, KEY, SCORES, by_part, headlines, label_factors, used_mode,
                                            verdicts)
from benchmarks.accuracy.methods import RBC
from rbc.recordings.session import MODALITIES


def results_page(rows: Sequence[dict], stale: int) -> str:
    """Markdown of fresh rows; `stale` is how many others were left out."""
    left_out = f"{stale} stale rows are left out (made by other code, settings or recordings)." if stale else ""
    if not rows:
        return f"No rows. {left_out}".strip() + "\n"
    heads = headlines(rows)
    revisions = ", ".join(sorted({row["revision"] for row in rows}))
    parts = [
        "Scores on animals (or sessions, where animals are not named) that no method has learnt from: mean average "
        f"precision (AP) and macro F1. Revision {revisions}. {left_out}".strip(),
        "**Scores**, AP / F1, means over folds and draws. Minutes are labelled ones, of training and validation.",
        _scores(heads),
    ]
    judged = verdicts(heads)
    if len(judged):
        parts += [f"**Verdicts** with {JUDGED:.0%} of the labels: rbc less the peer that is best by that score, paired by fold "
                  f"and draw, {CELLS} cells or more, 95 % interval (Student's t).", _verdicts(judged),
                  f"**Label factor**: how many times more labels the best peer needs for rbc's score at {JUDGED:.0%}.",
                  _factors(label_factors(heads))]
    parts += [f"**Modalities** with {JUDGED:.0%} of the labels, AP / F1; a modality alone in the cells in which every "
              "held-out session has it.", modalities_table(rows)]
    changed = by_part(heads)
    if len(changed):
        parts += ["**Parts**: rbc less rbc with one part changed, 95 % interval.", _parts(changed)]
    return "\n\n".join(parts) + "\n"


def modalities_table(rows: Sequence[dict], methods: Sequence[str] = (RBC, "raw_trees")) -> str:
    """AP / F1 of methods with each choice of modalities, with JUDGED of the labels."""
    found = used_mode(rows)
    found = found[(found["label_fraction"] == JUDGED) & found["method"].isin(methods)]
    order = [*MODALITIES, "both", *sorted({*found["modalities"]} - {*MODALITIES, "both"})]
    columns = [(method, modality) for method in methods for modality in order
               if ((found["method"] == method) & (found["modalities"] == modality)).any()]
    head = ["data", "cells", *(f"{method}, {modality}" for method, modality in columns)]
    body = []
    for dataset, part in found.groupby("dataset"):
        groups = dict(list(part.groupby(["method", "modalities"])))
        cells = part[["fold", "draw"]].drop_duplicates()
        body.append([dataset, str(len(cells)), *(_pair(groups.get(column)) for column in columns)])
    return markdown(head, body)


def _scores(heads: pd.DataFrame) -> str:
    mean = heads.assign(AP=heads[SCORES["AP"]].astype(float)).groupby("method")["AP"].mean().sort_values(ascending=False)
    methods = [m for m in (RBC, *mean.index.drop(RBC, errors="ignore")) if m in mean]
    body = []
    for (dataset, fraction), part in heads.groupby(KEY):
        minutes = part["labelled_minutes"]
        groups = dict(list(part.groupby("method")))
        cells = part[["fold", "draw"]].drop_duplicates()
        body.append([dataset, f"{fraction:.0%}", f"{minutes.min():.1f}–{minutes.max():.1f}", str(len(cells)),
                     *(_pair(groups.get(method)) for method in methods)])
    return markdown(["data", "labels", "minutes", "cells", *methods], body)


def _verdicts(judged: pd.DataFrame) -> str:
    return markdown(["data", "score", "best peer", "cells", "rbc less peer", "95 %", "verdict"],
                    [[r.dataset, r.score, r.peer, str(r.cells), f"{r.difference:+.3f}",
                      _bounds(r.low, r.high) if r.cells >= CELLS else "–", r.verdict] for r in judged.itertuples()])


def _factors(factors: pd.DataFrame) -> str:
    wide = {(r.dataset, r.score): f"{r.factor} ({r.peer})" for r in factors.itertuples()}
    return markdown(["data", *SCORES], [[dataset, *(wide.get((dataset, score), "–") for score in SCORES)]
                                        for dataset in sorted({*factors["dataset"]})])


def _parts(changed: pd.DataFrame) -> str:
    return markdown(["data", "labels", "rbc less", "score", "cells", "difference", "95 %"],
                    [[r.dataset, f"{r.label_fraction:.0%}", r.method, r.score, str(r.cells), f"{r.difference:+.3f}",
                      _bounds(r.low, r.high)] for r in changed.itertuples()])


def _bounds(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"


def _pair(part: pd.DataFrame | None) -> str:
    """Means of AP and F1 over rows."""
    if part is None:
        return "–"
    values = part[list(SCORES.values())].astype(float).mean()
    return " / ".join("–" if np.isnan(value) else f"{value:.3f}" for value in values)


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as what is in them, so that a terminal shows it too."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in (head, *body)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
