"""A rat that turns on its place, recorded by camera and IMU on two clocks: what the tests of recordings share."""

from pathlib import Path

import numpy as np

from rbc.recordings.settings import Settings
from rbc.recordings.deeplabcut import Tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import SIGNALS, ImuRecording
from rbc.recordings.manifest import Row, read_rows
from rbc.recordings.raw import Raw

KEYPOINTS = ("nose", "neck", "tail_base")
SETTINGS = Settings(
    behaviours=("walk", "still"), keypoints=(*KEYPOINTS, "paw"), rate_hz=50.0, min_likelihood=0.6, max_gap_s=0.2,
    min_clock_correlation=0.3, body_axis=("neck", "tail_base"), head_axis=("nose", "neck"),
)
FPS, IMU_HZ, LENGTH_S, OFFSET_S = 30.0, 100.0, 120.0, 7.5


def row(**changes) -> Row:
    fields = dict(
        session="F1D1_x", animal="F1", day="1", arena="x", pose=(), imu=(), labels=(), scored=None, pose_rate_hz=FPS,
        imu_rate_hz=IMU_HZ, individual="", setup="F1D1_x", pose_times=None, imu_mount="head", imu_units="m/s2,rad/s",
        px_per_cm=float("nan"), span=(), exclude="", extra={},
    )  # fmt: skip
    return Row(**(fields | changes))


def read_manifest(root: Path, animal_pattern: str) -> list[Row]:
    """Rows of a manifest without a problem."""
    judged = read_rows(root, animal_pattern)
    problems = [problem for _, found in judged for problem in found]
    if problems:
        raise RecordingError(problems)
    return [row for row, _ in judged]


def turning(time_s: np.ndarray) -> np.ndarray:
    """Direction of head and trunk, rad: thirty slow rhythms that never meet again."""
    hz = np.sqrt(np.arange(2, 32)) / 4
    return (0.15 / hz * np.sin(2 * np.pi * hz * time_s[..., None] + np.arange(30) ** 2)).sum(-1)


def raw(**changes) -> Raw:
    """A body 100 px long that turns on its place, head straight; its IMU sits level on the head, turned by 90°."""
    frame_s = np.arange(int(LENGTH_S * FPS)) / FPS
    angle = turning(frame_s)
    along = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
    points = np.ones((len(frame_s), 3, 3), np.float32)
    for k, far in enumerate((80.0, 50.0, -50.0)):
        points[:, k, :2] = 300.0 + far * along + 0.3 * np.random.default_rng(k).normal(size=along.shape)
    imu_s = np.arange(int((LENGTH_S + 10) * IMU_HZ)) / IMU_HZ
    shown = imu_s - OFFSET_S
    rate = (turning(shown + 1e-4) - turning(shown - 1e-4)) / 2e-4
    values = np.random.default_rng(9).normal(size=(len(imu_s), 6)) * 0.02
    values[:, 2] += 9.81
    values[:, 5] += rate
    fields = dict(
        row=row(), frame_s=frame_s, tracks=Tracks(KEYPOINTS, points, {}), ready_pose=None,
        imu=ImuRecording(imu_s, SIGNALS, values.astype(np.float32)), ready_imu=None, one_clock=False, label_rate_hz=FPS,
    )  # fmt: skip
    return Raw(**(fields | changes))


def write_arrays(root: Path, name: str, **arrays) -> dict:
    n = 200
    rng = np.random.default_rng(0)
    arrays = dict(
        imu=rng.normal(size=(n, 3)) + [0, 0, 9.81], imu_names=np.array(["acc_x", "acc_y", "acc_z"]),
        pose=rng.normal(size=(n, 2)), pose_names=np.array(["box", "seen"]), labels=rng.integers(-1, 2, (n, 1)), label_names=np.array(["walk"]),
        rate_hz=50.0,
    ) | arrays  # fmt: skip
    np.savez(root / f"{name}.npz", **arrays)
    file = f"{name}.npz"
    return {"session": name, "animal": name[:2], "pose": file, "imu": file, "labels": file, "pose_rate_hz": 50,
            "imu_rate_hz": 50, "imu_units": "m/s2"}  # fmt: skip
