import numpy as np
import pytest

from rbc.scoring.forest import Forest, drawn_frames, window_features
from rbc.scoring.metrics import average_precision

SETTINGS = {"windows": (16,), "seed": 1, "trees": 20, "max_frames": 1000}


def test_window_features_are_plain_statistics_of_each_window():
    x = np.random.default_rng(0).normal(5, 2, size=(50, 3)).astype(np.float32)
    got = window_features(x, (4, 16)).reshape(50, 11, 3)
    assert got.dtype == np.float32
    for t in (0, 1, 20, 49):
        np.testing.assert_array_equal(got[t, 0], x[t])
        for k, half in enumerate((2, 8)):
            low, high = max(t - half, 0), min(t + half + 1, 50)
            part = x[low:high]
            step = x[t:high].mean(0) - x[low : t + 1].mean(0)
            wanted = np.stack([part.mean(0), part.std(0), part.min(0), part.max(0), step])
            np.testing.assert_allclose(got[t, 1 + 5 * k : 6 + 5 * k], wanted, atol=1e-5)


def test_window_features_leave_out_what_is_missing_and_leave_the_input_alone():
    x = np.arange(20, dtype=np.float32)[:, None]
    x[5:7] = np.nan
    before = x.copy()
    got = window_features(x, (2,))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(got[4], [4, 3.5, 0.5, 3, 4, 0.5], atol=1e-5)
    x[3:15] = np.nan
    assert np.isnan(window_features(x, (2,))[9]).all()
    np.testing.assert_array_equal(window_features(x, (2,), np.array([2, 9])), window_features(x, (2,))[[2, 9]])


def test_drawn_frames_are_scored_and_keep_what_is_rare():
    labels = np.zeros(1000, np.int8)
    labels[:300], labels[500:520] = -1, 1
    rng = np.random.default_rng(0)
    drawn = drawn_frames(labels, 100, rng)
    assert len(np.unique(drawn)) == 100 and (labels[drawn] >= 0).all()
    assert (labels[drawn] == 1).sum() == 20
    assert len(drawn_frames(labels, 5000, rng)) == 700
    assert len(drawn_frames(np.ones(50, np.int8), 20, rng)) == 20


def session(seed, frames=600):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random((frames // 30, 2)) < 0.4, 30, axis=0).astype(np.int8)
    x = np.concatenate([labels + 0.5 * rng.normal(size=labels.shape), rng.normal(size=(frames, 2))], axis=1)
    labels[: frames // 4, 0] = -1
    return x.astype(np.float32), labels


def test_the_forest_finds_what_features_say_and_repeats_itself():
    train, (x, labels) = [session(s) for s in range(3)], session(7)
    first, again = (Forest.grow(train, "aab", **SETTINGS).probability(x) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == labels.shape
    assert all(average_precision(labels[:, c], first[:, c]) > 0.9 for c in range(2))


def test_of_an_animal_speak_the_trees_that_did_not_learn_from_it():
    """Two animals contradict each other: what is said of either is what the other's labels teach."""
    (x, labels), (other, lies) = session(0), session(1)
    lies = np.where(lies < 0, lies, 1 - lies).astype(np.int8)
    forest = Forest.grow([(x, labels), (other, lies)], ["F1", "M1"], **SETTINGS)
    for animal, features, y in (("F1", x, labels), ("M1", other, lies)):
        said = forest.probability(features, unseen=animal)
        assert ((said > 0.5) == y)[y >= 0].mean() < 0.15


def test_groups_of_frames_are_left_out_as_those_of_sessions_are():
    """The second half of the labels contradicts the first: what is said of either is what the other teaches."""
    x, labels = session(0)
    half = np.arange(len(x)) // 300
    lies = np.where((labels < 0) | (half == 0)[:, None], labels, 1 - labels).astype(np.int8)
    said = Forest.grow([(x, lies)], [half], **SETTINGS).probability(x, unseen=half)
    assert all(((said > 0.5) == lies)[(half == h)[:, None] & (lies >= 0)].mean() < 0.15 for h in (0, 1))


def test_what_is_scored_in_one_animal_alone_is_not_left_out():
    (x, labels), (other, rest) = session(0), session(1)
    rest[:, 1] = -1
    forest = Forest.grow([(x, labels), (other, rest)], ["F1", "M1"], **SETTINGS)
    assert all(np.isfinite(forest.probability(x, unseen=animal)).all() for animal in (None, "F1", "M1"))


def test_of_some_frames_is_said_what_is_said_of_them_among_all():
    x, labels = session(0)
    forest, rows = Forest.grow([(x, labels)], ["F1"], **SETTINGS), np.array([0, 7, 599])
    np.testing.assert_array_equal(forest.probability(x, rows), forest.probability(x)[rows])
    assert forest.probability(x, np.array([], int)).shape == (0, 2)  # a session may be scored throughout


def test_the_forest_lives_with_missing_values_and_one_class():
    x, labels = session(0)
    x[100:200] = np.nan
    labels[:, 1] = 0
    probability = Forest.grow([(x, labels)], ["F1"], **SETTINGS).probability(x)
    assert np.isfinite(probability).all() and (probability[:, 1] == 0).all()
    with pytest.raises(ValueError, match=r"behaviours \[1\]"):
        Forest.grow([(x, np.stack([labels[:, 0], np.full(600, -1)], 1))], ["F1"], **SETTINGS)
