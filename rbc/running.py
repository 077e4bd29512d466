"""Running statistics of crops along time.

B crops, T frames.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor


def running_mean(x: Tensor, frames: int) -> Tensor:
    """Centred mean over `frames` (odd) of (B, T, ...), of the values that are there; NaN where none is."""
    shape = x.shape
    flat = x.reshape(shape[0], shape[1], -1).transpose(1, 2)  # (B, F, T)
    there = ~flat.isnan()
    half = frames // 2
    total = nnf.avg_pool1d(nnf.pad(flat.nan_to_num(0.0), (half, half)), frames, stride=1)
    share = nnf.avg_pool1d(nnf.pad(there.to(flat.dtype), (half, half)), frames, stride=1)
    mean = torch.where(share > 0.5 / frames, total / share.clamp_min(0.5 / frames), torch.nan)
    return mean.transpose(1, 2).reshape(shape)


def difference(x: Tensor, step: int) -> Tensor:
    """x[t + step] - x[t - step] of (B, T, ...), the ends repeated."""
    flat = x.flatten(2).transpose(1, 2) if x.dim() > 3 else x.transpose(1, 2)
    padded = nnf.pad(flat, (step, step), mode="replicate")
    change = padded[..., 2 * step :] - padded[..., : -2 * step]
    return change.transpose(1, 2).reshape(x.shape)
