import numpy as np
import pytest
import tiny

from rbc.inference import Encoded
from rbc.learning import mlp as mlp_module
from rbc.learning.selftraining import STRIDE, gather, self_train
from rbc.learning.training import Chance

SETTINGS = dict(
    hidden_dim=6, windows=(4,), members=2, n_cycles=2, epochs=2, batch_size=32, lr=0.01, weight_decay=0.01,
    negative_focus=1.0, pseudo_weight=0.5, negative_weight=0.3,
    pseudo=dict(threshold=0.9, negative_quantile=0.5, max_share=1.0),
)


def encoded(frames: int = 200, seed: int = 0) -> Encoded:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(3, frames, 4)).astype("f4")
    probability = (1 / (1 + np.exp(-3 * z[..., :2]))).transpose(1, 0, 2).astype("f4")
    features = tuple(rng.normal(size=(frames, width)).astype("f4") for width in (2, 3))
    return Encoded(z, probability, np.zeros((frames, 2), "f4"), features, np.ones((frames, 3), bool))


WORLD = {"a": encoded(), "b": encoded(seed=1)}
LABELS = {"a": np.where(np.arange(200)[:, None] < 120, WORLD["a"].probability[:, 2] > 0.5, -1).astype("i1")}
GUESSED = {n: (np.full((200, 2), 0.8, "f2"), np.tile([1, 0], (200, 1)).astype("i1")) for n in WORLD}


def run(scratch, guessed=GUESSED, **changes):
    return self_train(WORLD, LABELS, guessed, **SETTINGS | changes, chance=Chance(0), scratch=scratch)


def test_real_labels_come_first_and_pseudo_labels_thinly():
    *inputs, _, target, weight, _ = gather(WORLD, LABELS, GUESSED, (), 0.5, 0.3).gather()
    real, count = 120, 120 + 80 // STRIDE + 200 // STRIDE
    assert [x.shape for x in inputs] == [(count, 4 + width) for width in (2, 3, 5)]
    np.testing.assert_array_equal(target[:real], LABELS["a"][:120])
    assert (weight[:real] == 1).all()
    np.testing.assert_allclose(weight[real:], np.tile([0.5, 0.15], (count - real, 1)), rtol=1e-6)
    np.testing.assert_allclose(target[real:], np.full((count - real, 2), 0.8), atol=1e-3)


def test_undecided_frames_and_behaviours_that_were_scored_get_no_pseudo_label():
    labels = {"a": np.tile([1, -1], (200, 1)).astype("i1")}
    undecided = {"a": (GUESSED["a"][0], np.full((200, 2), -1, "i1"))}
    assert (gather({"a": WORLD["a"]}, labels, undecided, (), 0.5, 0.3).gather()[-2][:, 1] == 0).all()
    target, weight = gather({"a": WORLD["a"]}, labels, GUESSED, (), 0.5, 0.3).gather()[-3:-1]
    assert (weight[:, 0] == 1).all() and (target[:, 0] == 1).all()
    np.testing.assert_allclose(weight[:, 1], np.where(np.arange(200) % STRIDE == 0, 0.15, 0), rtol=1e-6)


@pytest.mark.parametrize("guessed", [GUESSED, {}])
def test_rounds_end_in_probabilities_of_every_session(tmp_path, guessed):
    mlp, probability, history = run(tmp_path, guessed)
    assert {n: p.shape for n, p in probability.items()} == {"a": (200, 3, 2), "b": (200, 3, 2)}
    np.testing.assert_array_equal(probability["b"], mlp.probability(WORLD["b"].read))
    assert [(row["cycle"], row["epoch"]) for row in history] == [(1, 1), (1, 2), (2, 3), (2, 4)]


def test_killed_in_the_second_round_and_resumed_it_ends_in_the_same_bytes(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole")
    rounds, fit = [], mlp_module.fit

    def dying(model, step, **settings):
        rounds.append(1)

        def guarded(i):
            if len(rounds) == 2 and i == settings["epoch_steps"] + 1:
                raise tiny.Killed
            return step(i)

        return fit(model, guarded, **settings)

    monkeypatch.setattr(mlp_module, "fit", dying)
    with pytest.raises(tiny.Killed):
        run(tmp_path / "cut")
    monkeypatch.undo()
    again = run(tmp_path / "cut")
    assert tiny.same_bytes(whole[0], again[0]) and whole[2] == again[2]
    np.testing.assert_array_equal(whole[1]["b"], again[1]["b"])
