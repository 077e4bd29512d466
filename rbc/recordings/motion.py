"""What camera and IMU both know of an animal before their clocks are compared: its motion as felt, its turning as seen.

N video frames, K keypoints, M samples of the IMU.
"""

from dataclasses import dataclass, replace

import numpy as np

from rbc.recordings import geometry, mounting
from rbc.recordings.raw import Raw
from rbc.recordings.resampling import known
from rbc.recordings.turning import Turning, turning

LONGEST_GAP_S = 0.1
"""Across longer gaps between IMU samples the turning is not known."""


@dataclass(frozen=True)
class Motion:
    """What the IMU measured, in its own axes and on its own clock, ready for comparison with the camera."""

    time_s: np.ndarray  # (M,)
    acc: np.ndarray  # (M, 3) f4 m/s², NaN filled
    gyro: np.ndarray | None  # (M, 3) f4 rad/s, NaN filled
    rest: np.ndarray  # (3,) rad/s that the gyroscope shows at rest
    up: np.ndarray  # (M, 3)


def read_motion(raw: Raw) -> Motion | None:
    """The IMU's signals for clock and mounting; None where there is no acceleration in three axes."""
    if raw.imu is None or raw.imu.names[:3] != ("acc_x", "acc_y", "acc_z") or len(raw.imu.time_s) < 100:
        return None
    time_s, values = raw.imu.time_s, geometry.fill_gaps(raw.imu.values)
    acc, gyro = values[:, :3], values[:, 3:] if values.shape[1] == 6 else None
    rest = mounting.rest_rate(gyro, 1.0 / np.median(np.diff(time_s))) if gyro is not None else np.zeros(3)
    return Motion(time_s, acc, gyro, rest, mounting.up_direction(time_s, acc, gyro, rest))


def seen_axes(raw: Raw, body_axis: tuple[str, ...], head_axis: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The tracked axis of each mount (head, back) on which the IMU may sit."""
    names = raw.tracks.keypoints if raw.tracks else ()
    axes = {"head": head_axis, "back": body_axis}
    return {
        mount: axis for mount, axis in axes.items()
        if axis and set(axis) <= set(names) and raw.row.imu_mount in ("", mount)
    }


def felt_turning(raw: Raw) -> Turning | None:
    """What the IMU felt of the turning, with nothing seen of it; None without acceleration and rotation together."""
    motion = read_motion(raw)
    if motion is None or motion.gyro is None:
        return None
    there = np.isfinite(raw.imu.values).all(1)
    if not there.any():
        return None
    rate = sum(up * (gyro - rest) for up, gyro, rest in zip(motion.up.T, motion.gyro.T, motion.rest, strict=True))
    time_s = motion.time_s
    del motion
    unseen = np.broadcast_to(np.nan, raw.frame_s.shape)
    return turning(raw.frame_s, unseen, known(time_s, there), known(rate, there), LONGEST_GAP_S)


def turnings(raw: Raw, points: np.ndarray, felt: Turning, axes: dict[str, tuple[str, str]]) -> dict[str, Turning]:
    """Turning of each axis by its mount, from cleaned points (N, K, D) and what the IMU felt."""
    angles = {mount: geometry.axis_angle(points, raw.tracks.keypoints, axis) for mount, axis in axes.items()}
    return {mount: replace(felt, angle=angle) for mount, angle in angles.items()}


def narrowed(raw: Raw, axes: dict[str, tuple[str, str]]) -> Raw:
    """The recording with the keypoints of these axes alone, and of one animal."""
    names = tuple(dict.fromkeys(name for axis in axes.values() for name in axis))
    points = raw.tracks.points[:, [raw.tracks.keypoints.index(name) for name in names]]
    return replace(raw, tracks=replace(raw.tracks, keypoints=names, points=points, others={}))
