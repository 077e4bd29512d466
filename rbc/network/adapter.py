"""From features to the latent width, by one map that all sessions share.

B crops, T frames, F features, D latent.
"""

import torch
from torch import Tensor, nn

SessionShift = tuple[Tensor | None, Tensor | None]
"""How far a session's scaled features (F,) of the IMU and of pose lie above those of training sessions; None = 0."""
NO_SHIFT: SessionShift = (None, None)


class Adapter(nn.Module):
    """Scaling by training animals, and a linear map of features and what is missing, the same one for all sessions.

    What differs between sessions, and is known of one, is handed in as a shift: nothing of a session is stored.
    """

    LIMIT = 6.0  # standard deviations; a broken sensor must not drown the rest

    def __init__(self, features: int, d_model: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.shared = nn.Linear(2 * features, d_model) if features else None
        self.d_model = d_model

    def scale(self, features: Tensor) -> Tensor:
        """(B, T, F) in standard deviations of the training animals; NaN stays."""
        return ((features - self.mean) / self.std).clamp(-self.LIMIT, self.LIMIT)

    def forward(self, scaled: Tensor, shift: Tensor | None = None) -> Tensor:
        """(B, T, D) of scaled features (B, T, F) less a shift, of one session (F,) or of each crop's own (B, F)."""
        if self.shared is None:
            return scaled.new_zeros(*scaled.shape[:2], self.d_model)
        return self.shared(torch.cat([self.shifted(scaled, shift), scaled.isnan().to(scaled.dtype)], -1))

    def shifted(self, scaled: Tensor, shift: Tensor | None = None) -> Tensor:
        """Scaled features (B, T, F) less the shift (F,) or (B, F), 0 where missing."""
        return (scaled if shift is None else scaled - shift.unsqueeze(-2)).nan_to_num(0.0)

    def set_scaling(self, mean: Tensor, std: Tensor) -> None:
        """Take the training animals' mean and std (F,); features that hardly vary keep a floor."""
        self.mean.copy_(mean.nan_to_num(0.0))
        self.std.copy_(std.nan_to_num(1.0).clamp_min(1e-2))
