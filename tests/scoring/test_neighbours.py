import numpy as np
import pytest

from rbc.scoring.neighbours import neighbour_agreement, session_mixing, silhouette

RNG = np.random.default_rng(0)
SESSION = np.repeat(["a", "b", "c"], [200, 100, 100])


def test_sessions_mix_perfectly_where_they_do_not_matter_and_not_at_all_where_they_are_apart():
    z = RNG.normal(size=(400, 3))
    assert session_mixing(z, SESSION) == pytest.approx(1, abs=0.05)
    apart = z + 100 * np.searchsorted(["a", "b", "c"], SESSION)[:, None]
    assert session_mixing(apart, SESSION) == 0
    assert session_mixing(z, np.full(400, "a")) == 0


def test_neighbours_agree_where_behaviours_are_places():
    doing = np.arange(400) % 4
    labels = np.eye(4, dtype=np.int8)[doing]
    z = 10 * labels + 0.1 * RNG.normal(size=(400, 4))
    assert neighbour_agreement(z, labels, SESSION) == 1
    assert neighbour_agreement(RNG.normal(size=(400, 4)), labels, SESSION) == pytest.approx(0.25, abs=0.05)
    two = np.maximum(labels, np.roll(labels, 1, axis=1))  # neighbours share one of three
    assert neighbour_agreement(np.repeat(z[:1], 400, 0) + 0.1 * z, two, SESSION) == 1


def test_overlap_is_counted_as_jaccard_and_empty_frames_agree_with_each_other():
    session, z = np.repeat(["a", "b"], 20), np.zeros((40, 2))
    labels = np.tile(np.array([[1, 1, 0]], np.int8), (40, 1))
    labels[20:] = [1, 0, 1]
    assert neighbour_agreement(z, labels, session) == pytest.approx(1 / 3)
    assert neighbour_agreement(z, 0 * labels, session) == 1
    assert neighbour_agreement(z, -np.ones_like(labels), session) == 1
    assert np.isnan(neighbour_agreement(z, labels, np.full(40, "a")))


def test_silhouette_takes_frames_of_one_behaviour():
    labels = np.eye(3, dtype=np.int8)[np.arange(90) % 3]
    z = 10 * labels + 0.1 * RNG.normal(size=(90, 3))
    assert silhouette(z, labels) > 0.95
    crowd = np.concatenate([labels, np.ones((30, 3), np.int8)])
    assert silhouette(np.concatenate([z, RNG.normal(size=(30, 3))]), crowd) == silhouette(z, labels)
    assert np.isnan(silhouette(z[::3], labels[::3])) and np.isnan(silhouette(z[:3], labels[:3]))
