"""Processes that a launcher (torchrun) started learn as one: each draws the whole batch, sends its share of it through
the network, and gets what the others made of theirs. So every loss is of the whole batch, its negatives and its means
too, and is the same in every process.

B crops or frames. Alone, nothing here does anything.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from rbc.device import home

PATIENCE = timedelta(days=7)  # with the leader, who goes on alone when all have learnt


@contextmanager
def together() -> Iterator[None]:
    """Inside, the launcher's processes are one group: gloo for tensors on a CPU, nccl for those on a GPU.

    At the end each waits for the others: a launcher may take one that is gone for lost. After an error nobody waits: the
    process ends, and with it the others, by the launcher or a lost connection.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    distributed.init_process_group(timeout=PATIENCE)
    yield
    distributed.all_reduce(torch.zeros(()))  # a barrier would ask for a GPU where there is one
    distributed.destroy_process_group()


def leads() -> bool:
    """Is this the process that shows progress, saves checkpoints and writes what the stage is for?"""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def divided(function: Callable, *batch: Tensor) -> Any:
    """What `function` makes of a batch that every process holds: a tensor (B, ...) or a dataclass of them.

    batch: tensors (B, ...). Each process works on its share of them; dropout is drawn for each share by itself.
    """
    if not distributed.is_initialized():
        return function(*batch)
    whole, rank = len(batch[0]), distributed.get_rank()
    size = -(-whole // distributed.get_world_size())
    own = torch.arange(rank * size, (rank + 1) * size, device=batch[0].device)
    own = own.clamp_max(whole - 1)  # what is missing at the end: the last again
    seed = int(torch.randint(2**62, ()))  # drawn by all alike, so that all go on alike
    with torch.random.fork_rng(devices=[d for d in (home(),) if d.type == "cuda"]):
        torch.manual_seed(seed + rank)
        made = function(*(x[own] for x in batch))
    if isinstance(made, Tensor):
        return Gathered.apply(made)[:whole]
    return type(made)(*(Gathered.apply(x)[:whole] for x in vars(made).values()))


class Gathered(torch.autograd.Function):
    """The shares of all processes, one after the other.

    All have the same loss of them: its gradient by the own share is at hand, and is what is left of the others' once
    gradients are averaged over the processes, hence the factor.
    """

    @staticmethod
    def forward(ctx, share: Tensor) -> Tensor:
        share = share.contiguous()
        shares = [torch.empty_like(share) for _ in range(distributed.get_world_size())]
        distributed.all_gather(shares, share)
        return torch.cat(shares)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        world = distributed.get_world_size()
        return world * gradient.chunk(world)[distributed.get_rank()]


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Give every process the mean of all gradients; a process whose share did not touch a parameter counts as 0."""
    if not distributed.is_initialized():
        return
    touched = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=parameters[0].device)
    distributed.all_reduce(touched)
    own = [p for p, by in zip(parameters, touched.tolist(), strict=True) if by]
    for p in own:
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
    gradients = [p.grad for p in own]
    total = nn.utils.parameters_to_vector(gradients)
    distributed.all_reduce(total)
    nn.utils.vector_to_parameters(total / distributed.get_world_size(), gradients)


def from_leader(value: Any) -> Any:
    """The leading process's value."""
    values = [value]
    if distributed.is_initialized():
        distributed.broadcast_object_list(values)
    return values[0]
