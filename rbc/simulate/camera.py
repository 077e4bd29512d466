"""What the camera sees and when: perspective, lens, frame times, dropped frames, stamps.

F frames kept in the file, K keypoints. Pixels: x to the right, y down.
"""

from dataclasses import dataclass

import numpy as np

from rbc.simulate.chance import runs
from rbc.simulate.world import World


@dataclass(frozen=True)
class Camera:
    """A camera at `place` (m) whose rows of `axes` are right, down and forward."""

    place: np.ndarray
    axes: np.ndarray
    focal_px: float
    lens: float
    """Radial distortion at half the frame height."""
    width: int
    height: int
    px_per_cm: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """(F, K, 2) pixels of the points (F, K, 3) in m."""
        seen = (points - self.place) @ self.axes.T
        flat = self.focal_px * seen[..., :2] / seen[..., 2:]
        radius = np.sum(flat**2, axis=-1, keepdims=True) / (0.5 * self.height) ** 2
        return flat * (1.0 + self.lens * np.minimum(radius, 2.5)) + [0.5 * self.width, 0.5 * self.height]


def draw_camera(world: World, half_m: float, leaves: bool, rng: np.random.Generator) -> Camera:
    """A camera roughly above the arena; where the rat `leaves`, the corners lie outside the frame."""
    width, height = world.frame_px[rng.integers(len(world.frame_px))]
    tilt, around = np.deg2rad(rng.uniform(*world.tilt_deg)), rng.uniform(0, 2 * np.pi)
    # a wider arena is filmed from further up
    distance = rng.uniform(*world.camera_m) * (0.6 + half_m) / 0.9
    target = np.array([*rng.normal(0, 0.02, 2), 0.0])
    away = np.array([np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.cos(tilt)])
    right = np.cross(-away, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(-away, right), -away])
    turn = np.deg2rad(rng.normal(0, 4))
    axes[:2] = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] @ axes[:2]
    fill = rng.uniform(*(world.fill_out if leaves else world.fill))
    lens = rng.uniform(*world.lens) * 0.5
    # the square arena turned by any angle: its half diagonal is 1.2 half sides in the mean, barrel lenses shrink it
    focal = fill * 0.5 * height * distance / (1.2 * half_m) * (1.0 if leaves else 0.95)
    px_per_cm = focal / distance / 100
    return Camera(target + distance * away, axes, float(focal), float(lens), width, height, float(px_per_cm))


@dataclass(frozen=True)
class Frames:
    """Times of the frames in the video file."""

    true_s: np.ndarray
    """(F,) middle of the exposure."""
    camera_s: np.ndarray
    """(F,) the common clock: ideal stamp, or frame index / nominal rate where there are no stamps."""
    stamps_s: np.ndarray | None
    """(F,) what the stamps file says."""
    rate_hz: float
    """Nominal."""

    def playback(self, true_s: np.ndarray) -> np.ndarray:
        """Seconds of video playback (frame index / nominal rate) at true times."""
        return np.interp(true_s, self.true_s, np.arange(len(self.true_s)) / self.rate_hz)

    def true(self, camera_s: np.ndarray) -> np.ndarray:
        """True times at readings of the common clock."""
        return np.interp(camera_s, self.camera_s, self.true_s)


def draw_frames(world: World, stop_s: float, stamped: bool, rng: np.random.Generator) -> Frames:
    """Frames of a video from true time 0 to `stop_s`, with the dropped ones gone."""
    nominal = float(world.fps[rng.integers(len(world.fps))])
    actual = 30000 / 1001 if nominal == 29.97 else nominal
    n = int(stop_s * actual)
    if stamped:
        dropped = runs(n, rng.uniform(*world.dropped), *world.dropped_run, rng)
    else:
        dropped = np.zeros(n, bool)
        for _ in range(rng.integers(world.dropped_runs_unstamped[0], world.dropped_runs_unstamped[1] + 1)):
            begin = rng.integers(int(0.1 * n), int(0.9 * n))
            length = rng.integers(world.dropped_run_unstamped[0], world.dropped_run_unstamped[1] + 1)
            dropped[begin : begin + length] = True
    dropped[[0, -1]] = False
    true_s = np.flatnonzero(~dropped) / actual
    if not stamped:
        return Frames(true_s, np.arange(len(true_s)) / nominal, None, nominal)
    camera_s = true_s + 1e-3 * rng.uniform(*world.latency_ms)
    jitter = np.clip(1e-3 * world.stamp_jitter_ms * rng.standard_normal(len(true_s)), -0.002, 0.002)
    return Frames(true_s, camera_s, camera_s + jitter, nominal)
