"""Raw recordings to sessions on one clock: every file checked, then session after session aligned and saved.

T frames of the common clock (the camera's; the IMU's where there is no pose), N video frames, M samples of the IMU.
"""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from rbc.recordings import geometry, labelling, timing, wearer
from rbc.recordings import motion as motions
from rbc.recordings.clock import Clock
from rbc.recordings.errors import RecordingError
from rbc.recordings.harness import Held, feel, find_hold
from rbc.recordings.raw import Raw, source_files
from rbc.recordings.resampling import band_names, band_powers, make_grid, measured, resample, resample_linear
from rbc.recordings.session import Session
from rbc.recordings.settings import Settings


def align(raw: Raw, settings: Settings) -> Session:
    """The session of a raw recording on the common clock.

    Of a day each array takes hundreds of MB: what is no longer needed is let go of.
    """
    raw = wearer.settle(raw, settings)
    row, tracks, rate = raw.row, raw.tracks is not None, settings.rate_hz
    raw, points, length = _clean(raw, settings)
    axes = motions.seen_axes(raw, settings.body_axis, settings.head_axis)
    clock, mount = timing.find_clock(raw, points, axes, settings.min_clock_correlation)
    time = make_grid(*extent(raw), rate)
    imu_s = clock.camera_to_imu(time)
    felt = feel(raw, imu_s, settings) if mount and clock.accepted else None
    held, mounted = find_hold(raw, points, felt, imu_s, time, mount, settings)
    del felt
    pose, pose_there = _pose(raw, points, time, settings)
    del points
    imu, bands, imu_there = _imu(raw, imu_s, held, settings)
    if not clock.accepted:
        imu, bands, imu_there = imu * np.nan, bands * np.nan, imu_there & False
    other = _other(raw, pose, length, time, settings)
    ready_pose = _ready(raw.ready_pose, time, settings.max_gap_s)
    ready_imu = _ready(raw.ready_imu, time, settings.max_gap_s)
    imu_there = (imu_there & clock.sure(time)) | np.isfinite(ready_imu).any(1)
    pose_there = pose_there | np.isfinite(ready_pose).any(1)
    annotators, labels = labelling.label_frames(raw, time, settings.behaviours)
    names = raw.imu.names if raw.imu else ()
    return Session(
        name=row.session, animal=row.animal, setup=row.setup, rate_hz=rate, behaviours=settings.behaviours,
        keypoints=settings.keypoints if tracks else (), imu_names=names, band_names=band_names(_sensors(names)),
        ready_imu_names=raw.ready_imu.ready_names if raw.ready_imu else (),
        ready_pose_names=raw.ready_pose.ready_names if raw.ready_pose else (), annotator_names=tuple(raw.annotators),
        body_length_px=length, time=time, imu=imu, bands=bands, pose=pose, other=other, ready_imu=ready_imu,
        ready_pose=ready_pose, valid=np.stack([imu_there, pose_there], axis=1), labels=labels, annotators=annotators,
        video_frame=_nearest(raw.frame_s, time), report=_report(raw, clock, mount, mounted),
    )


def extent(raw: Raw) -> tuple[float, float]:
    """First and last time on the common clock."""
    if len(raw.frame_s):
        return float(raw.frame_s[0]), float(raw.frame_s[-1])
    if raw.imu is not None:
        return float(raw.imu.time_s[0]), float(raw.imu.time_s[-1])
    return 0.0, (raw.ready_imu.frames - 1) / raw.ready_imu.rate_hz


def _clean(raw: Raw, settings: Settings) -> tuple[Raw, np.ndarray, float]:
    """The recording without its points, and with only the body axis of other animals; the points (N, K, D) without what
    was not measured; the length of the body in px."""
    if raw.tracks is None:
        return raw, np.zeros((0, 0, 3), np.float32), float("nan")
    keypoints = raw.tracks.keypoints
    points, length = geometry.clean_body(raw.tracks.points, keypoints, settings.body_axis, settings.min_likelihood)
    axis = [keypoints.index(name) for name in settings.body_axis]
    others = {name: other[:, axis] for name, other in raw.tracks.others.items()}
    return replace(raw, tracks=replace(raw.tracks, points=np.zeros_like(points[:0]), others=others)), points, length


def sync_problems(raw: Raw, settings: Settings) -> list[str]:
    """What is wrong with the clock that the manifest fixes: pairs off their line, signals that contradict it."""
    if raw.pairs is None:
        return []
    axes = motions.seen_axes(raw, settings.body_axis, settings.head_axis)
    points = np.zeros((0, 0, 3), np.float32)
    if settings.body_axis and {*settings.body_axis} <= {*raw.keypoints}:
        raw, points, _ = _clean(motions.narrowed(raw, axes | {"": settings.body_axis}), settings)
    else:
        axes = {}
    try:
        timing.find_clock(raw, points, axes, settings.min_clock_correlation)
    except RecordingError as error:
        return error.problems
    return []


def _sensors(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sensor for sensor in ("acc", "gyro") if all(f"{sensor}_{axis}" in names for axis in "xyz"))


