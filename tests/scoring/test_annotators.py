import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from rbc.scoring.annotators import ALL, agreement, kappa, means

RNG = np.random.default_rng(3)


def test_agreement_is_that_of_scikit_learn():
    a = RNG.integers(0, 2, (300, 2)).astype(np.int8)
    b = np.where(RNG.random(a.shape) < 0.2, 1 - a, a).astype(np.int8)
    b[:50] = -1
    table = agreement({"s1": {"A": a, "B": b}}, ("walk", "still")).set_index(["annotators", "behaviour"])
    for c, name in enumerate(("walk", "still")):
        row = table.loc[("A, B", name)]
        assert row["frames"] == 250 and row["sessions"] == 1
        assert row["f1"] == pytest.approx(f1_score(a[50:, c], b[50:, c]))
        assert row["kappa"] == pytest.approx(cohen_kappa_score(a[50:, c], b[50:, c]))
    assert table.loc[(ALL, "walk"), "f1"] == table.loc[("A, B", "walk"), "f1"]


def test_pairs_of_all_sessions_are_pooled():
    one, none = np.ones((4, 1), np.int8), np.zeros((4, 1), np.int8)
    table = agreement({"s1": {"A": one, "B": one}, "s2": {"B": one, "A": none}, "s3": {"A": one, "C": none}}, ("walk",))
    assert table["annotators"].tolist() == [ALL, "A, B", "A, C"] and table["frames"].tolist() == [12, 8, 4]
    assert table["f1"].tolist() == pytest.approx([8 / 16, 2 * 4 / 12, 0.0])
    assert means(table)["f1"] == pytest.approx(0.5)


def test_one_annotator_agrees_with_nobody():
    table = agreement({"s1": {"A": np.ones((4, 1))}}, ("walk",))
    assert len(table) == 0 and np.isnan(means(table)["kappa"])


def test_annotators_who_both_say_one_thing_throughout_have_no_kappa():
    labels = np.zeros((10, 1), np.int8)
    assert np.isnan(kappa(labels, labels)) and np.isnan(kappa(labels - 1, labels))
