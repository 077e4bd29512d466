import numpy as np
import pytest

from rbc.scoring.baselines import (
    always_present, circular_shift, drawn_frames, prevalence_random, random_forest, validity_only,
    window_features,
)
from rbc.scoring.bouts import find_bouts
from rbc.scoring.metrics import average_precision


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
    settings = {"windows": (16,), "seed": 1, "trees": 20, "max_frames": 1000}
    (first,), known = random_forest(train, [x], "aab", **settings)
    (again,), _ = random_forest(train, [x], "aab", **settings)
    np.testing.assert_array_equal(first, again)
    assert first.shape == labels.shape
    assert all(average_precision(labels[:, c], first[:, c]) > 0.9 for c in range(2))
    assert [len(p) for p in known] == [int((y >= 0).any(1).sum()) for _, y in train]


def test_of_an_animal_speak_the_trees_that_did_not_learn_from_it():
    """Two animals contradict each other: what is said of either is what the other's labels teach."""
    (x, labels), (other, lies) = session(0), session(1)
    lies = np.where(lies < 0, lies, 1 - lies).astype(np.int8)
    settings = {"windows": (16,), "seed": 1, "trees": 20, "max_frames": 1000}
    _, known = random_forest([(x, labels), (other, lies)], [x], ["F1", "M1"], **settings)
    for said, y in zip(known, (labels, lies), strict=True):
        y = y[(y >= 0).any(1)]
        assert ((said > 0.5) == y)[y >= 0].mean() < 0.15


def test_what_is_scored_in_one_animal_alone_is_not_left_out():
    (x, labels), (other, rest) = session(0), session(1)
    rest[:, 1] = -1
    (said,), known = random_forest([(x, labels), (other, rest)], [x], ["F1", "M1"], windows=(16,), seed=1, trees=20,
                                   max_frames=1000)
    assert np.isfinite(said).all() and all(np.isfinite(p).all() for p in known)


def test_nothing_is_asked_of_a_session_that_is_scored_throughout():
    (x, labels), nobody = session(0), np.array([], int)
    said, _ = random_forest([(x, labels)], [x, x], ["F1"], windows=(16,), seed=0, trees=3, max_frames=300,
                            rows=[nobody, np.arange(5)])
    assert [p.shape for p in said] == [(0, 2), (5, 2)]


def test_the_forest_lives_with_missing_values_and_one_class():
    x, labels = session(0)
    x[100:200] = np.nan
    labels[:, 1] = 0
    (probability,), known = random_forest([(x, labels)], [x], ["F1"], windows=(16,), seed=0, trees=3, max_frames=300)
    assert np.isfinite(probability).all() and (probability[:, 1] == 0).all() and known == []
    with pytest.raises(ValueError, match=r"behaviours \[1\]"):
        random_forest([(x, np.stack([labels[:, 0], np.full(600, -1)], 1))], [x], ["F1"], windows=(16,), seed=0)


def test_validity_alone_tells_what_missingness_gives_away():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.random((40, 2)) < 0.4, 25, axis=0).astype(np.int8)
    valid = np.stack([np.ones(1000, bool), (labels[:, 0] == 0) | (rng.random(1000) < 0.3)], axis=1)
    (probability,), _ = validity_only([(valid, labels)], [valid], ["F1"], windows=(16,), seed=0, trees=10)
    assert average_precision(labels[:, 0], probability[:, 0]) > 0.9
    fresh = np.repeat(rng.random((40, 2)) < 0.4, 25, axis=0).astype(np.int8)
    (probability,), _ = validity_only([(valid, labels)], [valid], ["F1"], windows=(16,), seed=0, trees=10)
    assert average_precision(fresh[:, 1], probability[:, 1]) < 0.6


def test_chance_has_the_training_prevalence():
    train = [np.array([[1, -1], [0, -1], [1, 0], [1, 0]], np.int8)]
    (probability, decision), = prevalence_random(train, [np.zeros((20_000, 2), np.int8)], seed=0)
    np.testing.assert_allclose(probability[0], [0.75, 0])
    np.testing.assert_allclose(decision.mean(0), [0.75, 0], atol=0.01)
    assert always_present(np.zeros((4, 2))).all()


def test_the_shift_keeps_bouts_and_prevalence_and_moves_them():
    labels = np.zeros((1000, 1), np.int8)
    labels[100:150] = labels[400:430] = 1
    labels[900:] = -1
    shifted = circular_shift(labels, seed=0)
    assert shifted.sum() == (labels == 1).sum() and not shifted[900:].any()
    lengths = lambda track: sorted(b - a for a, b in find_bouts(track))  # noqa: E731
    assert lengths(shifted[:, 0]) == lengths(labels[:, 0] == 1)
    assert not (shifted & (labels == 1))[100:150].all()
