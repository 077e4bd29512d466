"""align_sessions: the adapters' map learns to give a behaviour the same latent in all sessions; encoders are frozen.

N frames, D latent, C behaviours. Raw marginals are never matched: sessions differ in what the rat did.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rbc.device import placed
from rbc.learning import losses
from rbc.learning.crops import Corpus, LabelSampler, SetupSampler
from rbc.learning.pretraining import view_of
from rbc.learning.ranks import divided
from rbc.learning.training import Chance, fit
from rbc.network.network import Network

PROBE_STEPS = 150
FRAMES_PER_BATCH = 768  # of all that a batch holds, what enters the pairwise losses


def align_sessions(network: Network, labelled: Corpus, everything: Corpus, *, steps: int, batch_size: int,
                   crop_frames: int, lr: float, temperature: float, shrinkage: float, weights: dict[str, float],
                   chance: Chance, scratch: Path) -> list[dict]:
    """History of training the adapters' shared map of `network` in place, all else frozen.

    labelled: training sessions with labels; everything: all sessions that may be seen; shrinkage: weight of the squared
    distance to the map as it was pretrained (L2-SP, arXiv 1802.01483).
    """
    pretrained = copy.deepcopy(network).requires_grad_(False).eval()
    network.requires_grad_(False)
    for shared in shared_map(network):
        shared.requires_grad_(True)
    near_bouts = LabelSampler(labelled, crop_frames, balance=0.5)
    anywhere = SetupSampler(everything, crop_frames)
    probe, centre = _probe(network, labelled, near_bouts, batch_size, crop_frames, chance)
    session_index = {name: i for i, name in enumerate(everything.names)}
    half = batch_size // 2

    def step(_: int) -> dict[str, Tensor]:
        network.eval()
        picks = near_bouts.draw(half, chance.rng)
        labels = placed(labelled.labels_of(picks, crop_frames))
        free = [pick for _ in range(2) for pick in anywhere.draw(batch_size // 4, chance.rng)]
        view = view_of(everything.batch(picks + free, crop_frames), everything.recipe, network)
        adapted = divided(network, view.imu, view.pose, view.there).fused
        with torch.no_grad():
            before = divided(pretrained, view.imu, view.pose, view.there).fused
        frames = np.sort(chance.rng.choice(half * crop_frames, _count(half, crop_frames), False))
        frames = placed(torch.as_tensor(frames))
        source = placed(torch.tensor([session_index[n] for n, _ in picks])).repeat_interleave(crop_frames)
        return {
            "structure": losses.temporal_contrast(adapted[:, ::2] / 4, before[:, ::2] / 4, exclusion=4),
            "supervised": losses.supervised_contrastive_loss(
                adapted[:half].flatten(0, 1)[frames], labels.flatten(0, 1)[frames], source[frames], temperature
            ),
            "classes": _class_alignment(adapted[half:], [n for n, _ in free], probe, centre),
            "shrinkage": sum((now - then).square().sum() for now, then in
                             zip(shared_map(network), shared_map(pretrained), strict=True)),
        }

    history = fit(network, step, steps=steps, lr=lr, weight_decay=0.0, weights={**weights, "shrinkage": shrinkage},
                  chance=chance, scratch=scratch, name="align_sessions", trainable=shared_map(network), extra=everything.ledger)
    network.requires_grad_(True)
    return history


def shared_map(network: Network) -> list[nn.Parameter]:
    """What align_sessions trains: the adapters' linear maps."""
    return [parameter for adapter in network.adapters for parameter in adapter.parameters()]


def _count(crops: int, frames: int) -> int:
    return min(FRAMES_PER_BATCH, crops * frames)


def _probe(network: Network, corpus: Corpus, sampler: LabelSampler, batch_size: int, frames: int,
           chance: Chance) -> tuple[nn.Module, Tensor]:
    """A linear reading of behaviours from the frozen latent, and each behaviour's mean latent (C, D)."""
    latents, labels = [], []
    with torch.no_grad():
        network.eval()
        for _ in range(12):
            picks = sampler.draw(batch_size, chance.rng)
            view = view_of(corpus.batch(picks, frames), corpus.recipe, network)
            latents.append(network(view.imu, view.pose, view.there).fused.flatten(0, 1))
            labels.append(placed(corpus.labels_of(picks, frames)).flatten(0, 1))
    z, y = torch.cat(latents), torch.cat(labels)  # (N, D), (N, C)
    probe = placed(nn.Linear(z.shape[1], y.shape[1]))
    optimiser = torch.optim.Adam(probe.parameters(), lr=0.02, weight_decay=1e-4)
    known, target = (y >= 0).float(), (y == 1).float()
    for _ in range(PROBE_STEPS):
        loss = losses.binary_cross_entropy(probe(z), target, known)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    probe.requires_grad_(False)
    return probe, target.T @ z / target.sum(0).clamp_min(1)[:, None]


def _class_alignment(z: Tensor, names: list[str], probe: nn.Module, centre: Tensor) -> Tensor:
    """Mean over the sessions in z (B, T, D) of the distance of their behaviour means from the shared ones; soft labels
    re-balanced so that every behaviour weighs the same."""
    with torch.no_grad():
        soft = torch.sigmoid(probe(z))  # (B, T, C)
        soft = soft**2 / soft.sum((0, 1)).clamp_min(1e-6) * soft.shape[0] * soft.shape[1] / soft.shape[2]
    terms = []
    for name in dict.fromkeys(names):
        rows = [i for i, n in enumerate(names) if n == name]
        terms.append(losses.class_alignment_loss(z[rows].flatten(0, 1), soft[rows].flatten(0, 1), centre))
    return torch.stack(terms).mean()
