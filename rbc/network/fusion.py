"""Two modalities become one: each foresees the other, each looks at the other, validity decides.

B crops, T frames, D latent, O offsets, H heads.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn


class AlignmentHead(nn.Module):
    """GRU that predicts the other modality's representation.

    It runs in segments on an absolute grid, each after a burn-in of the frames before it, so that its context is
    finite and a chunked pass equals a whole one wherever chunks start on the grid.
    """

    SEGMENT, BURN_IN = 32, 16

    def __init__(self, d_model: int):
        super().__init__()
        self.gru = nn.GRU(d_model, d_model, batch_first=True)
        self.out = nn.Linear(2 * d_model, d_model)
        self.norm = nn.LayerNorm(d_model)

    def train(self, mode: bool = True) -> "AlignmentHead":
        """Its GRU stays in training mode, which drops nothing: in no other does a GPU pass gradients back through it."""
        super().train(mode)
        self.gru.train()
        return self

    def forward(self, z: Tensor, wanted: Tensor | None = None) -> Tensor:
        """(B, T, D) of z (B, T, D); 0 in segments in which no frame is `wanted` (B, T), where that is given."""
        batch, frames, d_model = z.shape
        tail = -frames % self.SEGMENT
        padded = nnf.pad(z, (0, 0, self.BURN_IN, tail))  # (B, burn-in + T, D)
        pieces = padded.unfold(1, self.BURN_IN + self.SEGMENT, self.SEGMENT).transpose(2, 3)  # (B, S, burn-in + segment, D)
        if wanted is None:
            foreseen = self._foreseen(pieces.flatten(0, 1)).to(z)
        else:
            asked = nnf.pad(wanted, (0, tail)).unflatten(1, (-1, self.SEGMENT)).any(2)  # (B, S)
            foreseen = z.new_zeros(*asked.shape, self.SEGMENT, d_model)
            if asked.any():
                foreseen = foreseen.masked_scatter(asked[..., None, None], self._foreseen(pieces[asked]).to(foreseen))
        return foreseen.reshape(batch, -1, d_model)[:, :frames]

    def _foreseen(self, pieces: Tensor) -> Tensor:
        """(N, segment, D) of pieces (N, burn-in + segment, D)."""
        states, _ = self.gru(pieces)
        return self.norm(self.out(torch.cat([states, pieces], -1)[:, self.BURN_IN :]))


class CrossAttention(nn.Module):
    """Each frame asks the other modality at a few offsets around itself, or up to itself; invalid frames do not answer."""

    AROUND, BEFORE = (-16, -8, -4, -2, 0, 2, 4, 8, 16), (-16, -12, -8, -6, -4, -3, -2, -1, 0)

    def __init__(self, d_model: int, nhead: int, causal: bool = False):
        super().__init__()
        self.nhead, self.offsets = nhead, self.BEFORE if causal else self.AROUND
        self.query, self.key, self.value, self.out, self.gate = (
            nn.Linear(d_model, d_model), nn.Linear(d_model, d_model), nn.Linear(d_model, d_model),
            nn.Linear(d_model, d_model), nn.Linear(2 * d_model, d_model),
        )
        self.place = nn.Parameter(torch.zeros(nhead, len(self.offsets)))

    def forward(self, z: Tensor, other: Tensor, other_valid: Tensor) -> Tensor:
        """(B, T, D): z plus a gated residual from `other` (B, T, D) where other_valid (B, T) holds."""
        batch, frames, d_model = z.shape
        reach = -min(self.offsets)

        def shifted(x: Tensor) -> list[Tensor]:
            x = nnf.pad(x, (0, 0, reach, reach))
            return [x[:, reach + o : reach + o + frames] for o in self.offsets]

        split = (batch, frames, self.nhead, d_model // self.nhead)
        query = self.query(z).reshape(split)
        score = torch.stack([(query * k.reshape(split)).sum(-1) for k in shifted(self.key(other))], -1)  # (B, T, H, O)
        score = score / split[-1] ** 0.5 + self.place
        there = torch.stack(shifted(other_valid[..., None].to(z.dtype)), -1)  # (B, T, 1, O)
        weight = torch.softmax(score.masked_fill(there == 0, -1e4), -1) * there  # all gone: no answer at all
        values = shifted(self.value(other))
        answer = sum(weight[..., i, None] * v.reshape(split) for i, v in enumerate(values)).reshape(z.shape)
        answer = self.out(answer)
        return z + torch.sigmoid(self.gate(torch.cat([z, answer], -1))) * answer


class Fusion(nn.Module):
    """One latent from two: attention both ways, then a mix weighted by validity; a missing modality is what the other
    one foresees of it."""

    def __init__(self, d_model: int, nhead: int, causal: bool = False):
        super().__init__()
        self.to_imu, self.to_pose = AlignmentHead(d_model), AlignmentHead(d_model)
        self.imu_asks, self.pose_asks = CrossAttention(d_model, nhead, causal), CrossAttention(d_model, nhead, causal)
        self.weigh = nn.Linear(2 * d_model + 2, 2 * d_model)
        self.norm = nn.LayerNorm(d_model)
        self.context = AlignmentHead.SEGMENT + AlignmentHead.BURN_IN - min(self.imu_asks.offsets)

    def forward(self, imu: Tensor, pose: Tensor, valid: Tensor, everywhere: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Fused latent (B, T, D), and what pose foresees of imu and imu of pose, of latents (B, T, D) and validity
        (B, T, 2); foreseen `everywhere`, or only around frames in which one of the two is missing."""
        gone = [None if everywhere else valid[..., 1 - m] & ~valid[..., m] for m in (0, 1)]
        imu_foreseen, pose_foreseen = self.to_imu(pose, gone[0]), self.to_pose(imu, gone[1])
        there = valid.to(imu.dtype)
        has_imu, has_pose = there[..., :1], there[..., 1:]
        imu_full = torch.where(valid[..., :1], imu, imu_foreseen * has_pose)
        pose_full = torch.where(valid[..., 1:], pose, pose_foreseen * has_imu)
        imu_full = self.imu_asks(imu_full, pose, valid[..., 1])
        pose_full = self.pose_asks(pose_full, imu, valid[..., 0])
        weight = self.weigh(torch.cat([imu_full, pose_full, there], -1)).unflatten(-1, (2, -1))  # (B, T, 2, D)
        weight = torch.softmax(weight + (there[..., None] - 1) * 4, -2)  # what was measured counts more
        fused = weight[..., 0, :] * imu_full + weight[..., 1, :] * pose_full
        return self.norm(fused), imu_foreseen, pose_foreseen
