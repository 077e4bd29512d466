"""The embedding page: the latent space in three principal components, a colour per behaviour.

T frames, D latent, C behaviours, P points drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rbc.figures.page import page, rounded
from rbc.figures.palette import NONE, NOT_SCORED, SEVERAL, palette

REST = {"several": SEVERAL, "none": NONE, "not scored": NOT_SCORED}


@dataclass(frozen=True)
class EmbeddingTrack:
    session: str
    animal: str
    role: str
    """train, validation or test: the split that the page filters by."""
    time_s: np.ndarray
    """(T,) seconds on the common clock."""
    latent: np.ndarray
    """(T, D); frames with a value that is not finite are left out."""
    labels: np.ndarray
    """(T, C) 1 present, 0 absent, -1 not scored."""


def embedding_page(
    sessions: Sequence[EmbeddingTrack], behaviours: Sequence[str], *, rng: np.random.Generator,
    title: str = "Latent space", max_points: int = 8000,
) -> str:
    """HTML text of the page: at most `max_points` frames in 3D, with menus for split, animal and session.

    The frames are drawn by `rng` evenly over groups (a behaviour, several, none, not scored), so that rare behaviours
    are seen; a click in the legend switches a group off. Labels are shown as handed in: mask those that nobody may see.
    ValueError where no frame has a finite latent.
    """
    names = [*behaviours, *REST]
    finite = [np.flatnonzero(np.isfinite(track.latent).all(axis=1)) for track in sessions]
    group = np.concatenate([groups(track.labels)[frames] for track, frames in zip(sessions, finite)])
    if not len(group):
        raise ValueError("no frame has a finite latent")
    chosen = sample_evenly(group, max_points, rng)
    owner = np.repeat(np.arange(len(sessions)), [len(frames) for frames in finite])[chosen]  # (P,)
    frame = np.concatenate(finite)[chosen]

    def gather(field: str) -> np.ndarray:
        parts = [np.asarray(getattr(track, field)[frame[owner == k]]) for k, track in enumerate(sessions)]
        return np.concatenate(parts)  # (P, ...)

    points, shares = principal_components(gather("latent").astype(float))
    present = gather("labels") == 1  # (P, C)
    sets, which = np.unique(present, axis=0, return_inverse=True)
    data = {
        "points": [rounded(column, 3) for column in points.T],
        "time": rounded(gather("time_s"), 2), "group": group[chosen].tolist(), "owner": owner.tolist(),
        "sets": [" + ".join(np.array(behaviours)[row]) for row in sets], "set": which.reshape(-1).tolist(),
        "sessions": [[track.session, track.role, track.animal] for track in sessions],
        "names": names, "colours": [*palette(behaviours).values(), *REST.values()],
        "axes": [f"PC {k} ({100 * share:.0f} %)" for k, share in enumerate(shares, start=1)],
    }
    notes = [
        f"{len(chosen)} of {len(group)} frames, drawn evenly over behaviours (not in proportion to their time). "
        "Axes: the principal components of the points drawn, all sessions together, and their share of the variance.",
        "Drag to turn, scroll to zoom; a click in the legend switches a group off, a double click shows it alone.",
    ]
    menus = ("split", "animal", "session")
    controls = "".join(f'<label>{name} <select id="{name}"></select></label>' for name in menus)
    return page(title, notes, controls + '<b class="state" id="state"></b>', data, SCRIPT)


def groups(labels: np.ndarray) -> np.ndarray:
    """(T,) index of the one behaviour present; C where several are, C + 1 where none is,
    C + 2 where nothing was scored."""
    labels = np.asarray(labels)
    count = (labels == 1).sum(axis=1)
    behaviours = labels.shape[1]
    group = np.where(count > 1, behaviours, (labels == 1).argmax(axis=1))
    group[count == 0] = behaviours + 1
    group[(labels == -1).all(axis=1)] = behaviours + 2
    return group


def sample_evenly(group: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted indices of at most `count` entries, as many of each group as its size allows."""
    order = rng.permutation(len(group))
    members = sorted((order[group[order] == name] for name in np.unique(group)), key=len)
    chosen, left = [], count
    for k, indices in enumerate(members):  # the smallest group first: what it cannot use goes to the others
        take = min(len(indices), left // (len(members) - k))
        chosen.append(indices[:take])
        left -= take
    return np.sort(np.concatenate(chosen))


def principal_components(latent: np.ndarray, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(P, count) scores on the first principal components and (count,) their shares of the variance.

    Each component's largest loading is positive, so that signs do not flip between runs. Components beyond min(P, D)
    are 0.
    """
    centred = np.asarray(latent, "f8") - np.mean(latent, axis=0, dtype="f8")
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)  # (min(P, D),), (min(P, D), D)
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    scores, shares = np.zeros((len(centred), count)), np.zeros(count)
    kept = min(count, len(axes))
    scores[:, :kept] = centred @ axes[:kept].T
    shares[:kept] = singular[:kept] ** 2 / max(float((singular**2).sum()), np.finfo("f8").tiny)
    return scores, shares


SCRIPT = """
const plot = document.getElementById("plot"), FIELDS = {session: 0, split: 1, animal: 2};
const choice = Object.fromEntries(Object.keys(FIELDS).map(name => [name, document.getElementById(name)]));
const clock = t => Math.floor(t / 60) + ":" + (t % 60).toFixed(1).padStart(4, "0");
const fits = (owner, but) => Object.entries(FIELDS).every(([name, field]) => name === but || choice[name].value === ""
  || choice[name].value === DATA.sessions[owner][field]);

function fillChoices() {  // each menu offers what the other two leave
  for (const [name, field] of Object.entries(FIELDS)) {
    const values = [...new Set(DATA.sessions.filter((_, owner) => fits(owner, name)).map(s => s[field]))];
    const old = choice[name].value;
    choice[name].replaceChildren(new Option("all", ""), ...values.map(value => new Option(value, value)));
    choice[name].value = values.includes(old) ? old : "";
  }
}
function show() {
  const behaviour = k => k < DATA.names.length - 3;
  const traces = DATA.names.map((name, k) => ({
    type: "scatter3d", mode: "markers", name, x: [], y: [], z: [], text: [], showlegend: true,
    marker: {size: behaviour(k) ? 3 : 2, color: DATA.colours[k], opacity: behaviour(k) ? 0.85 : 0.7},
    hovertemplate: "%{text}<extra></extra>"}));
  let count = 0;
  DATA.group.forEach((group, p) => {
    const owner = DATA.owner[p], trace = traces[group];
    if (!fits(owner)) return;
    count += 1;
    ["x", "y", "z"].forEach((axis, k) => trace[axis].push(DATA.points[k][p]));
    const [session, split, animal] = DATA.sessions[owner];
    const seen = DATA.sets[DATA.set[p]] || trace.name;
    trace.text.push(`${session} (${split}, ${animal})<br>${clock(DATA.time[p])}<br>${seen}`);
  });
  traces.forEach(trace => {  // a group without a point keeps its place in the legend
    trace.name += ` (${trace.x.length})`;
    if (!trace.x.length) ["x", "y", "z"].forEach(axis => trace[axis].push(null));
  });
  const limits = DATA.points.map(v => [Math.min(...v), Math.max(...v)]);  // of all points: menus do not move the axes
  const axis = k => ({title: {text: DATA.axes[k], font: {size: 12}}, range: limits[k], tickfont: {size: 10},
    gridcolor: "#dddddd", backgroundcolor: "#fafafa", showbackground: true, zeroline: false});
  document.getElementById("state").textContent = `${count} of ${DATA.group.length} points shown`;
  Plotly.react(plot, traces, {
    height: Math.max(560, window.innerHeight - 170), margin: {l: 0, r: 0, t: 0, b: 0}, uirevision: "keep",
    legend: {itemsizing: "constant", font: {size: 13}, x: 1, xanchor: "right", y: 0.94},
    scene: {xaxis: axis(0), yaxis: axis(1), zaxis: axis(2), aspectmode: "cube", uirevision: "keep",
      camera: {eye: {x: 1.4, y: 1.4, z: 0.75}, center: {x: 0, y: 0, z: -0.12}}},
  }, {responsive: true, displaylogo: false,
    modeBarButtons: [["orbitRotation", "pan3d", "zoom3d", "resetCameraDefault3d", "toImage"]]});
}
function change() {
  fillChoices();
  show();
  const chosen = Object.keys(FIELDS).filter(name => choice[name].value).map(name => [name, choice[name].value]);
  history.replaceState(null, "", "#" + new URLSearchParams(chosen));
}
fillChoices();
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (choice[name]) choice[name].value = value;
for (const menu of Object.values(choice)) {
  if (menu.selectedIndex < 0) menu.value = "";
  menu.addEventListener("change", change);
}
fillChoices();
show();
"""
