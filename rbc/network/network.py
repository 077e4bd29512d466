"""The whole network: features of two modalities to three latents, and from them behaviours.

B crops, T frames, F features, D latent, C behaviours, M heads.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rbc.network.adapter import NO_SHIFT, Adapter, SessionShift
from rbc.network.encoder import ENCODERS
from rbc.network.fusion import AlignmentHead, Fusion
from rbc.network.heads import BehaviourHeads, Prototypes


@dataclass(frozen=True)
class Latents:
    imu: Tensor  # (B, T, D)
    pose: Tensor  # (B, T, D)
    fused: Tensor  # (B, T, D)
    imu_foreseen: Tensor  # (B, T, D) by pose
    pose_foreseen: Tensor  # (B, T, D) by imu

    @property
    def three(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.imu, self.pose, self.fused


class Network(nn.Module):
    """Adapters, encoders, fusion, heads and prototypes. `context` frames to each side decide a frame's latent;
    if it is causal, only those before."""

    GRID = AlignmentHead.SEGMENT

    def __init__(self, imu_features: int, pose_features: int, behaviours: int, *, encoder: str, d_model: int,
                 nhead: int, blocks: int, prototype_dim: int, dropout: float, causal: bool):
        super().__init__()
        self.imu_adapter = Adapter(imu_features, d_model)
        self.pose_adapter = Adapter(pose_features, d_model)
        self.imu_encoder = ENCODERS[encoder](d_model, blocks, nhead, dropout, causal)
        self.pose_encoder = ENCODERS[encoder](d_model, blocks, nhead, dropout, causal)
        self.fusion = Fusion(d_model, nhead, causal)
        self.heads = BehaviourHeads(d_model, behaviours, dropout)
        self.prototypes = Prototypes(d_model, behaviours, prototype_dim)
        self.context = self.imu_encoder.context + self.fusion.context

    @property
    def adapters(self) -> tuple[Adapter, Adapter]:
        return self.imu_adapter, self.pose_adapter

    def scale(self, imu: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) of both modalities in standard deviations of the training animals."""
        return self.imu_adapter.scale(imu), self.pose_adapter.scale(pose)

    def forward(self, imu: Tensor, pose: Tensor, valid: Tensor, shift: SessionShift = NO_SHIFT,
                foresee: bool = False) -> Latents:
        """Latents of scaled features (B, T, F) and validity (B, T, 2), the features less the session's shift. What one
        modality foresees of the other is worked out in all frames where `foresee`, else where it is needed."""
        z_imu, z_pose = (self.encoded(m, x, valid, shift) for m, x in enumerate((imu, pose)))
        return Latents(z_imu, z_pose, *self.fusion(z_imu, z_pose, valid, foresee))

    def encoded(self, modality: int, scaled: Tensor, valid: Tensor, shift: SessionShift = NO_SHIFT) -> Tensor:
        """The latent (B, T, D) of one modality, before fusion."""
        encoder = (self.imu_encoder, self.pose_encoder)[modality]
        adapted = self.adapters[modality](scaled, shift[modality])
        return encoder(adapted * valid[..., modality, None].to(scaled.dtype))

    def shifted(self, scaled: tuple[Tensor, Tensor], valid: Tensor,
                shift: SessionShift = NO_SHIFT) -> tuple[Tensor, ...]:
        """Scaled features (B, T, F) of both modalities less the session's shift, 0 where missing: what is read beside
        the latents."""
        each = zip(self.adapters, scaled, shift, strict=True)
        return tuple(torch.where(valid[..., m, None], a.shifted(x, s), 0.0) for m, (a, x, s) in enumerate(each))


def latent_mask(z: Tensor, share: float, kind: str, generator: torch.Generator) -> Tensor:
    """(B, T, 1) of 1 and 0, `share` of the frames 0: single frames (binomial) or stretches (continuous)."""
    batch, frames = z.shape[:2]
    if kind == "none":
        return z.new_ones(batch, frames, 1)
    if kind == "binomial":
        return (torch.rand(batch, frames, 1, generator=generator) >= share).to(z)
    length = max(int(share * frames), 1)
    start = torch.randint(0, frames - length + 1, (batch, 1), generator=generator)
    index = torch.arange(frames)[None]
    return ((index < start) | (index >= start + length)).to(z)[..., None]
