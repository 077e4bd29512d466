import numpy as np
import pytest

from rbc.scoring.summary import macro_scores


def test_scores_are_pooled_over_sessions_and_averaged_over_behaviours_that_occur():
    labels = {"a": np.array([[1, 0, 0], [0, 0, -1]], "i1"), "b": np.array([[1, 1, 0], [-1, 0, 0]], "i1")}
    probability = {"a": np.array([[0.9, 0.1, 0.9], [0.2, 0.2, 0.9]]), "b": np.array([[0.3, 0.6, 0.9], [0.9, 0.7, 0.9]])}
    scores = macro_scores(probability, labels)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)  # one of two found, none false; one found, one false
    assert scores["macro_ap"] == pytest.approx((1.0 + 0.5) / 2)


def test_nothing_present_has_no_score():
    scores = macro_scores({"a": np.ones((3, 1))}, {"a": np.zeros((3, 1), "i1")})
    assert all(np.isnan(value) for value in scores.values())
