import copy

import numpy as np
import pytest
import tiny
import torch

from rbc.learning import aligning
from rbc.learning.aligning import align_sessions
from rbc.learning.training import Chance
from rbc.scoring.splits import Ledger

NAMES = ("F1D1", "F2D1", "M1D1")
SETTINGS = dict(steps=3, batch_size=4, crop_frames=64, lr=0.01, temperature=0.1, shrinkage=0.1,
                weights={"structure": 1.0, "supervised": 1.0, "classes": 0.5})


def run(scratch, labelled=2, **changes):
    """Network before and after, history and ledger; the last session has no labels."""
    sessions = {n: tiny.session(n, 200, seed=i) for i, n in enumerate(NAMES)}
    ledger, chance = Ledger(), Chance(0)
    everything = tiny.corpus(sessions, ledger)
    own = tiny.corpus(sessions, ledger)
    own.labels = {n: sessions[n].labels for n in NAMES[:labelled]}
    network = tiny.model().network
    before = copy.deepcopy(network)
    history = align_sessions(network, own, everything, **SETTINGS | changes, chance=chance, scratch=scratch)
    return before, network, history, ledger


def test_only_the_adapters_map_moves(tmp_path):
    before, network, history, ledger = run(tmp_path, shrinkage=0.0)
    old, new = before.state_dict(), network.state_dict()
    assert {k for k in old if not torch.equal(old[k], new[k])} == {k for k in old if "_adapter.shared." in k}
    assert all(p.requires_grad for p in network.parameters())
    assert {n for n, what, _ in ledger.intervals() if what == "labels"} <= set(NAMES[:2])
    assert np.isfinite(list(history[0].values())).all()


def test_without_steps_nothing_moves(tmp_path):
    before, network, history, _ = run(tmp_path, steps=0)
    assert tiny.same_bytes(before, network) and not history


def test_shrinkage_keeps_the_map_near_to_the_pretrained_one(tmp_path):
    def moved(shrinkage: float) -> float:
        before, network, *_ = run(tmp_path / str(shrinkage), steps=20, shrinkage=shrinkage)
        pairs = zip(aligning.shared_map(before), aligning.shared_map(network), strict=True)
        return sum((a - b).square().sum().item() for a, b in pairs)

    assert 0 < moved(100.0) < moved(0.0) / 2


def test_a_single_labelled_session_is_enough_to_go_on(tmp_path):
    _, network, history, _ = run(tmp_path, labelled=1)
    assert history[0]["supervised"] == 0 and all(p.isfinite().all() for p in network.parameters())


def test_killed_and_resumed_it_ends_in_the_same_bytes(tmp_path, monkeypatch):
    tiny.killed_at(monkeypatch, aligning, None)
    _, network, history, ledger = run(tmp_path / "whole", steps=5)
    tiny.killed_at(monkeypatch, aligning, 3)
    with pytest.raises(tiny.Killed):
        run(tmp_path / "cut", steps=5)
    tiny.killed_at(monkeypatch, aligning, None)
    _, again, rows, served = run(tmp_path / "cut", steps=5)
    assert tiny.same_bytes(network, again) and history == rows and ledger.intervals() == served.intervals()
