"""Signals to features: one function for training, prediction, baselines and drift warnings.

B crops, T frames, K keypoints, F features. Every feature of a frame depends on the second around it.
Missing values come in as NaN and go out as NaN; the adapter turns them into zeros after scaling, and the shares of
missing keypoints are features of their own.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from rbc.mirror import mirrored
from rbc.rooms import pieces
from rbc.signals import Crop, Recipe, empty_crop, session_crop

GRAVITY = 9.81


def imu_features(crop: Crop, recipe: Recipe) -> Tensor:
    """(B, T, F) of the inertial signals: axes, gravity direction, magnitudes, agitation over 0.2 and 1 s, bands."""
    columns = []
    if recipe.imu_names:
        acc, gyro = crop.imu[..., :3], crop.imu[..., 3:]
        gravity = recipe.mean(acc, 0.5)
        moving = acc - gravity
        columns += [acc / GRAVITY, gravity / gravity.norm(dim=-1, keepdim=True).clamp_min(1.0), moving / GRAVITY, gyro / 5]
        signals = torch.stack([moving / GRAVITY, gyro / 5], -2)  # (B, T, 2, 3)
        energies = (signals**2).sum(-1)  # (B, T, 2)
        turning, middle = recipe.means([gyro, energies], 0.2)
        agitation = torch.stack([recipe.mean(energies, 0.1), middle, recipe.mean(energies, 1.0)], -1)  # (B, T, 2, 3)
        columns += [turning / 5, _log(agitation).flatten(-2), acc.norm(dim=-1, keepdim=True) / GRAVITY - 1]
    return torch.cat([*columns, crop.bands, crop.ready_imu], dim=-1)  # (B, T, F)


def pose_features(crop: Crop, recipe: Recipe) -> Tensor:
    """(B, T, F) of the keypoints seen from the animal: places, velocities and agitation in body lengths, speeds and
    angles of trunk and head, sizes, and which keypoints are missing; then of the nearest other animal, if any."""
    if not recipe.keypoints:
        return crop.ready_pose
    points = crop.pose[..., :2] / crop.body_length_px[:, None, None, None]  # (B, T, K, 2) body lengths
    missing = points.isnan().any(-1).float()  # (B, T, K)
    front, rear, nose, nape = (points[:, :, recipe.keypoints.index(k)] for k in (*recipe.body_axis, *recipe.head_axis))
    centre = (front + rear) / 2
    trunk, head = front - rear, nose - nape
    forward = trunk / trunk.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    frame = torch.stack([forward, torch.stack([-forward[..., 1], forward[..., 0]], -1)], -2)  # (B, T, 2, 2)

    def egocentric(vectors: Tensor) -> Tensor:
        """(..., 2) along and across the trunk."""
        extra = vectors.dim() - 3
        axes = frame.reshape(*frame.shape[:2], *[1] * extra, 2, 2)
        return (axes * vectors[..., None, :]).sum(-1)

    places = egocentric(points - centre[:, :, None])  # (B, T, K, 2)
    motion, own = recipe.change(torch.stack([points, places], 2)).unbind(2)  # (B, T, K, 2) body lengths / s
    agitation = (own**2).sum(-1)  # (B, T, K)
    agitated, path = recipe.means([agitation, centre], 0.2)
    travel = egocentric(recipe.change(path))
    turns = torch.cat([recipe.turning(trunk), recipe.turning(head)], -1)  # (B, T, 2)
    relative = egocentric(head / head.norm(dim=-1, keepdim=True).clamp_min(1e-3))  # cos, sin of head on trunk
    sizes = torch.cat([trunk.norm(dim=-1, keepdim=True), head.norm(dim=-1, keepdim=True)], -1)
    agitated_long, travel_long, sizes_long, missing_long = recipe.means([agitation, travel, sizes, missing], 1.0)
    columns = [
        places.flatten(-2), egocentric(motion).flatten(-2) / 3, _log(agitated), _log(agitated_long), travel,
        _log((travel**2).sum(-1, keepdim=True)), travel_long, turns / 3, recipe.mean(turns, 0.5) / 3,
        relative, sizes, sizes_long, missing, missing_long,
    ]
    if recipe.others:
        ends = crop.other[..., :2] / crop.body_length_px[:, None, None, None]  # (B, T, 2, 2) body lengths
        columns += _towards(ends, nose, front, rear, egocentric, recipe)
    return torch.cat([*columns, crop.ready_pose], dim=-1)  # (B, T, F)


def _towards(
    ends: Tensor, nose: Tensor, front: Tensor, rear: Tensor, egocentric: Callable[[Tensor], Tensor], recipe: Recipe
) -> list[Tensor]:
    """Features, each (B, T, F), of the other animal's ENDS (B, T, 2, 2) beside the own points (B, T, 2), body lengths:
    how far its centre, its rear from the nose and its front from the rear are, how fast the centres approach, where it
    is and where it looks (cos, sin from the own trunk), and which of its ends are missing."""
    away = ends.mean(2) - (front + rear) / 2
    distance = away.norm(dim=-1, keepdim=True)
    sniffing, sniffed = ((ends[:, :, k] - own).norm(dim=-1, keepdim=True) for k, own in ((1, nose), (0, rear)))
    # of the distance, not of the places: it is continuous where another one becomes the nearest
    approach = -recipe.change(recipe.mean(distance, 0.2))
    trunk = ends[:, :, 0] - ends[:, :, 1]
    bearing, heading = (egocentric(v / v.norm(dim=-1, keepdim=True).clamp_min(1e-3)) for v in (away, trunk))
    return [distance, sniffing, sniffed, approach, bearing, heading, ends.isnan().any(-1).float()]


def programmed_targets(crop: Crop, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Targets (B, T, P) that a representation should foresee, P <= 8, for imu and pose: energies, tilt, speed, turning
    now (TREBA, arXiv 2011.13917), and their mean over the second that follows."""
    recipe, imu, pose = replace(recipe, causal=False), [], []  # foreseeing looks ahead
    if recipe.imu_names:
        acc, gyro = crop.imu[..., :3], crop.imu[..., 3:]
        gravity = recipe.mean(acc, 0.5)
        energy = _log(recipe.mean((((acc - gravity) / GRAVITY) ** 2).sum(-1, keepdim=True), 0.2))
        turning = recipe.mean(gyro[..., 2:], 0.2) / 3
        imu = [energy, gravity[..., :1] / GRAVITY, turning]
    if recipe.keypoints:
        points = crop.pose[..., :2] / crop.body_length_px[:, None, None, None]
        front, rear = (points[:, :, recipe.keypoints.index(k)] for k in recipe.body_axis)
        speed = recipe.change(recipe.mean((front + rear) / 2, 0.2)).norm(dim=-1, keepdim=True)
        turning = recipe.turning(front - rear) / 3
        pose = [_log(speed**2), turning, (front - rear).norm(dim=-1, keepdim=True)]
    if not imu and crop.ready_imu.shape[-1]:
        imu = [crop.ready_imu[..., :3]]
    if not pose and crop.ready_pose.shape[-1]:
        pose = [crop.ready_pose[..., :3]]
    return _with_future(imu, crop, recipe), _with_future(pose, crop, recipe)


