from pathlib import Path

import pytest
import ranked
import tiny
import torch

from benchmarks import steps
from benchmarks.steps import PARTS, Clock, inference_shares, step_s, step_shares
from rbc.classifier import Classifier
from rbc.learning.mlp import WindowMlp
from rbc.learning.training import Chance
from rbc.params import changed, load
from rbc.scoring.splits import Ledger


def test_speed_counts_the_frames_of_a_step(monkeypatch):
    params = load(Path(__file__).parents[2] / "params.yaml")
    monkeypatch.setattr(steps, "step_s", lambda train, _: train)
    found = steps.speeds(params, dict.fromkeys(("pretrain", "finetune", "train_mlp"), 2.0))
    assert found == {"pretrain": 16 * 256, "finetune": 16 * 256 / 2, "train_mlp": 2048 / 2}
    consistent = changed(params, {"finetune": {"weights": {"consistency": 0.5}}})
    assert steps.speeds(consistent, dict.fromkeys(found, 2.0))["finetune"] == 24 * 256 / 2


def test_a_part_within_another_counts_for_itself(monkeypatch):
    ticks = iter([1.0, 3.0, 9.0, 11.0])
    monkeypatch.setattr(steps.time, "thread_time", lambda: next(ticks))
    clock = Clock()
    with clock.part("outer"):
        with clock.part("inner"):
            pass
    assert clock.shares() == {"outer": 0.4, "inner": 0.6}


def test_what_is_watched_works_as_ever_and_is_left_as_it_was():
    clock, before = Clock(), torch.nn.functional.gelu
    with clock.watching({"gelu": ((torch.nn.functional, "gelu"),)}):
        assert torch.nn.functional.gelu(torch.zeros(2), approximate="tanh").tolist() == [0, 0]
    assert set(clock.spent) == {"gelu"} and torch.nn.functional.gelu is before


@pytest.mark.parametrize("name", ranked.TRAININGS)
def test_the_parts_of_every_stage_are_seen(name, monkeypatch):
    for field in ("WARM", "MEASURED"):
        monkeypatch.setattr(steps, field, 1)  # two steps, as in `ranked`
    found = step_shares(lambda _, scratch: ranked.TRAININGS[name](scratch, Chance(0), Ledger()))
    missing = {"aligning": {"augmentation"}, "mlp": {"augmentation", "features"}}.get(name, set())
    assert set(found) == {*PARTS, "forward", "other"} - missing
    assert sum(found.values()) == pytest.approx(1) and min(found.values()) > 0


def test_steps_alone_are_timed_not_what_it_takes_to_begin(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(steps.time, "perf_counter", lambda: now[0])

    def train(count: int, _: Path) -> None:
        now[0] += 50 + 0.5 * count

    assert step_s(train) == 0.5


def test_parts_of_inference_are_seen(monkeypatch):
    monkeypatch.setattr(steps, "CHUNK", 64)
    model = tiny.model()
    made = WindowMlp(8, tuple(a.mean.numel() for a in model.network.adapters), 3, (4,), hidden_dim=6, members=2)
    found = inference_shares(Classifier(model, made, (torch.zeros(0), torch.zeros(0))), tiny.session(frames=200))
    assert set(found) == {"crops", "features", "forward", "other"}
