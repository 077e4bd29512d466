"""Raw recordings to sessions on one clock: every file checked, then session after session aligned and saved.

T frames of the common clock (the camera's; the IMU's where there is no pose), N video frames, M samples of the IMU.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from rbc.recordings import geometry, labelling, mounting, slip, timing, wearer
from rbc.recordings import motion as motions
from rbc.recordings.clock import Clock
from rbc.recordings.errors import RecordingError
from rbc.recordings.motion import Motion
from rbc.recordings.mounting import GRAVITY
from rbc.recordings.raw import Raw, source_files
from rbc.recordings.resampling import band_names, band_powers, make_grid, measured, resample, resample_linear
from rbc.recordings.session import Session



@dataclass(frozen=True)
class Settings:
    """What align_data is told; one for all sessions."""

    behaviours: tuple[str, ...]
    keypoints: tuple[str, ...]
    rate_hz: float
    min_likelihood: float
    max_gap_s: float
    min_clock_correlation: float
    body_axis: tuple[str, str]
    head_axis: tuple[str, str]

    @property
    def turning(self) -> dict:
        """What it takes to compare the turning of animals with the IMU's."""
        return {"min_likelihood": self.min_likelihood, "body_axis": self.body_axis, "head_axis": self.head_axis,
                "min_correlation": self.min_clock_correlation}  # fmt: skip


def align(raw: Raw, settings: Settings) -> Session:
    """The session of a raw recording on the common clock."""
    raw = wearer.settle(raw, **settings.turning)
    row, tracks, rate = raw.row, raw.tracks, settings.rate_hz
    points, length = _clean(raw, settings)
    time = make_grid(*extent(raw), rate)
    motion = motions.read_motion(raw)
    axes = motions.seen_axes(raw, settings.body_axis, settings.head_axis)
    clock, mount = timing.find_clock(raw, points, motion, axes, settings.min_clock_correlation)
    imu_s = clock.camera_to_imu(time)
    imu, bands, imu_there = _imu(raw, imu_s, settings)
    if not clock.accepted:
        imu, bands, imu_there = imu * np.nan, bands * np.nan, imu_there & False
    imu, held = _mount(imu, raw, points, motion, imu_s, time, mount, settings)
    pose, pose_there = _pose(raw, points, time, settings)
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
        video_frame=_nearest(raw.frame_s, time), report=_report(raw, clock, mount, held),
    )


def extent(raw: Raw) -> tuple[float, float]:
    """First and last time on the common clock."""
    if len(raw.frame_s):
        return float(raw.frame_s[0]), float(raw.frame_s[-1])
    if raw.imu is not None:
        return float(raw.imu.time_s[0]), float(raw.imu.time_s[-1])
    return 0.0, (raw.ready_imu.frames - 1) / raw.ready_imu.rate_hz


def _clean(raw: Raw, settings: Settings) -> tuple[np.ndarray, float]:
    """(N, K, D) points without what was not measured, and the length of the body in px."""
    if raw.tracks is None:
        return np.zeros((0, 0, 3), np.float32), float("nan")
    keypoints, points = raw.tracks.keypoints, raw.tracks.points
    rough = geometry.clean_points(points, settings.min_likelihood)
    length = geometry.axis_length(rough, keypoints, settings.body_axis)
    points = geometry.clean_points(points, settings.min_likelihood, length)
    return points, geometry.axis_length(points, keypoints, settings.body_axis)


def sync_problems(raw: Raw, settings: Settings) -> list[str]:
    """What is wrong with the clock that the manifest fixes: pairs off their line, signals that contradict it."""
    if raw.pairs is None:
        return []
    axes = motions.seen_axes(raw, settings.body_axis, settings.head_axis)
    tracked = settings.body_axis and {*settings.body_axis} <= {*raw.keypoints}
    points, axes = (_clean(raw, settings)[0], axes) if tracked else (np.zeros((0, 0, 3), np.float32), {})
    try:
        timing.find_clock(raw, points, motions.read_motion(raw), axes, settings.min_clock_correlation)
    except RecordingError as error:
        return error.problems
    return []


def _sensors(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sensor for sensor in ("acc", "gyro") if all(f"{sensor}_{axis}" in names for axis in "xyz"))


