"""The comparison drawn: F1 of every method against labelled minutes, and how much rbc is ahead of the best peer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.accuracy.comparison import headlines, paired
from benchmarks.accuracy.ours import VARIANTS, WHOLE

COLOURS = {  # of methods; behaviours have theirs in rbc.figures.palette
    WHOLE: "#d62728", "random_forest": "#2ca02c", "gradient_boosting": "#98df8a", "tcn": "#1f77b4", "ts2vec": "#17becf",
    "cebra": "#9467bd", "clusters": "#bcbd22", "validity_only": "#7f7f7f", "always_present": "#c7c7c7",
}  # fmt: skip
MINUTES = (0.5, 1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500)  # that axes name


def comparison_page(rows: Sequence[dict]) -> str:
    """HTML: a panel per data set, macro F1 on held-out animals by labelled minutes (a dot per fold and draw, a line
    through the means), and below it rbc less the best peer, in that peer's colour, with its 95 % interval."""
    heads = headlines(rows)
    datasets = sorted(heads["dataset"].unique())
    ahead = paired(heads)
    drawn = make_subplots(2, len(datasets), row_heights=[0.68, 0.32], vertical_spacing=0.12, horizontal_spacing=0.05,
                          subplot_titles=[*datasets, *["rbc less the best peer (its colour)"] * len(datasets)])
    for column, dataset in enumerate(datasets, start=1):
        own = heads[(heads["dataset"] == dataset) & ~heads["method"].isin(list(VARIANTS))]
        for method, part in own.groupby("method"):
            means = part.groupby("label_fraction")[["labelled_minutes", "macro_f1"]].mean()
            look = {"legendgroup": method, "marker_color": COLOURS[method], "name": method}
            drawn.add_trace(go.Scatter(x=part["labelled_minutes"], y=part["macro_f1"], mode="markers", opacity=0.35,
                                       showlegend=False, **look), 1, column)
            drawn.add_trace(go.Scatter(x=means["labelled_minutes"], y=means["macro_f1"], mode="lines+markers",
                                       showlegend=_first(method, dataset, heads), line_color=COLOURS[method],
                                       marker_size=9, **look), 1, column)
        part = ahead[ahead["dataset"] == dataset]
        minutes = own.groupby("label_fraction")["labelled_minutes"].mean().reindex(part["label_fraction"])
        bars = {"type": "data", "array": part["high"] - part["difference"],
                "arrayminus": part["difference"] - part["low"], "color": "#888"}
        drawn.add_trace(go.Scatter(x=minutes, y=part["difference"], error_y=bars, mode="markers", marker_size=9,
                                   text=part["peer"], showlegend=False, marker_color=part["peer"].map(COLOURS)), 2, column)
        drawn.add_hline(0, line_color="#999", line_dash="dot", row=2, col=column)
        reach = 1.3 * np.nanmax(np.abs([*part["low"], *part["high"], *part["difference"], 0.02]))
        drawn.update_yaxes(range=[-reach, reach], row=2, col=column)
        span = np.log10([0.7 * own["labelled_minutes"].min(), 1.4 * own["labelled_minutes"].max()])
        drawn.update_xaxes(title_text="labelled minutes", type="log", range=span, tickvals=MINUTES, col=column)
    drawn.update_yaxes(rangemode="tozero", row=1)
    drawn.update_yaxes(title_text="macro F1", row=1, col=1)
    drawn.update_yaxes(title_text="difference of macro F1", row=2, col=1)
    drawn.update_layout(template="plotly_white", width=max(270 * len(datasets) + 150, 800), height=760,
                        title="F1 on animals that no method has learnt from")
    return drawn.to_html(include_plotlyjs=True, div_id="accuracy")


def _first(method: str, dataset: str, heads: pd.DataFrame) -> bool:
    """Is this the first data set that has the method? One entry in the legend is enough."""
    return heads.loc[heads["method"] == method, "dataset"].min() == dataset
