import numpy as np
import pytest

from rbc.learning.doubts import BOUT_DOUBT, Opinions, as_read, over_bouts, proofread, slips, without_doubtful
from rbc.scoring.labels import Habits, with_slack

# Present frames are said to be 5/8 on average, absent ones 3/8: in eighths, so that the means are exact.
ANNOTATED = np.array([1, 1, 1, 1, 0, 0, 0, 0, -1, -1], np.int8)
SAID = np.array([8, 6, 3, 3, 0, 2, 5, 5, 8, 0]) / 8
TRUSTED = np.array([1, 1, -1, -1, 0, 0, -1, -1, -1, -1])


def trusted(labels, opinion) -> np.ndarray:
    """What is left of the labels (T, C) of one session."""
    return without_doubtful({"a": labels}, {"a": opinion})["a"]


def test_labels_are_doubtful_from_the_other_sides_mean_on():
    labels, before = ANNOTATED[:, None], ANNOTATED.copy()
    got = trusted(labels, SAID[:, None])
    assert got[:, 0].tolist() == TRUSTED.tolist() and got.dtype == np.int8 and (ANNOTATED == before).all()
    nearly = SAID + np.array([0, 0, 1, -1, 0, 0, -1, 1, 0, 0]) / 64  # the means stay, one of each side is within them
    assert trusted(labels, nearly[:, None])[:, 0].tolist() == [1, 1, 1, -1, 0, 0, 0, -1, -1, -1]


def test_the_means_are_those_of_all_sessions_together():
    labels, opinion = ({"a": x[:6, None], "b": x[6:, None]} for x in (ANNOTATED, SAID))
    got = without_doubtful(labels, opinion | {"unlabelled": np.ones((3, 1))})
    assert list(got) == ["a", "b"] and np.concatenate([*got.values()])[:, 0].tolist() == TRUSTED.tolist()


def test_a_rare_behaviour_that_is_never_said_to_be_likely_keeps_cuts_of_its_own():
    got = trusted(ANNOTATED[:, None].repeat(2, 1), np.stack([SAID, SAID / 64], 1))
    assert (got == TRUSTED[:, None]).all()


def test_a_whole_bout_is_doubtful_of_which_little_more_is_said_than_of_absence():
    bouts = [[0.0], [7 / 8] * 16, [0.0], [1 / 8, 1 / 4, 0.0, 1 / 8] * 2, [0.0], [1 / 8, 1 / 4] * 2]
    labels = np.repeat([0, 1, 0, 1, 0, 1], [len(b) for b in bouts]).astype(np.int8)
    said = np.concatenate(bouts)
    low, high = 0.0, said[labels == 1].mean()
    assert 1 / 8 < low + BOUT_DOUBT * (high - low) < 3 / 16  # the second bout's mean, and the third's
    wanted = labels.copy()
    wanted[18:26] = -1
    np.testing.assert_array_equal(trusted(labels[:, None], said[:, None])[:, 0], wanted)


@pytest.mark.parametrize("known", [0, 1, -1])
def test_a_behaviour_that_was_never_or_always_annotated_has_no_doubtful_label(known):
    labels = np.stack([ANNOTATED, np.where(ANNOTATED < 0, -1, known)], 1).astype(np.int8)
    with np.errstate(all="raise"):
        got = trusted(labels, np.stack([SAID, SAID], 1))
    np.testing.assert_array_equal(got, np.stack([TRUSTED, labels[:, 1]], 1))


def test_each_annotators_labels_are_doubted_on_their_own():
    other = np.where(ANNOTATED < 0, -1, 0).astype(np.int8)  # saw nothing
    got = trusted(np.stack([ANNOTATED, ANNOTATED])[..., None], SAID[:, None])
    np.testing.assert_array_equal(got[..., 0], [TRUSTED, TRUSTED])
    got = trusted(np.stack([ANNOTATED, other])[..., None], SAID[:, None])
    assert got.shape == (2, len(SAID), 1) and (got[1, SAID == SAID.max()] == -1).all()


def test_a_bouts_mean_is_of_its_own_frames_and_nothing_outside_bouts():
    labels = np.array([[1, 0], [1, 1], [-1, 1], [1, 0]], np.int8)
    values = np.array([[0.5, 1.0], [1.0, 0.25], [9.0, 0.75], [0.125, 1.0]])
    nan = np.nan
    np.testing.assert_array_equal(over_bouts(values, labels), [[0.75, nan], [0.75, 0.5], [nan, 0.5], [0.125, nan]])
    both = over_bouts(values, np.stack([labels, 1 - labels * (labels >= 0)]).astype(np.int8))
    np.testing.assert_array_equal(both[0], over_bouts(values, labels))
    assert both.shape == (2, 4, 2) and both[1, 0, 1] == 1.0


# Two behaviours that never go together and one that goes with either, as two animals show them.
SHOWN = np.repeat([[1, 0, 0], [0, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]], [20] * 5 + [60], axis=0).astype(np.int8)
ANIMALS = {"a": "F1", "b": "M1"}
TWO = {"a": SHOWN, "b": SHOWN}


