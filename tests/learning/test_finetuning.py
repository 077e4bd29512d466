from dataclasses import replace

import numpy as np
import pytest
import tiny
from tiny import EVERY_ENCODER

from rbc.inference import encode
from rbc.learning import finetuning
from rbc.learning.finetuning import finetune
from rbc.learning.pretraining import fit_scaling
from rbc.learning.training import Chance
from rbc.scoring.splits import Ledger

NAMES = ("F1D1", "M1D1")
SETTINGS = dict(
    steps=3, batch_size=4, crop_frames=64, lr=0.01, weight_decay=0.01, noise_std=0.1, balance=0.5,
    ema=0.9, dwa_temperature=0.0, augmentation=tiny.AUGMENTATION,
    weights={"bce": 1.0, "supervised": 0.1, "prototype": 0.1, "consistency": 0.5},
)
GOLDEN = {"loss": 1.652769, "bce": 0.713355, "supervised": 6.779136, "prototype": 1.170738, "consistency": 0.288853}


@pytest.fixture(autouse=True)
def less_confident(monkeypatch):
    """Untrained networks are never as confident as consistency asks for."""
    monkeypatch.setattr(finetuning, "CONFIDENT", 0.6)


def run(scratch, encoder="conv", alone=False, sessions=None, **changes):
    """Student, teacher, history and ledger of a short fine-tuning."""
    sessions = sessions or {n: tiny.session(n, 200, seed=i) for i, n in enumerate(NAMES)}
    ledger, chance = Ledger(), Chance(0)
    labelled = tiny.corpus(sessions, ledger, labelled=True)
    everything = None if alone else tiny.corpus(sessions, ledger)
    network = tiny.model(encoder=encoder).network
    fit_scaling(network, labelled)
    teacher, history = finetune(network, labelled, everything, **SETTINGS | changes, chance=chance, scratch=scratch)
    return network, teacher, history, ledger


def finite(network, history) -> bool:
    tensors = (x for x in network.state_dict().values() if x.is_floating_point())
    return all(x.isfinite().all() for x in tensors) and np.isfinite(list(history[-1].values())).all()


def test_three_steps_cost_what_they_always_did(tmp_path):
    """Golden losses: a refactoring must not move them; a change of the method may, and then writes new ones."""
    _, _, history, _ = run(tmp_path)
    assert {k: history[-1][k] for k in GOLDEN} == pytest.approx(GOLDEN, rel=1e-3)
    assert history[-1].keys() == GOLDEN.keys() | {"epoch"}


def test_killed_and_resumed_it_ends_in_the_same_bytes(tmp_path, monkeypatch):
    tiny.killed_at(monkeypatch, finetuning, None)
    *networks, history, ledger = run(tmp_path / "whole", steps=7, dwa_temperature=2.0)
    tiny.killed_at(monkeypatch, finetuning, 5)
    with pytest.raises(tiny.Killed):
        run(tmp_path / "cut", steps=7, dwa_temperature=2.0)
    tiny.killed_at(monkeypatch, finetuning, None)
    *again, rows, served = run(tmp_path / "cut", steps=7, dwa_temperature=2.0)
    assert all(map(tiny.same_bytes, networks, again)) and history == rows
    assert ledger.intervals() == served.intervals()


@pytest.mark.parametrize("encoder", EVERY_ENCODER[1:])
def test_every_encoder_stays_finite(tmp_path, encoder):
    network, teacher, history, _ = run(tmp_path, encoder=encoder, steps=2)
    assert finite(network, history) and finite(teacher, history)


@pytest.mark.parametrize("lost", ["imu", "pose"])
def test_sessions_without_a_modality_teach_the_rest(tmp_path, lost):
    sessions = {n: tiny.session(n, 200, seed=i).without(lost) for i, n in enumerate(NAMES)}
    network, _, history, _ = run(tmp_path, sessions=sessions, steps=2)
    assert finite(network, history)


def test_without_unlabelled_sessions_there_is_no_consistency(tmp_path):
    network, teacher, history, ledger = run(tmp_path, alone=True, steps=2)
    assert finite(network, history) and "consistency" not in history[0] and ledger.intervals()
    assert not any(p.requires_grad for p in teacher.parameters()) and not tiny.same_bytes(network, teacher)
    weightless = SETTINGS["weights"] | {"consistency": 0.0}
    again, *_, served = run(tmp_path / "weightless", weights=weightless, steps=2)
    assert tiny.same_bytes(network, again) and served.intervals() == ledger.intervals()


def test_behaviours_that_signals_show_are_learnt(tmp_path):
    sessions = {"F1D1": tiny.session("F1D1", 600), "M1D1": tiny.session("M1D1", 600, seed=1)}
    _, teacher, history, _ = run(tmp_path, sessions=sessions, steps=30, lr=0.02, ema=0.7, noise_std=0.0, alone=True,
                                 augmentation=replace(tiny.NO_AUGMENTATION, time_warp=0.1))
    session = tiny.session("F9D1", 600, seed=9)
    said = encode(teacher, session, tiny.RECIPE).probability[:, 2]
    assert (said.argmax(1) == session.labels.argmax(1)).mean() > 0.8
