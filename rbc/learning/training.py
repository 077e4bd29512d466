"""The one training loop: seeds, schedule, averaging, history, progress, and a checkpoint that resumes to the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from rbc.device import home
from rbc.learning.losses import dynamic_weights
from rbc.learning.ranks import average_gradients, from_leader, leads

CHECKPOINT = "checkpoint.pt"


@dataclass
class Chance:
    """Every source of randomness of a stage, from one seed."""

    seed: int
    rng: np.random.Generator = field(init=False)
    generator: torch.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.generator = torch.Generator().manual_seed(self.seed)
        torch.manual_seed(self.seed)  # dropout knows only the global one

    def state(self) -> dict:
        state = self.rng.bit_generator.state["state"]
        return {
            "numpy": {k: str(v) for k, v in state.items()},  # 128 bits: too wide for an integer of the file
            "buffer": [self.rng.bit_generator.state["has_uint32"], self.rng.bit_generator.state["uinteger"]],
            "torch": self.generator.get_state(),
            "dropout": torch.get_rng_state(),
            "elsewhere": torch.cuda.get_rng_state(home()) if home().type == "cuda" else None,
        }

    def restore(self, state: dict) -> None:
        full = self.rng.bit_generator.state
        full["state"] = {k: int(v) for k, v in state["numpy"].items()}
        full["has_uint32"], full["uinteger"] = state["buffer"]
        self.rng.bit_generator.state = full
        self.generator.set_state(state["torch"])
        torch.set_rng_state(state["dropout"])
        if state["elsewhere"] is not None:
            torch.cuda.set_rng_state(state["elsewhere"], home())


def fit(model: nn.Module, step: Callable[[int], dict[str, Tensor]], *, steps: int, lr: float, weight_decay: float,
        weights: dict[str, float], chance: Chance, scratch: Path, name: str, trainable: list[nn.Parameter] | None = None,
        teacher: nn.Module | None = None, ema: float = 0.0, dwa_temperature: float = 0.0,
        extra: dict | None = None, epoch_steps: int | None = None) -> list[dict]:
    """History, a row {epoch, loss, term…} per `epoch_steps` steps, of training `model` in place.

    step: losses by name of a step's index; it draws its own batch from `chance`.
    teacher: follows the model as a moving average with factor `ema`.
    extra: object with state()/restore(), saved along (what the loaders served).
    scratch: folder of the checkpoint, written after every epoch; found there again, training goes on from it.
    epoch_steps: 30, or a quarter of a training of less than 120 steps.
    """
    epoch_steps = epoch_steps or min(30, max(steps // 4, 1))
    parameters = trainable if trainable is not None else list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, foreach=True)
    warmup = max(steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: _cosine(i, warmup, steps))
    history: list[dict] = []
    keep = {"model": model, "optimiser": optimiser, "schedule": schedule}
    if teacher is not None:
        keep["teacher"] = teacher
    start = _resume(scratch / CHECKPOINT, keep, chance, history, extra)
    sums: dict[str, Tensor] = {}
    model.train()
    for i in tqdm(range(start, steps), desc=name, unit="step", initial=start, total=steps, mininterval=1.0,
                  disable=not leads()):
        factors = _factors(weights, history, dwa_temperature)
        losses = step(i)
        total = sum(factors[k] * losses[k] for k in losses)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if teacher is not None:
            follow(teacher, model, min(ema, (i + 1) / (i + 10)))
        for key, value in {"loss": total, **losses}.items():
            sums[key] = sums.get(key, 0.0) + value.detach().double()  # where it is: nothing waits for a number
        if (i + 1) % epoch_steps == 0 or i + 1 == steps:
            count = (i % epoch_steps) + 1
            history.append({"epoch": i // epoch_steps + 1, **{k: float(v) / count for k, v in sums.items()}})
            sums = {}
            if leads():
                _save(scratch / CHECKPOINT, keep, chance, history, extra, i + 1)
    return history


def history_rows(history: list[dict], split: str = "train") -> list[dict]:
    """The history as rows of a plot file."""
    return [{"epoch": row["epoch"], "split": split, **{k: v for k, v in row.items() if k != "epoch"}} for row in history]


@torch.no_grad()
def follow(teacher: nn.Module, model: nn.Module, factor: float) -> None:
    """Move the teacher's values towards the model's: teacher = factor * teacher + (1 - factor) * model; counts are copied."""
    pairs = list(zip(teacher.state_dict().values(), model.state_dict().values(), strict=True))
    kept, new = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(factor)(kept, new, None)
    for count, newer in pairs:
        if not count.is_floating_point():
            count.copy_(newer)


def _cosine(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    wave = float(np.cos(np.pi * (step - warmup) / max(steps - warmup, 1)))  # no numpy scalar: a checkpoint refuses it
    return 0.02 + 0.98 * 0.5 * (1 + wave)


def _factors(weights: dict[str, float], history: list[dict], dwa_temperature: float) -> dict[str, float]:
    if not dwa_temperature or len(history) < 2:
        return weights
    before, last = ({k: row[k] for k in weights if k in row} for row in history[-2:])
    pace = dynamic_weights(before, last, dwa_temperature)
    return {k: w * pace.get(k, 1.0) for k, w in weights.items()}


def _save(path: Path, keep: dict, chance: Chance, history: list[dict], extra, step: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {k: v.state_dict() for k, v in keep.items()}
    part = path.with_suffix(".part")
    torch.save({**state, "chance": chance.state(), "history": history, "step": step,
                "extra": extra.state() if extra else None}, part)
    part.replace(path)


def _resume(path: Path, keep: dict, chance: Chance, history: list[dict], extra) -> int:
    """Step to go on from; 0 without a checkpoint."""
    # tensors and plain values only: nothing in it can run
    state = from_leader(torch.load(path, weights_only=True) if path.exists() else None)
    if state is None:
        return 0
    for key, target in keep.items():
        target.load_state_dict(state[key])
    chance.restore(state["chance"])
    history.extend(state["history"])
    if extra:
        extra.restore(state["extra"])
    return state["step"]