def _imu(raw: Raw, imu_s: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals (T, C), band powers (T, F) and where samples were measured (T,), at the IMU's times (T,)."""
    if raw.imu is None:
        nothing = np.zeros((len(imu_s), 0), np.float32)
        return nothing, nothing, np.zeros(len(imu_s), bool)
    time, values, names = raw.imu.time_s, raw.imu.values, raw.imu.names
    signals = resample(time, values, imu_s, settings.rate_hz, settings.max_gap_s)
    bands = [np.zeros((len(imu_s), 0), np.float32)]
    for sensor in _sensors(names):
        size = np.linalg.norm(values[:, [names.index(f"{sensor}_{axis}") for axis in "xyz"]].astype(float), axis=1)
        bands.append(band_powers(time, size, imu_s, settings.max_gap_s))
    return signals, np.concatenate(bands, axis=1), measured(time, np.isfinite(values).all(1), imu_s)


def _mount(
    imu: np.ndarray, raw: Raw, points: np.ndarray, motion: Motion | None, imu_s: np.ndarray, time: np.ndarray,
    mount: str, settings: Settings,
) -> tuple[np.ndarray, dict]:
    """The signals in body axes, and how the sensor was held; as they are where that cannot be known."""
    if motion is None or not mount or not np.isfinite(imu).any():
        return imu, {"axes": "sensor"}
    keypoints = raw.tracks.keypoints
    rate = 1.0 / np.median(np.diff(motion.time_s))
    quiet = mounting.quiet_samples(motion.acc, motion.gyro, rate)
    level = mounting.level_rotation(motion.up, quiet)
    felt = np.concatenate([motion.acc - GRAVITY * motion.up, motion.up], axis=1)
    felt = resample(motion.time_s, felt, imu_s, settings.rate_hz, settings.max_gap_s).astype(float)
    axis = settings.head_axis if mount == "head" else settings.body_axis
    seen = [geometry.axis_centre(points, keypoints, axis)]
    near = [k for k in geometry.points_on_axis(points, keypoints, axis) if keypoints[k] in settings.keypoints]
    seen += [points[:, k, :2] * [1.0, -1.0] for k in near]
    paths = [_complex(raw.frame_s, path, time, settings.max_gap_s) for path in seen]
    angle = geometry.axis_angle(points, keypoints, axis)
    heading = _complex(raw.frame_s, np.stack([np.cos(angle), np.sin(angle)], axis=1), time, settings.max_gap_s)
    turned = mounting.fit_heading(
        felt[:, :3] @ level.T, felt[:, 3:] @ level.T, paths, np.angle(heading), settings.rate_hz, nods=mount == "head"
    )
    if turned is None:
        return imu, {"axes": "sensor"}
    rotation = turned.rotation @ level
    out = [imu[:, c : c + 3].astype(float) @ rotation.T for c in range(0, imu.shape[1], 3)]
    report = asdict(turned) | {"axes": "body", "rotation": rotation.round(6).tolist()}
    roll = None
    if turned.heading_se_deg <= slip.HEADING_SE_DEG:
        thin = slice(None, None, max(1, int(rate // slip.RATE_HZ)))
        roll = slip.find_roll(motion.time_s[thin], motion.up[thin] @ rotation.T, ~quiet[thin])
    if roll is not None:
        out = [roll.undone(imu_s, part) for part in out]
        report |= roll.report(imu_s, time)
    return np.concatenate(out, axis=1).astype(np.float32), report


def _complex(frame_s: np.ndarray, path: np.ndarray, time: np.ndarray, max_gap_s: float) -> np.ndarray:
    """(T,) x + iy of a path (N, 2) on the grid."""
    even = resample_linear(frame_s, path, time, max_gap_s).astype(float)
    return even[:, 0] + 1j * even[:, 1]


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
    axis = [raw.keypoints.index(name) for name in settings.body_axis] if raw.tracks else []
    others = [points[:, axis] for points in raw.tracks.others.values()] if raw.tracks else []
    others = [geometry.clean_points(points, settings.min_likelihood, length) for points in others]
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
    frames, count, width = points.shape
    flat = resample(frame_s, points[..., :-1].reshape(frames, -1), time, settings.rate_hz, settings.max_gap_s)
    sure = resample_linear(frame_s, points[..., -1], time, settings.max_gap_s)
    there = np.isfinite(points[..., 0])
    seen = np.stack([measured(frame_s, column, time) for column in there.T], axis=1)  # (T, K)
    out = np.concatenate([flat.reshape(len(time), count, width - 1), np.where(seen, sure, 0.0)[..., None]], axis=2)
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


def _report(raw: Raw, clock: Clock, mount: str, held: dict) -> dict:
    """What align_data found, as plain values."""
    plain = {k: v for k, v in asdict(replace(clock, unsure=(), steps=())).items() if not k.startswith("knots")}
    plain |= {"unsure": [list(s) for s in clock.unsure], "steps": [list(s) for s in clock.steps]}
    plain |= {name: getattr(clock, name).round(6).tolist() for name in ("knots_camera_s", "knots_lag_s", "knots_se_s")}
    hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in source_files(raw.row)}
    rates = {
        "pose_rate_hz": float(1 / np.median(np.diff(raw.frame_s))) if len(raw.frame_s) > 1 else None,
        "imu_rate_hz": float(1 / np.median(np.diff(raw.imu.time_s))) if raw.imu is not None else None,
    }
    return {
        "clock": {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in plain.items()},
        "two_clocks": raw.imu is not None and not raw.one_clock, "mount": mount, "mounting": held, "sources": hashes,
        "keypoints": list(raw.keypoints),
        **({"others": list(raw.tracks.others)} if raw.tracks and raw.tracks.others else {}),
        **rates,
        "px_per_cm": raw.row.px_per_cm if np.isfinite(raw.row.px_per_cm) else None,
        "manifest": {"day": raw.row.day, "arena": raw.row.arena, **raw.row.extra},
        "labels": "majority of the annotators; not scored where they are even" if len(raw.annotators) > 1 else "",
        **({"notes": list(raw.notes)} if raw.notes else {}),
        **({"sync": timing.describe_pairs(raw, clock)} if raw.pairs else {}),
    }
