import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rbc.scoring.bouts import find_bouts
from rbc.scoring.labels import minutes, prevalence, unscored, with_slack

tracks = st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=40).map(lambda t: np.array(t, np.int8)[:, None])


def test_prevalence_is_the_share_of_scored_frames_of_all_sessions():
    one, two = np.array([[1, -1], [0, -1], [-1, -1]], np.int8), np.array([[1, -1]], np.int8)
    assert prevalence({"a": one, "b": two}).tolist() == [2 / 3, 0]


def test_minutes_count_frames_in_which_anything_was_scored():
    track = np.full((6000, 2), -1, np.int8)
    track[:1500, 0], track[1000:3000, 1] = 0, 1
    assert minutes({"a": track, "b": track}, 50.0) == 2.0


def test_frames_are_unscored_where_no_behaviour_was_and_where_there_are_no_labels():
    tracks = {"a": np.array([[-1, -1], [0, -1], [1, 1]], np.int8)}
    assert unscored(tracks, "a", 3).tolist() == [True, False, False]
    assert unscored(tracks, "b", 2).tolist() == [True, True]


def test_slack_lies_before_onsets_and_behind_ends():
    track = np.array([[0, 0, 0, 0, 1, 1, 0, 0, 0, 1]], np.int8).T
    assert with_slack(track, 2, 1)[:, 0].tolist() == [0, 0, -1, -1, 1, 1, -1, -1, -1, 1]
    assert with_slack(track, 0, 0)[:, 0].tolist() == track[:, 0].tolist()


@given(tracks, st.integers(0, 6), st.integers(0, 6))
def test_slack_takes_back_absence_alone_and_only_near_bouts(track, onset, offset):
    before = track.copy()
    out = with_slack(track, onset, offset)
    np.testing.assert_array_equal(track, before)
    np.testing.assert_array_equal(find_bouts(out[:, 0] == 1), find_bouts(track[:, 0] == 1))
    near = {t for a, b in find_bouts(track[:, 0] == 1) for t in (*range(a - onset, a), *range(b, b + offset))}
    for t, (old, new) in enumerate(zip(track[:, 0], out[:, 0], strict=True)):
        assert new == (-1 if old == 0 and t in near else old)
