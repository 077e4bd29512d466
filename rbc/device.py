"""Where networks live and learn: the device that RBC_DEVICE names (cpu, cuda, cuda:1, …), else the CPU.

What is drawn at random is drawn on the CPU and moved, so that a seed means the same everywhere; dropout alone is drawn
where it is used.
"""

import os
from typing import TypeVar

import torch
from torch import Tensor, nn

Placed = TypeVar("Placed", Tensor, nn.Module)


class DeviceError(ValueError):
    """A device that is not there."""


def home() -> torch.device:
    """The device; of plain `cuda` each of a launcher's processes on a machine has its own. Raises DeviceError."""
    name = os.environ.get("RBC_DEVICE", "cpu")
    own = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if name == "cuda" else name
    try:
        return torch.empty(0, device=own).device
    except (RuntimeError, AssertionError) as fault:
        reason = str(fault).partition("\n")[0]
        raise DeviceError(f"RBC_DEVICE is {name!r}; needs a device of this machine, such as cpu: {reason}") from None


def placed(x: Placed) -> Placed:
    """The tensor, or the module itself, at `home`."""
    return x.to(home())