def _with_future(columns: list[Tensor], crop: Crop, recipe: Recipe) -> Tensor:
    if not columns:
        return crop.there.new_zeros(*crop.there.shape[:2], 0, dtype=torch.float32)
    now = torch.cat(columns, -1)
    ahead = recipe.frames(0.5)
    later = nnf.pad(now.transpose(1, 2), (0, ahead), mode="replicate").transpose(1, 2)[:, ahead:]
    return torch.cat([now, recipe.mean(later, 1.0)], -1)  # (B, T, 2 P)


def _log(energy: Tensor) -> Tensor:
    return torch.log10(energy + 1e-4)


def imu_width(recipe: Recipe) -> int:
    return imu_features(empty_crop(recipe, frames=64), recipe).shape[-1]


def pose_width(recipe: Recipe) -> int:
    return pose_features(empty_crop(recipe, frames=64), recipe).shape[-1]


def part_features(session, recipe: Recipe, part: slice, mirror: bool = False) -> tuple[Tensor, Tensor]:
    """Features (n, F) of both modalities in a slice of a session's frames; NaN where missing. Where `mirror`, of what a
    mirror shows."""
    margin = recipe.reach
    crop = session_crop(session, part.start - margin, part.stop + margin, recipe)
    crop = mirrored(crop, recipe) if mirror else crop
    there = crop.there[0, margin:-margin]
    pair = imu_features(crop, recipe), pose_features(crop, recipe)
    return tuple(torch.where(there[:, m, None], x[0, margin:-margin], torch.nan) for m, x in enumerate(pair))


def session_features(session, recipe: Recipe, mirror: bool = False) -> np.ndarray:
    """(T, F) all features of a session side by side, NaN where missing, as of `part_features`."""
    parts = (part_features(session, recipe, part, mirror) for part in pieces(len(session), 4096))
    return torch.cat([torch.cat(pair, -1) for pair in parts]).numpy()
