"""Moments seen on both clocks: claps, taps and flashes that the manifest's `sync` names, in seconds of either clock.

P pairs, N video frames, M samples of the IMU. Video time is what a player shows, frame / pose_rate_hz, as for labels;
where the cameras' stamps are known, they say when that frame was taken.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import decimal_mark, listed, near, numbers, read_first_lines, read_table, separator

VIDEO, IMU = ("video_s", "video_frame"), ("imu_s", "imu_sample")
NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)"


@dataclass(frozen=True)
class Moments:
    """Pairs as written."""

    video: np.ndarray
    """(P,) counts of `units[0]`."""
    imu: np.ndarray
    """(P,) counts of `units[1]`."""
    units: tuple[str, str]
    """Of VIDEO and of IMU."""
    places: tuple[str, ...]
    """(P,) how messages name a pair."""


@dataclass(frozen=True)
class Pairs:
    camera_s: np.ndarray
    """(P,) increasing."""
    imu_s: np.ndarray
    """(P,)"""
    places: tuple[str, ...]
    drift_ppm: float
    """As stated; NaN = the pairs say it."""


def parse_pairs(cell: str) -> tuple[tuple[tuple[float, float], ...], list[str]]:
    """((video_s, imu_s), …) of a cell '12.4=63.9;301.2=352.7', and what is wrong with it."""
    pairs, problems = [], []
    for part in filter(None, (part.strip() for part in cell.split(";"))):
        match = re.fullmatch(rf"({NUMBER})\s*=\s*({NUMBER})", part)
        if match:
            pairs.append((float(match[1]), float(match[3])))
        else:
            problems.append(f"sync: {part!r}; needs video_s=imu_s, both in s, or the path of a CSV")
    return tuple(pairs), problems


def inline_moments(pairs: tuple[tuple[float, float], ...], name: str = "sync") -> Moments:
    """Moments of pairs (video_s, imu_s) written in the manifest."""
    video, imu = np.array(pairs, float).reshape(-1, 2).T
    return Moments(video, imu, (VIDEO[0], IMU[0]), tuple(f"{name}: pair {v:g}={i:g}" for v, i in pairs))


def read_moments(path: Path) -> Moments:
    """Moments of a CSV with a column video_s or video_frame and a column imu_s or imu_sample, a row each.

    Raises RecordingError: missing column, two of a kind, empty cells, no numbers, no rows.
    """
    lines = read_first_lines(path, 20)
    mark = separator(lines[0]) if lines else ","
    table = read_table(path, separator=mark, decimal=decimal_mark(lines[1:], mark))
    problems, columns = [], []
    for kind in (VIDEO, IMU):
        given = [name for name in table.columns if name in kind]
        if len(given) != 1:
            seen = f"columns {given[0]!r} and {given[1]!r}" if given else f"missing column {kind[0]!r}"
            there = "" if given else f"{near(kind[0], table.columns)}; the columns are {', '.join(table.columns[:20])}"
            problems.append(f"{path}: {seen}{there}; needs one of {' and '.join(kind)}")
            continue
        try:
            values = numbers(path, table[given[0]], given[0])
        except RecordingError as error:
            problems += error.problems
            continue
        wrong = np.flatnonzero(np.isnan(values))
        problems += listed(wrong, lambda i, n=given[0]: f"{path}: line {table.index[i]}: column {n!r} is empty; every "
                           "pair needs both moments")  # fmt: skip
        if given[0] in (VIDEO[1], IMU[1]):
            part = np.flatnonzero(values != np.floor(values))
            problems += listed(part[np.isfinite(values[part])], lambda i, n=given[0], v=values: f"{path}: line "
                               f"{table.index[i]}: column {n!r}: {v[i]:g}; needs a whole number")  # fmt: skip
        columns.append((given[0], values))
    if not problems and not len(table):
        problems = [f"{path}: no pairs; needs a row each"]
    if problems:
        raise RecordingError(problems)
    (video_unit, video), (imu_unit, imu) = columns
    return Moments(video, imu, (video_unit, imu_unit), tuple(f"{path}: line {line}" for line in table.index))


def place_moments(
    moments: Moments, drift_ppm: float, frame_s: np.ndarray, rate_hz: float, imu_time_s: np.ndarray
) -> Pairs:
    """Pairs in seconds of both clocks, from camera times of frames (N,) at a nominal rate and times of samples (M,).

    Raises RecordingError naming every pair that lies outside the video or the IMU's recording, or a moment given twice.
    """
    units, places, frames = moments.units, moments.places, len(frame_s)
    index = moments.video * (rate_hz if units[0] == "video_s" else 1.0)
    outside = (index < 0) | (index > (frames if units[0] == "video_s" else frames - 1))
    span = f"0 to {frames / rate_hz:.6g} s" if units[0] == "video_s" else f"frames 0 to {frames - 1}"
    problems = listed(np.flatnonzero(outside), lambda i: f"{places[i]}: {units[0]} {moments.video[i]:g} is outside the "
                      f"video; needs {span}")  # fmt: skip
    last, counted = len(imu_time_s) - 1, units[1] == "imu_sample"
    first_s, last_s = (0, last) if counted else imu_time_s[[0, -1]]
    outside = (moments.imu < first_s) | (moments.imu > last_s)
    span = f"samples 0 to {last}" if counted else f"{first_s:.6g} to {last_s:.6g} s (dates and epochs from the first)"
    problems += listed(np.flatnonzero(outside), lambda i: f"{places[i]}: {units[1]} {moments.imu[i]:.10g} is outside "
                       f"the IMU's recording; needs {span}")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    camera_s = np.interp(index, np.arange(frames), frame_s)
    imu_s = imu_time_s[moments.imu.astype(int)] if counted else moments.imu
    order = np.argsort(camera_s, kind="stable")
    camera_s, imu_s, places = camera_s[order], imu_s[order], tuple(places[i] for i in order)
    twice = np.flatnonzero((np.diff(camera_s) <= 0) | (np.diff(imu_s) <= 0)) + 1
    problems = listed(twice, lambda i: f"{places[i]}: not after the pair before it on both clocks ({camera_s[i]:.6g} "
                      f"and {imu_s[i]:.6g} s after {camera_s[i - 1]:.6g} and {imu_s[i - 1]:.6g} s)")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    return Pairs(camera_s, imu_s, places, drift_ppm)


def stated_pair(offset_s: float, drift_ppm: float) -> Pairs:
    """The clock that a manifest states, IMU time minus camera time, as one pair at camera time 0."""
    return Pairs(np.zeros(1), np.array([offset_s]), (f"imu_offset_s {offset_s:g}",), drift_ppm)