def _imu(
    raw: Raw, imu_s: np.ndarray, held: Held | None, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals (T, C) in body axes where these are known, band powers (T, F) and where samples were measured (T,), at the
    IMU's times (T,)."""
    if raw.imu is None:
        nothing = np.zeros((len(imu_s), 0), np.float32)
        return nothing, nothing, np.zeros(len(imu_s), bool)
    time, values, names = raw.imu.time_s, raw.imu.values, raw.imu.names
    sensors = _sensors(names)
    bands = np.empty((len(imu_s), len(band_names(sensors))), np.float32)
    for sensor, some in zip(sensors, np.split(bands, len(sensors), axis=1) if sensors else (), strict=True):
        size = geometry.lengths(values[:, [names.index(f"{sensor}_{axis}") for axis in "xyz"]])
        some[:] = band_powers(time, size, imu_s, settings.max_gap_s)
    signals = resample(time, values, imu_s, settings.rate_hz, settings.max_gap_s)
    if held is not None:
        for c in range(0, signals.shape[1], 3):
            signals[:, c : c + 3] = held.to_body(imu_s, signals[:, c : c + 3].astype(float))
    return signals, bands, measured(time, np.isfinite(values).all(1), imu_s)


def _pose(raw: Raw, points: np.ndarray, time: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T, K, D) on the grid (interpolated: likelihood 0) and where the body axis was measured (T,)."""
    if raw.tracks is None:
        return np.zeros((len(time), 0, 3), np.float32), np.zeros(len(time), bool)
    keypoints = raw.tracks.keypoints
    out, seen = _even(raw.frame_s, points, time, settings)
    valid = np.all([seen[:, keypoints.index(name)] for name in settings.body_axis], axis=0)
    return geometry.place_keypoints(out, keypoints, settings.keypoints), valid


def _other(raw: Raw, pose: np.ndarray, length: float, time: np.ndarray, settings: Settings) -> np.ndarray:
    """(T, 2, 3) front and rear of the body axis of the other animal whose trunk is nearest, as pose; missing where the
    animal's own trunk is, for nobody is nearest then. (T, 0, 3) where no other is ever seen."""
    others = raw.tracks.others.values() if raw.tracks else ()
    others = [geometry.clean_points(points, settings.min_likelihood) for points in others]
    for points in others:
        geometry.drop_outliers(points, length)
    others = [points for points in others if np.isfinite(points[..., 0]).any()]
    if not others:
        return np.zeros((len(time), 0, 3), np.float32)
    ends = np.stack([_even(raw.frame_s, points, time, settings)[0] for points in others])  # (O, T, 2, D)
    own = geometry.median(pose[:, [settings.keypoints.index(name) for name in settings.body_axis], :2], axis=1)
    away = np.linalg.norm(geometry.median(ends[..., :2], axis=2) - own, axis=2)  # (O, T)
    away = np.where(np.isfinite(away), away, np.inf)
    nearest = ends[away.argmin(0), np.arange(len(time))][..., [0, 1, -1]]
    return np.where(np.isfinite(away.min(0))[:, None, None], nearest, np.float32([np.nan, np.nan, 0]))


def _even(
    frame_s: np.ndarray, points: np.ndarray, time: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, K, D) on the grid (T, K, D), interpolated ones with likelihood 0, and which were measured (T, K)."""
    out = resample(frame_s, points.reshape(len(points), -1), time, settings.rate_hz, settings.max_gap_s)
    out = out.reshape(len(time), *points.shape[1:])
    seen = np.stack([measured(frame_s, np.isfinite(x), time) for x in points[..., 0].T], axis=1)  # (T, K)
    for k in range(points.shape[1]):
        sure = resample_linear(frame_s, points[:, k, -1:], time, settings.max_gap_s)
        out[:, k, -1] = np.where(seen[:, k], sure[:, 0], 0.0)
    return out, seen


def _ready(arrays, time: np.ndarray, max_gap_s: float) -> np.ndarray:
    """(T, F) ready-made features on the grid."""
    if arrays is None or not arrays.ready_names:
        return np.zeros((len(time), 0), np.float32)
    return resample_linear(np.arange(arrays.frames) / arrays.rate_hz, arrays.ready, time, max_gap_s)


def _nearest(frame_s: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(T,) index of the nearest video frame; -1 without a video."""
    if not len(frame_s):
        return np.full(len(time), -1, np.int32)
    middles = (frame_s[1:] + frame_s[:-1]) / 2
    return np.searchsorted(middles, time).astype(np.int32)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _report(raw: Raw, clock: Clock, mount: str, held: dict) -> dict:
    """What align_data found, as plain values."""
    plain = {k: v for k, v in asdict(replace(clock, unsure=(), steps=())).items() if not k.startswith("knots")}
    plain |= {"unsure": [list(s) for s in clock.unsure], "steps": [list(s) for s in clock.steps]}
    plain |= {name: getattr(clock, name).round(6).tolist() for name in ("knots_camera_s", "knots_lag_s", "knots_se_s")}
    hashes = {p.name: _sha256(p) for p in source_files(raw.row)}
    rates = {
        "pose_rate_hz": float(1 / np.median(np.diff(raw.frame_s))) if len(raw.frame_s) > 1 else None,
        "imu_rate_hz": float(1 / np.median(np.diff(raw.imu.time_s))) if raw.imu is not None else None,
    }
    return {
        "clock": {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in plain.items()},
        "two_clocks": raw.imu is not None and not raw.one_clock, "mount": mount, "mounting": held, "sources": hashes,
        "keypoints": list(raw.keypoints),
        **({"others": list(raw.tracks.others)} if raw.tracks and raw.tracks.others else {}),
        **({"swaps": [list(swap) for swap in raw.swaps]} if raw.swaps is not None else {}),
        **rates,
        "px_per_cm": raw.row.px_per_cm if np.isfinite(raw.row.px_per_cm) else None,
        "manifest": {"day": raw.row.day, "arena": raw.row.arena, **raw.row.extra},
        "labels": "majority of the annotators; not scored where they are even" if len(raw.annotators) > 1 else "",
        **({"notes": list(raw.notes)} if raw.notes else {}),
        **({"sync": timing.describe_pairs(raw, clock)} if raw.pairs else {}),
    }
