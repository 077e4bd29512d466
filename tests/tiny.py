"""A rat of a few seconds, and models of a few weights: what the tests of the numerical core share."""

import numpy as np
import torch

from rbc.artifacts import Model
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.training import fit
from rbc.network.encoder import ENCODERS
from rbc.network.network import Network
from rbc.recordings.session import Session
from rbc.scoring.splits import Ledger
from rbc.signals import IMU_CHANNELS, Recipe

RATE_HZ = 50.0
BEHAVIOURS = ("walk", "still", "turn")
KEYPOINTS = ("nose", "neck", "back", "tail_base")
BODY_PX = np.array([(60.0, 0.0), (40.0, 0.0), (0.0, 0.0), (-40.0, 0.0)])  # the rat looks along x
BANDS = ("band_low", "band_high")
RECIPE = Recipe(RATE_HZ, KEYPOINTS, ("neck", "tail_base"), ("nose", "neck"), IMU_CHANNELS, BANDS, (), ())
ARCHITECTURE = {"encoder": "conv", "d_model": 8, "nhead": 2, "blocks": 2, "hidden_dim": 6,
                "prototype_dim": 4, "dropout": 0.0, "causal": False}
AUGMENTATION = Augmentation(mirror=0.0, mounting_deg=20.0, camera_scale=0.1, camera_shear=0.1, signal_noise=0.05,
                            time_warp=0.1, keypoint_dropout=0.3, modality_dropout=0.3)
NO_AUGMENTATION = Augmentation(**dict.fromkeys(vars(AUGMENTATION), 0.0))
EVERY_ENCODER = tuple(ENCODERS)


def session(name: str = "F1D1", frames: int = 300, seed: int = 0, gaps: bool = True, **changes) -> Session:
    """A rat that takes turns of a second in walking, sitting still and turning; labels know it exactly."""
    rng = np.random.default_rng(seed)
    doing = np.repeat(rng.integers(0, 3, frames // 50 + 1), 50)[:frames]
    yaw_rate = np.where(doing == 2, 2.0, 0.0)
    heading = np.cumsum(yaw_rate) / RATE_HZ
    step = np.stack([np.cos(heading), np.sin(heading)], 1) * np.where(doing == 0, 3.0, 0.0)[:, None]
    turn = np.stack([np.cos(heading), -np.sin(heading), np.sin(heading), np.cos(heading)], 1).reshape(-1, 2, 2)
    points = 300 + np.cumsum(step, 0)[:, None] + BODY_PX @ turn.transpose(0, 2, 1) + rng.normal(0, 0.5, (frames, 4, 2))
    busy = np.where(doing == 1, 0.1, 2.0)[:, None]
    acc = np.array([0.0, 0.0, 9.81]) + busy * rng.normal(0, 1, (frames, 3))
    gyro = np.stack([0 * yaw_rate, 0 * yaw_rate, yaw_rate], 1) + 0.1 * rng.normal(0, 1, (frames, 3))
    pose = np.concatenate([points, np.ones((frames, 4, 1))], -1)
    imu, bands = np.concatenate([acc, gyro], 1), np.log10(busy * [1.0, 2.0])
    valid = np.ones((frames, 2), bool)
    if gaps:
        valid[frames // 3 : frames // 3 + 20, 0] = False
        valid[frames // 2 : frames // 2 + 30, 1] = False
        imu[~valid[:, 0]] = bands[~valid[:, 0]] = pose[~valid[:, 1]] = np.nan
        pose[frames // 5 : frames // 5 + 15, 0, :2] = np.nan
    fields = dict(
        name=name, animal=name[:2], setup=name, rate_hz=RATE_HZ, behaviours=BEHAVIOURS, keypoints=KEYPOINTS,
        imu_names=IMU_CHANNELS, band_names=BANDS, ready_imu_names=(), ready_pose_names=(), annotator_names=("A",),
        body_length_px=80.0, time=np.arange(frames) / RATE_HZ, imu=imu.astype("f4"),
        bands=bands.astype("f4"), pose=pose.astype("f4"), other=np.zeros((frames, 0, 3), "f4"),
        ready_imu=np.zeros((frames, 0), "f4"), ready_pose=np.zeros((frames, 0), "f4"), valid=valid,
        labels=np.eye(3, dtype="i1")[doing], annotators=np.eye(3, dtype="i1")[doing][None], video_frame=np.arange(frames, dtype="i4"),
    )
    return Session(**fields | changes)


def model(seed: int = 0, recipe: Recipe = RECIPE, **changes) -> Model:
    """An untrained model in which nothing is zero, so that nothing is invisible by chance."""
    torch.manual_seed(seed)
    made = Model.new(recipe, BEHAVIOURS, ARCHITECTURE | changes)
    stir(made.network)
    return made


def stir(network: Network) -> None:
    """Give features a scale, and behaviours a prototype."""
    with torch.no_grad():
        for adapter in network.adapters:
            adapter.set_scaling(0.1 * torch.randn_like(adapter.mean), 0.5 + torch.rand_like(adapter.std))
        direction = network.prototypes.direction
        direction.copy_(torch.nn.functional.normalize(torch.randn_like(direction), dim=-1))


def corpus(sessions: dict[str, Session], ledger: Ledger | None = None, labelled: bool = False) -> Corpus:
    """Sessions to learn from, each a setup of its own."""
    labels = {n: s.labels for n, s in sessions.items()} if labelled else None
    return Corpus(sessions, RECIPE, ledger or Ledger(), dict.fromkeys(sessions, "train"), labels)


class Killed(Exception):
    """What a test ends a training with."""


def killed_at(monkeypatch, module, step: int | None) -> None:
    """Let `fit` as seen by `module` write a checkpoint every second step, and end in front of `step`."""

    def stopping(model, take, **settings):
        def guarded(i: int):
            if i == step:
                raise Killed
            return take(i)

        return fit(model, guarded, **{**settings, "epoch_steps": 2})

    monkeypatch.setattr(module, "fit", stopping)


def same_bytes(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Do two modules hold the same numbers, to the last bit?"""
    first, second = one.state_dict(), other.state_dict()
    alike = (first[k].numpy().tobytes() == second[k].numpy().tobytes() for k in first)
    return first.keys() == second.keys() and all(alike)
