import numpy as np
import pytest

from rbc import rooms
from rbc.scoring.bouts import find_bouts
from rbc.scoring.sieve import BEYOND, ENOUGH_RIGHT, ENOUGH_WRONG, fit_sieve, seen, sift


def world(n=100, length=10, wrong=3.0, width=2):
    """A session with `n` right bouts, far apart and clear, and as many wrong ones, short and on a slope; evidence (T, C),
    decided and labels of every behaviour alike."""
    evidence = np.full((n * 8 * length, width), -4.0)
    labels = np.zeros(evidence.shape, np.int8)
    for start in range(length, len(evidence), 8 * length):
        evidence[start:start + length], labels[start:start + length] = 4.0, 1
        middle = start + 4 * length
        evidence[middle - length:middle + length] = -1.0
        evidence[middle:middle + length // 3] = wrong
    return evidence, evidence > 0, labels


def test_a_bout_is_seen_by_what_is_said_within_it_and_as_long_beside_it():
    evidence = np.array([1.0, -3, -1, 4, 2, -2, -2, 9])
    got = seen(evidence, np.array([[0, 1], [3, 5], [7, 8]]))
    np.testing.assert_allclose(got, [[1, 0, BEYOND, -3], [3, np.log(2), -2, -2], [9, 0, -2, BEYOND]])
    assert seen(evidence, np.zeros((0, 2), int)).shape == (0, 4)


@pytest.mark.parametrize("piece", [1, 3, 16, 64])
def test_bouts_across_pieces_are_seen_as_in_one_go(piece, monkeypatch):
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=50)
    runs = find_bouts(np.repeat(rng.random(25) < 0.5, 2))
    whole = seen(evidence, runs)
    monkeypatch.setattr(rooms, "PIECE", piece)
    np.testing.assert_array_equal(seen(evidence, runs), whole)


def test_bouts_that_look_like_wrong_ones_go_and_others_stay():
    evidence, decided, labels = world()
    weights = fit_sieve([evidence], [decided], [labels])
    fresh, found, truth = world(n=7)
    np.testing.assert_array_equal(sift(fresh, found.copy(), weights), truth == 1)
    assert weights.shape == (2, 5) and (weights[0, :4] == weights[1, :4]).all()


@pytest.mark.parametrize("right, wrong, learnt", [
    (ENOUGH_RIGHT, ENOUGH_WRONG, True), (ENOUGH_RIGHT - 1, ENOUGH_WRONG, False), (ENOUGH_RIGHT, ENOUGH_WRONG - 1, False)])
def test_of_few_right_or_few_wrong_bouts_nothing_is_learnt_and_all_are_kept(right, wrong, learnt):
    evidence, _, labels = world(width=1)
    for start, stop in find_bouts(labels[:, 0])[right:]:
        evidence[start:stop] = -4.0
    for start, stop in find_bouts((evidence[:, 0] > 0) & (labels[:, 0] == 0))[wrong:]:
        evidence[start:stop] = -4.0
    weights = fit_sieve([evidence], [evidence > 0], [labels])
    assert weights.any() == learnt
    if not learnt:
        np.testing.assert_array_equal(sift(evidence, evidence > 0, weights), evidence > 0)
    np.testing.assert_array_equal(sift(evidence, evidence > 0, 0.0), evidence > 0)


@pytest.mark.parametrize("scored, learnt", [(0.6, True), (0.3, False)])
def test_bouts_that_hardly_anybody_scored_teach_nothing(scored, learnt):
    evidence, decided, labels = world()
    for start, stop in find_bouts(decided[:, 0]):
        labels[start:stop - round(scored * (stop - start))] = -1
    assert fit_sieve([evidence], [decided], [labels]).any() == learnt


def test_a_behaviour_that_is_often_wrong_needs_more_to_be_believed():
    evidence, decided, labels = world(wrong=4.0)
    labels[:, 1] = 0
    weights = fit_sieve([evidence], [decided], [labels])
    assert weights[1, 4] < weights[0, 4]


def test_of_a_behaviour_that_would_lose_by_it_all_bouts_are_kept():
    """Its only bout is right and looks like the wrong ones of another."""
    evidence, decided, labels = world(wrong=1.0)
    start, stop = find_bouts(decided[:, 1])[1]
    beside = np.zeros(len(labels), bool)
    beside[start - 10:stop + 10] = True
    evidence[~beside, 1], labels[:, 1] = -4.0, 0
    labels[start:stop, 1] = 1
    weights = fit_sieve([evidence], [evidence > 0], [labels])
    assert weights[0].any() and not weights[1].any()


def test_bouts_that_are_as_often_right_as_wrong_stay_and_the_more_is_right_the_more_a_bout_has_to_be():
    """All bouts look alike; of a behaviour whose F1 is 2/3 half of them may be wrong, but no more than 2/3."""
    length, n = 10, 210
    starts = np.arange(length, 4 * n * length, 4 * length)
    evidence, labels = np.full((4 * n * length + length, 1), -4.0), np.zeros((4 * n * length + length, 1), np.int8)
    for k, start in enumerate(starts):
        evidence[start:start + length] = 4.0
        labels[start:start + length] = k % 2
    weights = fit_sieve([evidence], [evidence > 0], [labels])
    np.testing.assert_array_equal(sift(evidence, evidence > 0, weights), evidence > 0)
    slopes_see_alike = seen(evidence[:, 0], np.array([[starts[1], starts[1] + length]]))[0] @ weights[0, :4]
    assert slopes_see_alike + weights[0, 4] == pytest.approx(np.log(1) - np.log(1 / 2), abs=0.05)
