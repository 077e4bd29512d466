"""Pulses that both sides saw, a TTL line in the IMU's file and an LED in the video, matched by their spacing.

N samples or frames, C rising edges of the camera's, M of the IMU's.
"""

from pathlib import Path

import numpy as np

from rbc.recordings.clock import MAX_RATE
from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import ImuRecording
from rbc.recordings.pairs import Pairs
from rbc.recordings.tables import numbers, read_table

BIN_S = 0.020
NEAR_S = 0.040
"""Edges this near the line are one pulse."""
CHUNK = 120
"""Edges of the shorter train that are looked for in the other at once; over so few clocks hardly drift apart."""
LEAST, LEAST_SHARE = 4, 0.5
"""Edges that match, and their share of those that both sides should have seen."""
LEAD = 1.3
"""So many times more edges match than at any other place."""


FRAMES, TIMES, LEVEL = ("frame", "video_frame"), ("time_s", "video_s"), "brightness"


def read_light(path: Path) -> tuple[np.ndarray, bool, np.ndarray | None]:
    """(moments (C,), whether they count frames, brightness (C,)) of an LED; without brightness its flashes' times.

    Raises RecordingError: no column of moments, or two, cells that are empty or no numbers, moments out of order.
    """
    table = read_table(path)
    given = [name for name in table.columns if name in FRAMES + TIMES]
    counted = bool(given) and given[0] in FRAMES
    if len(given) == 2 and (given[1] in FRAMES) != counted:
        given = [name for name in given if name in FRAMES]  # frames say it exactly
        counted = True
    if len(given) != 1 or (counted and LEVEL not in table.columns):
        there = ", ".join(map(repr, table.columns[:20]))
        raise RecordingError(f"{path}: columns {there}; needs frame or time_s with {LEVEL}, or time_s of each flash")
    moments = numbers(path, table[given[0]], given[0])
    wrong = np.flatnonzero(~(np.diff(moments, prepend=-np.inf) > 0))
    if len(wrong):
        raise RecordingError(f"{path}: line {table.index[wrong[0]]}: column {given[0]!r}: {moments[wrong[0]]:g}; needs "
                             "numbers that increase")  # fmt: skip
    return moments, counted, numbers(path, table[LEVEL], LEVEL) if LEVEL in table.columns else None


def pulse_pairs(
    path: Path, channel: str, drift_ppm: float, frame_s: np.ndarray, rate_hz: float, imu: ImuRecording
) -> Pairs:
    """Pairs of pulses on the IMU's `channel` and of the LED in a table, for camera times of frames (N,).

    Raises RecordingError where the pulses of the two do not match in one place alone.
    """
    moments, counted, level = read_light(path)
    index = moments * (1.0 if counted else rate_hz)
    if len(index) and (index[0] < 0 or index[-1] > len(frame_s)):
        unit = "frames" if counted else "s"
        raise RecordingError(f"{path}: {len(index)} rows from {moments[0]:g} to {moments[-1]:g} {unit}; the video has "
                             f"{len(frame_s)} frames at {rate_hz:g} Hz")  # fmt: skip
    camera_s = np.interp(index, np.arange(len(frame_s)), frame_s)
    seen = camera_s if level is None else rising_edges(camera_s, level)
    felt = rising_edges(imu.time_s, imu.channel)
    i, j, reason = match_edges(seen, felt)
    if reason:
        raise RecordingError(f"sync imu:{channel} and {path}: {reason}")
    return Pairs(seen[i], felt[j], tuple(f"sync: pulse at {s:.3f} s" for s in seen[i]), drift_ppm)


