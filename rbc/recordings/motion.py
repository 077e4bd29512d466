"""What camera and IMU both know of an animal before their clocks are compared: its motion as felt, its turning as seen.

N video frames, K keypoints, M samples of the IMU.
"""

from dataclasses import dataclass

import numpy as np

from rbc.recordings import geometry, mounting
from rbc.recordings.raw import Raw
from rbc.recordings.turning import Turning, turning

LONGEST_GAP_S = 0.1
"""Across longer gaps between IMU samples the turning is not known."""


@dataclass(frozen=True)
class Motion:
    """What the IMU measured, in its own axes and on its own clock, ready for comparison with the camera."""

    time_s: np.ndarray  # (M,)
    acc: np.ndarray  # (M, 3) m/s², NaN filled
    gyro: np.ndarray | None  # (M, 3) rad/s without its rest rate, NaN filled
    up: np.ndarray  # (M, 3)


def read_motion(raw: Raw) -> Motion | None:
    """The IMU's signals for clock and mounting; None where there is no acceleration in three axes."""
    if raw.imu is None or raw.imu.names[:3] != ("acc_x", "acc_y", "acc_z") or len(raw.imu.time_s) < 100:
        return None
    values = geometry.fill_gaps(raw.imu.values)
    rate = 1.0 / np.median(np.diff(raw.imu.time_s))
    gyro = values[:, 3:] - mounting.rest_rate(values[:, 3:], rate) if values.shape[1] == 6 else None
    return Motion(raw.imu.time_s, values[:, :3], gyro, mounting.up_direction(raw.imu.time_s, values[:, :3], gyro))


def seen_axes(raw: Raw, body_axis: tuple[str, ...], head_axis: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The tracked axis of each mount (head, back) on which the IMU may sit."""
    known = raw.tracks.keypoints if raw.tracks else ()
    axes = {"head": head_axis, "back": body_axis}
    return {
        mount: axis for mount, axis in axes.items()
        if axis and set(axis) <= set(known) and raw.row.imu_mount in ("", mount)
    }


def turnings(raw: Raw, points: np.ndarray, motion: Motion, axes: dict[str, tuple[str, str]]) -> dict[str, Turning]:
    """Turning of each axis by its mount, from cleaned points (N, K, D) and a motion with a gyroscope."""
    there = np.isfinite(raw.imu.values).all(1)
    rate = (motion.up * motion.gyro).sum(1)[there]
    angles = {mount: geometry.axis_angle(points, raw.tracks.keypoints, axis) for mount, axis in axes.items()}
    return {
        mount: turning(raw.frame_s, angle, motion.time_s[there], rate, LONGEST_GAP_S) for mount, angle in angles.items()
    }
