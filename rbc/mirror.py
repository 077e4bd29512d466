"""The rat in a mirror: left is right. What it does to one side it may do to the other, so that every labelled second
teaches two. Ready-made features have no mirror.

B crops, T frames, K keypoints, C behaviours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rbc.signals import Crop, Recipe

SIDES = {"left": "right", "l": "r"}
SIDES |= {right: left for left, right in SIDES.items()}
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[^A-Za-z]+")
WITHIN = re.compile("left|right", re.IGNORECASE)
ACROSS = (1.0, -1.0, 1.0, -1.0, 1.0, -1.0)  # acc is a vector, gyro a pseudovector; y points left
NO_ONE = -1


def has_mirror(recipe: Recipe) -> bool:
    """Is everything that the recipe reads a signal that can be mirrored?"""
    return not (recipe.ready_imu_names or recipe.ready_pose_names)


def counterparts(names: Sequence[str]) -> list[int]:
    """For each name the place of the one on the other side (ear_left, earR, turn_left, …): its own where it has no side,
    NO_ONE where the other side is not among the names."""
    places = {name: i for i, name in enumerate(names)}
    found = []
    for i, name in enumerate(names):
        words = WORDS.findall(name)
        swapped = "".join(map(_other, words))
        anywhere = WITHIN.sub(lambda word: _other(word[0]), name)  # "turnleft", but not "upright"
        found.append(places.get(swapped, NO_ONE) if swapped != name else places.get(anywhere, i))
    return found


def _other(word: str) -> str:
    """The word for the other side, written in the same case; the word itself where it names no side."""
    other = SIDES.get(word.lower(), word)
    return other.upper() if word.isupper() else other.capitalize() if word[:1].isupper() else other


def mirrored(crop: Crop, recipe: Recipe) -> Crop:
    """The crop in a mirror that stands along the body. A keypoint without a counterpart is missing there."""
    places = counterparts(recipe.keypoints)
    pose = _reflected(crop.pose)[:, :, places]
    pose[:, :, [p == NO_ONE for p in places], :2] = torch.nan
    return replace(crop, imu=crop.imu * crop.imu.new_tensor(ACROSS), pose=pose, other=_reflected(crop.other))


def _reflected(points: Tensor) -> Tensor:
    return points * points.new_tensor([-1.0, 1.0, 1.0])  # (B, T, K, 3) x, y, likelihood


def mirrored_track(track: np.ndarray, behaviours: Sequence[str], unknown: float) -> np.ndarray:
    """Labels or probabilities (..., C) of what a mirror shows; `unknown` where a behaviour has no counterpart."""
    places = counterparts(behaviours)
    out = track[..., places].copy()
    out[..., [p == NO_ONE for p in places]] = unknown
    return out


def mirrored_name(session: str) -> str:
    """The name under which a mirrored session stands beside the one that was recorded."""
    return f"{session} mirrored"


def with_mirrored(tracks: Mapping[str, np.ndarray], behaviours: Sequence[str], unknown: float) -> dict[str, np.ndarray]:
    """The sessions' tracks (..., C), and those of what a mirror shows."""
    return {**tracks, **{mirrored_name(name): mirrored_track(track, behaviours, unknown) for name, track in tracks.items()}}
