"""The ethogram page: per session what was annotated, what was decided, how sure, and how the animal moved.

T frames, C behaviours. Bouts travel as segments and traces as means of 0.1 s, so that a 20-minute session at 50 Hz
costs under 1 MB.
"""

import html
from collections.abc import Mapping, Sequence

import numpy as np

from rbc.figures.page import clock_text, defined, page, rounded
from rbc.figures.palette import NOT_SCORED, blend, palette
from rbc.figures.tracks import EthogramTrack, block_means, check, cut, length_s
from rbc.scoring.bouts import find_bouts

LANE_PX, PANEL_PX, GAP_PX, TOP_PX, BOTTOM_PX = 13, 92, 16, 34, 56
ROW_FILL, LANE_FILL = 0.9, 0.8  # shares of a row that its lanes take, and of a lane that a bout takes
UNIT_ACC, UNIT_GYRO = "m/s²", "°/s"


def ethogram_page(
    sessions: Sequence[EthogramTrack], behaviours: Sequence[str], *, title: str = "Ethogram",
    speed_unit: str = "body lengths/s", max_sessions: int = 8, max_minutes: float = 20.0, trace_rate_hz: float = 10.0,
    definitions: Mapping[str, str] | None = None,
) -> str:
    """HTML text of the page, which opens on the first session.

    `#<session>` or `#<session>@<start>-<stop>` (s) in its address selects a session and a stretch of it. At most
    `max_sessions` sessions and the first `max_minutes` of each are drawn, and the page says so. ValueError where there
    is no session, or a track's arrays do not fit each other.
    """
    if not sessions:
        raise ValueError("no session to draw")
    for track in sessions:
        check(track, len(behaviours))
    shown = list(sessions[:max_sessions])
    drawn = [cut(track, 60 * max_minutes) for track in shown]
    figures = {track.session: _figure(track, list(behaviours), speed_unit, trace_rate_hz) for track in drawn}
    truth = any(track.truth is not None for track in shown)
    notes = [
        f"A row per behaviour: {'the simulated truth, ' if truth else ''}what was annotated, what the model decided, "
        "and its probability (white 0, full colour 1). Grey: not scored there. Beside the name: F1 in this session.",
        "Drag to zoom in time, double-click for the whole session.",
    ]
    if len(shown) < len(sessions):
        notes[1] += f" Drawn: the first {len(shown)} of {len(sessions)} sessions."
    shortened = [track.session for track in shown if length_s(track) > 60 * max_minutes]
    if shortened:
        notes[1] += f" Only the first {max_minutes:g} minutes of {', '.join(shortened)}."
    names = {track.session: f"{track.session} ({track.role}, {length_s(track) / 60:.0f} min)" for track in shown}
    options = "".join(f'<option value="{html.escape(key)}">{html.escape(name)}</option>' for key, name in names.items())
    controls = f'<label>session <select id="session">{options}</select></label><span id="facts"></span>'
    controls += defined(definitions or {})
    return page(title, notes, controls, {"figures": figures}, SCRIPT)


