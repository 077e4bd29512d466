import weakref

import numpy as np
import pytest
import torch
import tiny

from rbc.inference import Encoded
from rbc.learning import mlp as mlp_module
from rbc.learning.ensemble import OutOfFold, targets, train_ensemble
from rbc.learning.mlp import head_inputs
from rbc.learning.pseudo import STRIDE, frames_of
from rbc.learning.training import Chance

SETTINGS = dict(
    hidden_dim=6, windows=(4,), members=2, epochs=2, batch_size=32, lr=0.01, weight_decay=0.01, balance=0.0,
    pseudo_weight=0.5,
)


def encoded(frames: int = 200, seed: int = 0) -> Encoded:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(3, frames, 4)).astype("f4")
    probability = (1 / (1 + np.exp(-3 * z[..., :2]))).transpose(1, 0, 2).astype("f4")
    features = tuple(rng.normal(size=(frames, width)).astype("f4") for width in (2, 3))
    return Encoded(z, probability, features, np.ones((frames, 3), bool))


WORLD = {"a": encoded(), "b": encoded(seed=1)}
LABELS = {"a": np.where(np.arange(200)[:, None] < 120, WORLD["a"].probability[:, 2] > 0.5, -1).astype("i1")}
SOFT = {n: np.full((200, 2), 0.8, "f2") for n in WORLD}


ANIMALS = {"a": "F1", "b": "M1"}
ALL = np.arange(200) % STRIDE == 0


def learn(world, labels, soft, animals, **settings):
    looked, labels, soft = at_looked(world, labels, soft)
    return train_ensemble(world.items(), looked, labels, soft, animals, **settings)


def at_looked(world, labels, soft):
    """The frames to train on, and labels and soft labels there."""
    looked = {n: frames_of(labels.get(n), len(e.there), STRIDE) for n, e in world.items()}
    at = lambda tracks: {n: x[..., looked[n], :] for n, x in tracks.items()}  # noqa: E731
    return looked, at(labels), at(soft)


def run(scratch, soft=SOFT, labels=LABELS, animals=ANIMALS, **changes):
    return learn(WORLD, labels, soft, animals, **SETTINGS | changes, chance=Chance(0), scratch=scratch)


def test_real_labels_come_first_and_soft_ones_weigh_less():
    labels = np.array([[1, 0], [-1, 1], [-1, -1], [-1, -1]], np.int8)
    soft = np.array([[np.nan, np.nan], [0.75, np.nan], [1.0, 0.0], [np.nan, np.nan]], "f4")
    target, weight = targets(labels, soft, (4, 2), 0.5)
    assert target.dtype == weight.dtype == np.float32
    assert weight.tolist() == [[1, 1], [0.5, 1], [0.5, 0.5], [0, 0]]
    assert target.tolist() == [[1, 0], [0.75, 1], [1, 0], [0, 0]]


def test_targets_without_labels_are_soft_ones_and_without_either_nothing():
    soft = np.array([[0.75, 0.25], [np.nan, 0.75]], "f4")
    target, weight = targets(None, soft, (2, 2), 0.5)
    assert weight.tolist() == [[0.5, 0.5], [0, 0.5]] and target.tolist() == [[0.75, 0.25], [0, 0.75]]
    labels = np.array([[1, 0], [-1, 1]], np.int8)
    target, weight = targets(labels, None, (2, 2), 0.5)
    np.testing.assert_array_equal(weight, labels >= 0)
    assert target.tolist() == [[1, 0], [0, 1]]
    assert not any(x.any() for x in targets(None, None, (2, 2), 0.5))


@pytest.mark.parametrize("soft", [SOFT, {}], ids=["soft", "labels alone"])
def test_every_frame_used_has_out_of_fold_predictions(tmp_path, soft):
    _, said, history = run(tmp_path, soft)
    for name, looked in (("a", ALL | (np.arange(200) < 120)), ("b", ALL)):
        opinion = said[name]
        assert opinion.rows.tolist() == np.flatnonzero(looked).tolist()
        assert opinion.probability.shape == (looked.sum(), 3, 2) and np.isfinite(opinion.probability).all()
        assert opinion.available.shape == (looked.sum(), 3) and opinion.available.all()
    assert [row["epoch"] for row in history] == [1, 2]


@pytest.mark.parametrize("changes", [dict(members=1), dict(animals=dict.fromkeys("ab", "F1"))])
def test_where_nothing_can_be_left_out_they_are_the_ensembles(tmp_path, changes):
    mlp, said, _ = run(tmp_path, **changes)
    for name, e in WORLD.items():
        wanted = mlp.probability(e.read)[said[name].rows]
        np.testing.assert_allclose(said[name].probability, wanted, atol=5e-3)  # inputs are kept in half precision


