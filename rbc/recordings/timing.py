"""Which clock a recording has: one that both sides share, the one that the signals show, or the one its pairs fix.

N video frames, K keypoints.
"""

from dataclasses import replace

import numpy as np

from rbc.recordings import clock as clocks
from rbc.recordings import motion as motions
from rbc.recordings.clock import Clock
from rbc.recordings.errors import RecordingError
from rbc.recordings.raw import Raw
from rbc.recordings.syncline import sync_clock
from rbc.recordings.turning import Turning


def find_clock(
    raw: Raw, points: np.ndarray, axes: dict[str, tuple[str, str]], min_correlation: float
) -> tuple[Clock, str]:
    """The clock and the mount (head, back or '') that it was found with, from cleaned points (N, K, D).

    Raises RecordingError where the manifest fixes a clock that cannot be, or that the signals contradict.
    """
    if raw.imu is None or raw.one_clock:
        return clocks.same_clock(), raw.row.imu_mount if axes else ""
    felt = motions.felt_turning(raw)
    if felt is None or not axes:
        missing = "gyroscope" if felt is None else "tracked axis of the body"
        signals = clocks.refused(f"no {missing}: two clocks need an animal that is seen and felt turning")
        return (signals, "") if raw.pairs is None else synced(raw, signals, {}, raw.row.imu_mount if axes else "")
    turnings = motions.turnings(raw, points, felt, axes)
    found = {
        mount: clocks.estimate_clock(pair, stamped=raw.row.pose_times is not None, min_correlation=min_correlation)
        for mount, pair in turnings.items()
    }
    # the axis that wears the IMU turns as the IMU does
    best = max(found, key=lambda mount: (found[mount].accepted, np.nan_to_num(found[mount].correlation)))
    if raw.pairs is None:
        return found[best], best
    if found[best].accepted:
        return synced(raw, found[best], {best: turnings[best]}, best)
    clock, best = synced(raw, found[best], turnings, raw.row.imu_mount)
    likely = clock.correlation >= min_correlation
    return clock, best if raw.row.imu_mount or likely else ""


def synced(raw: Raw, signals: Clock, turnings: dict[str, Turning], mount: str) -> tuple[Clock, str]:
    """The clock that the manifest fixes, checked by that of the signals, and the mount that turns most alike on it."""
    imu_period_s = float(np.median(np.diff(raw.imu.time_s)))
    try:
        clock = sync_clock(raw.pairs, raw.frame_s, imu_period_s, signals)
    except RecordingError as error:
        raise RecordingError([f"session {raw.row.session}: {problem}" for problem in error.problems]) from None
    lag_s = clock.camera_to_imu(raw.frame_s) - raw.frame_s
    alike = {name: clocks.correlation(pair, lag_s) for name, pair in turnings.items()}
    best = max(alike, key=lambda name: np.nan_to_num(alike[name], nan=-1.0), default=mount)
    return replace(clock, correlation=alike.get(best, float("nan"))), best


def describe_pairs(raw: Raw, clock: Clock) -> dict:
    """The pairs that fix the clock, and how far each lies from it."""
    pairs = raw.pairs
    off = pairs.imu_s - clock.camera_to_imu(pairs.camera_s)
    return {
        "camera_s": pairs.camera_s.round(6).tolist(), "imu_s": pairs.imu_s.round(6).tolist(),
        "residual_ms": (1000 * off).round(3).tolist(),
    }
