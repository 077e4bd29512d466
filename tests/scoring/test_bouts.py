import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from rbc.scoring.bouts import bout_counts, bout_f1, bout_sides, find_bouts, match_bouts, onset_errors, scored_bouts

tracks = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)
pairs_of_tracks = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)] * 2))
ious = st.sampled_from([0.1, 0.25, 0.5, 1.0])


def iou_table(true, predicted):
    shared = np.minimum(true[:, None, 1], predicted[None, :, 1]) - np.maximum(true[:, None, 0], predicted[None, :, 0])
    shared = np.maximum(shared, 0)
    size = lambda b: b[:, 1] - b[:, 0]  # noqa: E731
    return shared / (size(true)[:, None] + size(predicted)[None] - shared)


@given(tracks)
def test_bouts_rebuild_the_track(track):
    again = np.zeros(len(track), bool)
    bouts = find_bouts(track)
    for start, stop in bouts:
        assert start < stop and not again[max(start - 1, 0) : stop].any()
        again[start:stop] = True
    np.testing.assert_array_equal(again, track)


@given(pairs_of_tracks, ious)
def test_matching_is_one_to_one_valid_and_as_large_as_can_be(tracks, iou):
    true, predicted = map(find_bouts, tracks)
    pairs = match_bouts(true, predicted, iou)
    assert len(set(pairs[:, 0])) == len(pairs) == len(set(pairs[:, 1]))
    if len(true) and len(predicted):
        edges = iou_table(true, predicted) >= iou
        assert edges[pairs[:, 0], pairs[:, 1]].all()
        assert len(pairs) == (maximum_bipartite_matching(csr_matrix(edges)) >= 0).sum()
    else:
        assert len(pairs) == 0


@given(pairs_of_tracks, ious)
def test_matching_is_the_same_from_both_sides(tracks, iou):
    true, predicted = map(find_bouts, tracks)
    matched, n, m = bout_counts(true, predicted, iou)
    assert tuple(bout_counts(predicted, true, iou)) == (matched, m, n)


@given(tracks)
def test_perfect_prediction_scores_one(track):
    bouts = find_bouts(track)
    f1 = bout_f1(bout_counts(bouts, bouts, 0.5))
    assert f1 == 1 if len(bouts) else np.isnan(f1)


def test_an_iou_that_equals_the_bound_counts():
    assert len(match_bouts(np.array([[0, 30]]), np.array([[0, 3]]), 0.1)) == 1
    assert len(match_bouts(np.array([[0, 30]]), np.array([[0, 2]]), 0.1)) == 0


def test_a_bout_in_two_pieces_is_found_once():
    counts = bout_counts(np.array([[0, 10]]), np.array([[0, 5], [5, 10]]), 0.5)
    np.testing.assert_array_equal(counts, [1, 1, 2])
    assert bout_f1(counts) == pytest.approx(2 / 3)
    assert [float(side) for side in bout_sides(counts)] == [1.0, 0.5]


def test_sides_without_a_prediction_are_zero_and_without_a_bout_unknown():
    assert [float(s) for s in bout_sides(np.array([0, 4, 0]))] == [0, 0]
    assert all(np.isnan(s) for s in bout_sides(np.array([0, 0, 3])))


@pytest.mark.parametrize("iou", [0, -0.5, 1.5])
def test_an_iou_out_of_range_is_refused(iou):
    with pytest.raises(ValueError, match="0 < iou <= 1"):
        match_bouts(np.zeros((0, 2)), np.zeros((0, 2)), iou)


def test_frames_not_scored_cut_both_sides_and_have_no_onset():
    labels = np.array([-1, -1, 1, 1, 0, 0, 1, 1, 1, -1, 1, 0], np.int8)
    decision = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0], bool)
    true, predicted = scored_bouts(labels, decision)
    np.testing.assert_array_equal(true, [[2, 4], [6, 9], [10, 11]])
    np.testing.assert_array_equal(predicted, [[2, 4], [5, 9], [10, 11]])
    np.testing.assert_array_equal(onset_errors(labels, true, predicted, 0.5), [-1])


def test_onset_errors_are_the_shift():
    track = np.zeros(100, bool)
    track[[*range(20, 40), *range(60, 80)]] = True
    true, predicted = find_bouts(track), find_bouts(np.roll(track, 3))
    np.testing.assert_array_equal(onset_errors(track.astype(np.int8), true, predicted, 0.5), [3, 3])