def _figure(track: EthogramTrack, behaviours: list[str], speed_unit: str, trace_rate_hz: float) -> dict:
    step_s = float(np.median(np.diff(track.time_s))) if len(track.time_s) > 1 else 1 / trace_rate_hz
    block = max(1, round(1 / (step_s * trace_rate_hz)))
    grid = {"x0": round(float(track.time_s[0]) + (block - 1) / 2 * step_s, 4), "dx": round(block * step_s, 6)}
    bouts = {"annotated": track.labels == 1, "predicted": np.asarray(track.decision, bool)}
    if track.truth is not None:
        bouts = {"truth": np.asarray(track.truth) == 1} | bouts
    lanes = _lanes([*bouts, "probability"])
    judged = (lanes["predicted"][0], lanes["annotated"][1])  # grey lies behind both
    colours = palette(behaviours)

    grey = dict.fromkeys(behaviours, blend(NOT_SCORED, "#ffffff", 0.45))
    traces = [_bars("not scored", judged, track.labels == -1, track, step_s, grey)]
    traces += [_bars(lane, lanes[lane], present, track, step_s, colours) for lane, present in bouts.items()]
    probability = block_means(track.probability, block)  # (T / block, C)
    for row, name in enumerate(behaviours):
        traces.append({
            "type": "heatmap", **grid, "y": [len(behaviours) - 1 - row + edge for edge in lanes["probability"]],
            "z": [rounded(100 * probability[:, row], 0)], "zmin": 0, "zmax": 100, "showscale": False,
            "colorscale": [[0, "#ffffff"], [0.5, blend(colours[name], "#ffffff", 0.62)], [1, colours[name]]],
            "hovertemplate": f"{name}: probability %{{z}} %<br>at %{{x:.1f}} s<extra></extra>",
        })
    panels = {  # axis title -> values, decimals, unit
        f"|acc| − g<br>({UNIT_ACC})": (track.imu_activity, 2, UNIT_ACC),
        f"|gyro|<br>({UNIT_GYRO})": (track.rotation, 0, UNIT_GYRO),
        f"speed<br>({speed_unit})": (track.speed, 2, speed_unit),
    }
    for number, (values, digits, unit) in enumerate(panels.values(), start=2):
        traces.append({
            "type": "scatter", "mode": "lines", **grid, "y": rounded(block_means(values, block), digits),
            "yaxis": f"y{number}", "line": {"color": "#3b3b3b", "width": 1},
            "hovertemplate": f"%{{y}} {unit} at %{{x:.1f}} s<extra></extra>",
        })
    names = [f"{name}  <b>{_score(track.f1.get(name))}</b>" for name in behaviours]
    scored_s = (track.labels != -1).any(axis=1).sum() * step_s
    return {
        "traces": traces,
        "layout": _layout(names, lanes, list(panels)),
        "range": [round(float(track.time_s[0]), 3), round(float(track.time_s[-1]) + step_s, 3)],
        "facts": f"animal {track.animal} · {track.role} · {scored_s / 60:.1f} min of it scored",
    }


def _lanes(names: list[str]) -> dict[str, tuple[float, float]]:
    """(bottom, top) of each lane within a row of height 1 centred on 0, the first name on top."""
    pitch = ROW_FILL / len(names)
    tops = {name: ROW_FILL / 2 - k * pitch for k, name in enumerate(names)}
    return {name: (round(top - LANE_FILL * pitch, 4), round(top, 4)) for name, top in tops.items()}