EAGER = dict(hidden_dim=16, windows=(), epochs=40, batch_size=64, lr=0.03, weight_decay=0.0)


def seen_by_all(frames: int, seed: int, lying: bool = False) -> tuple[Encoded, np.ndarray]:
    """A session whose latents are the same for every head, and labels that follow them (or say the opposite)."""
    e = encoded(frames, seed)
    z = np.repeat(e.latents[2:], 3, axis=0)
    return Encoded(z, e.probability, e.features, e.there), ((z[2, :, :2] > 0) ^ lying).astype("i1")


def test_predictions_for_an_animal_come_from_members_that_did_not_train_on_it(tmp_path):
    """Two animals contradict each other: what is said of either is what the other's labels teach. Sessions of one
    animal speak of each other."""
    pairs = {"a": seen_by_all(200, 0), "b": seen_by_all(200, 1, lying=True)}
    world, labels = ({n: pair[k] for n, pair in pairs.items()} for k in (0, 1))
    for animals, low, high in ((ANIMALS, 0.0, 0.15), (dict.fromkeys("ab", "F1"), 0.3, 1.0)):
        _, said, _ = learn(world, labels, {}, animals, **SETTINGS | EAGER, chance=Chance(0),
                                scratch=tmp_path / animals["b"])
        assert all(low <= ((said[n].probability.mean(1) > 0.5) == labels[n]).mean() <= high for n in world)


def test_soft_labels_teach_what_no_label_says(tmp_path):
    """A behaviour of which the labelled animal shows nothing is learnt from the others' soft labels."""
    e, truth = seen_by_all(400, 0)
    other, own = seen_by_all(400, 1)
    labels = np.where([True, False], own, -1).astype("i1")
    mlp, *_ = learn({"a": e, "b": other}, {"b": labels}, {"a": truth.astype("f2")}, ANIMALS,
                         **SETTINGS | EAGER, chance=Chance(0), scratch=tmp_path)
    says = mlp.probability(other.read).mean(1)
    assert says[own[:, 1] == 1, 1].mean() > says[own[:, 1] == 0, 1].mean() + 0.3


def test_killed_in_the_second_epoch_and_resumed_it_ends_in_the_same_bytes(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole")
    fit = mlp_module.fit

    def dying(model, step, **settings):
        def guarded(i):
            if i == settings["epoch_steps"] + 1:
                raise tiny.Killed
            return step(i)

        return fit(model, guarded, **settings)

    monkeypatch.setattr(mlp_module, "fit", dying)
    with pytest.raises(tiny.Killed):
        run(tmp_path / "cut")
    monkeypatch.undo()
    again = run(tmp_path / "cut")
    assert tiny.same_bytes(whole[0], again[0]) and whole[2] == again[2]
    for name in WORLD:
        np.testing.assert_array_equal(whole[1][name].probability, again[1][name].probability)


def test_predictions_of_some_of_the_frames():
    opinion = OutOfFold(np.array([0, 4, 5]), np.arange(3.0)[:, None, None], np.array([[True], [False], [True]]))
    rows, (probability, there) = opinion.of(np.isin(np.arange(8), (0, 1, 5)))
    assert rows.tolist() == [0, 5] and probability.ravel().tolist() == [0, 2] and there.ravel().tolist() == [True, True]


def test_a_session_is_let_go_of_once_it_is_read(tmp_path):
    alive = []

    def one_by_one():
        for name in WORLD:
            made = encoded(seed=len(alive))
            alive.append(weakref.ref(made.latents))
            yield name, made
            del made
            assert [made() is None for made in alive[:-1]] == [True] * (len(alive) - 1)

    train_ensemble(one_by_one(), *at_looked(WORLD, LABELS, SOFT), ANIMALS, **SETTINGS, chance=Chance(0), scratch=tmp_path)
    assert [made() is None for made in alive] == [True, True]


def test_every_member_that_ships_has_learnt_from_a_label(tmp_path):
    pairs = {n: seen_by_all(200, i) for i, n in enumerate("abc")}
    world = {n: pair[0] for n, pair in pairs.items()}
    mlp, *_ = learn(world, {"a": pairs["a"][1]}, {}, {"a": "F1", "b": "F2", "c": "F3"},
                         **SETTINGS | EAGER | {"members": 3}, chance=Chance(0), scratch=tmp_path)
    with torch.no_grad():
        says = mlp.eval()(head_inputs(world["b"].read, (), 0, 200))[:, :, 2] > 0
    assert (says.numpy() == pairs["b"][1]).mean((1, 2)).min() > 0.8
