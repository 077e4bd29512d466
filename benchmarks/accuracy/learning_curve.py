"""How many labels are enough: F1 on unseen animals against labelled minutes, and what the next ten minutes are worth.

`python -m benchmarks.accuracy.learning_curve --dataset NAME --page FILE` draws the fresh rows of rbc in
metrics/accuracy.json; `python -m benchmarks.accuracy --methods rbc --fractions 0.05 0.1 0.2 0.5 1` makes them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.accuracy.comparison import headlines
from benchmarks.accuracy.datasets import DATASETS
from benchmarks.accuracy.methods import RBC
from benchmarks.accuracy.page import MINUTES
from benchmarks.accuracy.records import fresh_rows, read_rows, todays_hashes
from benchmarks.imports import ROOT
from rbc.figures.palette import palette
from rbc.outputs import write_text

MORE_MIN = 10.0
RESAMPLES = 1000
MACRO = "macro F1"
CELL = ["fold", "draw", "label_fraction"]


def curve(rows: Sequence[dict], dataset: str) -> pd.DataFrame:
    """F1 by cell: columns CELL, minutes, MACRO and one per behaviour; one row per fold, draw and budget."""
    heads = headlines(rows)
    own = heads[(heads["method"] == RBC) & (heads["dataset"] == dataset)]
    scores = pd.DataFrame(list(own["behaviours"]), index=own.index).astype(float)
    return pd.concat([own[CELL], own["labelled_minutes"].rename("minutes"),
                      own["macro_f1"].rename(MACRO), scores], axis=1).sort_values("minutes")


def worth(minutes: np.ndarray, f1: np.ndarray, groups: np.ndarray, more: float = MORE_MIN) -> tuple[float, float, float]:
    """What `more` labelled minutes beyond the most that there are should add to F1 (n,): the slope against the logarithm
    of minutes (n,) over the upper half of the budgets, and its 95 % bootstrap interval over groups (n,), the folds and
    draws. NaN where there are fewer than two budgets.

    F1 grows about as the logarithm of the labels while they are few; where it bends down this says too much.
    """
    def slope(rows: np.ndarray) -> float:
        x, y = np.log(minutes[rows]), f1[rows]
        keep = (x >= np.median(x)) & np.isfinite(y)
        spread = np.ptp(x[keep]) if keep.any() else 0.0
        return float(np.polyfit(x[keep], y[keep], 1)[0]) if spread > 0.2 else float("nan")

    step = np.log1p(more / minutes.max())
    names = np.unique(groups)
    rng = np.random.default_rng(0)
    drawn = [slope(np.concatenate([np.flatnonzero(groups == g) for g in rng.choice(names, len(names))]))
             for _ in range(RESAMPLES if len(names) > 1 else 0)]
    drawn = np.array(drawn)[np.isfinite(drawn)]
    low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (np.nan, np.nan)
    return slope(np.arange(len(f1))) * step, float(low) * step, float(high) * step


def learning_page(rows: Sequence[dict], dataset: str) -> str:
    """HTML: macro F1 and F1 per behaviour against labelled minutes, and what ten minutes more should add to each."""
    found = curve(rows, dataset)
    groups = (found["fold"].astype(str) + "-" + found["draw"].astype(str)).to_numpy()
    behaviours = [c for c in found.columns if c not in (*CELL, "minutes", MACRO)]
    colours = {MACRO: "#222222"} | palette(behaviours)
    drawn = make_subplots(1, 2, column_widths=[0.6, 0.4], horizontal_spacing=0.12,
                          subplot_titles=["F1 on unseen animals", f"what {MORE_MIN:g} minutes more should add"])
    for name in (*behaviours, MACRO):
        mean = found.groupby("label_fraction")[["minutes", name]].mean()
        drawn.add_trace(go.Scatter(x=mean["minutes"], y=mean[name], mode="lines+markers", name=name,
                                   line={"color": colours[name], "width": 4 if name == MACRO else 1.8}), 1, 1)
        missing = 1 - mean[name].iloc[-1]
        value, low, high = np.minimum(worth(found["minutes"].to_numpy(), found[name].to_numpy(), groups), missing)
        bars = {"type": "data", "array": [high - value], "arrayminus": [value - low]}
        drawn.add_trace(go.Bar(y=[name], x=[value], error_x=bars, orientation="h", marker_color=colours[name],
                               showlegend=False), 1, 2)
    drawn.update_xaxes(title_text="labelled minutes, training and validation", type="log", tickvals=MINUTES, row=1, col=1)
    drawn.update_yaxes(title_text="F1", range=[0, 1], row=1, col=1)
    drawn.update_xaxes(title_text="difference of F1, no more than is missing to 1", row=1, col=2)
    drawn.update_yaxes(autorange="reversed", row=1, col=2)  # as the legend
    drawn.update_layout(template="plotly_white", width=1350, height=640,
                        title=f"How many labels are enough: {dataset}, {found['minutes'].max():.0f} minutes at most")
    return drawn.to_html(include_plotlyjs=True, div_id="learning")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("benchmarks.accuracy.learning_curve", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default="first_world")
    parser.add_argument("--page", type=Path, default=ROOT / "report/learning_curve.html")
    chosen = parser.parse_args(arguments)
    rows = [row for row in fresh_rows(read_rows(), todays_hashes())
            if row["dataset"] == chosen.dataset and row["method"] == RBC]
    if not rows:
        parser.error(f"metrics/accuracy.json has no fresh rows of rbc on {chosen.dataset}")
    write_text(chosen.page, learning_page(rows, chosen.dataset))
    print(chosen.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
