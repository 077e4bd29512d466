"""Differences between groups and each animal's time budget, true and predicted, drawn."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rbc.figures.palette import SEVERAL, palette

WAYS = {"adapted": ("circle", 0.22), "zero-shot": ("circle-open", -0.22)}  # symbol, place in the row
GROUPS = ("circle", "diamond", "square")


def biology_page(table: pd.DataFrame, rows: pd.DataFrame) -> str:
    """HTML of what `benchmarks.biology` measured: per changed group and behaviour the true difference and the predicted
    ones with their intervals; then every animal's share of time, predicted against true, adapted."""
    names = list(dict.fromkeys(rows.behaviour))[::-1]
    colours = palette([name for name in names if name != "anything active"]) | {"anything active": SEVERAL}
    groups = list(dict.fromkeys(rows.group))
    symbols = dict(zip(dict.fromkeys(table.group), GROUPS))
    marks = ", ".join(f"{symbol} {group}" for group, symbol in symbols.items())
    titles = [f"{group}, minus as usual" for group in groups] + [f"every animal, adapted ({marks})"]
    drawn = make_subplots(1, len(titles), subplot_titles=titles, horizontal_spacing=0.07,
                          column_widths=[0.3] * len(groups) + [0.4])
    for column, group in enumerate(groups, start=1):
        for k, name in enumerate(names):
            here = rows[(rows.group == group) & (rows.behaviour == name)]
            true = here.iloc[0]
            drawn.add_trace(go.Scatter(
                x=[100 * true.true], y=[k], mode="markers", name="true", legendgroup="true", showlegend=False,
                marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": "#222"}}), 1, column)
            for row in here.itertuples():
                symbol, shift = WAYS[row.way]
                x = 100 * row.predicted
                drawn.add_trace(go.Scatter(
                    x=[x], y=[k + shift], mode="markers", name=row.way, showlegend=False,
                    marker={"symbol": symbol, "size": 9, "color": colours[name]},
                    error_x={"array": [100 * row.predicted_high - x], "arrayminus": [x - 100 * row.predicted_low],
                             "color": colours[name], "thickness": 1.5, "width": 0},
                    hovertext=f"{name}, {row.way}: {row.verdict}"), 1, column)
        planted = set(rows[(rows.group == group) & rows.planted].behaviour)
        labels = [f"<b>{name}</b>" if name in planted else name for name in names]
        drawn.update_yaxes(tickvals=list(range(len(names))), ticktext=labels, range=[-0.6, len(names) - 0.4],
                           row=1, col=column)
        drawn.update_xaxes(title_text="difference (% of the time)", zeroline=True, zerolinecolor="#888", row=1,
                           col=column)
    last = len(titles)
    drawn.update_annotations(font_size=13)
    most = 100 * float(table[["true", "predicted"]].to_numpy().max())
    drawn.add_trace(go.Scatter(x=[0, most], y=[0, most], mode="lines", line={"color": "#bbb", "width": 1},
                               showlegend=False, hoverinfo="skip"), 1, last)
    for (name, group), own in table[table.way == "adapted"].groupby(["behaviour", "group"], sort=False):
        symbol = symbols[group]
        drawn.add_trace(go.Scatter(
            x=100 * own.true, y=100 * own.predicted, mode="markers", name=name, legendgroup=name,
            showlegend=symbol == GROUPS[0], hovertext=own.animal + f", {group}, {name}",
            marker={"symbol": symbol, "size": 7, "color": colours[name], "opacity": 0.8}), 1, last)
    drawn.update_xaxes(title_text="true (% of the time)", row=1, col=last)
    drawn.update_yaxes(title_text="predicted (% of the time)", row=1, col=last)
    title = ("Time budgets of simulated groups: true (bars), predicted adapted (filled) and zero-shot (open), with "
             "95 % intervals over animals")
    drawn.update_layout(template="plotly_white", width=1480, height=640, title={"text": title, "font": {"size": 16}})
    return drawn.to_html(include_plotlyjs=True, div_id="biology", config={"displayModeBar": False})