def heard(truth: np.ndarray) -> np.ndarray:
    """A good opinion: 7/8 of what is there, 1/32 of what is not."""
    return np.where(truth == 1, 0.875, 0.03125).astype(np.float16)


def test_a_bout_that_is_called_another_behaviour_which_never_goes_with_it_is_that_ones():
    truth = SHOWN.copy()
    truth[40:60] = [0, 1, 1]  # annotated as the first, with the third
    got = proofread(TWO, Opinions({"a": heard(truth), "b": heard(SHOWN)}), ANIMALS)
    np.testing.assert_array_equal(got["a"], truth)
    np.testing.assert_array_equal(got["b"], SHOWN)
    assert got["a"].dtype == np.int8 and (SHOWN[40:60, 0] == 1).all()  # what was given stays as it was


def test_a_bout_stays_where_the_other_behaviour_may_go_with_it_or_little_is_said_of_it_or_much_of_its_own():
    for c, said in ((2, 0.875), (1, 0.375)):
        opinion = heard(SHOWN)
        opinion[:20, 0], opinion[:20, c] = 0.125, said
        got = proofread(TWO, Opinions({"a": opinion, "b": heard(SHOWN)}), ANIMALS)["a"]
        assert (got[:20, 0] == 1).all() and (got[:20, 1] == 0).all()
    opinion = heard(SHOWN)
    opinion[:20, 0], opinion[:20, 1] = 0.375, 0.5
    assert (proofread(TWO, Opinions({"a": opinion, "b": heard(SHOWN)}), ANIMALS)["a"] == SHOWN).all()


def test_what_was_not_scored_of_the_other_behaviour_stays_so():
    labels, truth = SHOWN.copy(), SHOWN.copy()
    labels[35:45, 1], truth[40:60] = -1, [0, 1, 1]
    got = proofread({"a": labels, "b": SHOWN}, Opinions({"a": heard(truth), "b": heard(SHOWN)}), ANIMALS)["a"]
    assert got[40:60, 1].tolist() == [-1] * 5 + [1] * 15 and (got[40:60, 0] == 0).all()


def test_a_missed_bout_is_not_scored():
    labels = SHOWN.copy()
    labels[50:60, 2] = 0
    got = proofread({"a": labels, "b": SHOWN}, Opinions({n: heard(SHOWN) for n in "ab"}), ANIMALS)
    assert (got["a"][50:60, 2] == -1).all() and (got["a"][:50] == SHOWN[:50]).all() and (got["b"] == SHOWN).all()


def test_of_what_no_one_is_sure_nothing_is_missed():
    """A rare behaviour of which at most a third is ever said keeps its absent frames, however much they look like it."""
    opinion = {n: (heard(SHOWN) * 3 / 8).astype(np.float16) for n in "ab"}
    opinion["a"][80:100] = 0.375
    assert all((y == SHOWN).all() for y in proofread(TWO, Opinions(opinion), ANIMALS).values())


@pytest.mark.parametrize("said_of_absent, corrected", [(0.0625, True), (0.25, False)])
def test_of_a_behaviour_that_is_said_of_absent_frames_too_nothing_is_believed(said_of_absent, corrected):
    labels, truth = SHOWN.copy(), SHOWN.copy()
    labels[80:90, 1] = 0  # missed
    truth[40:60] = [0, 1, 1]  # taken for the first
    opinion = {"a": heard(truth), "b": heard(SHOWN)}
    opinion["b"][SHOWN[:, 1] == 0, 1] = said_of_absent
    got = proofread({"a": labels, "b": SHOWN}, Opinions(opinion), ANIMALS)["a"]
    assert (got[80:90, 1] == (-1 if corrected else 0)).all()
    assert (got[40:60, :2] == ([0, 1] if corrected else [1, 0])).all()


@pytest.mark.parametrize("animals", [ANIMALS, dict.fromkeys("ab", "F1")])
def test_what_a_single_animal_shows_is_neither_doubted_nor_given_away(animals):
    other = np.where([True, False, True], SHOWN, 0).astype(np.int8)
    truth = SHOWN.copy()
    truth[:20] = [0, 1, 0]
    got = proofread({"a": SHOWN, "b": other}, Opinions({"a": heard(truth), "b": heard(other)}), animals)
    np.testing.assert_array_equal(got["a"], SHOWN)
    np.testing.assert_array_equal(got["b"], other)


def test_sessions_without_an_opinion_and_frames_that_nobody_scored_keep_what_they_have():
    labels = np.where(np.arange(len(SHOWN))[:, None] < 60, SHOWN, -1).astype(np.int8)
    opinion = np.where(labels < 0, np.nan, heard(SHOWN)).astype(np.float16)
    with np.errstate(all="raise"):
        got = proofread({"a": labels, "b": SHOWN, "c": SHOWN}, Opinions({"a": opinion, "b": heard(SHOWN)}), ANIMALS)
    assert list(got) == ["a", "b", "c"] and (got["a"] == labels).all() and (got["c"] == SHOWN).all()
    assert proofread(TWO, Opinions({}), ANIMALS) == TWO


