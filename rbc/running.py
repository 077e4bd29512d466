"""Running statistics of crops along time.

B crops, T frames.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor


def running_mean(x: Tensor, frames: int, trailing: bool = False) -> Tensor:
    """Mean over the `frames` (odd) around each of (B, T, ...), or up to it, of the values that are there; NaN where none
    is."""
    shape = x.shape
    flat = x.reshape(shape[0], shape[1], -1).transpose(1, 2)  # (B, F, T)
    there = ~flat.isnan()
    ends = (frames - 1, 0) if trailing else (frames // 2, frames // 2)
    total = nnf.avg_pool1d(nnf.pad(flat.nan_to_num(0.0), ends), frames, stride=1)
    share = nnf.avg_pool1d(nnf.pad(there.to(flat.dtype), ends), frames, stride=1)
    mean = torch.where(share > 0.5 / frames, total / share.clamp_min(0.5 / frames), torch.nan)
    return mean.transpose(1, 2).reshape(shape)


def difference(x: Tensor, step: int, trailing: bool = False) -> Tensor:
    """x[t + step] - x[t - step] of (B, T, ...), or x[t] - x[t - 2 step], the ends repeated."""
    before, after = before_and_after(x.flatten(2), step, trailing)
    return (after - before).reshape(x.shape)


def before_and_after(x: Tensor, step: int, trailing: bool = False) -> tuple[Tensor, Tensor]:
    """x[t - step] and x[t + step] of (B, T, F), or x[t - 2 step] and x[t], the ends repeated."""
    ends = (2 * step, 0) if trailing else (step, step)
    padded = nnf.pad(x.transpose(1, 2), ends, mode="replicate").transpose(1, 2)
    return padded[:, : -2 * step], padded[:, 2 * step :]
