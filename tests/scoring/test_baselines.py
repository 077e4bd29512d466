import numpy as np

from rbc.scoring.baselines import random_forest, validity_only
from rbc.scoring.metrics import average_precision


def test_what_the_forest_says_of_training_animals_is_of_their_scored_frames():
    x = np.random.default_rng(0).normal(size=(3, 400, 2)).astype(np.float32)
    labels = (x > 0).astype(np.int8)
    labels[:, :100, 0], labels[1, 100:150] = -1, -1
    train, settings = list(zip(x, labels, strict=True)), {"windows": (4,), "seed": 1, "trees": 20, "max_frames": 500}
    (said,), known = random_forest(train, [x[0]], "aab", **settings)
    assert said.shape == (400, 2) and [p.shape for p in known] == [(400, 2), (350, 2), (400, 2)]
    assert not random_forest(train, [x[0]], "aaa", **settings)[1]  # nobody is left to speak of a single animal


def test_of_a_training_animal_speak_the_trees_that_did_not_learn_from_it():
    """Two animals contradict each other: what is said of either is what the other's labels teach."""
    x = np.random.default_rng(1).normal(size=(2, 400, 2)).astype(np.float32)
    labels = np.stack([x[0] > 0, x[1] <= 0]).astype(np.int8)
    labels[:, :100, 0] = -1
    _, known = random_forest(list(zip(x, labels, strict=True)), [], ["F1", "M1"], windows=(4,), seed=1, trees=20)
    for said, y in zip(known, labels, strict=True):
        assert ((said > 0.5) == y)[y >= 0].mean() < 0.15


def test_validity_alone_tells_what_missingness_gives_away():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.random((40, 2)) < 0.4, 25, axis=0).astype(np.int8)
    valid = np.stack([np.ones(1000, bool), (labels[:, 0] == 0) | (rng.random(1000) < 0.3)], axis=1)
    (probability,), _ = validity_only([(valid, labels)], [valid], ["F1"], windows=(16,), seed=0, trees=10)
    assert average_precision(labels[:, 0], probability[:, 0]) > 0.9
    fresh = np.repeat(rng.random((40, 2)) < 0.4, 25, axis=0).astype(np.int8)
    (probability,), _ = validity_only([(valid, labels)], [valid], ["F1"], windows=(16,), seed=0, trees=10)
    assert average_precision(fresh[:, 1], probability[:, 1]) < 0.6
