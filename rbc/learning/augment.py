"""What may differ between sessions without changing the behaviour, done to the signals before features are made.

B crops, T frames, K keypoints. Every function returns a new crop and draws from the generator handed in, which is the
CPU's; signals may lie elsewhere.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from rbc.mirror import has_mirror
from rbc.signals import Crop, Recipe


@dataclass(frozen=True)
class Augmentation:
    """How much differs: params.yaml's section augment."""

    mirror: float
    mounting_deg: float
    camera_scale: float
    camera_shear: float
    signal_noise: float
    time_warp: float
    keypoint_dropout: float
    modality_dropout: float

    def flips(self, batch: int, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
        """(B,) which crops of a batch to serve as a mirror shows them; none where the recipe has no mirror."""
        if not self.mirror or not has_mirror(recipe):
            return np.zeros(batch, bool)
        return rng.random(batch) < self.mirror

    def warp(self, rng: np.random.Generator) -> float:
        """How fast to play a batch."""
        return float(rng.uniform(1 - self.time_warp, 1 + self.time_warp))

    def changed(self, crop: Crop, generator: Generator) -> Crop:
        """The crop seen by another mounting, another camera and worse sensors."""
        crop = turn_mounting(crop, self.mounting_deg, generator)
        crop = move_camera(crop, self.camera_scale, self.camera_shear, generator)
        crop = add_noise(crop, self.signal_noise, generator)
        crop = drop_keypoints(crop, self.keypoint_dropout, generator)
        return drop_modality(crop, self.modality_dropout, generator)


def turn_mounting(crop: Crop, degrees: float, generator: Generator) -> Crop:
    """IMU axes turned about a random axis by a normal angle of standard deviation `degrees`."""
    batch = crop.imu.shape[0]
    axis = nnf.normalize(torch.randn(batch, 3, generator=generator), dim=-1)
    angle = torch.randn(batch, 1, generator=generator) * torch.pi * degrees / 180
    rotation = rotation_matrix(axis * angle).to(crop.imu)  # (B, 3, 3)
    imu = crop.imu.unflatten(-1, (2, 3)) @ rotation.transpose(1, 2)[:, None]  # (B, T, 2, 3)
    return replace(crop, imu=imu.flatten(-2))


def rotation_matrix(vector: Tensor) -> Tensor:
    """(B, 3, 3) rotations by rotation vectors (B, 3) in rad (Rodrigues)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def move_camera(crop: Crop, scale: float, shear: float, generator: Generator) -> Crop:
    """Keypoints, the other animal's too, under a random linear map of the picture: zoom, stretch and shear."""
    batch = crop.pose.shape[0]
    zoom = 1 + scale * (2 * torch.rand(batch, generator=generator) - 1)
    stretch = 1 + scale / 2 * (2 * torch.rand(batch, 2, generator=generator) - 1)
    skew = shear * (2 * torch.rand(batch, 2, generator=generator) - 1)
    x = torch.stack([zoom * stretch[:, 0], skew[:, 0]], -1)
    y = torch.stack([skew[:, 1], zoom * stretch[:, 1]], -1)
    linear = torch.stack([x, y], -2)[:, None].transpose(-1, -2).to(crop.pose)

    def moved(x: Tensor) -> Tensor:
        return torch.cat([x[..., :2] @ linear, x[..., 2:]], -1)  # (B, T, K, 3)

    return replace(crop, pose=moved(crop.pose), other=moved(crop.other))


def add_noise(crop: Crop, share: float, generator: Generator) -> Crop:
    """White noise of `share` of each channel's own deviation in this batch; keypoints by share of a body length / 5."""
    def noisy(x: Tensor) -> Tensor:
        if not x.numel() or not share:
            return x
        mean = x.nanmean((0, 1))
        std = (x - mean).square().nanmean((0, 1)).sqrt().nan_to_num(0.0)
        return x + share * std * torch.randn(x.shape, generator=generator).to(x)

    def jittered(x: Tensor) -> Tensor:
        jitter = share / 5 * crop.body_length_px[:, None, None, None]
        points = x[..., :2] + jitter * torch.randn(x[..., :2].shape, generator=generator).to(x)
        return torch.cat([points, x[..., 2:]], -1)

    pose = jittered(crop.pose)
    return replace(crop, imu=noisy(crop.imu), bands=noisy(crop.bands), ready_imu=noisy(crop.ready_imu),
                   ready_pose=noisy(crop.ready_pose), pose=pose, other=jittered(crop.other))


def drop_keypoints(crop: Crop, share: float, generator: Generator) -> Crop:
    """Some keypoints (the other animal's and ready-made pose features too) missing for a stretch of a quarter of the
    crop."""
    batch, frames = crop.there.shape[:2]
    length = max(frames // 4, 1)

    def hide(x: Tensor) -> Tensor:  # (B, T, K, ...)
        if not x.numel():
            return x
        start = torch.randint(0, frames, (batch, 1, x.shape[2]), generator=generator)
        chosen = torch.rand(batch, 1, x.shape[2], generator=generator) < share
        index = torch.arange(frames)[None, :, None]
        hidden = (chosen & (index >= start) & (index < start + length)).to(x.device)  # (B, T, K)
        return torch.where(hidden.reshape(*hidden.shape, *[1] * (x.dim() - 3)), torch.nan, x)

    return replace(crop, pose=hide(crop.pose), ready_pose=hide(crop.ready_pose), other=hide(crop.other))


def drop_modality(crop: Crop, share: float, generator: Generator) -> Crop:
    """`share` of the crops lose one modality, either one; never the only one that they have."""
    batch = crop.there.shape[0]
    chosen = torch.rand(batch, generator=generator) < share
    which = torch.randint(0, 2, (batch,), generator=generator)
    lost = (torch.arange(2) == which[:, None]) & chosen[:, None]  # (B, 2)
    drop = lost.to(crop.there.device) & crop.there.any(1).flip(1)
    return replace(crop, there=crop.there & ~drop[:, None])
