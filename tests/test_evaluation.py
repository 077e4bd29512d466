import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from rbc.evaluation import (
    CURVE_POINTS,
    Judge,
    before_and_after,
    decide,
    ethogram_tracks,
    log_look,
    metrics_of,
    precision_recall_rows,
    read_predictions,
    rows_of,
    rung_rows,
    variants,
)
from rbc.scoring.decision import Decision, Rules, cross_fitted, cross_fitted_decisions
from rbc.scoring.metrics import Scored

SESSIONS = {n: tiny.session(n, 600, seed=i) for i, n in enumerate(("F5D1", "M4D1", "F6D1"))}
ANIMALS = {"F5D1": "F5", "M4D1": "M4", "F6D1": "F6"}
LABELS = {n: s.labels for n, s in SESSIONS.items()}
HELD = {n: LABELS[n] for n in ("F5D1", "M4D1")}


def guess(name: str, error: float = 0.3):
    rng = np.random.default_rng(sum(map(ord, name)))
    p = np.clip(np.where(LABELS[name] == 1, 0.8, 0.2)[:, None] + error * rng.normal(size=(600, 3, 3)), 0.01, 0.99)
    return p, np.ones((600, 3), bool)


GUESSES = {n: guess(n) for n in SESSIONS}


def judge(scored=HELD, **changes) -> Judge:
    return replace(Judge(HELD, dict(scored), ANIMALS, tiny.BEHAVIOURS, 50.0, 0.2, Rules()), **changes)


class Echo:
    """A classifier that says which sessions it saw and whether it adapted."""

    def guess(self, sessions):
        return {n: (False, tuple(s.valid.any(0))) for n, s in sessions.items()}

    def adapted(self, sessions, guesses):
        return {n: (not guesses[n][0], tuple(s.valid.any(0))) for n, s in sessions.items()}

    def headline(self, sessions, adapt):
        return {n: (adapt, tuple(s.valid.any(0))) for n, s in sessions.items()}


@pytest.mark.parametrize("adapt", [True, False])
def test_each_modality_stands_alone_in_the_way_of_the_headline(adapt):
    whole = {n: replace(s, valid=np.ones_like(s.valid)) for n, s in SESSIONS.items()}
    found = variants(Echo(), whole, adapt)
    assert found["zero_shot"]["F5D1"] == (False, (True, True)) and found["adapted"]["F5D1"] == (True, (True, True))
    assert found["imu"]["F5D1"] == (adapt, (True, False)) and found["pose"]["F5D1"] == (adapt, (False, True))


def saved(labels=HELD) -> SimpleNamespace:
    """A classifier as train_mlp saves it, as far as deciding needs it."""
    return SimpleNamespace(decision=Decision.fit(GUESSES, labels, Rules()),
                           cross_fitted=cross_fitted_decisions(GUESSES, labels, ANIMALS, Rules()))


@pytest.mark.parametrize("shipped", [True, False])
def test_what_the_model_carries_is_applied_and_nothing_is_fitted(shipped, monkeypatch):
    classifier = saved()
    monkeypatch.setattr(Decision, "fit", None)
    scored = decide(classifier, GUESSES, HELD, ANIMALS, shipped=shipped)
    for s, decision in zip(scored, [classifier.decision] * 2 if shipped else classifier.cross_fitted.values(), strict=True):
        np.testing.assert_array_equal(s.probability, decision.probability(*GUESSES[s.name]))
    never = replace(classifier.decision, thresholds=np.full(3, 1.0))
    eager = SimpleNamespace(decision=never, cross_fitted=dict.fromkeys(classifier.cross_fitted, never))
    assert not any(s.decision.any() for s in decide(eager, GUESSES, HELD, ANIMALS, shipped=shipped))


def test_labels_of_a_validation_animal_do_not_influence_its_own_scores_decision():
    planted = HELD | {"F5D1": 1 - HELD["F5D1"]}
    one, two = ({s.name: s.decision for s in decide(saved(y), GUESSES, HELD, ANIMALS, shipped=False)} for y in (HELD, planted))
    np.testing.assert_array_equal(one["F5D1"], two["F5D1"])
    assert (one["M4D1"] != two["M4D1"]).any()


