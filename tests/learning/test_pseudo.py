from types import SimpleNamespace

import numpy as np
import pytest

from rbc.learning.pseudo import agreement, cut_points, pseudo_labels, relabel, teacher_probability, without_doubtful

RNG = np.random.default_rng(0)


def test_the_surer_modality_speaks_beside_the_fused_head():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.6], [0.1], [0.6]], [[0.9], [0.4], [0.6]], [[0.9], [0.1], [0.2]]])
    there = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.75, 0.35, 0.5, 0.0], atol=1e-6)


def test_as_many_frames_lie_above_the_upper_cut_as_the_labelled_share_asks_for():
    p = RNG.random((10_000, 4))
    share = np.array([0.0, 0.05, 0.3, 1.0])
    for max_share in (0.5, 1.0):
        upper, lower = cut_points(p, share, max_share, 0.4)
        np.testing.assert_allclose((p > upper).mean(0), np.minimum(max_share * share, 1), atol=1e-3)
        assert (lower <= upper).all()
        np.testing.assert_allclose((p[:, :2] <= lower[:2]).mean(0), 0.4, atol=1e-3)
    upper, lower = cut_points(p, np.full(4, 0.9), 1.0, 0.4)
    np.testing.assert_array_equal(lower, upper)  # never above the upper one


@pytest.mark.parametrize(("probability", "similarity", "state", "soft"), [
    (0.97, 0.0, 1, 1.0),  # above the cut and surely present
    (0.70, 0.0, 1, 0.70),  # above the cut and more likely than not
    (0.70, 0.96, 1, 1.0),  # and near to its prototype: sure
    (0.45, 0.96, 1, 1.0),  # not likely, but near to its prototype
    (0.45, 0.10, -1, 0.45),  # above the cut alone is not enough
    (0.35, 0.96, -1, 0.35),  # nor is being near to the prototype below the cut
    (0.05, 0.0, 0, 0.0),
    (0.20, 0.0, -1, 0.20),  # between the cuts
])  # fmt: skip
def test_rules_of_pseudo_labels(probability, similarity, state, soft):
    got = pseudo_labels(np.array([[probability]]), np.array([[similarity]]), np.array([0.4]), np.array([0.1]), 0.95)
    assert got[1].dtype == np.int8 and got[0].dtype == np.float16
    assert got[1][0, 0] == state and got[0][0, 0] == pytest.approx(soft, abs=1e-3)


def test_a_lower_cut_above_one_half_makes_no_negatives_of_likely_frames():
    _, state = pseudo_labels(np.array([[0.6], [0.4]]), np.zeros((2, 1)), np.array([0.9]), np.array([0.8]), 0.95)
    assert state[:, 0].tolist() == [-1, 0]


def guesses(frames: int, seed: int):
    p = np.random.default_rng(seed).random((frames, 3, 2))
    return p, SimpleNamespace(probability=p, there=np.ones((frames, 3), bool), similarity=np.zeros((frames, 2)))


SETTINGS = dict(threshold=0.9, negative_quantile=0.5, max_share=1.0)


def test_real_labels_are_spared_and_do_not_move_the_cuts():
    pairs = {n: guesses(400, i) for i, n in enumerate("ab")}
    probability, encoded = ({n: pair[k] for n, pair in pairs.items()} for k in (0, 1))
    labels = {"a": np.full((400, 2), -1, np.int8)}
    labels["a"][:100] = [1, 0]
    labels["a"][50:60, 1] = -1  # half scored is scored
    made = relabel(probability, encoded, labels, **SETTINGS)
    assert (made["a"][1][:100] == -1).all() and (made["a"][1][100:] >= 0).any() and (made["b"][1] == 1).any()
    other = {n: np.array(p) for n, p in probability.items()}
    other["a"][:100] = 0.99
    again = relabel(other, encoded, labels, **SETTINGS)
    np.testing.assert_array_equal(again["b"][1], made["b"][1])
    assert (made["b"][1][:, 1] == 1).sum() <= 1  # never seen present, so all but the likeliest stay undecided


def test_judged_sessions_take_the_cuts_and_give_none():
    probability, encoded = ({n: guesses(300, i)[k] for i, n in enumerate("ab")} for k in (0, 1))
    labels = {"a": np.where(np.arange(300)[:, None] < 100, 1, -1).astype(np.int8).repeat(2, 1)}
    alone = relabel(probability, encoded, labels, **SETTINGS)
    made = relabel(probability, encoded, labels, **SETTINGS, judged={"c": encoded["b"]})
    for name in "ab":
        np.testing.assert_array_equal(made[name][1], alone[name][1])
    np.testing.assert_array_equal(made["c"][1], alone["b"][1])


def test_where_everything_is_labelled_nothing_is_guessed():
    probability, encoded = ({"a": x} for x in guesses(50, 0))
    made = relabel(probability, encoded, {"a": np.zeros((50, 2), np.int8)}, **SETTINGS, judged=encoded)
    assert (made["a"][1] == -1).all()


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


@pytest.mark.parametrize("known", [0, 1, -1])
def test_a_behaviour_that_was_never_or_always_annotated_has_no_doubtful_label(known):
    labels = np.stack([ANNOTATED, np.where(ANNOTATED < 0, -1, known)], 1).astype(np.int8)
    with np.errstate(all="raise"):
        got = trusted(labels, np.stack([SAID, SAID], 1))
    np.testing.assert_array_equal(got, np.stack([TRUSTED, labels[:, 1]], 1))


def test_agreement_counts_scored_frames_only():
    state = np.array([[1, 1, 0, -1, 1, 0]], np.int8).T
    labels = np.array([[1, 0, 0, 1, -1, -1]], np.int8).T
    assert agreement(state, labels) == {"coverage": 0.75, "present_precision": 0.5, "absent_precision": 1.0}
    assert all(np.isnan(v) for v in agreement(state, np.full((6, 1), -1)).values())


def test_each_annotators_labels_are_doubted_on_their_own():
    other = np.where(ANNOTATED < 0, -1, 0).astype(np.int8)  # saw nothing
    got = trusted(np.stack([ANNOTATED, ANNOTATED])[..., None], SAID[:, None])
    np.testing.assert_array_equal(got[..., 0], [TRUSTED, TRUSTED])
    got = trusted(np.stack([ANNOTATED, other])[..., None], SAID[:, None])
    assert got.shape == (2, len(SAID), 1) and (got[1, SAID == SAID.max()] == -1).all()
