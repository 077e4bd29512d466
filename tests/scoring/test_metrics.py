import json

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score, brier_score_loss, precision_recall_fscore_support,
)

from rbc.scoring.metrics import (
    Scored, average_precision, brier, f1_scores, frame_counts, macro_interval, precision_recall,
    scoreboard, without_borders,
)

BEHAVIOURS = ("walk", "jump", "still")


def noisy(seed=0, frames=600):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random((frames // 20, 3)) < (0.5, 0.3, 0.7), 20, axis=0).astype(np.int8)
    probability = np.round(np.clip(0.4 * labels + 0.6 * rng.random(labels.shape), 0, 1), 2)  # rounded: ties
    labels[rng.random(labels.shape) < 0.1] = -1
    return labels, probability


def scored(name="F1D1", animal="F1", seed=0):
    labels, probability = noisy(seed)
    return Scored(name, animal, labels, probability, probability >= 0.5)


def test_frame_scores_agree_with_sklearn():
    labels, probability = noisy()
    counts = frame_counts(labels, probability >= 0.5)
    precision, recall = precision_recall(counts)
    for c in range(3):
        kept = labels[:, c] >= 0
        truth, score = labels[kept, c], probability[kept, c]
        p, r, f, _ = precision_recall_fscore_support(truth, score >= 0.5, average="binary")
        np.testing.assert_allclose([precision[c], recall[c], f1_scores(counts)[c]], [p, r, f])
        found = average_precision(labels[:, c], probability[:, c])
        assert found == pytest.approx(average_precision_score(truth, score))
        assert brier(labels, probability)[c] == pytest.approx(brier_score_loss(truth, score))


def test_what_does_not_occur_has_no_score():
    labels = np.zeros((10, 1), np.int8)
    counts = frame_counts(labels, np.ones((10, 1), bool))
    assert np.isnan(f1_scores(counts)) and np.isnan(precision_recall(counts)).all()
    assert np.isnan(average_precision(labels[:, 0], np.ones(10)))
    assert np.isnan(brier(labels - 1, np.ones((10, 1))))
    assert f1_scores(frame_counts(labels + 1, labels > 0)) == 0


def test_the_collar_hides_frames_on_both_sides_of_a_boundary():
    labels = np.array([0] * 10 + [1] * 10 + [-1] * 2 + [1] * 3, np.int8)[:, None]
    hidden = np.flatnonzero((without_borders(labels, 2) == -1)[:, 0])
    np.testing.assert_array_equal(hidden, [8, 9, 10, 11, 20, 21])
    np.testing.assert_array_equal(without_borders(labels, 0), labels)


def test_an_early_onset_costs_strict_f1_and_not_the_collared_one():
    labels = np.zeros((1000, 1), np.int8)
    for start in range(20, 1000, 100):
        labels[start : start + 50] = 1
    early = np.roll(labels, -5, axis=0)
    f1 = scoreboard([Scored("s", "a", labels, early.astype(float), early)], ["walk"], rate_hz=50)["f1"]
    assert f1["macro"] == pytest.approx(0.9, abs=0.01)
    assert f1["macro_collar"] == 1


def test_the_interval_is_over_animals_and_pairs_them():
    counts = np.array([[[90, 10, 10]], [[50, 50, 50]], [[70, 30, 30]]])
    low, high = macro_interval(counts, np.array([True]), seed=0)
    assert 0.5 <= low < 0.7 < high <= 0.9
    better = counts + np.array([5, -5, -5])
    low, high = macro_interval(better, np.array([True]), seed=0, other=counts)
    assert low == pytest.approx(0.05) and high == pytest.approx(0.05)
    assert np.isnan(macro_interval(counts[:1], np.array([True]), seed=0)).all()


def test_scoreboard_pools_frames_and_counts_bouts():
    sessions = [scored("F1D1", "F1", 0), scored("F1D2", "F1", 1), scored("M1D1", "M1", 2)]
    board = scoreboard(sessions, BEHAVIOURS, rate_hz=50, thresholds=np.full(3, 0.5))
    counts = sum(frame_counts(s.labels, s.decision) for s in sessions)
    assert board["f1"]["macro"] == pytest.approx(f1_scores(counts).mean())
    assert board["f1"]["micro"] == pytest.approx(f1_scores(counts.sum(0)))
    assert [row["animal"] for row in board["rows"]["animal"]] == ["F1", "M1"]
    assert [row["session"] for row in board["rows"]["session"]] == ["F1D1", "F1D2", "M1D1"]
    assert board["rows"]["behaviour"][1]["threshold"] == 0.5
    np.testing.assert_array_equal(board["counts"]["F1"] + board["counts"]["M1"], counts)
    json.dumps({key: value for key, value in board.items() if key != "counts"}, allow_nan=False)


def test_rare_and_absent_behaviours_are_reported_and_not_averaged():
    s = scored()
    labels = s.labels.copy()
    labels[:, 0] = 0
    labels[:, 1] = 0
    labels[100:120, 1] = 1
    board = scoreboard([Scored("s", "F1", labels, s.probability, s.decision)], BEHAVIOURS, rate_hz=50)
    assert board["averaged"] == ["still"]
    assert board["f1"]["macro"] == board["behaviours"]["still"]["f1"]
    assert board["behaviours"]["walk"] == dict.fromkeys(("f1", "precision", "recall", "ap"))
    assert board["behaviours"]["jump"]["f1"] > 0
    assert board["interval"] == {"low": None, "high": None}
    precision = [row["ap"] for row in board["rows"]["behaviour"] if row["averaged"] and row["ap"] is not None]
    assert board["ap"]["macro"] == (pytest.approx(np.mean(precision)) if precision else None)


def test_perfect_decisions_score_one_everywhere():
    labels, _ = noisy()
    truth = (labels == 1).astype(float)
    board = scoreboard([Scored("s", "F1", labels, truth, truth)], BEHAVIOURS, rate_hz=50)
    assert set(board["f1"].values()) | set(board["bouts"].values()) == {1.0}
    assert board["calibration"]["brier"] == 0
    assert {row["onset_abs_error_ms"] for row in board["rows"]["behaviour"]} == {0.0}


def test_sessions_that_do_not_fit_are_all_named():
    s = scored()
    gone = s.probability.copy()
    gone[s.labels[:, 0] == 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"(?s)short: labels.*missing: probability is not finite"):
        scoreboard([Scored("short", "F1", s.labels, s.probability[:-1], s.decision),
                    Scored("missing", "F1", s.labels, gone, s.decision)], BEHAVIOURS, rate_hz=50)
