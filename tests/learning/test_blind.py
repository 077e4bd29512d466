import numpy as np
import pytest

from rbc.learning.blind import blind_opinion, stretches

SETTINGS = {"rate_hz": 4.0, "trees": 20, "windows": (4,), "seed": 1}  # a stretch is 20 frames long at least


def test_stretches_are_long_enough_and_cut_no_bout():
    labels = np.zeros((60, 2), np.int8)
    labels[8:13, 0] = labels[12:15, 1] = labels[29:31, 0] = 1
    numbers = stretches(labels, 10)
    assert np.flatnonzero(np.diff(numbers)).tolist() == [14, 24, 34, 44, 54] and numbers[0] == 0
    for y in labels.T:
        assert all(len(set(numbers[a:b])) == 1 for a, b in ((8, 13), (29, 31)) if y[a:b].all())
    labels[20:50] = -1  # of what nobody scored a stretch may hold as much as it likes
    assert np.flatnonzero(np.diff(stretches(labels, 10))).tolist() == [14, 54]
    assert stretches(np.full((5, 2), -1, np.int8), 10).tolist() == [0] * 5


@pytest.fixture
def world():
    """Of two sessions features that tell two behaviours apart, and what people say: one of the first's bouts in "a" is
    called the second's, and of the last 40 frames of "b" nothing."""
    rng, truth = np.random.default_rng(0), np.zeros((400, 2), np.int8)
    for start in range(5, 400, 40):
        truth[start : start + 12, 0] = truth[start + 20 : start + 32, 1] = 1
    features = {n: (truth + 0.3 * rng.normal(size=truth.shape)).astype(np.float32) for n in "ab"}
    labels = {"a": truth.copy(), "b": truth.copy()}
    labels["a"][85:97] = [0, 1]
    labels["b"][360:] = -1
    return features, labels


def test_a_bout_is_called_what_the_others_like_it_are_called(world):
    said = blind_opinion(*world, **SETTINGS)
    assert {n: (x.shape, x.dtype) for n, x in said.items()} == dict.fromkeys("ab", ((400, 2), np.float16))
    first, second = said["a"][87:95].mean(0, dtype=float)
    assert first > 0.8 and second < 0.2
    assert np.isnan(said["b"][360:]).all() and np.isfinite(said["b"][:360]).all() and np.isfinite(said["a"]).all()


def test_of_a_behaviour_that_no_other_stretch_shows_nothing_is_said(world):
    features, labels = world
    for y in labels.values():
        y[:, 1] = np.where(y[:, 1] < 0, -1, 0)
    labels["a"][25:37, 1] = 1
    said = blind_opinion(features, labels, **SETTINGS)["a"]
    assert np.isnan(said[25:37, 1]).all() and np.isfinite(said[:, 0]).all() and np.isfinite(said[60:80]).all()


def test_of_a_single_stretch_nothing_is_said(world):
    features, labels = world
    assert blind_opinion({"a": features["a"][:30]}, {"a": labels["a"][:30]}, **SETTINGS | {"rate_hz": 10.0}) == {}
