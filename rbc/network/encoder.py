"""Dense encoders: T frames in, T frames out, a finite context. `ENCODERS` names them.

B crops, T frames, D latent.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn


class ConvBlock(nn.Module):
    """Residual block: a dilated convolution of three taps, around a frame or up to it, then a mix of channels; normalised
    over channels only.

    The convolution is one product with the three taps side by side: with channels last, as all else has them, this is a
    quarter faster to train on a CPU than Conv1d.
    """

    def __init__(self, d_model: int, dilation: int, dropout: float, causal: bool):
        super().__init__()
        self.dilation, self.ends = dilation, (2 * dilation, 0) if causal else (dilation, dilation)
        self.norm = nn.LayerNorm(d_model)
        self.taps = nn.Linear(3 * d_model, d_model)
        self.mix = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[1]
        padded = nnf.pad(self.norm(x), (0, 0, *self.ends))
        taps = torch.cat([padded[:, first : first + frames] for first in (0, self.dilation, 2 * self.dilation)], -1)
        return x + self.dropout(self.mix(nnf.gelu(self.taps(taps))))


class ConvEncoder(nn.Module):
    """Dilated convolutions after TS2Vec (arXiv 2106.10466): block i looks 2^i frames to each side, or twice that back."""

    def __init__(self, d_model: int, blocks: int, nhead: int, dropout: float, causal: bool = False):
        super().__init__()
        self.blocks = nn.ModuleList(ConvBlock(d_model, 2**i, dropout, causal) for i in range(blocks))
        self.norm = nn.LayerNorm(d_model)
        self.context = (2**blocks - 1) * (1 + causal)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class WindowedAttentionBlock(nn.Module):
    """Self-attention inside windows of a fixed grid, every second block shifted by half a window."""

    WINDOW = 32

    def __init__(self, d_model: int, nhead: int, dropout: float, shifted: bool):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            d_model, nhead, 2 * d_model, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.place = nn.Parameter(0.02 * torch.randn(self.WINDOW, d_model))
        self.shift = self.WINDOW // 2 if shifted else 0

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, d_model = x.shape
        tail = -(frames + self.shift) % self.WINDOW
        padded = nnf.pad(x, (0, 0, self.shift, tail))
        windows = padded.reshape(-1, self.WINDOW, d_model) + self.place  # (B W, window, D)
        return self.layer(windows).reshape(batch, -1, d_model)[:, self.shift : self.shift + frames]


class TransformerEncoder(nn.Module):
    """Windowed self-attention; its context grows by half a window a block. Raises ValueError if it is to be causal."""

    def __init__(self, d_model: int, blocks: int, nhead: int, dropout: float, causal: bool = False):
        super().__init__()
        if causal:
            raise ValueError("windows of attention look ahead")
        self.blocks = nn.ModuleList(
            WindowedAttentionBlock(d_model, nhead, dropout, shifted=bool(i % 2)) for i in range(blocks)
        )
        self.norm = nn.LayerNorm(d_model)
        self.context = WindowedAttentionBlock.WINDOW * (blocks // 2 + 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


ENCODERS = {"conv": ConvEncoder, "transformer": TransformerEncoder}
