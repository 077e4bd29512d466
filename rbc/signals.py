"""Stretches of a session's signals as a model takes them, and the recipe that says which.

B crops, T frames, K keypoints, F features.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from rbc.running import before_and_after, difference, running_mean

ENDS = ("front", "rear")
IMU_CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


@dataclass(frozen=True)
class Crop:
    """Signals of a stretch of frames, batched; what the loaders serve and augmentation changes."""

    imu: Tensor  # (B, T, 6) m/s², rad/s
    bands: Tensor  # (B, T, F) log10 power
    pose: Tensor  # (B, T, K, 3) px, px, likelihood
    other: Tensor  # (B, T, 2, 3) ENDS of the nearest other animal's trunk, as pose; (B, T, 0, 3) where nobody is
    ready_imu: Tensor  # (B, T, F)
    ready_pose: Tensor  # (B, T, F)
    there: Tensor  # (B, T, 2) has the modality anything to read? Interpolated counts, as do doubtful clocks
    body_length_px: Tensor  # (B,)

    def map(self, function) -> "Crop":
        """The crop with `function` applied to every tensor."""
        return Crop(*(function(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class Recipe:
    """What the features are made of; goes with the model into recipe.json."""

    rate_hz: float
    keypoints: tuple[str, ...]
    body_axis: tuple[str, str]
    head_axis: tuple[str, str]
    imu_names: tuple[str, ...]
    band_names: tuple[str, ...]
    ready_imu_names: tuple[str, ...]
    ready_pose_names: tuple[str, ...]
    others: bool = False
    """Is another animal seen in any session?"""
    causal: bool = False
    """Do features look back only?"""

    @property
    def modalities(self) -> tuple[bool, bool]:
        """Are there features of the IMU, and of pose?"""
        felt = self.imu_names or self.band_names or self.ready_imu_names
        return bool(felt), bool(self.keypoints or self.ready_pose_names)

    def frames(self, seconds: float) -> int:
        """Odd number of frames that spans `seconds`."""
        return 2 * int(seconds * self.rate_hz / 2) + 1

    @property
    def reach(self) -> int:
        """Frames to each side that may decide a frame's features."""
        return self.frames(1.0) + self.frames(0.5)

    @property
    def step(self) -> int:
        """Frames to each side over which changes are taken."""
        return max(self.frames(0.1) // 2, 1)

    def mean(self, x: Tensor, seconds: float) -> Tensor:
        """Running mean of (B, T, ...)."""
        return running_mean(x, self.frames(seconds), self.causal)

    def means(self, signals: list[Tensor], seconds: float) -> tuple[Tensor, ...]:
        """Running means of signals (B, T, F), taken together."""
        return self.mean(torch.cat(signals, -1), seconds).split([x.shape[-1] for x in signals], -1)

    def change(self, x: Tensor) -> Tensor:
        """Change of (B, T, ...) per second."""
        return difference(x, self.step, self.causal) * self.rate_hz / (2 * self.step)

    def turning(self, axis: Tensor) -> Tensor:
        """(B, T, 1) rad/s by which an axis (B, T, 2) turns; counter-clockwise in the picture is < 0."""
        before, after = before_and_after(axis, self.step, self.causal)
        cross = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
        return torch.atan2(cross, (before * after).sum(-1))[..., None] * self.rate_hz / (2 * self.step)


def empty_crop(recipe: Recipe, frames: int) -> Crop:
    """One crop in which everything is missing."""
    nothing = lambda *shape: torch.full((1, frames, *shape), torch.nan)  # noqa: E731
    return Crop(
        nothing(6), nothing(len(recipe.band_names)), nothing(len(recipe.keypoints), 3),
        nothing(len(ENDS) * recipe.others, 3), nothing(len(recipe.ready_imu_names)),
        nothing(len(recipe.ready_pose_names)), torch.zeros(1, frames, 2, dtype=torch.bool), torch.ones(1),
    )


def session_crop(session, start: int, stop: int, recipe: Recipe) -> Crop:
    """Crop (B = 1) of frames start to stop of a Session, columns in the recipe's order; frames beyond the session and
    columns that it lacks are NaN."""
    a = min(max(start, 0), stop)
    b = max(min(stop, len(session)), a)

    def columns(array: np.ndarray, have: tuple[str, ...], want: tuple[str, ...]) -> Tensor:
        out = np.full((stop - start, len(want), *array.shape[2:]), np.nan, np.float32)
        for i, name in enumerate(want):
            if name in have:
                out[a - start : b - start, i] = array[a:b, have.index(name)]
        return torch.from_numpy(out)[None]

    imu = columns(session.imu, session.imu_names, IMU_CHANNELS)
    pose = columns(session.pose, session.keypoints, recipe.keypoints)[..., [0, 1, -1]]  # the height of 3D is left out
    other = columns(session.other, ENDS[: session.other.shape[1]], ENDS if recipe.others else ())
    ready_imu = columns(session.ready_imu, session.ready_imu_names, recipe.ready_imu_names)
    ready_pose = columns(session.ready_pose, session.ready_pose_names, recipe.ready_pose_names)
    there = is_there(imu, pose, ready_imu, ready_pose, recipe)
    scale = session.body_length_px if np.isfinite(session.body_length_px) else 1.0
    return Crop(
        imu, columns(session.bands, session.band_names, recipe.band_names), pose, other, ready_imu,
        ready_pose, there, torch.tensor([scale], dtype=torch.float32),
    )


def is_there(imu: Tensor, pose: Tensor, ready_imu: Tensor, ready_pose: Tensor, recipe: Recipe) -> Tensor:
    """(B, T, 2) has the modality anything to read?"""
    axis = [recipe.keypoints.index(name) for name in recipe.body_axis if name in recipe.keypoints]
    seen = pose[:, :, axis, 0].isfinite().all(-1) & bool(axis)  # no feature of the pose without the body's axis
    felt = imu.isfinite().any(-1)
    return torch.stack([felt | ready_imu.isfinite().any(-1), seen | ready_pose.isfinite().any(-1)], -1)
