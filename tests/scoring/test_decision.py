import json
from dataclasses import replace

import numpy as np
import pytest

from rbc.scoring import decision as decisions
from rbc.scoring.calibration import logit
from rbc.scoring.decision import Decision, Rules, cross_fitted, cross_fitted_decisions, decide_cross_fitted

EVERY_RULE = [Rules("none", (3, 2)), Rules("viterbi", (2, 0))]
ANIMALS = {"F5D1": "F5", "F5D2": "F5", "M4D1": "M4", "F6D1": "F6"}


def world(names=tuple(ANIMALS), frames=400, seed=0):
    """Guesses of three heads, the last one good, the first a coin, and labels of two behaviours."""
    rng = np.random.default_rng(seed)
    guesses, labels = {}, {}
    for name in names:
        truth = np.repeat(rng.random((frames // 20, 2)) < 0.3, 20, axis=0)
        sure = np.clip(np.where(truth, 0.7, 0.3) + 0.15 * rng.normal(size=truth.shape), 0.01, 0.99)
        vague = np.clip(0.5 + 0.3 * (sure - 0.5) + 0.1 * rng.normal(size=truth.shape), 0.01, 0.99)
        there = np.ones((frames, 3), bool)
        there[:30, 0] = there[50:60, 1] = False
        guesses[name] = np.stack([rng.random(truth.shape), vague, sure], 1).astype("f4"), there
        labels[name] = truth.astype(np.int8)
        labels[name][:10] = -1
    return guesses, labels


@pytest.mark.parametrize("rules", EVERY_RULE, ids=lambda r: r.decoder)
def test_a_decision_survives_json_and_decides_the_same(rules):
    guesses, labels = world()
    decision = Decision.fit(guesses, labels, rules)
    again = Decision.from_dict(json.loads(json.dumps(decision.as_dict())))
    assert again.rules == rules and again.as_dict() == decision.as_dict()
    one, two = (d.score("F5D1", "F5", guesses["F5D1"], labels["F5D1"]) for d in (decision, again))
    np.testing.assert_array_equal(one.probability, two.probability)
    np.testing.assert_array_equal(one.decision, two.decision)
    assert one.decision.dtype == bool and one.decision.shape == (400, 2)


def test_a_model_saved_without_margins_has_the_usual_one():
    guesses, labels = world()
    values = Decision.fit(guesses, labels, Rules()).as_dict()
    values.pop("margins")
    assert Decision.from_dict(values).margins == pytest.approx(np.log(2))


@pytest.mark.parametrize("rules", EVERY_RULE, ids=lambda r: r.decoder)
def test_uncertain_is_what_lies_near_its_threshold_or_was_overruled(rules):
    guesses, labels = world()
    decision = replace(Decision.fit(guesses, labels, rules), margins=np.array([0.5, 0.2]))
    scored = decision.score("F5D1", "F5", guesses["F5D1"], labels["F5D1"])
    above = logit(scored.probability) - logit(decision.thresholds)
    wanted = (np.abs(above) < [0.5, 0.2]) | ((above >= 0) != scored.decision)
    np.testing.assert_array_equal(decision.uncertain(scored.probability, scored.decision), wanted)
    np.testing.assert_array_equal(scored.margin < 0, wanted)
    assert 0 < wanted.mean() < 0.5


@pytest.mark.parametrize("rules", EVERY_RULE, ids=lambda r: r.decoder)
def test_what_it_fits_is_good_and_leans_on_the_good_head(rules):
    guesses, labels = world()
    decision = Decision.fit(guesses, labels, rules)
    assert (decision.weights.argmax(0) == 2).all() and decision.weights.sum(0) == pytest.approx(1)
    fresh, truth = world(seed=1)
    scored = [decision.score(n, ANIMALS[n], fresh[n], truth[n]) for n in fresh]
    agree = np.mean([(s.decision == (s.labels == 1))[s.labels >= 0].mean() for s in scored])
    assert agree > (0.75 if rules.decoder == "none" else 0.85)  # always absent: 0.7


def test_slack_around_bouts_is_not_held_against_a_prediction():
    guesses, labels = world()
    for name, (p, _) in guesses.items():
        late = np.roll(labels[name] == 1, 4, axis=0)  # annotators react late: the heads are early
        labels[name] = np.where(labels[name] < 0, -1, late).astype(np.int8)
        p[:, 2] = np.where(np.roll(late, -4, axis=0), 0.9, 0.1)
    strict, slack = (Decision.fit(guesses, labels, Rules(slack=s)) for s in ((0, 0), (4, 4)))
    inside = lambda d: d.platt[:, 0].min()  # noqa: E731
    assert inside(slack) > inside(strict)


def test_a_missing_head_has_no_say():
    guesses, labels = world()
    decision = Decision.fit(guesses, labels, Rules())
    p, there = guesses["M4D1"]
    gone = there.copy()
    gone[:, 2] = False
    broken = p.copy()
    broken[:, 2] = np.nan
    said = decision.probability(broken, gone)
    assert np.isfinite(said).all() and np.abs(said - decision.probability(p, there)).max() > 0.05
    assert np.isfinite(decision.probability(p, np.zeros_like(there))).all()


def test_frames_that_nobody_scored_do_not_count():
    guesses, labels = world()
    other = {n: (np.where(labels[n][:, None] < 0, 0.99, p).astype("f4"), t) for n, (p, t) in guesses.items()}
    one, two = (Decision.fit(g, labels, Rules()) for g in (guesses, other))
    assert one.as_dict() == two.as_dict()


def test_a_behaviour_that_never_occurs_and_a_single_head_are_no_trouble():
    guesses, labels = world()
    for y in labels.values():
        y[:, 1] = np.minimum(y[:, 1], 0)
    single = {n: (p[:, 2:], t[:, 2:]) for n, (p, t) in guesses.items()}
    for rules in EVERY_RULE:
        decision = Decision.fit(single, labels, rules)
        assert np.isfinite(decision.thresholds).all() and decision.weights.shape == (1, 2)


@pytest.mark.parametrize("rules", EVERY_RULE, ids=lambda r: r.decoder)
def test_no_animal_meets_settings_that_its_own_labels_made(rules):
    guesses, labels = world()
    before = {s.name: s for s in cross_fitted(guesses, labels, ANIMALS, rules)}
    assert list(before) == list(labels)
    planted = labels | {n: (1 - np.maximum(labels[n], 0)).astype(np.int8) for n in ("F5D1", "F5D2")}  # F5 lies
    after = {s.name: s for s in cross_fitted(guesses, planted, ANIMALS, rules)}
    for name in ("F5D1", "F5D2"):
        np.testing.assert_array_equal(after[name].probability, before[name].probability)
        np.testing.assert_array_equal(after[name].decision, before[name].decision)
        np.testing.assert_array_equal(after[name].margin, before[name].margin)
        np.testing.assert_array_equal(after[name].labels, planted[name])
    for name in ("M4D1", "F6D1"):
        assert np.abs(after[name].probability - before[name].probability).max() > 1e-3


def test_labels_of_an_animal_do_not_influence_its_own_decision():
    guesses, labels = world()
    planted = labels | {n: (1 - np.maximum(labels[n], 0)).astype(np.int8) for n in ("F5D1", "F5D2")}
    before, after = (cross_fitted_decisions(guesses, y, ANIMALS, Rules()) for y in (labels, planted))
    assert list(before) == ["F5", "M4", "F6"]
    same = {animal: before[animal].as_dict() == after[animal].as_dict() for animal in before}
    assert same == {"F5": True, "M4": False, "F6": False}


def test_decisions_that_are_read_back_decide_as_those_that_were_fitted():
    guesses, labels = world()
    decisions = cross_fitted_decisions(guesses, labels, ANIMALS, Rules())
    read = {k: Decision.from_dict(json.loads(json.dumps(d.as_dict()))) for k, d in decisions.items()}
    for one, two in zip(decide_cross_fitted(read, guesses, labels, ANIMALS),
                        cross_fitted(guesses, labels, ANIMALS, Rules()), strict=True):
        np.testing.assert_array_equal(one.decision, two.decision)
        assert one.name == two.name


def test_a_session_is_never_decided_by_a_fit_that_may_have_seen_it():
    guesses, labels = world()
    decisions = cross_fitted_decisions(guesses, labels, ANIMALS, Rules())
    with pytest.raises(ValueError, match="fitted without M4, F6; needs them for animals F5, F6, M4"):
        decide_cross_fitted({k: d for k, d in decisions.items() if k != "F5"}, guesses, labels, ANIMALS)
    guesses, labels = world(("F5D1", "F5"))  # a session with the animal's name
    animals = dict.fromkeys(labels, "F5")
    first, second = cross_fitted(guesses, labels, animals, Rules())
    for scored, other in ((first, "F5"), (second, "F5D1")):
        wanted = Decision.fit(guesses, {other: labels[other]}, Rules())
        np.testing.assert_array_equal(scored.probability, wanted.probability(*guesses[scored.name]))


def test_each_animal_gets_the_fit_on_all_the_others():
    guesses, labels = world()
    others = {n: y for n, y in labels.items() if ANIMALS[n] != "F5"}
    decision = Decision.fit(guesses, others, Rules())
    got = {s.name: s for s in cross_fitted(guesses, labels, ANIMALS, Rules())}
    for name in ("F5D1", "F5D2"):
        np.testing.assert_array_equal(got[name].probability, decision.probability(*guesses[name]))
        assert got[name].animal == "F5"


def test_sessions_of_a_single_animal_take_turns():
    guesses, labels = world(("F5D1", "F5D2"))
    got = {s.name: s for s in cross_fitted(guesses, labels, ANIMALS, Rules())}
    decision = Decision.fit(guesses, {"F5D2": labels["F5D2"]}, Rules())
    np.testing.assert_array_equal(got["F5D1"].probability, decision.probability(*guesses["F5D1"]))


def test_halves_of_a_single_session_take_turns():
    guesses, labels = world(("F5D1",), frames=420)
    (got,) = cross_fitted(guesses, labels, ANIMALS, Rules())
    assert got.probability.shape == (420, 2) and got.name == "F5D1"
    np.testing.assert_array_equal(got.labels, labels["F5D1"])
    p, there = guesses["F5D1"]
    decision = Decision.fit({"second": (p[210:], there[210:])}, {"second": labels["F5D1"][210:]}, Rules())
    np.testing.assert_array_equal(got.probability[:210], decision.probability(p[:210], there[:210]))
    planted = labels["F5D1"].copy()
    planted[:210] = 1 - np.maximum(planted[:210], 0)
    (after,) = cross_fitted(guesses, {"F5D1": planted}, ANIMALS, Rules())
    np.testing.assert_array_equal(after.probability[:210], got.probability[:210])


def test_what_is_known_of_training_animals_is_fitted_to_as_well():
    guesses, labels = world()
    more, taught = world(("F1D1", "F2D1"), seed=3)
    known = {n: (more[n], taught[n]) for n in more}
    others = {n: y for n, y in labels.items() if ANIMALS[n] != "F5"}
    decision = Decision.fit(guesses | more, others | taught, Rules())
    got = {s.name: s for s in cross_fitted(guesses, labels, ANIMALS, Rules(), known)}
    assert list(got) == list(labels)
    np.testing.assert_array_equal(got["F5D1"].probability, decision.probability(*guesses["F5D1"]))
    np.testing.assert_array_equal(got["F5D1"].decision, decision.decide(got["F5D1"].probability))


def test_a_single_animal_is_decided_by_what_is_known_of_others_alone():
    guesses, labels = world(("F5D1", "F5D2"))
    more, taught = world(("F1D1",), seed=3)
    got = cross_fitted(guesses, labels, ANIMALS, Rules(), {"F1D1": (more["F1D1"], taught["F1D1"])})
    decision = Decision.fit(more, taught, Rules())
    for s in got:
        np.testing.assert_array_equal(s.probability, decision.probability(*guesses[s.name]))


def test_of_many_frames_the_decoder_is_fitted_to_an_even_share_of_blocks(monkeypatch):
    monkeypatch.setattr(decisions, "BLOCK", 100)
    frames = {"F5D1": 400, "M4D1": 250}
    assert decisions._even_share(frames) == [("F5D1", slice(None)), ("M4D1", slice(None))]
    monkeypatch.setattr(decisions, "MOST_DECODED", 400)
    assert decisions._even_share(frames) == [
        ("F5D1", slice(0, 100)), ("F5D1", slice(200, 300)), ("M4D1", slice(0, 100)), ("M4D1", slice(200, 300))]
    guesses, labels = world()
    assert Decision.fit(guesses, labels, Rules("viterbi", (2, 0))).switch_cost.shape == (2,)

