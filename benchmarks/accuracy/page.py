"""The comparison drawn: AP and F1 of every method against labelled minutes, and how much rbc is ahead of the best peer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.accuracy.comparison import JUDGED, SCORES, headlines, verdicts
from benchmarks.accuracy.methods import RBC, VARIANTS

COLOURS = {  # of methods; behaviours have theirs in rbc.figures.palette
    RBC: "#d62728", "raw_trees": "#ff7f0e", "random_forest": "#2ca02c", "gradient_boosting": "#98df8a",
    "validity_only": "#7f7f7f", "always_present": "#c7c7c7",
}  # fmt: skip
MINUTES = (0.5, 1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500)  # that axes name
TITLES = {"AP": "mean average precision", "F1": "macro F1"}


def comparison_page(rows: Sequence[dict]) -> str:
    """HTML: panels per data set of average precision and of F1 on held-out animals by labelled minutes (a dot per fold and
    draw, a line through the means), and below them rbc less the best peer, in that peer's colour, with its 95 % interval."""
    heads = headlines(rows)
    datasets = sorted(heads["dataset"].unique())
    judged = verdicts(heads)
    drawn = make_subplots(3, len(datasets), row_heights=[0.38, 0.38, 0.24], vertical_spacing=0.09, horizontal_spacing=0.04,
                          subplot_titles=datasets)
    for column, dataset in enumerate(datasets, start=1):
        own = heads[(heads["dataset"] == dataset) & ~heads["method"].isin(list(VARIANTS))]
        for line, score in enumerate(SCORES.values(), start=1):
            for method, part in own.groupby("method"):
                means = part.groupby("label_fraction")[["labelled_minutes", score]].mean()
                look = {"legendgroup": method, "marker_color": COLOURS[method], "name": method}
                drawn.add_trace(go.Scatter(x=part["labelled_minutes"], y=part[score], mode="markers", opacity=0.35,
                                           showlegend=False, **look), line, column)
                drawn.add_trace(go.Scatter(x=means["labelled_minutes"], y=means[score], mode="lines+markers", marker_size=9,
                                           showlegend=line == 1 and _first(method, dataset, heads),
                                           line_color=COLOURS[method], **look), line, column)
        span = np.log10([0.7 * own["labelled_minutes"].min(), 1.4 * own["labelled_minutes"].max()])
        for line in (1, 2):
            drawn.update_xaxes(type="log", range=span, tickvals=MINUTES, row=line, col=column)
        drawn.update_xaxes(title_text="labelled minutes", row=2, col=column)
        part = judged[judged["dataset"] == dataset]
        bars = {"type": "data", "array": part["high"] - part["difference"],
                "arrayminus": part["difference"] - part["low"], "color": "#888"}
        drawn.add_trace(go.Scatter(x=part["score"], y=part["difference"], error_y=bars, mode="markers", marker_size=9,
                                   text=part["peer"] + ": " + part["verdict"], showlegend=False,
                                   marker_color=part["peer"].map(COLOURS)), 3, column)
        drawn.add_hline(0, line_color="#999", line_dash="dot", row=3, col=column)
        reach = 1.3 * np.nanmax(np.abs([*part["low"], *part["high"], *part["difference"], 0.02]).astype(float))
        drawn.update_yaxes(range=[-reach, reach], row=3, col=column)
    for line, title in enumerate(TITLES.values(), start=1):
        drawn.update_yaxes(rangemode="tozero", row=line)
        drawn.update_yaxes(title_text=title, row=line, col=1)
    drawn.update_yaxes(title_text="rbc less the best peer", row=3, col=1)
    drawn.update_layout(template="plotly_white", width=max(270 * len(datasets) + 150, 800), height=980,
                        title=f"Animals that no method has learnt from; differences with {JUDGED:.0%} of the labels")
    return drawn.to_html(include_plotlyjs=True, div_id="accuracy")


def _first(method: str, dataset: str, heads: pd.DataFrame) -> bool:
    """Is this the first data set that has the method? One entry in the legend is enough."""
    return heads.loc[heads["method"] == method, "dataset"].min() == dataset
