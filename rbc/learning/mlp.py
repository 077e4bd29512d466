"""train_mlp: behaviours from a latent, features and their running statistics, one small network per head and member.

T frames, N drawn frames, D latent, C behaviours, M heads, F features, I inputs, E members.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from rbc.learning import losses
from rbc.learning.training import Chance, fit

Read = Sequence[tuple[np.ndarray, np.ndarray]]
BLOCK_FRAMES = 100  # members see their own weights for blocks of two seconds


def window_statistics(latent: Tensor, features: Tensor, windows: tuple[int, ...]) -> Tensor:
    """(T, I): latent (T, D) and features (T, F) themselves, then over each window of frames the running mean and
    deviation of both and the running maximum of the latent."""
    x = torch.cat([latent, features], 1).T[None]  # (1, D + F, T)
    columns = [x]
    for window in windows:
        left, right = window // 2, window - 1 - window // 2
        padded = nnf.pad(x, (left, right), mode="replicate")
        mean = nnf.avg_pool1d(padded, window, 1)
        square = nnf.avg_pool1d(padded.square(), window, 1)
        highest = nnf.max_pool1d(padded[:, : latent.shape[1]], window, 1)
        columns += [mean, (square - mean.square()).clamp_min(0).sqrt(), highest]
    return torch.cat(columns, 1)[0].T  # (T, I)


def head_inputs(read: Read, windows: tuple[int, ...], start: int, stop: int) -> list[Tensor]:
    """Inputs (n, I) of every head for frames start to stop, of what each reads (latent (T, D), features (T, F));
    the frames around them count."""
    reach = max(windows, default=0)
    a, b = max(start - reach, 0), min(stop + reach, len(read[0][0]))
    pairs = [(torch.from_numpy(latent[a:b]), torch.from_numpy(features[a:b])) for latent, features in read]
    return [window_statistics(*pair, windows)[start - a : stop - a] for pair in pairs]


class WindowMlp(nn.Module):
    """E members of an MLP per head; their probabilities are averaged."""

    CHUNK = 4096

    def __init__(self, d_model: int, features: tuple[int, int], behaviours: int, windows: tuple[int, ...],
                 hidden_dim: int, members: int, dropout: float = 0.3):
        super().__init__()
        self.windows = tuple(windows)
        widths = [d_model * (1 + 3 * len(windows)) + f * (1 + 2 * len(windows)) for f in (*features, sum(features))]
        self.members = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(nn.Linear(width, hidden_dim), nn.GELU(), nn.Dropout(dropout),
                              nn.Linear(hidden_dim, behaviours))
                for width in widths
            )
            for _ in range(members)
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Logits (E, N, M, C) of the heads' inputs (N, I)."""
        return torch.stack([
            torch.stack([mlp(x) for mlp, x in zip(member, inputs, strict=True)], 1) for member in self.members
        ])

    def set_prior(self, prevalence: Tensor) -> None:
        """Start every member at the behaviours' prevalence (C,)."""
        bias = torch.logit(prevalence.clamp(1e-3, 1 - 1e-3))
        with torch.no_grad():
            for member in self.members:
                for mlp in member:
                    mlp[-1].bias.copy_(bias)

    @torch.inference_mode()
    def probability(self, read: Read) -> np.ndarray:
        """(T, M, C) probabilities, averaged over members, of what each head reads (latent (T, D), features (T, F))."""
        self.eval()
        frames = len(read[0][0])
        starts = range(0, frames, self.CHUNK)
        inputs = (head_inputs(read, self.windows, a, min(a + self.CHUNK, frames)) for a in starts)
        return torch.cat([torch.sigmoid(self(x)).mean(0) for x in inputs]).numpy()


class FrameSet:
    """Frames with soft targets, gathered from sessions for the MLP."""

    def __init__(self, windows: tuple[int, ...]):
        self.windows = windows
        self.parts: list[tuple[Tensor, ...]] = []
        self.blocks = 0

    def add(self, read: Read, there: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
        """Frames with any weight, of what each head reads; targets and weights (T, C), heads there (T, M)."""
        rows = np.flatnonzero((weight > 0).any(1))
        if not len(rows):
            return
        pieces = []
        for start in range(0, len(weight), WindowMlp.CHUNK):
            inner = rows[(rows >= start) & (rows < start + WindowMlp.CHUNK)] - start
            if len(inner):
                inputs = head_inputs(read, self.windows, start, min(start + WindowMlp.CHUNK, len(weight)))
                pieces.append([x[inner].half() for x in inputs])
        block = torch.from_numpy(self.blocks + rows // BLOCK_FRAMES)
        self.blocks = int(block[-1]) + 1
        self.parts.append((*(torch.cat(x) for x in zip(*pieces, strict=True)), torch.from_numpy(there[rows]),
                           torch.from_numpy(target[rows]).float(), torch.from_numpy(weight[rows]).float(), block))

    def gather(self) -> tuple[Tensor, ...]:
        """The heads' inputs (N, I) half, there (N, M), target (N, C), weight (N, C), block (N,)."""
        return tuple(torch.cat(column) for column in zip(*self.parts, strict=True))


def train_mlp(mlp: WindowMlp, frames: FrameSet, *, epochs: int, batch_size: int, lr: float, weight_decay: float,
              negative_focus: float, chance: Chance, scratch: Path, name: str) -> tuple[WindowMlp, list[dict]]:
    """The averaged members and the history of training on the frames."""
    *x, there, target, weight, block = frames.gather()
    teacher = copy.deepcopy(mlp).requires_grad_(False).eval()
    own = torch.poisson(torch.ones(len(mlp.members), frames.blocks), generator=chance.generator)  # bootstrap of blocks
    per_epoch = max(len(block) // batch_size, 1)

    def step(_: int) -> dict[str, Tensor]:
        rows = torch.randint(0, len(block), (batch_size,), generator=chance.generator)
        logits = mlp([head[rows].float() for head in x])  # (E, N, M, C)
        share = weight[rows][None, :, None] * there[rows].float()[None, :, :, None] * own[:, block[rows], None, None]
        aim = target[rows][None, :, None].expand_as(logits)
        return {"bce": losses.asymmetric_loss(logits, aim, share.expand_as(logits), negative_focus)}

    history = fit(mlp, step, steps=epochs * per_epoch, lr=lr, weight_decay=weight_decay, weights={"bce": 1.0},
                  chance=chance, scratch=scratch, name=name, teacher=teacher, ema=0.98, epoch_steps=per_epoch)
    return teacher, history