def _bars(
    kind: str, lane: tuple[float, float], present: np.ndarray, track: EthogramTrack, step_s: float,
    colours: dict[str, str],
) -> dict:
    """Plotly bars, one per run of True in `present` (T, C), within `lane` of the behaviour's row."""
    rows = []
    for number, (name, colour) in enumerate(colours.items()):
        middle = round(len(colours) - 1 - number + sum(lane) / 2, 3)
        for first, after in find_bouts(present[:, number]):
            start_s, bout_s = float(track.time_s[first]), (after - first) * step_s
            text = f"{name}, {kind}<br>{clock_text(start_s)} to {clock_text(start_s + bout_s)} ({bout_s:.2f} s)"
            rows.append((round(start_s, 3), round(bout_s, 3), middle, colour, text))
    base, length, y, colour, text = map(list, zip(*rows)) if rows else ([], [], [], [], [])
    outline = 0 if kind == "not scored" else 0.8  # keeps a 0.3 s bout visible when 20 minutes share the width
    return {
        "type": "bar", "orientation": "h", "base": base, "x": length, "y": y, "width": round(lane[1] - lane[0], 3),
        "marker": {"color": colour, "line": {"color": colour, "width": outline}},
        "hovertext": text, "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _layout(names: list[str], lanes: dict[str, tuple[float, float]], panels: list[str]) -> dict:
    rows_px = round(LANE_PX * len(lanes) / ROW_FILL) * len(names)
    plot_px = rows_px + len(panels) * (PANEL_PX + GAP_PX)
    rows = range(len(names) - 1, -1, -1)
    left_px = max(90, 34 + 7 * max(map(len, names), default=0) - 49)  # 7 px a character, <b></b> takes none
    layout = {
        "height": plot_px + TOP_PX + BOTTOM_PX, "margin": {"l": left_px, "r": 84, "t": TOP_PX, "b": BOTTOM_PX},
        "barmode": "overlay", "showlegend": False, "hovermode": "closest", "dragmode": "zoom",
        "plot_bgcolor": "#ffffff", "font": {"size": 13, "color": "#222"},
        "xaxis": {
            "anchor": f"y{len(panels) + 1}", "title": {"text": "time (min:s)", "standoff": 8}, "gridcolor": "#eeeeee",
            "zeroline": False, "showspikes": True, "spikemode": "across", "spikethickness": 1, "spikecolor": "#888888",
        },
        "yaxis": {
            "domain": [1 - rows_px / plot_px, 1], "range": [-0.5, len(names) - 0.5], "fixedrange": True,
            "ticks": "", "ticklabelstandoff": 5, "tickvals": list(rows), "ticktext": names,
            "showgrid": False, "zeroline": False,
        },
        "shapes": [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": row + 0.5, "y1": row + 0.5,
             "line": {"color": "#d0d0d0", "width": 1}} for row in range(-1, len(names))
        ],
        "annotations": [
            {"xref": "paper", "x": 1.004, "xanchor": "left", "y": row + sum(lane) / 2, "yanchor": "middle",
             "text": name, "showarrow": False, "font": {"size": 10, "color": "#666"}}
            for row in rows for name, lane in lanes.items()
        ],
    }
    for number, title in enumerate(panels, start=2):
        top = plot_px - rows_px - (number - 2) * (PANEL_PX + GAP_PX) - GAP_PX
        layout[f"yaxis{number}"] = {
            "domain": [max(0, (top - PANEL_PX) / plot_px), top / plot_px], "fixedrange": True, "rangemode": "tozero",
            "nticks": 4, "title": {"text": title, "font": {"size": 12}, "standoff": 8}, "gridcolor": "#eeeeee",
            "zeroline": False,
        }
    return layout


def _score(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.2f}"


SCRIPT = """
const plot = document.getElementById("plot"), choice = document.getElementById("session");
const CONFIG = {responsive: true, displaylogo: false,
  modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]]};
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];

function ticks([start, stop]) {  // seconds on the axis, minutes:seconds in its labels
  const step = STEPS.find(s => (stop - start) / s <= 14) || 7200, values = [];
  for (let k = Math.ceil(start / step); k * step <= stop; k++) values.push(+(k * step).toFixed(1));
  const text = t => Math.floor(t / 60) + ":" + (t % 60).toFixed(step < 1 ? 1 : 0).padStart(step < 1 ? 4 : 2, "0");
  return {"xaxis.tickvals": values, "xaxis.ticktext": values.map(text)};
}
function show(session, range) {
  const figure = DATA.figures[session], layout = structuredClone(figure.layout), at = ticks(range || figure.range);
  layout.xaxis.range = range || figure.range;
  layout.xaxis.tickvals = at["xaxis.tickvals"];
  layout.xaxis.ticktext = at["xaxis.ticktext"];
  choice.value = session;
  document.getElementById("facts").textContent = figure.facts;
  Plotly.react(plot, figure.traces, layout, CONFIG);
}
function followAddress() {
  const [name, part] = decodeURIComponent(location.hash.slice(1)).split("@");
  const range = part && part.split("-").map(Number);
  show(DATA.figures[name] ? name : choice.options[0].value, range && range[1] > range[0] ? range : null);
}
followAddress();
plot.on("plotly_relayout", change => {
  if (change["xaxis.autorange"]) show(choice.value);
  else if ("xaxis.range[0]" in change) Plotly.relayout(plot, ticks(plot.layout.xaxis.range));
});
choice.addEventListener("change", () => { location.hash = encodeURIComponent(choice.value); });
window.addEventListener("hashchange", followAddress);
"""
