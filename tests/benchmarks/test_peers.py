from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers import gradient_boosting
from benchmarks.peers.methods import METHODS
from benchmarks.peers.training_data import TrainingData
from rbc.scoring.metrics import average_precision

LEARNT = "raw_trees", "gradient_boosting"
ANIMALS = {"a1": "A", "a2": "A", "b": "B", "c": "C", "held": "D", "blind": "E"}


def session(seed, frames=600):
    """Features of which the first two are the behaviours and noise, the others noise; and labels, partly not scored."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random((frames // 30, 2)) < 0.4, 30, axis=0).astype(np.int8)
    x = np.concatenate([labels + 0.4 * rng.normal(size=labels.shape), rng.normal(size=(frames, 3))], axis=1)
    labels[: frames // 4, 0] = labels[: frames // 6] = -1
    return x.astype(np.float32), labels


def example():
    """Training data, held-out features and their labels; a modality is missing here and there, and in `blind`."""
    x, labels = zip(*(session(seed) for seed in range(len(ANIMALS))), strict=True)
    features = dict(zip(ANIMALS, x, strict=True))
    features["b"][100:200, 1:] = np.nan
    features["c"][:, 4] = np.nan
    features["blind"][:, 1:] = np.nan
    held = {name: features.pop(name) for name in ("held", "blind")}
    truth = dict(zip(ANIMALS, labels, strict=True))
    data = TrainingData(features, {name: truth[name] for name in ("a1", "b", "c")}, ANIMALS, rate_hz=50.0, windows=(16, 64), seed=3)
    return data, held, truth


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(gradient_boosting, "TREES", 8)


def scores(predicted, truth):
    return [average_precision(truth["held"][:, c], predicted["held"][:, c]) for c in range(2)]


@pytest.mark.parametrize("method", [*LEARNT, "random_forest"])
def test_a_peer_learns_and_its_out_of_fold_predictions_do_not_depend_on_the_animal(method):
    data, held, truth = example()
    predicted, out_of_fold = METHODS[method](data, held)
    assert min(scores(predicted, truth)) > 0.8  # chance is near 0.4
    assert average_precision(truth["blind"][:, 0], predicted["blind"][:, 0]) > 0.8  # the first feature is still there
    assert list(predicted) == list(held) and list(out_of_fold) == ["a1", "b", "c"]
    for name, p in (predicted | out_of_fold).items():
        assert p.dtype == np.float32 and p.shape == (500 if name in out_of_fold else 600, 2)
        assert p.min() >= 0 and p.max() <= 1
    if method == "random_forest":
        return  # the draws of its groups follow each other: tests/scoring/test_baselines.py
    turned = np.where(truth["a1"] < 0, truth["a1"], 1 - truth["a1"])
    otherwise, unmoved = METHODS[method](replace(data, labels=data.labels | {"a1": turned}), held)
    np.testing.assert_array_equal(unmoved["a1"], out_of_fold["a1"])  # same bytes too
    assert (unmoved["b"] != out_of_fold["b"]).any() and (otherwise["held"] != predicted["held"]).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_single_animal_has_no_out_of_fold_predictions(method):
    data, held, truth = example()
    lone = replace(data, features={"a1": data.features["a1"]}, labels={"a1": data.labels["a1"]})
    predicted, out_of_fold = METHODS[method](lone, held)
    assert out_of_fold == {} and set(predicted) == set(held)


@pytest.mark.parametrize("method", LEARNT)
def test_a_behaviour_of_one_class_and_one_that_is_not_scored(method):
    data, held, truth = example()
    never = {name: np.where(y < 0, y, y * np.int8([1, 0])) for name, y in data.labels.items()}
    predicted, out_of_fold = METHODS[method](replace(data, labels=never), held)
    assert max(p[:, 1].max() for p in [*predicted.values(), *out_of_fold.values()]) < 0.5
    nowhere = {name: np.where([False, True], np.int8(-1), y) for name, y in data.labels.items()}
    with pytest.raises(ValueError, match=r"behaviours \[1\]"):
        METHODS[method](replace(data, labels=nowhere), held)


@pytest.mark.parametrize("method", [*LEARNT, "random_forest"])
def test_a_feature_may_be_missing_in_every_training_session(method):
    data, held, truth = example()
    for x in data.features.values():
        x[:, 3] = np.nan
    predicted, _ = METHODS[method](data, held)
    assert min(scores(predicted, truth)) > 0.55


def test_validity_only_reads_nothing_but_what_is_there():
    data, held, _ = example()
    predicted, _ = METHODS["validity_only"](data, held)
    other, _ = METHODS["validity_only"](data, {name: x * 2 + 1 for name, x in held.items()})
    np.testing.assert_array_equal(predicted["held"], other["held"])
    assert len(np.unique(predicted["held"], axis=0)) <= 2 * max(16, 64, 128)  # nothing but nearness of the ends
