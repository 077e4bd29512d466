"""The quality page: a row per session, the worst on top, a colour for how much trouble each check found.

S sessions, Q checks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rbc.figures.page import defined, page

COLOURS = ([0.0, "#eef3f1"], [0.25, "#f7e3a6"], [0.5, "#f0a94b"], [1.0, "#c0261c"])
STOPS = ", ".join(f"{colour} {100 * share:.0f}%" for share, colour in COLOURS)
LEGEND = (
    '<span>fine <span style="display: inline-block; width: 150px; height: 12px; border: 1px solid #999; '
    f'background: linear-gradient(to right, {STOPS})"></span> rotten</span>'
)
STEPS = "0123456789abcdefghijklmnopqrstuvwxyz"
ROWS = 40  # sessions shown at once
REASONS = 3
LOOK = 0.5  # trouble from which a check is named beside its session
RATES = ("pose_rate_hz", "imu_rate_hz")
TEXT = ("session", "animal", "clock", "mounting", "note", "far_signals")
CLOCKS = {"accepted": 0.0, "refused": 1.0, "shared": 0.0}


@dataclass(frozen=True)
class Check:
    """One column of the page."""

    title: str
    """With its unit; <br> breaks the line."""
    fine: float
    """Up to here there is no trouble …"""
    rotten: float
    """… and from here on nothing worse."""
    size: Callable[[Mapping], float]
    """What is compared with the two, of a session's row; NaN where it does not apply."""
    text: Callable[[Mapping], str]
    words: Callable[[Mapping], str]
    """What is wrong, to a person."""

    def trouble(self, row: Mapping) -> float:
        """0 (fine) to 1 (rotten); NaN where the check does not apply."""
        return float(np.clip((self.size(row) - self.fine) / (self.rotten - self.fine), 0, 1))


def quality_page(table: pd.DataFrame, definitions: Mapping[str, str] | None = None) -> str:
    """HTML text of the page from plots/align_data.csv's table, with the definitions of behaviours.

    Checks that apply to no session are left out, and sessions that were left out are named. ValueError where there is
    no session.
    """
    numeric = {name: pd.to_numeric(table[name]) for name in table if name not in TEXT}
    used = table.assign(**numeric)[table["frames"] > 0]
    if used.empty:
        raise ValueError("no session to draw")
    rows = used.assign(**_usual(used)).to_dict("records")
    trouble = np.array([[check.trouble(row) for check in CHECKS] for row in rows])  # (S, Q)
    kept = np.flatnonzero(np.isfinite(trouble).any(0))
    notes = {note: k for k, note in enumerate(dict.fromkeys(_text(row["note"]) for row in rows))}
    order = sorted(range(len(rows)), key=lambda s: (-round(float(np.nansum(trouble[s])), 3), rows[s]["session"]))
    data = {
        "checks": [CHECKS[q].title for q in kept], "alone": int(np.sum(kept < ALONE)),
        "sessions": [rows[s]["session"] for s in order],
        "animals": [str(rows[s]["animal"]) for s in order],
        "text": ["|".join(_cell(CHECKS[q], rows[s]) for q in kept) for s in order],
        "trouble": ["".join(_step(trouble[s, q]) for q in kept) for s in order],
        "reasons": [_reasons(trouble[s], rows[s]) for s in order],
        "notes": list(notes), "note": [notes[_text(rows[s]["note"])] for s in order],
        "colours": COLOURS, "rows": ROWS,
    }
    rotten = int((np.nanmax(trouble, axis=1, initial=0.0) >= LOOK).sum())
    left = table[table["frames"] == 0]
    lines = [
        f"{len(used)} sessions, {rotten} worth a look, most trouble on top; what is wrong stands on the right. A blank "
        "cell does not apply. Point at a cell for what was seen.",
        "Unlike the others: how far the distribution of a signal lies from that of the usual session, 1 being the "
        "distance between the usual quartiles; coloured where sessions seldom differ so much.",
    ]
    if len(left):
        reasons = [f"{row.session} ({_text(row.note).removeprefix('left out: ')})" for row in left.itertuples()]
        lines.append(f"Left out: {', '.join(reasons)}")
    menu = '<label>sessions <select id="part"></select></label>' if len(used) > ROWS else ""
    return page("Quality of the recordings", lines, menu + LEGEND + defined(definitions or {}), data, SCRIPT)


