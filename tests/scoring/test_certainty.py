import numpy as np
import pytest

from rbc.scoring.calibration import sigmoid
from rbc.scoring.certainty import LEFT_OUT, MARGINS, USUAL_MARGIN, best_margin, certain_scores, fit_margins, risk_rows
from rbc.scoring.metrics import Scored

RNG = np.random.default_rng(0)
ODDS = RNG.normal(0, 2, (40_000, 1))
LABELS = (RNG.random(ODDS.shape) < sigmoid(ODDS)).astype(np.int8)


def spoken(labels=LABELS, odds=ODDS, margin=USUAL_MARGIN) -> Scored:
    return Scored("F5D1", "F5", labels, sigmoid(odds), odds >= 0, np.abs(odds) - margin)


def test_of_honest_probabilities_a_third_is_wrong_at_the_edge():
    margins = fit_margins(np.abs(ODDS), ODDS >= 0, LABELS)
    assert margins == pytest.approx(USUAL_MARGIN, abs=0.1)
    assert fit_margins(np.abs(ODDS), ODDS >= 0, np.full_like(LABELS, -1)) == pytest.approx(USUAL_MARGIN)


def test_a_margin_costs_the_least():
    lead, wrong = np.array([-1.0, 0.5, 1.0, 1.5, 2.0]), np.array([1, 1, 0, 1, 0], bool)
    cost = [(wrong & (lead >= m)).sum() + (lead < m).sum() / 3 for m in MARGINS]
    assert best_margin(lead, wrong) == MARGINS[np.argmin(cost)] == pytest.approx(1.55)
    assert best_margin(lead, np.zeros(5, bool)) == 0


def test_what_overruled_its_threshold_is_uncertain_even_where_all_decisions_are_right():
    decision = LABELS == 1
    lead = np.where(decision, ODDS, -ODDS)
    margin = fit_margins(lead, decision, LABELS)
    assert 0 <= margin < 0.01


def test_few_bouts_leave_the_usual_margin():
    labels = np.zeros((1000, 1), np.int8)
    labels[100:200] = 1
    lead = np.where(np.arange(1000)[:, None] < 500, 1.0, 5.0)
    own = best_margin(lead[:, 0], np.arange(1000) < 500)
    margin = fit_margins(lead, np.where(np.arange(1000)[:, None] < 500, labels == 0, labels == 1), labels)
    assert margin == pytest.approx((own + 5 * USUAL_MARGIN) / 6)


def test_what_is_certain_is_right_more_often():
    scores, all_of_it = (certain_scores([spoken(margin=m)], np.array([True])) for m in (USUAL_MARGIN, -1.0))
    assert scores["macro"] > all_of_it["macro"] + 0.05 and all_of_it["coverage"] == 1
    assert scores["coverage"] == pytest.approx((np.abs(ODDS) >= USUAL_MARGIN).mean())
    assert scores["coverage_present"] == pytest.approx(scores["coverage"], abs=0.02)


def test_frames_that_nobody_scored_are_not_covered():
    half = np.where(np.arange(len(LABELS))[:, None] < 20_000, LABELS, -1).astype(np.int8)
    cut = Scored("F5D1", "F5", *(x[:20_000] for x in (LABELS, sigmoid(ODDS), ODDS >= 0, np.abs(ODDS) - USUAL_MARGIN)))
    assert certain_scores([spoken(half)], np.array([True])) == certain_scores([cut], np.array([True]))
    assert risk_rows([spoken(half)], ["walk"]) == risk_rows([cut], ["walk"])


def test_risk_falls_with_coverage_and_the_chosen_point_lies_on_the_curve():
    rows = risk_rows([spoken(), spoken()], ["walk"])
    curve, chosen = rows[:-1], rows[-1]
    assert [row["chosen"] for row in rows] == [0] * len(LEFT_OUT) + [1]
    assert (np.diff([row["risk"] for row in curve]) <= 0).all() and curve[0]["coverage"] == 1
    assert curve[0]["risk"] == pytest.approx(((ODDS >= 0) != (LABELS == 1)).mean())
    certain = np.abs(ODDS) >= USUAL_MARGIN
    assert chosen["risk"] == pytest.approx(((ODDS >= 0) != (LABELS == 1))[certain].mean())
    assert chosen["f1"] == pytest.approx(certain_scores([spoken()], np.array([True]))["macro"])


def test_of_a_behaviour_that_never_occurs_risk_is_known_and_f1_is_not():
    rows = risk_rows([spoken(np.zeros_like(LABELS)), spoken(np.full_like(LABELS, -1))], ["walk"])
    assert rows[0]["risk"] == pytest.approx((ODDS >= 0).mean()) and all(np.isnan(row["f1"]) for row in rows)
    assert risk_rows([spoken(np.full_like(LABELS, -1))], ["walk"]) == []