def test_methods_that_ship_nothing_are_cross_fitted_on_validation_and_fitted_on_all_of_it_for_test_animals():
    for got, wanted in zip(judge().decide(GUESSES), cross_fitted(GUESSES, HELD, ANIMALS, Rules()), strict=True):
        np.testing.assert_array_equal(got.probability, wanted.probability)
    (test,) = judge({"F6D1": LABELS["F6D1"]}).decide(GUESSES)
    decision = Decision.fit(GUESSES, HELD, Rules())
    np.testing.assert_array_equal(test.probability, decision.probability(*GUESSES["F6D1"]))
    assert (test.name, test.animal) == ("F6D1", "F6")


def test_a_test_animals_labels_move_nothing():
    lies = {"F6D1": 1 - LABELS["F6D1"]}
    one, two = (judge(y).decide(GUESSES)[0] for y in ({"F6D1": LABELS["F6D1"]}, lies))
    np.testing.assert_array_equal(one.decision, two.decision)


def test_what_is_said_before_calibration_is_the_mean_of_the_heads():
    scored = judge().decide(GUESSES)
    labels, before, after = before_and_after(scored, GUESSES)
    np.testing.assert_array_equal(labels, np.concatenate([LABELS[s.name] for s in scored]))
    np.testing.assert_allclose(before, np.concatenate([GUESSES[s.name][0].mean(1) for s in scored]))
    np.testing.assert_array_equal(after, np.concatenate([s.probability for s in scored]))


def test_a_board_may_be_held_against_other_labels():
    scored = [Scored(n, ANIMALS[n], y, (y == 1).astype(float), y == 1) for n, y in HELD.items()]
    assert judge().board(scored)["f1"]["micro"] == 1
    assert judge().board(scored, {n: np.roll(y, 300, 0) for n, y in HELD.items()})["f1"]["micro"] < 1
    always = judge().board(judge().constant())
    assert always["behaviours"]["walk"]["recall"] == 1


def boards() -> dict:
    return {name: judge().board(judge().decide(GUESSES)) for name in (
        "rbc", "imu", "pose", "zero_shot", "adapted", "always_present", "validity_only", "random_forest")}


@pytest.mark.parametrize("exact", [True, False])
def test_metrics_are_few_enough_to_be_read(exact):
    made = boards()
    split = dict.fromkeys(("by", "role", "mode", "animals", "labelled_minutes", "decision"))
    report = metrics_of(made, made if exact else {}, judge().decide(GUESSES), annotator=0.9,
                        rungs=dict.fromkeys(("new_session", "new_day", "new_animal")), data={"name": "x", "manifest": "y"},
                        split=split)
    count = lambda tree: sum(count(v) if isinstance(v, dict) else 1 for v in tree.values())  # noqa: E731
    twelve = count(report) + 9 * len(report["behaviours"]["walk"])
    assert twelve <= 90 and ("truth" in report) == exact
    assert set(report["ap"]) == {"macro"} and set(report["interval"]) == {"low", "high"}
    assert report["ceiling"] == {"annotator": 0.9, "all_labels": None}
    if exact:
        truth = report["truth"]  # the same board stands for the truth
        assert truth["predicted_bouts"] == report["bouts"]["predicted_f1"] and truth["ap"] == report["ap"]["macro"]
        assert truth["interval"] == report["interval"] and truth["interval"]["low"] < truth["macro"] < truth["interval"]["high"]
    assert report["modalities"]["both"] == report["f1"]["macro"] and set(report["certain"]) == {
        "macro", "coverage", "coverage_present"}
    assert set(report["baselines"]) == {"always_present", "validity_only", "random_forest"}


def test_rows_name_their_method_in_the_order_asked_for():
    table = rows_of(boards(), "animal", ("rbc", "no_such", "imu"))
    assert table["method"].tolist() == ["rbc", "rbc", "imu", "imu"] and table["animal"].tolist() == ["F5", "M4"] * 2


