import copy

import numpy as np
import pytest
import torch
from tiny import Killed, same_bytes
from torch import nn

from rbc.learning.training import CHECKPOINT, Chance, fit, follow, history_rows


class Served:
    """Counts steps, as a ledger counts frames."""

    def __init__(self):
        self.steps = []

    def state(self):
        return list(self.steps)

    def restore(self, state):
        self.steps = list(state)


def train(scratch, steps=7, kill_at=None, **settings):
    """Model, teacher, history, what was served and chance after training a small network on noise."""
    chance = Chance(3)
    model = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 2))
    teacher, served = copy.deepcopy(model).requires_grad_(False), Served()

    def step(i):
        if i == kill_at:
            raise Killed
        served.steps.append(i)
        x = torch.randn(8, 4, generator=chance.generator)
        aim = torch.as_tensor(chance.rng.normal(size=(8, 2)), dtype=torch.float32)
        return {"near": (model(x) - aim).square().mean(), "small": model(x).square().mean()}

    history = fit(model, step, steps=steps, lr=0.01, weight_decay=0.1, weights={"near": 1.0, "small": 0.1},
                  chance=chance, scratch=scratch, name="test", teacher=teacher, ema=0.9, extra=served, epoch_steps=2,
                  **settings)
    return model, teacher, history, served, chance


@pytest.mark.parametrize("kill_at", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("dwa_temperature", [0.0, 2.0])
def test_training_that_was_killed_goes_on_to_the_same_bytes(tmp_path, kill_at, dwa_temperature):
    whole = train(tmp_path / "whole", dwa_temperature=dwa_temperature)
    with pytest.raises(Killed):
        train(tmp_path / "cut", kill_at=kill_at, dwa_temperature=dwa_temperature)
    resumed = train(tmp_path / "cut", dwa_temperature=dwa_temperature)
    assert same_bytes(whole[0], resumed[0]) and same_bytes(whole[1], resumed[1])
    assert whole[2] == resumed[2] and whole[3].steps == resumed[3].steps == list(range(7))
    assert whole[4].rng.random() == resumed[4].rng.random()
    assert not list(tmp_path.rglob("*.part"))


def test_finished_training_is_not_repeated(tmp_path):
    first = train(tmp_path)
    again = train(tmp_path, kill_at=0)
    assert same_bytes(first[0], again[0]) and same_bytes(first[1], again[1]) and first[2] == again[2]


def test_same_seed_same_history_and_a_row_for_the_last_steps_too(tmp_path):
    one, two = (train(tmp_path / name)[2] for name in "ab")
    assert one == two and [row["epoch"] for row in one] == [1, 2, 3, 4]
    for row in one:
        assert row["loss"] == pytest.approx(row["near"] + 0.1 * row["small"], rel=1e-5)


def test_history_is_the_mean_over_an_epoch(tmp_path):
    model = nn.Linear(1, 1)
    values = iter(range(5))
    history = fit(model, lambda _: {"x": model.weight.sum() * 0 + next(values)}, steps=5, lr=0.1, weight_decay=0.0,
                  weights={"x": 2.0}, chance=Chance(0), scratch=tmp_path, name="test", epoch_steps=2)
    assert [(row["x"], row["loss"]) for row in history] == [(0.5, 1), (2.5, 5), (4, 8)]


def test_only_what_is_trainable_moves(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = copy.deepcopy(model)
    fit(model, lambda _: {"x": model(torch.ones(1, 2)).square().sum()}, steps=3, lr=0.1, weight_decay=0.1,
        weights={"x": 1.0}, chance=Chance(0), scratch=tmp_path, name="test", trainable=list(model[1].parameters()))
    assert same_bytes(model[0], before[0]) and not same_bytes(model[1], before[1])


def test_a_loss_falls(tmp_path):
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1), torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    history = fit(model, lambda _: {"x": (model(x)[:, 0] - x.sum(1)).square().mean()}, steps=120, lr=0.05,
                  weight_decay=0.0, weights={"x": 1.0}, chance=Chance(0), scratch=tmp_path, name="test")
    assert history[-1]["x"] < 0.01 < history[0]["x"]


def test_a_checkpoint_can_run_no_code(tmp_path):
    train(tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 7 and {"model", "teacher", "optimiser", "schedule", "chance", "extra"} <= state.keys()


@pytest.mark.parametrize("factor", [0.0, 0.75, 1.0])
def test_a_teacher_follows_by_its_factor(factor):
    torch.manual_seed(0)
    teacher, model = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    nn.init.normal_(model.weight)
    model(torch.randn(10, 3))
    pairs = {name: (x, model.state_dict()[name]) for name, x in teacher.state_dict().items()}
    wanted = {name: factor * old + (1 - factor) * new for name, (old, new) in pairs.items()}
    wanted["num_batches_tracked"] = torch.tensor(1)  # what is counted is copied
    follow(teacher, model, factor)
    torch.testing.assert_close(dict(teacher.state_dict()), wanted)


def draws(chance: Chance) -> list:
    return [chance.rng.random(), int(chance.rng.integers(0, 100, dtype=np.uint32)), chance.rng.normal(),
            torch.rand(1, generator=chance.generator).item(), torch.rand(1).item()]


def test_chance_goes_on_where_its_state_was_taken():
    chance = Chance(5)
    draws(chance)
    chance.rng.integers(0, 100, dtype=np.uint32)  # leaves half of a 64 bit number in the buffer
    state = chance.state()
    wanted = draws(chance)
    other = Chance(9)
    other.restore(state)
    assert draws(other) == wanted
    chance.restore(state)
    assert draws(chance) == wanted


def test_chance_is_one_seed_and_survives_a_file(tmp_path):
    assert draws(Chance(1)) == draws(Chance(1)) != draws(Chance(2))
    chance = Chance(1)
    torch.save(chance.state(), tmp_path / "state.pt")
    wanted = draws(chance)
    chance.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert draws(chance) == wanted


def test_history_rows_name_their_split():
    rows = history_rows([{"epoch": 1, "loss": 2.0}], "validation")
    assert rows == [{"epoch": 1, "split": "validation", "loss": 2.0}] and list(rows[0])[:2] == ["epoch", "split"]
