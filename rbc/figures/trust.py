"""The trust page: how often what was called probable was there, and what leaving uncertain decisions out brings."""

import html
import math
from collections.abc import Mapping, Sequence

from rbc.figures.page import page
from rbc.figures.palette import blend, palette

COLUMNS, PANEL_PX, HEAD_PX, CURVE_PX = 6, 178, 52, 400
NONE_LEFT_OUT = 0.05  # per cent: where nothing at all is drawn on a log scale
GRID = {"gridcolor": "#eeeeee", "zeroline": False}


def trust_page(calibration: Sequence[Mapping], bins: Sequence[Mapping], risk: Sequence[Mapping], *, role: str) -> str:
    """HTML text of the page, of rows as `rbc.scoring.reliability.calibration_rows` and
    `rbc.scoring.certainty.risk_rows` make them. ValueError where no behaviour was scored."""
    if not calibration:
        raise ValueError("no behaviour was scored")
    names = list(dict.fromkeys(row["behaviour"] for row in calibration))
    conditions = list(dict.fromkeys(row["condition"] for row in calibration))
    colours = palette(names)
    data = {
        "bins": {condition: _bins(bins, condition, names, colours) for condition in conditions},
        "titles": {condition: _titles(calibration, condition, names) for condition in conditions},
        "curves": _curves(risk, colours, len(names)), "layout": _layout(len(names)),
    }
    notes = [
        "Above: how probable a behaviour was called and how often it was annotated then, in ten parts that should hold "
        "equally much of it. On the grey line a probability can be taken at its word. Light: the mean of the heads, "
        "before calibration; full colour: after. In the titles: prevalence; Brier score before → after (of always "
        "saying the prevalence); calibration error before → after, in ten parts of equally many frames.",
        "Below: what it brings to leave out the least certain decisions, more to the right. Circles: the uncertain "
        "ones are left out, as shipped. F1 ends at 0 where none is left that says present. A click in the legend switches a "
        "behaviour off, a double click shows it alone.",
    ]
    options = "".join(f'<option value="{html.escape(c)}">{html.escape(c)}</option>' for c in conditions)
    controls = f'<label>above: <select id="condition">{options}</select></label>'
    return page(f"Trust in probabilities and decisions, {role} animals", notes, controls, data, SCRIPT)


def _bins(bins: Sequence[Mapping], condition: str, names: list[str], colours: Mapping[str, str]) -> list[dict]:
    traces = []
    for k, name in enumerate(names, start=1):
        axes = {"xaxis": f"x{k}", "yaxis": f"y{k}", "type": "scatter", "showlegend": False}
        traces.append({**axes, "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip",
                       "line": {"color": "#bbbbbb", "width": 1}})
        for when, colour in (("before", blend(colours[name], "#ffffff", 0.65)), ("after", colours[name])):
            points = [row for row in bins if row["behaviour"] == name and row["condition"] == condition
                      and row["calibration"] == when]
            traces.append({
                **axes, "mode": "lines+markers", "x": [round(row["probability"], 4) for row in points],
                "y": [round(row["share"], 4) for row in points], "line": {"color": colour, "width": 1.6},
                "marker": {"size": 6},
                "hovertemplate": f"{name}, {when} calibration<br>called %{{x:.1%}}, there %{{y:.1%}}<extra></extra>",
            })
    return traces


def _titles(calibration: Sequence[Mapping], condition: str, names: list[str]) -> list[str]:
    found = {row["behaviour"]: row for row in calibration if row["condition"] == condition}
    texts = []
    for name in names:
        row, text = found.get(name), f"<b>{name}</b>"
        if row:
            brier, error = (f"{_few(row[f'{key}_before'])} → {_few(row[f'{key}_after'])}" for key in ("brier", "error"))
            share, constant = f"{100 * row['prevalence']:.1f} %", _few(row["brier_constant"])
            text += f" {share}<br>Brier {brier} ({constant})<br>error {error}"
        texts.append(text)
    return texts


