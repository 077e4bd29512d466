"""finetune: everything learns behaviours from few labels, and consistency from the many unlabelled frames.

B crops, T frames, D latent, C behaviours, M heads (imu, pose, fused). Binary cross entropy, supervised
contrast (arXiv 2004.11362), prototypes (arXiv 1703.05175), FixMatch with an averaged teacher (arXiv 2001.07685,
1703.01780), DWA (arXiv 1803.10704).
"""

import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rbc.device import placed
from rbc.learning import losses
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus, LabelSampler, SetupSampler
from rbc.learning.pretraining import View, view_of
from rbc.learning.ranks import divided
from rbc.learning.training import Chance, fit
from rbc.network.network import Network
from rbc.scoring.labels import prevalence

PAIRWISE_FRAMES = 384
CONFIDENT = 0.95  # least probability at which an unlabelled frame teaches; as in FixMatch


def finetune(network: Network, labelled: Corpus, everything: Corpus | None, *, steps: int, batch_size: int,
             crop_frames: int, lr: float, weight_decay: float, noise_std: float, balance: float,
             ema: float, weights: dict[str, float], dwa_temperature: float,
             augmentation: Augmentation, chance: Chance, scratch: Path, name: str = "finetune") -> tuple[Network, list[dict]]:
    """The averaged teacher, which is what later stages use, and the history.

    labelled: training sessions with labels; everything: sessions for the consistency term, which None or a weight of 0
    leaves out.
    """
    near_bouts = LabelSampler(labelled, crop_frames, balance)
    anywhere = SetupSampler(everything, crop_frames) if everything and weights["consistency"] else None
    network.heads.set_prior(torch.as_tensor(prevalence(labelled.labels), dtype=torch.float32))
    teacher = copy.deepcopy(network).requires_grad_(False).eval()
    session_index = {n: i for i, n in enumerate(labelled.names)}

    def step(_: int) -> dict[str, Tensor]:
        warp = augmentation.warp(chance.rng)
        picks = near_bouts.draw(batch_size, chance.rng)
        flip = augmentation.flips(batch_size, labelled.recipe, chance.rng)
        labels = labelled.labels_of(picks, crop_frames, warp, flip)
        crop = augmentation.changed(labelled.batch(picks, crop_frames, warp, flip), chance.generator)
        view = _noisy(view_of(crop, labelled.recipe, network), noise_std, chance)
        target, weight = placed((labels == 1).float()), placed((labels >= 0).float())
        student = [view]
        if anywhere:
            free = everything.batch(anywhere.draw(batch_size // 2, chance.rng), crop_frames)
            opinion, near = _opinion(teacher, view_of(free, everything.recipe, network))
            soft, sure = losses.consistency_targets(opinion, near, CONFIDENT)
            strong = view_of(augmentation.changed(free, chance.generator), everything.recipe, network)
            student.append(_noisy(strong, 2 * noise_std, chance))
        together = View(*(torch.cat([getattr(v, k) for v in student]) for k in ("imu", "pose", "there")))
        latents = divided(network, together.imu, together.pose, together.there)
        logits = network.heads(latents.three)  # (B, T, M, C)
        there = _heads_there(together.there)[..., None]  # (B, T, M, 1)
        own = slice(0, batch_size)
        terms = {"bce": losses.binary_cross_entropy(
            logits[own], target[:, :, None].expand_as(logits[own]), weight[:, :, None] * there[own])}
        frames = _draw_frames(labels, chance)
        source = torch.tensor([session_index[n] for n, _ in picks]).repeat_interleave(crop_frames)
        y, source, frames = map(placed, (labels.flatten(0, 1)[frames], source[frames], frames))
        z = latents.fused[own].flatten(0, 1)[frames]
        terms["supervised"] = losses.supervised_contrastive_loss(z, y, source, temperature=0.1)
        network.prototypes.update(z.detach(), y, momentum=0.95)
        terms["prototype"] = losses.prototype_loss(network.prototypes.similarity(z), y)
        if anywhere:
            rest = slice(batch_size, None)
            terms["consistency"] = losses.binary_cross_entropy(
                logits[rest], soft[:, :, None].expand_as(logits[rest]), sure[:, :, None] * there[rest])
        return terms

    history = fit(network, step, steps=steps, lr=lr, weight_decay=weight_decay, weights=weights, chance=chance,
                  scratch=scratch, name=name, teacher=teacher, ema=ema, dwa_temperature=dwa_temperature,
                  extra=(everything or labelled).ledger)
    return teacher, history


def _noisy(view: View, std: float, chance: Chance) -> View:
    noise = lambda x: x + std * torch.randn(x.shape, generator=chance.generator).to(x)  # noqa: E731
    return replace(view, imu=noise(view.imu), pose=noise(view.pose))


def _heads_there(there: Tensor) -> Tensor:
    """(B, T, M) which heads have something to read, as numbers."""
    return torch.cat([there, there.any(-1, keepdim=True)], -1).float()


@torch.no_grad()
def _opinion(teacher: Network, view: View) -> tuple[Tensor, Tensor]:
    """The teacher's probabilities (B, T, C), mean of the heads that have something to read, and similarity (B, T, C)."""
    latents = divided(teacher, view.imu, view.pose, view.there)
    there = _heads_there(view.there)[..., None]  # (B, T, M, 1)
    probability = (torch.sigmoid(teacher.heads(latents.three)) * there).sum(2) / there.sum(2).clamp_min(1)
    return probability, teacher.prototypes.similarity(latents.fused)


def _draw_frames(labels: Tensor, chance: Chance) -> Tensor:
    """Indices of frames for the pairwise losses, present behaviours preferred."""
    flat = labels.flatten(0, 1)
    weight = 0.05 + (flat == 1).any(1).double()
    weight = torch.where((flat >= 0).any(1), weight, 1e-9)
    return torch.multinomial(weight, min(PAIRWISE_FRAMES, len(weight)), generator=chance.generator)
