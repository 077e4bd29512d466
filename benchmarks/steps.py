"""What a step of training takes: frames per second, and how its time is shared."""

import copy
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn, optim

from benchmarks.speed import finished
from rbc import inference
from rbc.classifier import Classifier
from rbc.device import home
from rbc.experiment import Experiment
from rbc.inference import CHUNK
from rbc.learning import aligning, finetuning, mlp, pretraining, training
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus, LabelSampler, SetupSampler
from rbc.learning.mlp import WindowMlp
from rbc.learning.training import Chance
from rbc.network.network import Network
from rbc.params import Params
from rbc.recordings.session import Session
from rbc.scoring.splits import Ledger, folds

WARM, MEASURED = 4, 8  # steps of training
PARTS = {  # what takes part in a step; "forward" is the rest of the step's losses, "other" that of the loop
    "crops": ((Corpus, "batch"), (Corpus, "labels_of"), (LabelSampler, "draw"), (SetupSampler, "draw"), (mlp, "taken")),
    "augmentation": ((Augmentation, "changed"), (finetuning, "_noisy")),
    "features": ((pretraining, "view_of"), (finetuning, "view_of"), (aligning, "view_of"),
                 (pretraining, "programmed_targets")),
    "backward": ((Tensor, "backward"),),
    "optimiser": ((optim.AdamW, "step"), (optim.AdamW, "zero_grad"), (nn.utils, "clip_grad_norm_"), (training, "follow")),
}
LOOPS = (pretraining, aligning, finetuning, mlp)  # where `fit` is called
INFERRED = {
    "crops": ((inference, "session_crop"),), "features": ((inference, "imu_features"), (inference, "pose_features")),
    "forward": ((Network, "forward"), (Network, "scale"), (Network, "shifted"), (WindowMlp, "said")),
}
Training = Callable[[int, Path], None]
"""Trains for so many steps, with a folder for checkpoints."""


class Clock:
    """Seconds of this thread by part, whatever else the machine does, or of the device, which then ends every part before
    the next begins; a part within another counts for itself."""

    def __init__(self):
        self.spent, self.open, self.since = Counter(), [], 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._book()
        self.open.append(name)
        try:
            yield
        finally:
            self._book()
            self.open.pop()

    @contextmanager
    def watching(self, parts: dict[str, tuple]) -> Iterator[None]:
        """Inside, calls of the functions (owner, name) count for their parts."""
        with ExitStack() as stack:
            for name, places in parts.items():
                for owner, function in places:
                    stack.enter_context(patch.object(owner, function, self._timed(name, getattr(owner, function))))
            yield

    def shares(self) -> dict[str, float]:
        """Of the time spent in all parts."""
        total = sum(self.spent.values())
        return {name: seconds / total for name, seconds in self.spent.items()}

    def _timed(self, name: str, function: Callable) -> Callable:
        def called(*arguments, **settings):
            with self.part(name):
                return function(*arguments, **settings)

        return called

    def _book(self) -> None:
        now = finished() if home().type == "cuda" else time.thread_time()
        if self.open:
            self.spent[self.open[-1]] += now - self.since
        self.since = now


def trainings(params: Params, experiment: Experiment, classifier: Classifier) -> dict[str, Training]:
    """The training of each stage that learns, with the usual settings, on copies of the classifier's model."""
    classifier = copy.deepcopy(classifier)
    model, roles = classifier.model, experiment.roles
    views = experiment.labels("train")
    everything = Corpus(experiment.seen, model.recipe, Ledger(), roles)
    labelled = Corpus(experiment.of("train"), model.recipe, Ledger(), roles, views)
    augmented = {"augmentation": Augmentation(**params.augment.model_dump())}

    def pretrain(steps: int, scratch: Path) -> None:
        settings = params.pretrain.learning | {"steps": steps}
        pretraining.pretrain(model.network, everything, **settings, **augmented, chance=Chance(0), scratch=scratch)

    def align_sessions(steps: int, scratch: Path) -> None:
        settings = params.align_sessions.model_dump() | {"steps": steps}
        aligning.align_sessions(model.network, labelled, everything, **settings, chance=Chance(0), scratch=scratch)

    def finetune(steps: int, scratch: Path) -> None:
        settings = params.finetune.learning | {"steps": steps}
        finetuning.finetune(model.network, labelled, everything, **settings, **augmented, chance=Chance(0),
                            scratch=scratch)

    def train_mlp(steps: int, scratch: Path) -> None:
        settings = params.train_mlp
        frames, count = 4 * settings.batch_size, len(experiment.behaviours)
        inputs = [torch.randn(frames, head[0].in_features).half() for head in classifier.mlp.heads]
        target = torch.zeros(frames, count)
        gathered = *inputs, torch.ones(frames, 3, dtype=torch.bool), torch.zeros(frames, dtype=torch.long)
        mlp.train_mlp(classifier.mlp, gathered, target, torch.ones_like(target),
                      torch.from_numpy(folds(2, settings.members)), epochs=steps // 4, batch_size=settings.batch_size,
                      lr=settings.lr, weight_decay=settings.weight_decay, balance=settings.balance,
                      chance=Chance(0), scratch=scratch, name="train_mlp")

    return {work.__name__: work for work in (pretrain, align_sessions, finetune, train_mlp)}


def speeds(params: Params, stages: dict[str, Training], measured: int = MEASURED) -> dict[str, float]:
    """Frames per second of so many steps of some stages, forward and backward, each view counted."""
    tuned, unlabelled = params.finetune, params.finetune.weights.consistency > 0
    frames = {
        "pretrain": 2 * params.pretrain.batch_size * params.pretrain.crop_frames,
        "finetune": (tuned.batch_size + unlabelled * (tuned.batch_size // 2)) * tuned.crop_frames,
        "train_mlp": params.train_mlp.batch_size,
    }
    return {name: count / step_s(stages[name], measured) for name, count in frames.items()}


def step_s(train: Training, measured: int = MEASURED) -> float:
    """Seconds of a step of training, what it takes to begin left out."""
    taken = []
    for steps in (WARM, WARM + measured):
        with tempfile.TemporaryDirectory() as scratch:
            begin = time.perf_counter()
            train(steps, Path(scratch))
            taken.append(time.perf_counter() - begin)
    return (taken[1] - taken[0]) / measured


def step_shares(train: Training) -> dict[str, float]:
    """Shares of a step's time by part, PARTS and what is left; checkpoints, one in thirty steps, left out."""
    clock = Clock()

    def watched(model: nn.Module, step: Callable[[int], dict[str, Tensor]], **settings) -> list[dict]:
        def timed(i: int) -> dict[str, Tensor]:
            if i == WARM:
                clock.spent.clear()
            with clock.part("forward"):
                return step(i)

        with clock.part("other"):
            return training.fit(model, timed, **settings)

    with ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        stack.enter_context(clock.watching(PARTS))
        stack.enter_context(patch.object(training, "_save", lambda *_: None))
        for module in LOOPS:
            stack.enter_context(patch.object(module, "fit", watched))
        train(WARM + MEASURED, Path(scratch))
    return clock.shares()


def inference_shares(classifier: Classifier, session: Session) -> dict[str, float]:
    """Shares by part of what a chunk of a session of at least two takes, from its files to the heads' probabilities."""
    clock, say = Clock(), partial(classifier.say, session, slice(CHUNK, 2 * CHUNK))
    say()
    with clock.watching(INFERRED):
        for _ in range(MEASURED):
            with clock.part("other"):
                say()
    return clock.shares()