def _few(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-3 else f"{value:.4f}"


def _curves(risk: Sequence[Mapping], colours: Mapping[str, str], panels: int) -> list[dict]:
    """Risk and F1 over coverage, a line per behaviour and a circle where the uncertain decisions are left out."""
    traces = []
    for name, colour in colours.items():
        for axis, key, scale, word in ((panels + 1, "risk", 100, "% wrong"), (panels + 2, "f1", 1, "F1")):
            for chosen in (0, 1):
                points = [row for row in risk if row["behaviour"] == name and row["chosen"] == chosen]
                traces.append({
                    "type": "scatter", "mode": "markers" if chosen else "lines", "legendgroup": name, "name": name,
                    "xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": key == "risk" and not chosen,
                    "x": [max(round(100 - 100 * row["coverage"], 3), NONE_LEFT_OUT) for row in points],
                    "y": [round(row[key] * scale, 4) if math.isfinite(row[key]) else None for row in points],
                    "line": {"color": colour, "width": 2},
                    "marker": {"size": 11, "color": colour, "line": {"color": "#ffffff", "width": 1.5}},
                    "hovertemplate": f"{name}<br>%{{x:.2g}} % left out, {word} %{{y:.3f}}<extra></extra>",
                })
    return traces


def _layout(panels: int) -> dict:
    rows = -(-panels // COLUMNS)
    above = rows * (PANEL_PX + HEAD_PX)
    height = above + 60 + CURVE_PX
    layout = {"height": height + 60, "margin": {"l": 56, "r": 20, "t": 10, "b": 50}, "plot_bgcolor": "#ffffff",
              "font": {"size": 12, "color": "#222"}, "hovermode": "closest",
              "legend": {"x": 1.0, "xanchor": "right", "y": 0, "yanchor": "bottom", "font": {"size": 13}}}
    scale = {**GRID, "range": [-0.03, 1.03], "tickvals": [0, 0.5, 1], "fixedrange": True, "tickfont": {"size": 10}}
    for k in range(panels):
        row, column = divmod(k, COLUMNS)
        top = height - row * (PANEL_PX + HEAD_PX) - HEAD_PX
        left = column / COLUMNS
        ends = [round(left + (0.03 if column else 0), 4), round(left + 1 / COLUMNS - 0.008, 4)]
        layout[f"xaxis{k + 1}"] = {**scale, "domain": ends, "anchor": f"y{k + 1}",
                                   "title": _title("called" if k + COLUMNS >= panels else "")}
        layout[f"yaxis{k + 1}"] = {**scale, "domain": [(top - PANEL_PX + 24) / height, top / height],
                                   "anchor": f"x{k + 1}", "title": _title("" if column else "annotated")}
    wrong = {"type": "log", "range": [-2.1, 1.5], "tickvals": [0.01, 0.1, 1, 10]}
    for number, (ends, title, kind) in enumerate((([0, 0.4], "wrong among the kept (%)", wrong),
                                                  ([0.46, 0.86], "F1 among the kept", {"range": [-0.03, 1.03]})),
                                                 start=panels + 1):
        layout[f"xaxis{number}"] = {**GRID, "domain": ends, "anchor": f"y{number}", "type": "log",
                                    "tickvals": [NONE_LEFT_OUT, 0.1, 0.3, 1, 3, 10, 30],
                                    "ticktext": ["none", "0.1", "0.3", "1", "3", "10", "30"],
                                    "title": _title("left out (% of all decisions)")}
        layout[f"yaxis{number}"] = {**GRID, **kind, "domain": [0, CURVE_PX / height], "anchor": f"x{number}",
                                    "title": _title(title)}
    return layout


def _title(text: str) -> dict:
    return {"text": text, "standoff": 6, "font": {"size": 12}}


SCRIPT = """
const plot = document.getElementById("plot"), choice = document.getElementById("condition");
function show() {
  const layout = structuredClone(DATA.layout);
  layout.annotations = DATA.titles[choice.value].map((text, k) => ({text, showarrow: false, align: "left",
    xref: `x${k + 1} domain`, yref: `y${k + 1} domain`, x: 0, y: 1, xanchor: "left", yanchor: "bottom",
    font: {size: 11}}));
  Plotly.react(plot, [...DATA.bins[choice.value], ...DATA.curves], layout,
    {responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]]});
}
const wanted = decodeURIComponent(location.hash.slice(1));
if (DATA.bins[wanted]) choice.value = wanted;
choice.addEventListener("change", () => {
  history.replaceState(null, "", "#" + encodeURIComponent(choice.value));
  show();
});
show();
"""
