import numpy as np
import pytest

from rbc.learning.pseudo import (
    BOUT_DOUBT,
    MOST_FREE,
    STRIDE,
    frames_of,
    over_bouts,
    soft_labels,
    stride_of,
    teacher_probability,
    without_doubtful,
)


def test_the_surer_modality_speaks_beside_the_fused_head():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.6], [0.1], [0.6]], [[0.9], [0.4], [0.6]], [[0.9], [0.1], [0.2]]])
    there = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.75, 0.35, 0.5, 0.0], atol=1e-6)


def test_a_modality_that_is_the_only_one_of_its_session_speaks_alone():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.9], [0.4], [0.6]]])
    there = np.array([[1, 0, 0], [0, 1, 0]], bool)  # of pose alone nothing fuses: `rbc.inference.heads_there`
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.9, 0.4], atol=1e-6)


def test_frames_with_a_label_are_looked_at_and_every_fourth_of_the_others():
    assert frames_of(None, 10, 4).tolist() == [0, 4, 8]
    labels = np.full((10, 2), -1, np.int8)
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 8]
    labels[5], labels[6, 1], labels[8] = [0, 0], 1, [1, -1]  # absent is a label, and one behaviour is enough
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 5, 6, 8]


def test_however_long_recordings_are_no_more_than_so_many_frames_are_looked_at():
    assert stride_of(1000) == stride_of(STRIDE * MOST_FREE) == STRIDE == 4
    assert stride_of(STRIDE * MOST_FREE + 1) == STRIDE + 1
    frames = 50 * 3600 * 1000
    assert 0.99 * MOST_FREE < frames / stride_of(frames) <= MOST_FREE


def test_soft_labels_are_what_heads_and_forest_say_together_where_nobody_scored():
    heads = {n: np.full((6, 3, 2), 0.2) for n in "ab"}
    there = {n: np.ones((6, 3), bool) for n in "ab"}
    there["b"][4] = False
    forest = {n: np.tile([0.6, 0.0], (6, 1)).astype("f2") for n in "ab"}
    labels = {"a": np.array([[1, 0], [0, -1], [-1, -1], [-1, -1], [-1, -1], [-1, -1]], np.int8)}
    made = soft_labels(heads, there, forest, labels)
    assert made["a"].dtype == np.float32 and np.isnan(made["a"][:2]).all()  # half scored is scored
    np.testing.assert_allclose(made["a"][2:], np.tile([0.4, 0.1], (4, 1)), atol=1e-3)
    assert np.isnan(made["b"]).any(1).tolist() == [False] * 4 + [True, False]
    assert soft_labels(heads, there, {}, labels) == {}


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
