"""Trainings of a few steps that run alone or by several processes, and what came of them."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tiny
import torch
from torch import Tensor, nn

from rbc.device import placed
from rbc.learning import training
from rbc.learning.aligning import align_sessions
from rbc.learning.augment import Augmentation
from rbc.learning.finetuning import finetune
from rbc.learning.mlp import WindowMlp, train_mlp
from rbc.learning.pretraining import fit_scaling, pretrain
from rbc.learning.ranks import together
from rbc.learning.training import Chance
from rbc.params import load
from rbc.scoring.splits import Ledger

NAMES = ("F1D1", "M1D1")
STEPS = 2
CROPS = {"steps": STEPS, "batch_size": 5, "crop_frames": 64}  # no even number: shares differ
PARAMS = load(Path(__file__).parent.parent / "params.yaml")
AUGMENT = {"augmentation": Augmentation(**PARAMS.augment.model_dump())}


def corpora(ledger: Ledger) -> tuple:
    sessions = {n: tiny.session(n, 200, seed=i) for i, n in enumerate(NAMES)}
    return tiny.corpus(sessions, ledger, labelled=True), tiny.corpus(sessions, ledger)


def pretraining(scratch: Path, chance: Chance, ledger: Ledger) -> tuple[nn.Module, list[dict]]:
    network, (_, everything) = tiny.model().network, corpora(ledger)
    fit_scaling(network, everything)
    settings = PARAMS.pretrain.learning | CROPS | AUGMENT
    return network, pretrain(network, everything, **settings, chance=chance, scratch=scratch)


def aligning(scratch: Path, chance: Chance, ledger: Ledger) -> tuple[nn.Module, list[dict]]:
    network = tiny.model().network
    settings = PARAMS.align_sessions.model_dump() | CROPS
    return network, align_sessions(network, *corpora(ledger), **settings, chance=chance, scratch=scratch)


def finetuning(scratch: Path, chance: Chance, ledger: Ledger) -> tuple[nn.Module, list[dict]]:
    settings = PARAMS.finetune.learning | CROPS | AUGMENT
    settings["weights"] = settings["weights"] | {"consistency": 0.5}  # off by default, and works on shares too
    return finetune(tiny.model().network, *corpora(ledger), **settings, chance=chance, scratch=scratch)


def mlp(scratch: Path, chance: Chance, ledger: Ledger) -> tuple[nn.Module, list[dict]]:
    rng = np.random.default_rng(0)
    x = [torch.as_tensor(rng.normal(size=(90, 16 + f)), dtype=torch.float16) for f in (3, 2, 5)]
    frames = (*x, torch.ones(90, 3), torch.arange(90) % 2)
    target, weight = (torch.as_tensor(rng.random((90, 4)) < p, dtype=torch.float32) for p in (0.3, 0.8))
    made = placed(WindowMlp(16, (3, 2), 4, (), 8, 2, dropout=0.0))
    return train_mlp(made, frames, target, weight, torch.eye(2, dtype=torch.bool), epochs=1, batch_size=43, lr=0.01,
                     weight_decay=0.0, balance=0.0, chance=chance, scratch=scratch, name="mlp")


def draws(chance: Chance) -> list[float]:
    return [chance.rng.random(), torch.rand((), generator=chance.generator).item(), torch.rand(()).item()]


TRAININGS = {f.__name__: f for f in (pretraining, aligning, finetuning, mlp)}


def gradients(train: Callable, *arguments) -> tuple[list[list[Tensor]], nn.Module, list[dict]]:
    """The gradients of every step as they are before they are clipped, and what `train` returns."""
    steps, clip = [], nn.utils.clip_grad_norm_

    def kept(parameters, norm):
        steps.append([torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters])
        return clip(parameters, norm)

    training.nn.utils.clip_grad_norm_ = kept
    try:
        return steps, *train(*arguments)
    finally:
        training.nn.utils.clip_grad_norm_ = clip


def results(folder: Path) -> dict[str, dict]:
    """Of every training: gradients per step, state, history, ledger, next draws and files of its checkpoint."""
    torch.set_num_threads(1)
    made = {}
    for name, train in TRAININGS.items():
        ledger, chance = Ledger(), Chance(0)
        steps, model, history = gradients(train, folder / name, chance, ledger)
        made[name] = {"steps": steps, "state": model.state_dict(), "history": history, "served": ledger.intervals(),
                      "drawn_next": draws(chance), "files": [f.name for f in folder.glob(f"{name}/*")]}
    return made


def work(rank: int, world: int, port: int, folder: Path) -> None:
    """One of the processes: all trainings in one group, and once more where they ended; results to a file."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with together():
        made = [results(folder / str(rank)) for _ in range(2)]
    torch.save(made, folder / f"{rank}.pt")
