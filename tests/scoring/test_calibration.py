import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from rbc.scoring.calibration import (
    apply_platt, best_threshold, common_threshold, cross_fit, fit_mix, fit_platt, fit_thresholds, logit,
    mean_of_heads, mix, share_threshold, sigmoid,
)
from rbc.scoring.splits import folds


def bouts_of(rng, frames, share, length=20):
    return np.repeat(rng.random(frames // length) < share, length).astype(np.int8)


@given(st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.integers(0, 8)), min_size=1, max_size=40))
def test_the_best_threshold_is_the_best_of_all_cuts(rows):
    labels, score = np.array([y for y, _ in rows], np.int8), np.array([p for _, p in rows]) / 8
    threshold, f1 = best_threshold(score, labels)
    kept = labels >= 0
    if not (labels == 1).any():
        assert np.isnan(threshold)
        return
    reached = f1_score(labels[kept], score[kept] >= threshold, zero_division=0)
    assert reached == pytest.approx(f1)
    every = [f1_score(labels[kept], score[kept] >= t, zero_division=0) for t in np.unique(score)]
    assert f1 == pytest.approx(max(every))


def test_sigmoid_undoes_logit():
    probability = np.array([1e-5, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(sigmoid(logit(probability)), probability)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_many_bouts_keep_their_own_threshold_and_few_move_to_the_lower_of_two_others():
    rng = np.random.default_rng(0)
    labels = np.stack([bouts_of(rng, 40_000, 0.3) for _ in range(3)], axis=1)
    labels[:, 2] = 0
    labels[1000:1020, 2] = 1  # one bout
    probability = np.where(labels == 1, (0.5, 0.9, 0.3), (0.2, 0.6, 0.0)) + 0.1 * rng.random(labels.shape)
    thresholds, common = fit_thresholds(probability, labels), common_threshold(probability, labels)
    own = [best_threshold(probability[:, c], labels[:, c])[0] for c in range(3)]
    np.testing.assert_allclose(thresholds[:2], own[:2], atol=0.03)
    shy = share_threshold(probability[:, 2], labels[:, 2])
    assert shy < common
    assert logit(thresholds[2]) == pytest.approx((logit(own[2]) + 5 * logit(shy)) / 6)
    bold = np.where(np.arange(3) == 2, 1 - 0.01 * (1 - probability), probability)
    own, common = best_threshold(bold[:, 2], labels[:, 2])[0], common_threshold(bold, labels)
    assert logit(fit_thresholds(bold, labels)[2]) == pytest.approx((logit(own) + 5 * logit(common)) / 6)


@pytest.mark.parametrize("count", [0, 1, 17, 99, 100])
def test_the_share_threshold_calls_as_many_frames_as_are_present(count):
    rng = np.random.default_rng(count)
    probability, labels = rng.random(120), np.full(120, -1, np.int8)
    labels[:100] = rng.permutation(100) < count
    called = probability[:100] >= share_threshold(probability, labels)
    assert abs(called.sum() - count) <= (count == 0)


def test_a_behaviour_without_bouts_takes_the_common_threshold():
    labels = np.zeros((40, 2), np.int8)
    assert fit_thresholds(np.full((40, 2), 0.7), labels).tolist() == [0.5, 0.5]
    labels[10:30, 0] = 1
    thresholds = fit_thresholds(np.where(labels == 1, 0.9, 0.3), labels)
    assert 0.3 < thresholds[1] <= 0.9


def test_platt_agrees_with_logistic_regression():
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(3000, 2))
    labels = (rng.random(x.shape) < sigmoid(0.5 * x - (1, 2))).astype(np.int8)
    labels[:200, 0] = -1
    fitted = fit_platt(x, labels, l2=0.0)
    for c in range(2):
        kept = labels[:, c] >= 0
        oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(x[kept, c : c + 1], labels[kept, c])
        np.testing.assert_allclose(fitted[c], [oracle.coef_[0, 0], oracle.intercept_[0]], atol=1e-3)
    np.testing.assert_allclose(fitted, [[0.5, -1], [0.5, -2]], atol=0.15)


def test_platt_stays_tame_where_labels_say_little():
    x = np.linspace(-1, 1, 50)[:, None]
    for nothing in (-1, 0):
        assert fit_platt(x, np.full((50, 1), nothing, np.int8)).tolist() == [[1.0, 0.0]]
    separable = fit_platt(x, (x > 0).astype(np.int8))
    assert np.isfinite(separable).all() and separable[0, 0] > 1
    reversed_ = fit_platt(x, (x < 0).astype(np.int8))
    assert reversed_[0, 0] == 0.05
    assert (np.diff(apply_platt(x, reversed_)[:, 0]) > 0).all()


def test_mix_is_convex_over_the_available_heads():
    probabilities = np.array([[[0.2]] * 4, [[0.6]] * 4])  # (2, 4, 1)
    available = np.array([[True, True, False, False], [True, False, True, False]])
    probabilities[0, 2] = np.nan
    mixed = mix(probabilities, np.array([[0.25], [0.75]]), available)
    np.testing.assert_allclose(mixed[:, 0], [0.5, 0.2, 0.6, 0.5])
    np.testing.assert_allclose(mix(probabilities, np.array([[0.0], [1.0]]), available)[1], 0.2)


def test_the_mean_of_heads_is_over_those_that_are_there():
    probability = np.array([[[0.2, 0.0], [0.6, 0.5], [0.7, 1.0]]] * 4)  # (4, 3, 2)
    there = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    probability[2, 0] = np.nan
    wanted = [[0.5, 0.5], [0.45, 0.5], [0.6, 0.5], [0.5, 0.5]]  # of all heads where none is there
    np.testing.assert_allclose(mean_of_heads(probability, there), wanted, atol=1e-9)


def test_fitted_weights_find_the_honest_head_and_leave_the_noise():
    rng = np.random.default_rng(0)
    honest = rng.random((20_000, 2))
    labels = (rng.random(honest.shape) < honest).astype(np.int8)
    weights = fit_mix(np.stack([honest, rng.random(honest.shape)]), labels)
    assert weights.shape == (2, 2)
    np.testing.assert_allclose(weights.sum(0), 1)
    assert (weights[0] > 0.95).all()


def test_fitted_weights_minimise_the_log_loss_with_heads_missing():
    rng = np.random.default_rng(1)
    truth = rng.random(4000)
    labels = (rng.random(4000) < truth).astype(np.int8)[:, None]
    heads = np.stack([sigmoid(logit(truth) + s * rng.normal(size=4000)) for s in (1.0, 1.5)])[:, :, None]
    available = rng.random((2, 4000)) < 0.8
    available[0] |= ~available.any(0)
    heads[~available] = np.nan
    fitted = fit_mix(heads, labels, available, prior_frames=0.0)[0, 0]
    grid = np.linspace(0.01, 0.99, 99)
    losses = [log_loss(labels[:, 0], mix(heads, np.array([[w], [1 - w]]), available)[:, 0]) for w in grid]
    assert fitted == pytest.approx(grid[np.argmin(losses)], abs=0.02)


def test_weights_without_labels_stay_even():
    np.testing.assert_allclose(fit_mix(np.full((3, 10, 1), 0.5), np.full((10, 1), -1, np.int8)), 1 / 3)


def test_no_group_meets_its_own_fit():
    groups = {"F5": {5}, "M4": {4}, "F6": {6}}
    fits = cross_fit(groups, lambda others: set().union(*others), lambda fit, own: (fit, own))
    for fit, own in fits.values():
        assert not fit & own and fit | own == {4, 5, 6}
    with pytest.raises(ValueError, match="at least two groups; there is F5"):
        cross_fit({"F5": {5}}, len, lambda fit, own: fit)
    assert cross_fit({"F5": {5}}, len, lambda fit, own: (fit, own), least=1) == {"F5": (0, {5})}


@given(st.integers(2, 40), st.integers(2, 12))
def test_every_group_is_left_out_by_some_member_and_no_member_leaves_out_all(groups, members):
    left_out = folds(groups, members)
    assert left_out.shape == (members, groups) and left_out.dtype == bool
    by, of = left_out.sum(0), left_out.sum(1)
    assert by.min() >= 1 and by.max() - by.min() <= (0 if groups >= members or members % groups == 0 else 1)
    assert of.max() < groups and of.min() >= 1 and of.max() - of.min() <= 1
    assert len(np.unique(left_out[:, : min(groups, members)], axis=1).T) == min(groups, members)  # the first ones by others


def test_folds_of_a_few():
    assert folds(2, 4).astype(int).tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert folds(5, 2).astype(int).tolist() == [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]]


@pytest.mark.parametrize(("groups", "members"), [(1, 1), (1, 6), (7, 1)])
def test_a_single_group_or_member_leaves_nothing_out(groups, members):
    assert folds(groups, members).shape == (members, groups) and not folds(groups, members).any()