def test_a_curve_has_few_points_and_falls_to_the_prevalence():
    scored = judge().decide(GUESSES)
    table = precision_recall_rows(scored, tiny.BEHAVIOURS)
    labels = np.concatenate([s.labels for s in scored])
    for c, name in enumerate(tiny.BEHAVIOURS):
        rows = table[table["behaviour"] == name]
        assert 2 < len(rows) <= CURVE_POINTS and (np.diff(rows["recall"]) <= 0).all()
        assert rows["recall"].iloc[0] == 1
        assert rows["precision"].iloc[0] >= (labels[:, c] == 1).mean() - 1e-9
        for row in rows.iloc[[0, len(rows) // 2]].itertuples():
            called = np.concatenate([s.probability[:, c] for s in scored]) >= row.threshold
            assert row.precision == pytest.approx((labels[called, c] == 1).mean())


def test_a_curve_of_behaviours_that_never_occur_is_empty():
    quiet = [Scored("F5D1", "F5", np.zeros((20, 3), np.int8), np.full((20, 3), 0.5), np.zeros((20, 3), bool))]
    table = precision_recall_rows(quiet, tiny.BEHAVIOURS)
    assert list(table.columns) == ["behaviour", "recall", "precision", "threshold"] and table.empty


def test_scores_by_rung_are_those_of_its_sessions():
    decided = {"rbc": judge().decide(GUESSES), "random_forest": judge().constant()}
    table = rung_rows(decided, {"F5D1": "new_day", "M4D1": "new_animal"}, judge(), ("rbc", "random_forest"))
    assert table["rung"].tolist() == ["new_day", "new_animal"] * 2 and table["sessions"].tolist() == [1] * 4
    alone = judge().board([s for s in decided["rbc"] if s.name == "F5D1"])
    row = table.iloc[0]
    assert (row["f1_macro"], row["ap_macro"]) == (alone["f1"]["macro"], alone["ap"]["macro"])
    assert row["scored_minutes"] == pytest.approx(600 / 50 / 60) and row["animals"] == 1


def test_baselines_have_one_head(tmp_path):
    for name in HELD:
        np.savez(tmp_path / f"{name}.npz", random_forest=np.full((600, 3), 0.2), validity_only=np.full((600, 3), 0.4))
    found = read_predictions(tmp_path, HELD)
    assert set(found) == {"random_forest", "validity_only"} and set(found["random_forest"]) == set(HELD)
    probability, there = found["validity_only"]["M4D1"]
    assert probability.shape == (600, 1, 3) and there.shape == (600, 1) and there.all() and (probability == 0.4).all()
    assert len(judge().decide(found["random_forest"])) == 2


def test_annotators_are_held_against_the_truth_where_they_looked():
    shifted = {n: np.roll(y, 5, axis=0) for n, y in HELD.items()}
    assert 0.7 < judge().annotator_f1(shifted) < 1
    cut = {n: np.where(np.arange(600)[:, None] < 560, y, -1).astype(np.int8) for n, y in HELD.items()}
    wild = {n: np.where(np.arange(600)[:, None] < 560, y, 1 - y) for n, y in HELD.items()}
    assert judge(cut, held=cut).annotator_f1(wild) == 1


def test_ethograms_show_labels_decisions_and_how_good_they_are():
    scored = [Scored("F5D1", "F5", HELD["F5D1"], (HELD["F5D1"] == 1).astype(float), HELD["F5D1"] == 1)]
    (track,) = ethogram_tracks(scored, SESSIONS, "validation", {}, tiny.BEHAVIOURS)
    assert track.truth is None and track.f1 == dict.fromkeys(tiny.BEHAVIOURS, 1.0) and track.role == "validation"
    assert track.imu_activity.shape == track.rotation.shape == track.speed.shape == (600,)


def test_every_look_at_the_test_animals_is_a_line(tmp_path):
    path = tmp_path / "test_looks.csv"
    for seed in (0, 0, 1):
        log_look(path, {"seed": seed})
    head, *rows = csv.reader(path.read_text().splitlines())
    assert head == ["revision", "params"] and len(rows) == 3 and all(len(row) == 2 for row in rows)
    assert rows[0] == rows[1] != rows[2]
