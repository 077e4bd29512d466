"""How far each session's signals lie from those of the other sessions, as distributions.

A signal is described by its quantiles; the usual ones are their medians over all sessions; the distance is the mean
difference (Wasserstein's, in one dimension) in units of the usual spread between the quartiles. T frames.
"""

from collections.abc import Mapping

import numpy as np

from rbc.recordings.geometry import median
from rbc.recordings.session import MODALITIES, Session

LEVELS = np.linspace(0.05, 0.95, 19)
QUARTILES = (4, 14)  # places of 0.25 and 0.75
MOST_FRAMES = 4000
LEAST_FRAMES = 100
LEAST_SESSIONS = 3
SPREADS = {  # group -> least spread that counts as one, in its own unit; what varies less is not worth a colour
    "acceleration": 0.2, "rotation": 5.0, "gravity": 0.1, "bands": 0.3, "speed": 0.05, "shape": 0.05, "likelihood": 0.2,
    "features": 0.0,  # in unknown units: where the usual session shows one value, the deviation of all counts
}  # fmt: skip

Quantiles = dict[str, dict[str, np.ndarray]]
"""Group -> signal -> its values at LEVELS."""


def describe(session: Session) -> Quantiles:
    """Quantiles of every signal of a session where it was measured; signals seen in too few frames are left out."""
    frames = np.linspace(0, len(session) - 1, min(MOST_FRAMES, len(session))).astype(int)
    found: Quantiles = {}
    for group, name, values in _signals(session, frames):
        there = values[np.isfinite(values)]
        if len(there) >= LEAST_FRAMES:
            found.setdefault(group, {})[name] = np.quantile(there, LEVELS)
    return found


def _signals(session: Session, frames: np.ndarray):
    """(group, name, values at the frames) of each signal; NaN where it was not measured."""
    valid = np.where(np.asarray(session.valid)[frames], 1.0, np.nan)
    imu, pose = (valid[:, MODALITIES.index(name)] for name in MODALITIES)
    column = {name: np.asarray(session.imu[frames, i], float) * imu for i, name in enumerate(session.imu_names)}
    for sensor, group, scale in (("acc", "acceleration", 1.0), ("gyro", "rotation", 180 / np.pi)):
        if all(f"{sensor}_{axis}" in column for axis in "xyz"):
            vector = np.stack([column[f"{sensor}_{axis}"] for axis in "xyz"], axis=1)
            size = np.linalg.norm(vector, axis=1)
            yield group, f"|{sensor}|", scale * size
            if sensor == "acc":
                for axis, name in enumerate(("forward", "left", "up")):
                    yield "gravity", name, vector[:, axis] / np.maximum(size, 1e-9)
    for i, name in enumerate(session.band_names):
        yield "bands", name, np.asarray(session.bands[frames, i], float) * imu
    for group, names, values, there in (
        ("features", session.ready_imu_names, session.ready_imu, imu),
        ("features", session.ready_pose_names, session.ready_pose, pose),
    ):
        for i, name in enumerate(names):
            yield group, name, np.asarray(values[frames, i], float) * there
    if session.keypoints:
        around = [np.maximum(frames - 1, 0), frames, np.minimum(frames + 1, len(session) - 1)]
        before, centre, after = (median(np.asarray(session.pose[rows, :, :2], float), axis=1) for rows in around)
        moved = np.linalg.norm((after - before) / (around[2] - around[0])[:, None], axis=1)
        yield "speed", "speed", moved * session.rate_hz / session.body_length_px * pose
        for k, name in enumerate(session.keypoints):
            away = np.linalg.norm(np.asarray(session.pose[frames, k, :2], float) - centre, axis=1)
            yield "shape", name, away / session.body_length_px * pose
            yield "likelihood", name, np.asarray(session.pose[frames, k, -1], float)


def distances(described: Mapping[str, Quantiles]) -> dict[str, dict[str, tuple[float, str]]]:
    """{session: {group: (distance, the signal farthest away)}}: that signal's distance, in spreads.

    A signal that fewer than three sessions have is left out.
    """
    held: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for session, groups in described.items():
        for group, signals in groups.items():
            for name, quantiles in signals.items():
                held.setdefault((group, name), {})[session] = quantiles
    far: dict[str, dict[str, tuple[float, str]]] = {session: {} for session in described}
    for (group, name), by in held.items():
        if len(by) < LEAST_SESSIONS:
            continue
        table = np.stack(list(by.values()))  # (S, levels)
        usual = np.median(table, axis=0)
        spread = max(usual[QUARTILES[1]] - usual[QUARTILES[0]], SPREADS[group])
        spread = spread or float(table.std()) or 1.0
        for session, distance in zip(by, np.abs(table - usual).mean(1) / spread, strict=True):
            if distance > far[session].get(group, (-1.0, ""))[0]:
                far[session][group] = (float(distance), name)
    return far
