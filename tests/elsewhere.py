"""A device that is none. What is sent there stays in the CPU's memory, which knows that it is away: as on a real one,
no function takes tensors of both places, and none becomes an array before it is back. The numbers are the CPU's."""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

HERE, AWAY = torch.device("cpu"), torch.device("cuda:0")
NAMES = {torch.device, torch._C._nn._parse_to}  # what makes a place of its name
MOVES = {Tensor.to, Tensor.cpu}
MIXES = {Tensor.copy_, Tensor.__getitem__, Tensor.__setitem__, Tensor.__deepcopy__, Tensor.data.__set__,
         torch._has_compatible_shallow_copy_type}  # take tensors of both places; what comes is where the first one is


def place(x: Tensor) -> torch.device:
    return AWAY if getattr(x.untyped_storage(), "away", False) else HERE


def is_place(x: object) -> bool:
    return isinstance(x, torch.device) or isinstance(x, str) and x in ("cpu", "cuda:0")


class Elsewhere(TorchFunctionMode):
    """Inside, `cuda:0` is there, for this thread; functions are watched as Python calls them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in NAMES:
            return function(*args, **kwargs)
        if function == Tensor.device.__get__:
            return place(args[0])
        leaves = tree_leaves((args, kwargs))
        tensors, told = [x for x in leaves if isinstance(x, Tensor)], [torch.device(x) for x in leaves if is_place(x)]
        if function not in MIXES | MOVES and len({place(x) for x in tensors if x.dim()}) > 1:
            raise RuntimeError(f"{function} takes tensors of two devices")
        if function in (Tensor.numpy, Tensor.__array__) and place(args[0]) == AWAY:
            raise TypeError("what is away cannot become an array")
        if function in MOVES:  # to a named place, or that of another tensor
            told = told or [HERE if function == Tensor.cpu else place(tensors[-1])]
            there = told[0]
        elif function in MIXES:
            there = place(tensors[0])
        else:
            there = AWAY if AWAY in told or AWAY in map(place, tensors) else HERE
        args, kwargs = tree_map(lambda x: HERE if is_place(x) else x, (args, kwargs))
        made = function(*args, **kwargs)
        if function in MOVES and place(args[0]) != there:
            made = made.clone() if made is args[0] else made
        for x in tree_leaves(made):
            if isinstance(x, Tensor):
                x.untyped_storage().away = there == AWAY
        return made
