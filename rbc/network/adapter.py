"""From features to the latent width, with a small part that belongs to a setup.

B crops, T frames, F features, D latent, N setups. Row 0 of every table stands for "no setup known", the shared map
alone; rows 1 to N are the known setups; the last row is lent to a visitor, a session that adapts without labels.
"""

import torch
from torch import Tensor, nn


class Adapter(nn.Module):
    """Scaling by training animals, a setup's shift and scale, a shared linear map and a setup's residual of low rank."""

    VISITOR = -1
    SETUP_PARAMETERS = ("shift", "log_scale", "down", "up")
    LIMIT = 6.0  # standard deviations; a broken sensor must not drown the rest

    def __init__(self, features: int, d_model: int, setups: int, rank: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.shift = nn.Parameter(torch.zeros(setups + 2, features))
        self.log_scale = nn.Parameter(torch.zeros(setups + 2, features))
        self.down = nn.Parameter(torch.zeros(setups + 2, features, rank))
        self.up = nn.Parameter(torch.randn(setups + 2, rank, d_model) / max(rank, 1) ** 0.5)
        self.shared = nn.Linear(2 * features, d_model) if features else None
        self.d_model = d_model

    def scale(self, features: Tensor) -> Tensor:
        """(B, T, F) in standard deviations of the training animals; NaN stays."""
        return ((features - self.mean) / self.std).clamp(-self.LIMIT, self.LIMIT)

    def forward(self, scaled: Tensor, setup: Tensor) -> Tensor:
        """(B, T, D) of scaled features (B, T, F) and setup rows (B,)."""
        if self.shared is None:
            return scaled.new_zeros(*scaled.shape[:2], self.d_model)
        own = self.shifted(scaled, setup)  # (B, T, F)
        residual = torch.bmm(torch.bmm(own, self.down[setup]), self.up[setup])  # (B, T, D)
        known = (setup != 0).to(own.dtype)[:, None, None]
        return self.shared(torch.cat([own, scaled.isnan().to(own.dtype)], -1)) + known * residual

    def shifted(self, scaled: Tensor, setup: Tensor) -> Tensor:
        """(B, T, F) by the setup's shift and scale, 0 where missing; the shared map leaves the rest as it is."""
        known = (setup != 0).to(scaled.dtype)[:, None, None]
        there = scaled.nan_to_num(0.0)  # a NaN under a mask would still poison the gradient
        own = (there - known * self.shift[setup][:, None]) * torch.exp(-known * self.log_scale[setup][:, None])
        return own.masked_fill(scaled.isnan(), 0.0)

    def deviation(self) -> Tensor:
        """Mean squared size of the setups' parts, what shrinkage pulls to 0."""
        return self.shift.square().mean() + self.log_scale.square().mean() + self.down.square().mean()

    @torch.no_grad()
    def welcome(self, shift: Tensor) -> None:
        """Give the visitor's row a shift (F,), no scale and no residual."""
        self.shift[self.VISITOR] = shift
        self.log_scale[self.VISITOR] = 0
        self.down[self.VISITOR] = 0

    def set_scaling(self, mean: Tensor, std: Tensor) -> None:
        """Take the training animals' mean and std (F,); features that hardly vary keep a floor."""
        self.mean.copy_(mean.nan_to_num(0.0))
        self.std.copy_(std.nan_to_num(1.0).clamp_min(1e-2))