def rising_edges(time_s: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Times at which a level (N,) of two states rises through the middle between them; none where it has one state.

    The middle lies half-way between the means of the two states (Ridler and Calvard 1978); a rise counts again only
    after the level fell well below it.
    """
    good = np.isfinite(level)
    time_s, level = time_s[good], level[good].astype(float)
    if not len(level) or np.ptp(level) == 0:
        return np.zeros(0)
    middle = (level.min() + level.max()) / 2
    for _ in range(50):
        low, high = level[level <= middle].mean(), level[level > middle].mean()
        if abs((low + high) / 2 - middle) < 1e-6 * np.ptp(level):
            break
        middle = (low + high) / 2
    state = np.select([level > middle, level < middle - (high - low) / 4], [1, 0], -1)
    known = np.flatnonzero(state >= 0)
    rises = known[1:][np.diff(state[known]) == 1]
    before, after = level[rises - 1], level[rises]
    share = np.clip((middle - before) / (after - before), 0, 1)
    return time_s[rises - 1] + share * (time_s[rises] - time_s[rises - 1])


def match_edges(camera_s: np.ndarray, imu_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Indices (K,) of edges in both trains (C,) and (M,) that are one pulse, or none and the reason.

    Either train may lack pulses, have others, or begin and end elsewhere; their clocks may differ by MAX_RATE.
    """
    none = np.zeros(0, int)
    if min(len(camera_s), len(imu_s)) < LEAST:
        return none, none, f"{len(camera_s)} pulses in the video, {len(imu_s)} in the IMU's file; needs {LEAST} of each"
    shorter = min(len(camera_s), len(imu_s))
    starts = np.unique(np.linspace(0, max(shorter - CHUNK, 0), 3).astype(int))
    if len(camera_s) <= len(imu_s):
        found = [_search(camera_s[s : s + CHUNK], imu_s) for s in starts]
    else:
        found = [_search(camera_s, imu_s[s : s + CHUNK]) for s in starts]
    count, runner_up, lag_s, centre_s, rate = max(found, key=lambda f: f[0] - f[1])
    if count < LEAST or count < LEAD * runner_up:
        return none, none, (f"{count} pulses match at best, {runner_up} elsewhere; needs {LEAST}, pulses whose "
                            f"spacing is irregular, and rates right to {100 * MAX_RATE:g} %")  # fmt: skip
    i, j = _grow(camera_s, imu_s, lag_s, centre_s, rate)
    line = np.polyfit(camera_s[i], imu_s[j] - camera_s[i], 1)
    there = camera_s + np.polyval(line, camera_s)
    shared = min(((there > imu_s[0] - NEAR_S) & (there < imu_s[-1] + NEAR_S)).sum(),
                 ((imu_s > there[0] - NEAR_S) & (imu_s < there[-1] + NEAR_S)).sum())  # fmt: skip
    if len(i) < LEAST_SHARE * shared:
        return none, none, f"{len(i)} of {shared} pulses match; needs {100 * LEAST_SHARE:.0f} %"
    return i, j, ""


def _search(camera_s: np.ndarray, imu_s: np.ndarray) -> tuple[int, int, float, float, float]:
    """(edges that match, most elsewhere, lag, time of that lag, rate) of the best line among all lags and rates."""
    centre = float((camera_s[0] + camera_s[-1]) / 2)
    # a chunk of the IMU's train spans less than the whole video
    span = min(np.ptp(camera_s), np.ptp(imu_s))
    steps = int(np.ceil(MAX_RATE * span / BIN_S))
    best = None
    for rate in np.arange(-steps, steps + 1) * MAX_RATE / max(steps, 1):
        lags = (imu_s - (camera_s + rate * (camera_s - centre))[:, None]).ravel()
        first = lags.min()
        votes = np.bincount(((lags - first) / BIN_S).astype(int), minlength=3)
        votes = np.convolve(votes, np.ones(3, int), "same")
        peak = int(np.argmax(votes))
        if best is None or votes[peak] > best[0]:
            apart = np.abs(np.arange(len(votes)) - peak) > 2 * NEAR_S / BIN_S + 2
            runner_up = int(votes[apart].max(initial=0))
            best = (int(votes[peak]), runner_up, first + (peak + 0.5) * BIN_S, centre, float(rate))
    return best


def _grow(
    camera_s: np.ndarray, imu_s: np.ndarray, lag_s: float, centre_s: float, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of edges along the line, followed outwards from where it was found, each edge in one pair."""
    line, reach = np.array([rate, lag_s - rate * centre_s]), 0.0
    i, j = _nearest(camera_s, imu_s, line)
    middle = np.median(camera_s[i]) if len(i) else centre_s
    reach = max(30.0, 4 * np.median(np.abs(camera_s[i] - middle))) if len(i) else 30.0
    while len(i):
        inside = np.abs(camera_s[i] - middle) <= reach
        if inside.sum() >= LEAST:
            line = np.polyfit(camera_s[i][inside], (imu_s[j] - camera_s[i])[inside], 1)
        i, j = _nearest(camera_s, imu_s, line)
        if reach > np.ptp(camera_s):
            break
        reach *= 1.5
    return i, j


def _nearest(camera_s: np.ndarray, imu_s: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges that are each other's nearest along the line, and near enough."""
    there = camera_s + np.polyval(line, camera_s)
    forth, back = _closest(there, imu_s), _closest(imu_s, there)
    i = np.flatnonzero((back[forth] == np.arange(len(there))) & (np.abs(imu_s[forth] - there) <= NEAR_S))
    return i, forth[i]


def _closest(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Index of the nearest of the increasing `others` for each value."""
    after = np.clip(np.searchsorted(others, values), 1, len(others) - 1)
    return after - (values - others[after - 1] < others[after] - values)
