"""What is read from a latent: behaviours, and for each behaviour a space of its own with a prototype.

B crops, T frames, D latent, C behaviours, P prototype dimensions, M heads (imu, pose, fused).
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

HEADS = ("imu", "pose", "fused")


class BehaviourHeads(nn.Module):
    """A sigmoid per behaviour on each of the three latents."""

    def __init__(self, d_model: int, behaviours: int, dropout: float):
        super().__init__()
        self.read = nn.ModuleList(
            nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_model, behaviours))
            for _ in HEADS
        )

    def forward(self, latents: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Logits (B, T, M, C)."""
        return torch.stack([read(z) for read, z in zip(self.read, latents, strict=True)], dim=2)

    def set_prior(self, prevalence: Tensor) -> None:
        """Start every head at the behaviours' prevalence (C,)."""
        bias = torch.logit(prevalence.clamp(1e-3, 1 - 1e-3))
        with torch.no_grad():
            for read in self.read:
                read[-1].bias.copy_(bias)


class Prototypes(nn.Module):
    """Each behaviour's mean direction in its own projection: an even mix of two behaviours can be near to both."""

    def __init__(self, d_model: int, behaviours: int, dimensions: int):
        super().__init__()
        self.project = nn.Parameter(torch.randn(behaviours, d_model, dimensions) / d_model**0.5)
        self.register_buffer("direction", torch.zeros(behaviours, dimensions))

    def forward(self, z: Tensor) -> Tensor:
        """Unit vectors (..., C, P) of latents (..., D)."""
        return nnf.normalize(torch.einsum("...d,cdp->...cp", z, self.project), dim=-1)

    def similarity(self, z: Tensor) -> Tensor:
        """Cosine (..., C) to the prototypes; 0 where a behaviour has none yet."""
        return (self(z) * self.direction).sum(-1)

    @torch.no_grad()
    def update(self, z: Tensor, labels: Tensor, momentum: float) -> None:
        """Move the prototypes towards the mean direction of the frames (N, D) labelled present in (N, C)."""
        present = (labels == 1).to(z.dtype)
        total = torch.einsum("ncp,nc->cp", self(z), present)
        seen = present.sum(0) > 0
        moved = nnf.normalize(momentum * self.direction + (1 - momentum) * nnf.normalize(total, dim=-1), dim=-1)
        self.direction.copy_(torch.where(seen[:, None], moved, self.direction))
