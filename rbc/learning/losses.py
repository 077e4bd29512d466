"""Losses as pure functions. Each names its paper.

B crops, T frames, N frames drawn from them, D latent, C behaviours.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor


def hierarchical_contrastive_loss(z1: Tensor, z2: Tensor, alpha: float, temporal_unit: int, exclusion: int) -> Tensor:
    """Contrast of two views (B, T, D) of the same frames on ever coarser time scales: alpha between crops, 1 - alpha
    between frames, the latter from level `temporal_unit` on; frames nearer than `exclusion` are no negatives.
    TS2Vec, arXiv 2106.10466, equations 1 to 3."""
    total, level, z1, z2 = z1.new_zeros(()), 0, z1, z2
    while z1.shape[1] > 1:
        total = total + alpha * instance_contrast(z1, z2)
        if level >= temporal_unit:
            total = total + (1 - alpha) * temporal_contrast(z1, z2, exclusion // 2**level)
        z1, z2 = (nnf.max_pool1d(z.transpose(1, 2), 2).transpose(1, 2) for z in (z1, z2))
        level += 1
    return (total + alpha * instance_contrast(z1, z2)) / (level + 1)


def instance_contrast(z1: Tensor, z2: Tensor) -> Tensor:
    """The same frame of the other view against the same moment of all other crops (B, T, D)."""
    if z1.shape[0] == 1:
        return z1.new_zeros(())
    z = torch.cat([z1, z2]).transpose(0, 1)  # (T, 2 B, D)
    return _contrast_halves(torch.bmm(z, z.transpose(1, 2)), torch.zeros((), dtype=torch.bool, device=z.device))


def temporal_contrast(z1: Tensor, z2: Tensor, exclusion: int) -> Tensor:
    """The same frame of the other view against all other frames of the crop (B, T, D)."""
    frames = z1.shape[1]
    if frames == 1:
        return z1.new_zeros(())
    z = torch.cat([z1, z2], dim=1)  # (B, 2 T, D)
    index = torch.arange(frames, device=z.device).repeat(2)
    distance = (index[:, None] - index[None]).abs()
    return _contrast_halves(torch.bmm(z, z.transpose(1, 2)), (distance > 0) & (distance <= exclusion))


def _contrast_halves(similarity: Tensor, ignored: Tensor) -> Tensor:
    """Cross entropy of (G, 2 N, 2 N) similarities in which row i belongs to row i + N."""
    size = similarity.shape[-1]
    itself = torch.eye(size, dtype=torch.bool, device=similarity.device)
    logits = similarity.masked_fill(itself | ignored, -torch.inf)
    partner = torch.arange(size, device=similarity.device).roll(size // 2)
    return nnf.cross_entropy(logits.reshape(-1, size), partner.repeat(similarity.shape[0]))


def foresight_loss(predicted: Tensor, target: Tensor, there: Tensor) -> Tensor:
    """1 - cosine between a prediction and the detached target (B, T, D) where there (B, T) holds."""
    loss = 1 - nnf.cosine_similarity(predicted, target.detach(), dim=-1)
    return masked_mean(loss, there)


def reconstruction_loss(predicted: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Huber loss (B, T, F) over the values that are there, at hidden (B, T) frames (masked modelling)."""
    known = ~target.isnan() & hidden[..., None]
    return masked_mean(nnf.smooth_l1_loss(predicted, target.nan_to_num(0.0), reduction="none"), known)


def binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean binary cross entropy of logits (..., C) against soft targets (..., C); the weight (..., C) is 0 where
    nothing was scored."""
    loss = nnf.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def supervised_contrastive_loss(z: Tensor, labels: Tensor, session: Tensor, temperature: float) -> Tensor:
    """Multi-label supervised contrast of frames z (N, D): pairs pull by the Jaccard overlap of their labels (N, C),
    positives come from other sessions only. After arXiv 2004.11362."""
    z = nnf.normalize(z, dim=-1)
    present = (labels == 1).to(z.dtype)
    both = present @ present.T
    either = present.sum(1)[:, None] + present.sum(1)[None] - both
    weight = both / either.clamp_min(1.0) * (session[:, None] != session[None])
    logits = (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    log_share = logits - logits.logsumexp(1, keepdim=True)
    per_frame = -(weight * log_share.masked_fill(weight == 0, 0.0)).sum(1) / weight.sum(1).clamp_min(1e-6)
    return masked_mean(per_frame, weight.sum(1) > 0)


def prototype_loss(similarity: Tensor, labels: Tensor, margin: float = 0.3) -> Tensor:
    """Frames (N, C): cosine to the prototypes of present behaviours towards 1, of absent ones below the margin;
    each behaviour counts the same. Prototypical networks (arXiv 1703.05175), one space per behaviour."""
    present, absent = labels == 1, labels == 0
    pull = ((1 - similarity) * present).sum(0) / present.sum(0).clamp_min(1)
    push = (nnf.relu(similarity - margin) * absent).sum(0) / absent.sum(0).clamp_min(1)
    return (pull + push)[present.any(0)].sum() / present.any(0).sum().clamp_min(1)


def class_alignment_loss(z: Tensor, soft: Tensor, centre: Tensor) -> Tensor:
    """Distance of a session's behaviour means from the shared ones (C, D): frames z (N, D), soft labels (N, C).
    Behaviours hardly seen there do not count, so that a session may differ in what the rat did."""
    mass = soft.sum(0)
    mean = nnf.normalize(soft.T @ z / mass.clamp_min(1e-6)[:, None], dim=-1)
    return masked_mean(1 - (mean * nnf.normalize(centre, dim=-1)).sum(-1), (mass > 5) & (centre.abs().sum(-1) > 0))


def consistency_targets(probability: Tensor, similarity: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Targets and weights (..., C) for the strong view: present where the probability reaches the threshold, or
    the similarity does and the probability leans that way; absent where the probability is below 1 - threshold.
    FixMatch, arXiv 2001.07685."""
    present = (probability >= threshold) | ((similarity >= threshold) & (probability >= 0.5))
    absent = probability <= 1 - threshold
    return present.to(probability.dtype), (present | absent).to(probability.dtype)


def dynamic_weights(before: dict[str, float], last: dict[str, float], temperature: float) -> dict[str, float]:
    """Weights of mean 1 that grow for losses that fall slowly: softmax of last / before. DWA, arXiv 1803.10704."""
    pace = torch.tensor([last[k] / max(before[k], 1e-8) for k in last]) / temperature
    return dict(zip(last, (len(last) * torch.softmax(pace, 0)).tolist(), strict=True))


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values where the mask holds; 0 where it never does."""
    mask = mask.to(values.dtype)
    return (values * mask).sum() / mask.sum().clamp_min(1.0)
