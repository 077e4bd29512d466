"""train_mlp: behaviours from a latent, features and their running statistics, one small network per head and member.

A window's statistics are taken at every fourth or so of its length, on a grid of the session, and run along lines
between; where a model is causal, windows end at their place, and its statistics are held until the next one. T frames,
N drawn frames, D latent, C behaviours, M heads, F features, I inputs, H hidden, E members, G groups, P places of a
window.
"""

import copy
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rbc.device import placed
from rbc.learning import losses
from rbc.learning.ranks import divided
from rbc.learning.training import Chance, fit

Read = Sequence[tuple[np.ndarray | Tensor, np.ndarray | Tensor]]


def step_of(window: int) -> int:
    """Frames from one place of a window to the next: the power of two that is at most a quarter of it."""
    return 1 << max(window // 4, 1).bit_length() - 1


def window_statistics(latent: Tensor, features: Tensor, window: int, start: int, stop: int,
                      causal: bool = False) -> Tensor:
    """(P, I) mean and deviation of latent (T, D) and features (T, F), and maximum of the latent, over windows around, or
    up to, every `step_of(window)`-th frame, from the one at or before `start` to the one at or after `stop` - 1; beyond
    the ends the first and the last frame are repeated."""
    step, width = step_of(window), latent.shape[1]
    first, last = start // step * step, -(-(stop - 1) // step) * step
    before = window - 1 if causal else window // 2
    frames = torch.arange(first - before, last - before + window, device=latent.device).clamp(0, len(latent) - 1)
    size = math.gcd(window, window // 2, step)  # of blocks that windows are made of
    x = torch.cat([latent[frames], features[frames]], 1).unflatten(0, (-1, size))  # (blocks, size, D + F)
    means = x.mean(1)
    spread, highest = (x - means[:, None]).square_().mean(1), x[:, :, :width].amax(1)
    around = [y.unfold(0, window // size, step // size) for y in (means, spread, highest)]  # (P, D + F, blocks)
    mean = around[0].mean(2)
    deviation = ((around[0] - mean[..., None]).square_().mean(2) + around[1].mean(2)).sqrt_()
    return torch.cat([mean, deviation, around[2].amax(2)], 1)


def between(coarse: Tensor, times: int, causal: bool = False) -> Tensor:
    """(P', I) `times` as many places, along a line from each of (P, I) to the next, or as the one before them."""
    if times == 1:
        return coarse
    if causal:
        return coarse.repeat_interleave(times, 0)
    fine = coarse.new_empty((len(coarse) - 1) * times + 1, coarse.shape[1])
    share = torch.arange(times, dtype=coarse.dtype, device=coarse.device)[:, None] / times
    torch.lerp(coarse[:-1, None], coarse[1:, None], share, out=fine[:-1].unflatten(0, (-1, times)))
    fine[-1] = coarse[-1]
    return fine


def head_inputs(read: Read, windows: tuple[int, ...], start: int, stop: int, causal: bool = False) -> list[Tensor]:
    """Inputs (n, I) of every head for frames start to stop, of what each reads (latent (T, D), features (T, F)): these,
    then their statistics over each window; frames around them count, and T begins on the grid of all windows."""
    inputs = []
    for latent, features in read:
        latent, features = torch.as_tensor(latent), torch.as_tensor(features)
        columns = [latent[start:stop], features[start:stop]]
        for window in windows:
            step = step_of(window)
            fine = between(window_statistics(latent, features, window, start, stop, causal), step, causal)
            columns.append(fine[start % step :][: stop - start])
        inputs.append(torch.cat(columns, 1))
    return inputs


class MemberLinear(nn.Module):
    """A linear map per member: its hidden units, side by side with the others' (N, E H), to (E, N, C)."""

    def __init__(self, members: int, hidden_dim: int, behaviours: int):
        super().__init__()
        bound = hidden_dim**-0.5
        self.weight = nn.Parameter(torch.empty(members, hidden_dim, behaviours).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, behaviours))

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, hidden.unflatten(1, (len(self.weight), -1)).transpose(0, 1), self.weight)


class WindowMlp(nn.Module):
    """E members of an MLP per head; their probabilities are averaged."""

    CHUNK = 4096

    def __init__(self, d_model: int, features: tuple[int, int], behaviours: int, windows: tuple[int, ...],
                 hidden_dim: int, members: int, dropout: float = 0.3, causal: bool = False):
        super().__init__()
        self.windows, self.members, self.causal = tuple(windows), members, causal
        self.d_model, self.features = d_model, features
        self.step = max(map(step_of, windows), default=1)
        widest = max(windows, default=0) // (1 if causal else 2)
        self.reach = -(-(widest + self.step) // self.step) * self.step  # frames to each side, or back
        # one product for the wide inputs that members share, then each its own hidden units
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(sum(self.parts(m)), members * hidden_dim), nn.GELU(), nn.Dropout(dropout),
                          MemberLinear(members, hidden_dim, behaviours))
            for m in range(3)
        )

    def parts(self, m: int) -> list[int]:
        """Widths of what head m reads: the frame itself, then the statistics over each window."""
        width = self.d_model + (*self.features, sum(self.features))[m]
        return [width] + [2 * width + self.d_model] * len(self.windows)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Logits (E, N, M, C) of the heads' inputs (N, I)."""
        return torch.stack([head(x) for head, x in zip(self.heads, inputs, strict=True)], 2)

    def set_prior(self, prevalence: Tensor) -> None:
        """Start every member at the behaviours' prevalence (C,)."""
        bias = torch.logit(prevalence.clamp(1e-3, 1 - 1e-3))
        with torch.no_grad():
            for head in self.heads:
                head[-1].bias.copy_(bias)

    @torch.inference_mode()
    def probability(self, read: Read, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(n, M, C) probabilities of frames start to stop, averaged over members, of what each head reads (latent
        (T, D), features (T, F)), as of `head_inputs`."""
        stop = len(read[0][0]) if stop is None else stop
        chunks = [(a, min(a + self.CHUNK, stop)) for a in range(start, stop, self.CHUNK)]
        return np.concatenate([np.stack([self.said(m, *pair, *chunk) for m, pair in enumerate(read)], 1)
                               for chunk in chunks])

    @torch.inference_mode()
    def said(self, m: int, latent: np.ndarray | Tensor, features: np.ndarray | Tensor, start: int,
             stop: int) -> np.ndarray:
        """(n, C) probabilities by one head, as of `probability`."""
        first, *others = self.heads[m].eval()
        latent, features = (torch.as_tensor(x).to(first.weight) for x in (latent, features))
        x = self._first(m, latent, features, start, stop)
        for layer in others:
            x = layer(x)
        return torch.sigmoid(x).mean(0).cpu().numpy()  # of logits (E, n, C)

    def _first(self, m: int, latent: Tensor, features: Tensor, start: int, stop: int) -> Tensor:
        """What the first layer makes of `head_inputs`: of a line between two places it makes the line between what it
        makes of them, so that few places of the wide windows go through it."""
        layer, rows = self.heads[m][0], torch.cat([latent[start:stop], features[start:stop]], 1)
        if not self.windows:
            return layer(rows)
        own, *wide = layer.weight.split(self.parts(m), 1)
        made, coarse = None, self.step  # (P, E H) at every `coarse`-th frame
        for window, weight in sorted(zip(self.windows, wide, strict=True), key=lambda pair: -pair[0]):
            places = window_statistics(latent, features, window, start, stop, self.causal)
            step = step_of(window)
            if made is None:
                made = torch.addmm(layer.bias, places, weight.T)
            else:
                made = between(made, coarse // step, self.causal)[start % coarse // step :][: len(places)]
                torch.addmm(made, places, weight.T, out=made)
            coarse = step
        made = between(made, coarse, self.causal)[start % coarse :][: stop - start]
        return torch.addmm(made, rows, own.T, out=made)


def train_mlp(mlp: WindowMlp, frames: tuple[Tensor, ...], target: Tensor, weight: Tensor, left_out: Tensor, *,
              epochs: int, batch_size: int, lr: float, weight_decay: float, balance: float,
              chance: Chance, scratch: Path, name: str) -> tuple[WindowMlp, list[dict]]:
    """The averaged members and the history of training on gathered frames, soft targets and weights (N, C); left_out
    (E, G) as of `rbc.scoring.calibration.folds`. Frames are drawn by `odds_of_frames`."""
    *x, there, group = frames
    teacher = copy.deepcopy(mlp).requires_grad_(False).eval()
    rows = torch.nonzero((weight > 0).any(1))[:, 0]
    odds = odds_of_frames(target[rows], weight[rows], balance).double().cumsum(0)
    per_epoch = max(len(rows) // batch_size, 1)
    learns = (~left_out).float()  # (E, G)

    def step(_: int) -> dict[str, Tensor]:
        ticket = torch.rand(batch_size, generator=chance.generator, dtype=torch.double) * odds[-1]
        drawn = rows[torch.searchsorted(odds, ticket).clamp_max(len(rows) - 1)]
        said = divided(lambda own: mlp(taken(x, own)).transpose(0, 1), drawn)
        logits = said.transpose(0, 1)  # (E, N, M, C)
        share = weight[drawn][None, :, None] * there[drawn].float()[None, :, :, None]
        share = placed(share * learns[:, group[drawn], None, None])
        aim = placed(target[drawn])[None, :, None].expand_as(logits)
        return {"bce": losses.binary_cross_entropy(logits, aim, share.expand_as(logits))}

    history = fit(mlp, step, steps=epochs * per_epoch, lr=lr, weight_decay=weight_decay, weights={"bce": 1.0},
                  chance=chance, scratch=scratch, name=name, teacher=teacher, ema=0.98, epoch_steps=per_epoch)
    return teacher, history


def taken(inputs: list[Tensor], rows: Tensor | slice) -> list[Tensor]:
    """Inputs (n, I) of every head as the MLP takes them, of some rows of the gathered (N, I) half."""
    return [placed(x[rows]).float() for x in inputs]


def odds_of_frames(target: Tensor, weight: Tensor, balance: float) -> Tensor:
    """(N,) how often to draw each frame: by the rarest behaviour that it carries, of soft targets and weights (N, C); a
    behaviour's frames count by its share of the frames to the power of -balance."""
    carried = target * (weight > 0)  # (N, C)
    share = carried.mean(0).clamp_min(1 / len(target))
    return (carried * share**-balance).amax(1).clamp_min(1.0)


@torch.inference_mode()
def out_of_fold_probability(mlp: WindowMlp, frames: tuple[Tensor, ...], left_out: Tensor) -> np.ndarray:
    """(N, M, C) probabilities of the gathered frames by the members that did not learn from their group; by all
    members where there are none."""
    mlp.eval()
    *x, _, group = frames
    judge = torch.where(left_out.any(0), left_out, True).float()  # (E, G)
    judge = judge / judge.sum(0)
    parts = []
    for start in range(0, len(group), WindowMlp.CHUNK):
        here = slice(start, start + WindowMlp.CHUNK)
        said = torch.sigmoid(mlp(taken(x, here)))  # (E, n, M, C)
        parts.append((said * placed(judge[:, group[here], None, None])).sum(0).cpu())
    return torch.cat(parts).numpy()
