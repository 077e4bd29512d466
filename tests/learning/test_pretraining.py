import numpy as np
import pytest
import tiny
import torch
from tiny import EVERY_ENCODER

from rbc.features import imu_features, pose_features
from rbc.learning import pretraining
from rbc.learning.pretraining import fit_scaling, pretrain, view_of, whole_sessions
from rbc.learning.training import Chance

NAMES = ("F1D1", "M1D1")
SETTINGS = dict(
    steps=3, batch_size=4, crop_frames=64, lr=0.01, weight_decay=0.01, temporal_unit=1, alpha=0.5, exclusion_frames=2,
    mask="binomial", mask_share=0.3, augmentation=tiny.AUGMENTATION,
    weights={"contrast": 0.5, "cross_modal": 1.0, "reconstruct": 1.0, "programmed": 1.0},
)
GOLDEN = {"loss": 6.529912, "contrast": 3.037800, "cross_modal": 1.801160, "reconstruct": 2.466658, "programmed": 0.743194}


def corpus(**changes):
    return tiny.corpus({n: tiny.session(n, 200, seed=i, **changes) for i, n in enumerate(NAMES)})


def run(scratch, made=None, encoder="conv", **changes):
    """Network, history and corpus of a short pretraining."""
    chance, made = Chance(0), made or corpus()
    model = tiny.model(encoder=encoder)
    fit_scaling(model.network, made)
    history = pretrain(model.network, made, **SETTINGS | changes, chance=chance, scratch=scratch)
    return model.network, history, made


def test_three_steps_cost_what_they_always_did(tmp_path):
    """Golden losses: a refactoring must not move them; a change of the method may, and then writes new ones."""
    _, history, made = run(tmp_path)
    assert {k: history[-1][k] for k in GOLDEN} == pytest.approx(GOLDEN, rel=1e-3)
    assert history[-1].keys() == GOLDEN.keys() | {"epoch"}
    assert {what for _, what, _ in made.ledger.intervals()} == {"signals"}


def test_without_steps_nothing_moves_but_the_scaling(tmp_path):
    network, history, made = run(tmp_path, steps=0)
    fresh = tiny.model().network
    fit_scaling(fresh, made)
    assert tiny.same_bytes(fresh, network) and not history


def test_killed_and_resumed_it_ends_in_the_same_bytes(tmp_path, monkeypatch):
    tiny.killed_at(monkeypatch, pretraining, None)
    network, history, made = run(tmp_path / "whole", steps=5)
    tiny.killed_at(monkeypatch, pretraining, 3)
    with pytest.raises(tiny.Killed):
        run(tmp_path / "cut", steps=5)
    tiny.killed_at(monkeypatch, pretraining, None)
    again, rows, served = run(tmp_path / "cut", steps=5)
    assert tiny.same_bytes(network, again) and history == rows
    assert made.ledger.intervals() == served.ledger.intervals()


@pytest.mark.parametrize(("encoder", "mask"), [(EVERY_ENCODER[1], "continuous"), (EVERY_ENCODER[0], "none")])
def test_every_encoder_learns_from_signals_with_gaps(tmp_path, encoder, mask):
    network, history, _ = run(tmp_path, encoder=encoder, mask=mask, steps=2)
    assert np.isfinite(list(history[0].values())).all() and all(p.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("lost", ["imu", "pose"])
def test_a_world_with_one_modality_teaches_too(tmp_path, lost):
    made = tiny.corpus({n: tiny.session(n, 200, seed=i).without(lost) for i, n in enumerate(NAMES)})
    network, history, _ = run(tmp_path, made, steps=2)
    assert np.isfinite(list(history[0].values())).all() and all(p.isfinite().all() for p in network.parameters())


def test_scaling_is_mean_and_deviation_of_what_is_there():
    made, network = corpus(), tiny.model().network
    crops = list(whole_sessions(made))
    fit_scaling(network, made)
    for adapter, features in zip(network.adapters, (imu_features, pose_features), strict=True):
        x = torch.cat([features(c, made.recipe).flatten(0, 1) for c in crops]).double().numpy()
        np.testing.assert_allclose(adapter.mean, np.nanmean(x, 0), atol=1e-4)
        np.testing.assert_allclose(adapter.std, np.maximum(np.nanstd(x, 0), 0.01), atol=1e-4)


def test_scaling_of_features_that_nobody_has_is_neutral():
    made, network = tiny.corpus({n: tiny.session(n, 100).without("imu") for n in NAMES}), tiny.model().network
    fit_scaling(network, made)
    assert (network.imu_adapter.mean == 0).all() and (network.imu_adapter.std == 1).all()
    view = view_of(made.batch([(NAMES[0], 0)], 64), made.recipe, network)
    assert view.imu.isnan().all() and view.pose.nanmean().isfinite()


def test_whole_sessions_serve_every_frame_once():
    made = corpus()
    assert [c.there.shape[1] for c in whole_sessions(made, frames=64)] == [64, 64, 64, 8] * 2
    assert set(map(tuple, made.ledger.intervals().values())) == {((0, 200),)}