def _reasons(trouble: np.ndarray, row: Mapping) -> str:
    """The worst checks of a session in words; '' where none is worth a look."""
    worst = [q for q in np.argsort(-np.nan_to_num(trouble), kind="stable") if trouble[q] >= LOOK]
    return "; ".join(CHECKS[q].words(row) for q in worst[:REASONS])


def _usual(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns that judge a session by the others: how far its rates are off (log2), and its signals from the usual, 1
    being what sessions often differ by."""
    rates = {f"off_{name}": np.abs(np.log2(table[name] / table[name].median())) for name in RATES}
    far = [name for name in table if name.startswith("far_") and name not in TEXT]
    return rates | {f"un{name}": table[name] / max(1.0, 2 * table[name].median()) for name in far}


def _cell(check: Check, row: Mapping) -> str:
    return check.text(row) if math.isfinite(check.size(row)) else ""


def _step(trouble: float) -> str:
    """One of STEPS: 882 sessions have 15,000 cells."""
    return STEPS[round(trouble * (len(STEPS) - 1))] if math.isfinite(trouble) else " "


def _text(value) -> str:
    return value if isinstance(value, str) else ""


def _far(group: str, name: str) -> Check:
    """Check of a signal group's distance from the other sessions."""
    key = f"far_{group}"

    def worst(row: Mapping) -> str:
        named = dict(part.split(": ", 1) for part in _text(row.get("far_signals")).split("; ") if ": " in part)
        return f" ({named[group]})" if named.get(group, group) != group else ""

    return Check(name, 1.0, 3.0, lambda row: row.get(f"un{key}", np.nan),
                 lambda row: f"{row[key]:.1f}",
                 lambda row: f"{group}{worst(row)} {row[key]:.1f} spreads from usual")  # fmt: skip


def _share(key: str, title: str, what: str, fine: float, rotten: float, has: Callable[[Mapping], bool]) -> Check:
    return Check(title, fine, rotten, lambda row: row[key] if has(row) else np.nan,
                 lambda row: f"{100 * row[key]:.0f}",
                 lambda row: f"{what} {100 * row[key]:.0f} %")  # fmt: skip


def _conflicts(row: Mapping) -> float:
    return row["conflict_frames"] / row["labelled_frames"] if row["conflict_frames"] else np.nan


ALONE_CHECKS = (
    Check("clock", 0.0, 1.0, lambda row: CLOCKS.get(row["clock"], np.nan), lambda row: row["clock"],
          lambda row: f"clock refused: {_text(row['note']).partition(';')[0].partition(':')[0]}"),
    Check("IMU clock<br>offset<br>(ms)", 10.0, 30.0, lambda row: row["offset_se_ms"],
          lambda row: f"{row['offset_ms']:.0f} ±{row['offset_se_ms']:.0f}",
          lambda row: f"clock known to ± {row['offset_se_ms']:.0f} ms only"),
    Check("drift<br>(ppm)", 200.0, 800.0, lambda row: abs(row["drift_ppm"]) + 0 * row["drift_se_ppm"],
          lambda row: f"{row['drift_ppm']:.0f} ±{row['drift_se_ppm']:.0f}",
          lambda row: f"clock drifts by {row['drift_ppm']:.0f} ppm"),
    Check("steps<br>(dropped<br>frames)", 1.0, 8.0, lambda row: row["steps"], lambda row: f"{row['steps']:.0f}",
          lambda row: f"{row['steps']:.0f} steps in the clock"),
    Check("correlation<br>before →<br>after", -0.6, -0.3, lambda row: -row["correlation_after"],
          lambda row: f"{row['correlation_before']:.1f}→{row['correlation_after']:.2f}".replace("-0.0→", "0.0→"),
          lambda row: f"camera and IMU correlate by {row['correlation_after']:.2f} only"),
    _share("missing_imu", "IMU<br>missing<br>(%)", "IMU missing", 0.15, 0.6,
           lambda row: row["clock"] in ("accepted", "shared")),  # else there is none, or it is the clock's doing
    _share("missing_pose", "pose<br>missing<br>(%)", "pose missing", 0.25, 0.7,
           lambda row: math.isfinite(row["pose_rate_hz"])),
    Check("IMU rate<br>(Hz)", 1.1, 2.0, lambda row: row["off_imu_rate_hz"], lambda row: f"{row['imu_rate_hz']:.0f}",
          lambda row: f"IMU at {row['imu_rate_hz']:.0f} Hz, unlike the others"),
    Check("video rate<br>(Hz)", 1.1, 2.0, lambda row: row["off_pose_rate_hz"], lambda row: f"{row['pose_rate_hz']:.0f}",
          lambda row: f"video at {row['pose_rate_hz']:.0f} Hz, unlike the others"),
    Check("at rest<br>|acc|<br>(g)", 0.06, 0.2, lambda row: abs(row["rest_g"] - 1), lambda row: f"{row['rest_g']:.2f}",
          lambda row: f"|acceleration| at rest {row['rest_g']:.2f} g"),
    Check("at rest<br>|gyro|<br>(°/s)", 10.0, 60.0, lambda row: row["rest_deg_s"],
          lambda row: f"{row['rest_deg_s']:.0f}",
          lambda row: f"gyroscope at rest {row['rest_deg_s']:.0f} °/s"),
    Check("harness<br>rolled (°)<br>(slips)", 10.0, 90.0, lambda row: row["roll_deg"],
          lambda row: f"{row['roll_deg']:.0f}" + (f" ({row['slips']:.0f})" if row["slips"] else ""),
          lambda row: f"harness rolled through {row['roll_deg']:.0f}°, {row['slips']:.0f} slips"),
    _share("swapped", "animals<br>swapped<br>(%)", "animals swapped in", 0.0, 0.3, lambda row: True),
    Check("labelled<br>(%)", 1.0, 2.0, lambda row: row["labelled_frames"] / row["frames"],
          lambda row: f"{100 * row['labelled_frames'] / row['frames']:.0f}", lambda row: ""),
    Check("labels<br>contradict<br>(%)", 0.005, 0.05, _conflicts, lambda row: f"{100 * _conflicts(row):.1f}",
          lambda row: f"labels contradict in {100 * _conflicts(row):.1f} %"),
)  # fmt: skip
FAR_CHECKS = (
    _far("acceleration", "|acc|"), _far("rotation", "|gyro|"), _far("gravity", "gravity"), _far("bands", "rhythm"),
    _far("speed", "speed"), _far("shape", "body<br>shape"), _far("likelihood", "likeli-<br>hood"),
    _far("features", "features"),
)  # fmt: skip
CHECKS = ALONE_CHECKS + FAR_CHECKS
ALONE = len(ALONE_CHECKS)

SCRIPT = """
const plot = document.getElementById("plot"), part = document.getElementById("part"), S = DATA.sessions.length;
const escaped = text => text.replace(/</g, "&lt;"), CELL = 66, LEAST = 48, TALL = 28;
const MOST_SHARE = 0.78;  // of the width for cells, the rest for words
function wrapped(text, length) {  // two lines at most
  const cut = text.length > length ? text.lastIndexOf(" ", length) : text.length, rest = text.slice(cut + 1);
  const second = rest.length > length ? rest.slice(0, length) + " …" : rest;
  return escaped(text.slice(0, cut)) + (second ? "<br>" + escaped(second) : "");
}
const words = title => title.replace(/-<br>/g, "").replace(/<br>/g, " ");
const text = DATA.text.map(row => row.split("|")), most = parseInt("z", 36);
const trouble = DATA.trouble.map(row => [...row].map(step => step === " " ? null : parseInt(step, 36) / most));
const hover = (s, q) => trouble[s][q] === null ? "" :
  `<b>${escaped(DATA.sessions[s])}</b> (animal ${escaped(DATA.animals[s])})<br>` +
  (q < DATA.alone ? "" : "unlike the others: ") + `${words(DATA.checks[q])}: <b>${text[s][q]}</b>` +
  (DATA.reasons[s] ? `<br>worst: ${escaped(DATA.reasons[s])}` : "") +
  (DATA.notes[DATA.note[s]] ? `<br>note: ${escaped(DATA.notes[DATA.note[s]])}` : "");

function show() {
  const all = part && part.value === "all", first = all || !part ? 0 : +part.value, Q = DATA.checks.length;
  const shown = [...Array(all ? S : Math.min(DATA.rows, S - first)).keys()].map(i => i + first);
  const rowPx = all ? Math.max(2, Math.min(14, 1600 / S)) : TALL, y = shown.map((_, i) => i);
  const left = 16 + 7.2 * Math.max(8, ...shown.map(s => DATA.sessions[s].length));
  const width = Math.max(900, document.documentElement.clientWidth - 60, left + 20 + LEAST * Q / MOST_SHARE);
  const share = Math.min(CELL * Q / (width - left - 20), MOST_SHARE);
  const letters = Math.floor(((1 - share) * (width - left - 20) - 16) / 5.3);
  const heat = {type: "heatmap", x: DATA.checks.map((_, q) => q), y, z: shown.map(s => trouble[s]),
    zmin: 0, zmax: 1, showscale: false, colorscale: DATA.colours, xgap: 1, ygap: all ? 0 : 1, hoverongaps: false,
    text: shown.map(s => text[s]), texttemplate: all ? "" : "%{text}", textfont: {size: 11},
    customdata: shown.map(s => DATA.checks.map((_, q) => hover(s, q))),
    hovertemplate: "%{customdata}<extra></extra>"};
  const reasons = {type: "scatter", mode: "text", x: y.map(() => 0), y, xaxis: "x2", cliponaxis: false,
    text: shown.map(s => all ? "" : wrapped(DATA.reasons[s], letters)), textposition: "middle right",
    textfont: {size: 11}, hoverinfo: "skip"};
  const far = DATA.alone < Q, above = 1 + 46 / (rowPx * shown.length);
  Plotly.react(plot, [heat, reasons], {
    width, height: rowPx * shown.length + 106, margin: {l: left, r: 20, t: 92, b: 14}, showlegend: false,
    plot_bgcolor: "#ffffff", font: {size: 12, color: "#222"}, hoverlabel: {align: "left", font: {size: 13}},
    xaxis: {side: "top", domain: [0, share], tickvals: DATA.checks.map((_, q) => q), ticktext: DATA.checks,
      tickangle: 0, tickfont: {size: 11}, range: [-0.5, Q - 0.5], showgrid: false, zeroline: false, ticks: "",
      fixedrange: true},
    xaxis2: {domain: [share + 0.005, 1], range: [0, 1], visible: false, fixedrange: true},
    yaxis: {showgrid: false, zeroline: false, ticks: "", tickvals: all ? [] : y, range: [shown.length - 0.5, -0.5],
      ticktext: shown.map(s => escaped(DATA.sessions[s])), fixedrange: !all},
    shapes: far ? [{type: "line", xref: "x", yref: "paper", x0: DATA.alone - 0.46, x1: Q - 0.54, y0: above, y1: above,
      line: {color: "#666666", width: 1}}] : [],
    annotations: far ? [{xref: "x", yref: "paper", x: (DATA.alone + Q - 1) / 2, y: 1, yshift: 64, showarrow: false,
      text: Q - DATA.alone > 2 ? "unlike the others (spreads)" : "unlike<br>others", font: {size: 12}}] : [],
  }, {displaylogo: false, displayModeBar: false});
}
if (part) {
  for (let first = 0; first < S; first += DATA.rows) {
    const last = Math.min(first + DATA.rows, S);
    part.add(new Option(`${first + 1} to ${last} of ${S}${first ? "" : " (most trouble)"}`, first));
  }
  part.add(new Option("all, without numbers", "all"));
  const wanted = location.hash.slice(1);
  if ([...part.options].some(option => option.value === wanted)) part.value = wanted;
  part.addEventListener("change", () => {
    history.replaceState(null, "", "#" + part.value);
    show();
  });
}
addEventListener("resize", show);
show();
"""