def test_each_annotators_track_is_proofread_on_its_own():
    wrong = SHOWN.copy()
    wrong[:20] = [0, 1, 0]
    tracks = {"a": np.stack([SHOWN, wrong]), "b": np.stack([SHOWN, SHOWN])}
    got = proofread(tracks, Opinions({n: heard(SHOWN) for n in "ab"}), ANIMALS)
    np.testing.assert_array_equal(got["a"], [SHOWN, SHOWN])


def test_training_reads_labels_with_edges_where_the_opinion_puts_them_and_proofread():
    """Annotated 4 frames late; a third session, of which nothing is said, has frames around its bouts that are not scored."""
    late, wrong = np.roll(SHOWN, 4, axis=0), SHOWN.copy()
    wrong[:20] = [0, 1, 0]
    opinion = {"a": heard(SHOWN), "b": heard(wrong)}
    got = as_read({"a": late, "b": late, "c": late}, Opinions(opinion), ANIMALS | {"c": "F1"},
                  Habits(50.0, 0.08, -0.08, 0.16, (8, 2)))
    np.testing.assert_array_equal(got["a"][4:], SHOWN[4:])  # what was cut off at the beginning stays
    np.testing.assert_array_equal(got["b"][20:], SHOWN[20:])
    np.testing.assert_array_equal(got["c"], with_slack(late, 8, 2))
    first, second, third = got["b"][:20].T  # of a bout that shows another behaviour only the middle is left, and is that one's
    assert (second[13:15] == 1).all() and (np.delete(second, [13, 14]) == -1).all() and not first.any() and not third.any()
    staying = as_read({"a": late}, Opinions(opinion), ANIMALS, Habits(50.0, 0.08, -0.08, 0.0, (8, 2)))["a"]
    assert ((staying == 1) == (late == 1)).all() and ((staying == -1) >= (with_slack(late, 8, 2) == -1)).all()


def test_frames_of_which_nothing_is_said_count_for_nothing():
    """Where one behaviour alone was scored, the slack around its bouts was in nobody's lesson."""
    labels = SHOWN[:, 2:]
    opinion = {n: heard(labels) for n in "ab"}
    opinion["a"][5:15], opinion["b"][30:40] = 0.875, np.nan
    got = as_read({"a": labels, "b": labels}, Opinions(opinion), ANIMALS, Habits(50.0, 0.0, 0.0, 0.16, (8, 2)))
    assert np.flatnonzero(got["a"] == -1).tolist() == [*range(5, 15)] and (got["b"] == labels).all()


BACK = heard(np.where(np.arange(len(SHOWN))[:, None] < 20, np.array([0, 1, 0]), SHOWN))  # calls the first bout the second's


@pytest.mark.parametrize("own, other, blind, renamed", [
    (0.75, 0.375, BACK, True),  # has learnt it by heart, and would not be surprised
    (0.75, 0.25, BACK, False),  # would be
    (0.25, 0.5, heard(SHOWN), False),  # who has not learnt it would be
    (0.25, 0.5, np.full(SHOWN.shape, 0.375), True),  # and would not
    (0.25, 0.5, np.full(SHOWN.shape, np.nan), True),  # knows nothing like it
    (0.75, 0.375, np.full(SHOWN.shape, np.nan), False),
])
def test_a_bout_that_was_learnt_by_heart_is_the_others_where_who_has_not_learnt_it_says_so(own, other, blind, renamed):
    learnt = heard(SHOWN)
    learnt[:20, :2] = own, other
    read = proofread(TWO, Opinions({"a": learnt, "b": heard(SHOWN)}, {"a": blind.astype(np.float16)}), ANIMALS)
    assert (read["a"][:20] == ([0, 1, 0] if renamed else [1, 0, 0])).all()
    np.testing.assert_array_equal(read["a"][20:], SHOWN[20:])


def test_opinions_are_found_as_they_were_left(tmp_path):
    assert Opinions.read(tmp_path) == ({}, {})
    said = heard(SHOWN)
    said[3] = np.nan
    Opinions({"F1D1": said, "M1D1": said}, {"M1D1": BACK}).write(tmp_path)
    learnt, blind = Opinions.read(tmp_path)
    assert list(learnt) == ["F1D1", "M1D1"] and list(blind) == ["M1D1"]
    for found, wanted in ((learnt["F1D1"], said), (blind["M1D1"], BACK)):
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, wanted)


def test_slips_are_the_stretches_that_were_changed_and_what_they_were_read_as():
    read = SHOWN.copy()
    read[:20, 0], read[:20, 1], read[50:55, 1] = 0, 1, -1
    got = list(slips({"a": SHOWN, "b": SHOWN}, {"a": read, "b": SHOWN}))
    assert got == [("a", 0, 1, 0, 20, 1), ("a", 0, 0, 0, 20, 0), ("a", 0, 1, 50, 55, -1)]
    assert list(slips({"a": np.stack([SHOWN, SHOWN])}, {"a": np.stack([SHOWN, read])}))[0] == ("a", 1, 1, 0, 20, 1)
