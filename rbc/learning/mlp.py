"""train_mlp: behaviours from a latent, features and their running statistics, one small network per head and member.

T frames, N drawn frames, D latent, C behaviours, M heads, F features, I inputs, H hidden, E members, G groups.
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

Read = Sequence[tuple[np.ndarray | Tensor, np.ndarray | Tensor]]


def window_statistics(latent: Tensor, features: Tensor, windows: tuple[int, ...]) -> Tensor:
    """(T, I): latent (T, D) and features (T, F) themselves, then over each window of frames the running mean and
    deviation of both and the running maximum of the latent."""
    x, frames, reach = torch.cat([latent, features], 1).T.contiguous(), len(latent), max(windows, default=0)
    padded = nnf.pad(x[None], (reach, reach), mode="replicate")[0]  # (D + F, reach + T + reach)
    sums = [nnf.pad(y.double().cumsum(1), (1, 0)) for y in (padded, padded.square())]  # f8: they grow
    columns = [x]
    for window in windows:
        first = reach - window // 2  # of the frames around the first one
        mean, square = (((total[:, first + window :][:, :frames] - total[:, first:][:, :frames]) / window).float()
                        for total in sums)
        highest = _running_max(padded[: latent.shape[1], first : first + window - 1 + frames], window)
        columns += [mean, (square - mean.square()).clamp_min(0).sqrt(), highest]
    return torch.cat(columns).T  # (T, I)


def _running_max(x: Tensor, window: int) -> Tensor:
    """(D, T) maxima over windows of x (D, T + window - 1), by windows of 1, 2, 4 … frames."""
    size = 1
    while 2 * size <= window:
        x, size = torch.maximum(x[:, :-size], x[:, size:]), 2 * size
    rest = window - size
    return torch.maximum(x[:, : x.shape[1] - rest], x[:, rest:])


def head_inputs(read: Read, windows: tuple[int, ...], start: int, stop: int) -> list[Tensor]:
    """Inputs (n, I) of every head for frames start to stop, of what each reads (latent (T, D), features (T, F));
    the frames around them count."""
    reach = max(windows, default=0)
    a, b = max(start - reach, 0), min(stop + reach, len(read[0][0]))
    pairs = [(torch.as_tensor(latent[a:b]), torch.as_tensor(features[a:b])) for latent, features in read]
    return [window_statistics(*pair, windows)[start - a : stop - a] for pair in pairs]


class WindowMlp(nn.Module):
    """E members of an MLP per head; their probabilities are averaged."""

    CHUNK = 4096

    def __init__(self, d_model: int, features: tuple[int, int], behaviours: int, windows: tuple[int, ...],
                 hidden_dim: int, members: int, dropout: float = 0.3):
        super().__init__()
        self.windows, self.members = tuple(windows), members
        widths = [d_model * (1 + 3 * len(windows)) + f * (1 + 2 * len(windows)) for f in (*features, sum(features))]
        # members side by side: one product for the wide inputs that they share, then each its own hidden units
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, members * hidden_dim), nn.GELU(), nn.Dropout(dropout),
                          nn.Unflatten(1, (-1, 1)),
                          nn.Conv1d(members * hidden_dim, members * behaviours, 1, groups=members))
            for width in widths
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Logits (E, N, M, C) of the heads' inputs (N, I)."""
        logits = torch.stack([head(x) for head, x in zip(self.heads, inputs, strict=True)], 1)  # (N, M, E C, 1)
        return logits.unflatten(2, (self.members, -1))[..., 0].movedim(2, 0)

    def set_prior(self, prevalence: Tensor) -> None:
        """Start every member at the behaviours' prevalence (C,)."""
        bias = torch.logit(prevalence.clamp(1e-3, 1 - 1e-3))
        with torch.no_grad():
            for head in self.heads:
                head[-1].bias.copy_(bias.repeat(self.members))

    @torch.inference_mode()
    def probability(self, read: Read, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(n, M, C) probabilities of frames start to stop, averaged over members, of what each head reads (latent
        (T, D), features (T, F)); the frames around them count."""
        self.eval()
        stop = len(read[0][0]) if stop is None else stop
        chunks = ((a, min(a + self.CHUNK, stop)) for a in range(start, stop, self.CHUNK))
        inputs = (head_inputs(read, self.windows, *chunk) for chunk in chunks)
        return torch.cat([torch.sigmoid(self(x)).mean(0) for x in inputs]).cpu().numpy()


class FrameSet:
    """Frames of sessions for the MLP to learn from: inputs of every head, which heads are there, and their group."""

    def __init__(self, windows: tuple[int, ...]):
        self.windows = windows
        self.parts: list[tuple[Tensor, ...]] = []

    def add(self, read: Read, there: np.ndarray, rows: np.ndarray, group: int) -> None:
        """The frames in rows (n,), increasing, of what each head reads; heads there (T, M)."""
        pieces = []
        for start in range(0, len(there), WindowMlp.CHUNK):
            inner = rows[(rows >= start) & (rows < start + WindowMlp.CHUNK)] - start
            if len(inner):
                inputs = head_inputs(read, self.windows, start, min(start + WindowMlp.CHUNK, len(there)))
                pieces.append([x[inner].half() for x in inputs])
        if pieces:
            inputs = (torch.cat(x) for x in zip(*pieces, strict=True))
            self.parts.append((*inputs, torch.from_numpy(there[rows]), torch.full((len(rows),), group)))

    def gather(self) -> tuple[Tensor, ...]:
        """The heads' inputs (N, I) half, there (N, M), group (N,)."""
        return tuple(torch.cat(column) for column in zip(*self.parts, strict=True))


def train_mlp(mlp: WindowMlp, frames: tuple[Tensor, ...], target: Tensor, weight: Tensor, left_out: Tensor, *,
              epochs: int, batch_size: int, lr: float, weight_decay: float, negative_focus: float, chance: Chance,
              scratch: Path, name: str) -> tuple[WindowMlp, list[dict]]:
    """The averaged members and the history of training on gathered frames, soft targets and weights (N, C); left_out
    (E, G) as of `rbc.scoring.calibration.folds`."""
    *x, there, group = frames
    teacher = copy.deepcopy(mlp).requires_grad_(False).eval()
    rows = torch.nonzero((weight > 0).any(1))[:, 0]
    per_epoch = max(len(rows) // batch_size, 1)
    learns = (~left_out).float()  # (E, G)

    def step(_: int) -> dict[str, Tensor]:
        drawn = rows[torch.randint(0, len(rows), (batch_size,), generator=chance.generator)]
        logits = mlp([head[drawn].float() for head in x])  # (E, N, M, C)
        share = weight[drawn][None, :, None] * there[drawn].float()[None, :, :, None]
        share = share * learns[:, group[drawn], None, None]
        aim = target[drawn][None, :, None].expand_as(logits)
        return {"bce": losses.asymmetric_loss(logits, aim, share.expand_as(logits), negative_focus)}

    history = fit(mlp, step, steps=epochs * per_epoch, lr=lr, weight_decay=weight_decay, weights={"bce": 1.0},
                  chance=chance, scratch=scratch, name=name, teacher=teacher, ema=0.98, epoch_steps=per_epoch)
    return teacher, history


@torch.inference_mode()
def second_opinion(mlp: WindowMlp, frames: tuple[Tensor, ...], left_out: Tensor) -> np.ndarray:
    """(N, M, C) probabilities of the gathered frames by the members that did not learn from their group; by all
    members where there are none."""
    mlp.eval()
    *x, _, group = frames
    judge = torch.where(left_out.any(0), left_out, True).float()  # (E, G)
    judge = judge / judge.sum(0)
    parts = []
    for start in range(0, len(group), WindowMlp.CHUNK):
        here = slice(start, start + WindowMlp.CHUNK)
        said = torch.sigmoid(mlp([head[here].float() for head in x]))  # (E, n, M, C)
        parts.append((said * judge[:, group[here], None, None]).sum(0))
    return torch.cat(parts).numpy()
