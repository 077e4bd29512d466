"""How the IMU is held by the animal: the rotation from sensor to body axes, and the roll of a harness that gives way.

T frames of the common clock, N video frames, K samples.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from rbc.recordings import geometry, mounting, slip
from rbc.recordings.motion import read_motion
from rbc.recordings.mounting import GRAVITY
from rbc.recordings.raw import Raw
from rbc.recordings.resampling import resample, resample_linear
from rbc.recordings.settings import Settings


@dataclass(frozen=True)
class Felt:
    """What the IMU says of how it is held; K samples, about slip.RATE_HZ."""

    level: np.ndarray
    """(3, 3) sensor axes to level ones."""
    moved: np.ndarray
    """(T,) x + iy, in these, of the acceleration without gravity …"""
    lean: np.ndarray
    """(T,) … and of the upward direction."""
    time_s: np.ndarray
    """(K,) IMU time."""
    up: np.ndarray
    """(K, 3) upward direction in sensor axes."""
    moving: np.ndarray
    """(K,) bool: the animal does not rest."""


@dataclass(frozen=True)
class Held:
    """Sensor axes to body axes: a rotation (3, 3), and the roll of a harness that did not hold."""

    rotation: np.ndarray
    roll: slip.Roll | None

    def to_body(self, imu_s: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """(T, 3) vectors in sensor axes, at IMU times (T,), in body axes."""
        turned = vectors @ self.rotation.T
        return turned if self.roll is None else self.roll.undone(imu_s, turned)


def feel(raw: Raw, imu_s: np.ndarray, settings: Settings) -> Felt | None:
    """What the IMU felt at its times (T,); None without acceleration in three axes."""
    motion = read_motion(raw)
    if motion is None:
        return None
    rate = 1.0 / np.median(np.diff(motion.time_s))
    quiet = mounting.quiet_samples(motion.acc, motion.gyro, rate, motion.rest)
    level = mounting.level_rotation(motion.up, quiet)

    def flat(signal: np.ndarray) -> np.ndarray:
        even = resample(motion.time_s, signal, imu_s, settings.rate_hz, settings.max_gap_s).astype(float) @ level.T
        return even[:, 0] + 1j * even[:, 1]

    thin = slice(None, None, max(1, int(rate // slip.RATE_HZ)))
    up, lean, moved = motion.up[thin].copy(), flat(motion.up), motion.up
    moved *= -GRAVITY
    moved += motion.acc
    return Felt(level, flat(moved), lean, motion.time_s[thin].copy(), up, ~quiet[thin])


def find_hold(
    raw: Raw, points: np.ndarray, felt: Felt | None, imu_s: np.ndarray, time: np.ndarray, mount: str,
    settings: Settings,
) -> tuple[Held | None, dict]:
    """How the sensor was held, and the report of it; None where that cannot be known."""
    if felt is None:
        return None, {"axes": "sensor"}
    keypoints = raw.tracks.keypoints
    axis = settings.head_axis if mount == "head" else settings.body_axis

    def even(path: np.ndarray) -> np.ndarray:
        return _complex(raw.frame_s, path, time, settings.max_gap_s)

    def paths() -> Iterator[np.ndarray]:
        yield even(geometry.axis_centre(points, keypoints, axis))
        yield from (even(points[:, k, :2] * [1.0, -1.0]) for k in near)

    near = [k for k in geometry.points_on_axis(points, keypoints, axis) if keypoints[k] in settings.keypoints]
    angle = geometry.axis_angle(points, keypoints, axis)
    angle = np.angle(even(np.stack([np.cos(angle), np.sin(angle)], axis=1)))
    turned = mounting.fit_heading(felt.moved, felt.lean, paths(), angle, settings.rate_hz, nods=mount == "head")
    if turned is None:
        return None, {"axes": "sensor"}
    rotation = turned.rotation @ felt.level
    report = asdict(turned) | {"axes": "body", "rotation": rotation.round(6).tolist()}
    roll = None
    if turned.heading_se_deg <= slip.HEADING_SE_DEG:
        roll = slip.find_roll(felt.time_s, felt.up @ rotation.T, felt.moving)
    return Held(rotation, roll), report | (roll.report(imu_s, time) if roll else {})


def _complex(frame_s: np.ndarray, path: np.ndarray, time: np.ndarray, max_gap_s: float) -> np.ndarray:
    """(T,) x + iy of a path (N, 2) on the grid."""
    even = resample_linear(frame_s, path, time, max_gap_s).astype(float)
    return even[:, 0] + 1j * even[:, 1]
