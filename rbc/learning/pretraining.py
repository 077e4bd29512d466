"""pretrain: representations from unlabelled signals, session by session.

B crops, T frames, F features, D latent. TS2Vec contrast (arXiv 2106.10466), cross-modal foresight, masked
reconstruction and programmed targets (TREBA, arXiv 2011.13917).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from rbc.device import placed
from rbc.features import imu_features, pose_features, programmed_targets
from rbc.learning import losses
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus, SetupSampler
from rbc.learning.ranks import divided
from rbc.learning.training import Chance, fit
from rbc.network.network import Latents, Network, latent_mask
from rbc.signals import Crop, Recipe


class Tasks(nn.Module):
    """The network with what pretraining reads from it and later stages drop."""

    def __init__(self, network: Network, imu: int, pose: int, targets: int):
        super().__init__()
        d_model = network.fusion.norm.normalized_shape[0]
        self.network = network
        self.imu_back, self.pose_back = nn.Linear(d_model, imu), nn.Linear(d_model, pose)
        self.programmed = nn.Linear(d_model, targets)
        self.targets = targets


@dataclass(frozen=True)
class View:
    imu: Tensor  # (B, T, F) scaled, NaN where missing
    pose: Tensor
    there: Tensor  # (B, T, 2)


def view_of(crop: Crop, recipe: Recipe, network: Network) -> View:
    """Scaled features of a crop, without gradient."""
    with torch.no_grad():
        imu, pose = network.scale(imu_features(crop, recipe), pose_features(crop, recipe))
    return View(imu, pose, crop.there)


@torch.no_grad()
def fit_scaling(network: Network, corpus: Corpus, crops: Iterator[Crop] | None = None) -> None:
    """Give the adapters mean and deviation of the corpus' features, every session with the same weight per frame."""
    sums = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    for crop in crops or whole_sessions(corpus):
        for k, features in enumerate((imu_features(crop, corpus.recipe), pose_features(crop, corpus.recipe))):
            x = features.double().flatten(0, 1)
            known = ~x.isnan()
            x = x.nan_to_num(0.0)
            sums[k] = [s + v for s, v in zip(sums[k], (known.sum(0), x.sum(0), x.square().sum(0)), strict=True)]
    for adapter, (count, total, square) in zip(network.adapters, sums, strict=True):
        mean = total / count.clamp_min(1)
        std = (square / count.clamp_min(1) - mean.square()).clamp_min(0).sqrt()
        adapter.set_scaling(mean.float(), torch.where(count > 1, std, 1.0).float())


def whole_sessions(corpus: Corpus, frames: int = 3000) -> Iterator[Crop]:
    for name in corpus.names:
        for start in range(0, corpus.frames(name), frames):
            yield corpus.batch([(name, start)], min(frames, corpus.frames(name) - start))


def pretrain(network: Network, corpus: Corpus, *, steps: int, batch_size: int, crop_frames: int, lr: float,
             weight_decay: float, temporal_unit: int, alpha: float, exclusion_frames: int, mask: str, mask_share: float,
             weights: dict[str, float], augmentation: Augmentation, chance: Chance, scratch: Path) -> list[dict]:
    """History of training `network` in place on the corpus' signals."""
    recipe = corpus.recipe
    sampler = SetupSampler(corpus, crop_frames)
    probe = programmed_targets(corpus.batch([(corpus.names[0], 0)], crop_frames), recipe)
    widths = [probe[0].shape[-1], probe[1].shape[-1]]
    tasks = placed(Tasks(network, network.imu_adapter.mean.numel(), network.pose_adapter.mean.numel(), sum(widths)))

    def step(_: int) -> dict[str, Tensor]:
        shift = int(chance.rng.integers(0, crop_frames // 4))
        warp = augmentation.warp(chance.rng)
        flip = augmentation.flips(batch_size, recipe, chance.rng)
        whole = corpus.batch(sampler.draw(batch_size, chance.rng), crop_frames + shift, warp, flip)
        left, right = (augmentation.changed(c, chance.generator)
                       for c in (whole.map(lambda x: _frames(x, 0, crop_frames)),
                                 whole.map(lambda x: _frames(x, shift, crop_frames + shift))))
        views = [view_of(c, recipe, network) for c in (left, right)]
        outs = [_masked_pass(tasks, v, mask, mask_share, chance.generator) for v in views]
        first, second = (o[0] for o in outs)
        contrast = sum(
            losses.hierarchical_contrastive_loss(a[:, shift:], b[:, : crop_frames - shift], alpha, temporal_unit,
                                                 exclusion_frames)
            for a, b in zip(first.three, second.three, strict=True)
        ) / 3
        return {
            "contrast": contrast,
            "cross_modal": sum(_foresight(o[0], v) for o, v in zip(outs, views, strict=True)) / 2,
            "reconstruct": sum(_reconstruction(tasks, *o, v) for o, v in zip(outs, views, strict=True)) / 2,
            "programmed": sum(_programmed(tasks, o[0], c, recipe) for o, c in zip(outs, (left, right), strict=True)) / 2,
        }

    return fit(tasks, step, steps=steps, lr=lr, weight_decay=weight_decay, weights=weights, chance=chance,
               scratch=scratch, name="pretrain", extra=corpus.ledger)


def _frames(x: Tensor, start: int, stop: int) -> Tensor:
    return x[:, start:stop] if x.dim() > 1 else x


def _masked_pass(tasks: Tasks, view: View, kind: str, share: float, generator) -> tuple[Latents, Tensor]:
    """Latents of the view with frames hidden, and which frames (B, T) were."""
    seen = latent_mask(view.imu, share, kind, generator)  # (B, T, 1)
    hide = lambda x: torch.where(seen > 0, x, torch.nan)  # noqa: E731
    whole = partial(tasks.network, foresee=True)
    return divided(whole, hide(view.imu), hide(view.pose), view.there), seen[..., 0] == 0


def _foresight(latents: Latents, view: View) -> Tensor:
    both = view.there.all(-1)
    return losses.foresight_loss(latents.imu_foreseen, latents.imu, both) + losses.foresight_loss(
        latents.pose_foreseen, latents.pose, both
    )


def _reconstruction(tasks: Tasks, latents: Latents, hidden: Tensor, view: View) -> Tensor:
    back = ((tasks.imu_back(latents.imu), view.imu, 0), (tasks.pose_back(latents.pose), view.pose, 1))
    return sum(losses.reconstruction_loss(p, x, hidden & view.there[..., m]) for p, x, m in back if x.shape[-1])


def _programmed(tasks: Tasks, latents: Latents, crop: Crop, recipe: Recipe) -> Tensor:
    target = torch.cat(programmed_targets(crop, recipe), -1)
    known = ~target.isnan()
    loss = nn.functional.smooth_l1_loss(tasks.programmed(latents.fused), target.nan_to_num(0.0), reduction="none")
    return losses.masked_mean(loss, known)
