import copy
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from rbc import classifier as module_of_classifier
from rbc import inference, rooms
from rbc.artifacts import NETWORK
from rbc.classifier import RECIPE, Classifier, read_recipe
from rbc.inference import encode, fit_class_map, heads_there, scaled_features
from rbc.learning.mlp import WindowMlp
from rbc.scoring.decision import Decision, Rules, cross_fitted_decisions

SESSIONS = {n: tiny.session(n, 200, seed=i) for i, n in enumerate(("F5D1", "M4D1"))}
LABELS = {n: s.labels for n, s in SESSIONS.items()}


@pytest.fixture
def classifier() -> Classifier:
    model = tiny.model()
    widths = tuple(a.mean.numel() for a in model.network.adapters)
    mlp = WindowMlp(8, widths, 3, (4, 9), hidden_dim=6, members=2)
    features = [scaled_features(model.network, s, model.recipe) for s in SESSIONS.values()]
    made = Classifier(model, mlp, fit_class_map(features, [y.astype(float) for y in LABELS.values()]))
    guesses = made.guess(SESSIONS)
    rules = Rules("viterbi", (2, 1))
    return replace(made, decision=Decision.fit(guesses, LABELS, rules), mounts=("head",),
                   cross_fitted=cross_fitted_decisions(guesses, LABELS, {"F5D1": "F5", "M4D1": "M4"}, rules))


def test_it_says_what_the_mlp_reads_from_latents(classifier):
    network, recipe = classifier.model.network, classifier.model.recipe
    for name, (probability, there) in classifier.guess(SESSIONS).items():
        encoded = encode(network, SESSIONS[name], recipe)
        np.testing.assert_array_equal(probability, classifier.mlp.probability(encoded.read))
        np.testing.assert_array_equal(there, encoded.there)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("chunk", [50, 192])
def test_chunks_threads_and_rooms_on_disk_do_not_change_what_is_said(classifier, monkeypatch, chunk, adaptive):
    session = {"x": tiny.session(frames=500)}
    probability, there = classifier.headline(session, adaptive)["x"]
    decided = classifier.decision.decide(classifier.decision.probability(probability, there))
    for module in (module_of_classifier, inference):
        monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(rooms, "IN_MEMORY", 100)
    monkeypatch.setattr(rooms, "PIECE", 70)
    threads, each = torch.get_num_threads(), []
    try:
        for count in (2, 1):
            torch.set_num_threads(count)
            each.append(classifier.headline(session, adaptive)["x"])
    finally:
        torch.set_num_threads(threads)
    found = each[0]
    np.testing.assert_array_equal(found[0], each[1][0])
    assert isinstance(found[0], np.memmap)
    np.testing.assert_allclose(found[0], probability, atol=1e-4)
    np.testing.assert_array_equal(found[1], there)
    again = classifier.decision.decide(classifier.decision.probability(*found))
    assert (again != decided).mean() < 1e-3


def test_a_long_session_adapts_on_an_even_share_of_it(classifier, monkeypatch):
    off = tiny.session(frames=1000)
    session = {"x": replace(off, bands=off.bands + np.float32([0.6, 0.0]))}
    whole, zero_shot = classifier.headline(session, adapt=True)["x"], classifier.guess(session)
    for module in (module_of_classifier, inference):
        monkeypatch.setattr(module, "CHUNK", 50)
    monkeypatch.setattr(inference, "LOOKED_AT", 334)
    assert [chunk.start for chunk in inference.looked_at(1000)] == list(range(0, 1000, 150))
    share = classifier.headline(session, adapt=True)["x"]
    assert 0 < np.abs(share[0] - whole[0]).mean() < np.abs(zero_shot["x"][0] - whole[0]).mean()
    np.testing.assert_allclose(classifier.adapted(session, zero_shot)["x"][0], share[0], atol=1e-4)


def test_adaptation_is_each_sessions_own(classifier):
    sessions = {n: tiny.session(n, 1000, seed=i) for i, n in enumerate(SESSIONS)}  # a few seconds would move little
    before = copy.deepcopy(classifier.model.network)
    both, zero_shot = classifier.headline(sessions, adapt=True), classifier.guess(sessions)
    assert tiny.same_bytes(before, classifier.model.network)
    for name, session in sessions.items():
        alone = classifier.headline({name: session}, adapt=True)[name]
        np.testing.assert_array_equal(alone[0], both[name][0])
        assert np.abs(both[name][0] - zero_shot[name][0]).max() > 1e-4
    again = classifier.guess(sessions)
    np.testing.assert_array_equal(again["F5D1"][0], zero_shot["F5D1"][0])


def test_adaptation_undoes_a_sensor_that_is_off(classifier):
    """A gain that training never saw: what it says comes nearer to what it says of the session as it was."""
    session = SESSIONS["F5D1"]
    bands = session.bands + np.float32([0.6, 0.0])
    wanted, off, adapted = (classifier.headline({"x": s}, a)["x"][0] for s, a in (
        (session, True), (replace(session, bands=bands), False), (replace(session, bands=bands), True)))
    assert np.abs(adapted - wanted).mean() < np.abs(off - wanted).mean()


@pytest.mark.parametrize("lost", ["imu", "pose"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_a_missing_modality_is_no_trouble(classifier, lost, adaptive):
    session = SESSIONS["F5D1"].without(lost)
    guess = classifier.headline({"x": session}, adaptive)["x"]
    scored = classifier.decision.score("x", "F5", guess, session.labels)
    assert np.isfinite(guess[0]).all() and np.isfinite(scored.probability).all()


@pytest.mark.parametrize(("mounts", "mount", "taught"), [
    (("back", "head"), "back", True), (("head",), "back", False), (("head",), "", True), (("", "head"), "back", True),
    ((), "back", False), ((), "", True),
])  # fmt: skip
def test_an_imu_is_believed_where_labelled_animals_wore_one(classifier, mounts, mount, taught):
    session = replace(SESSIONS["F5D1"], report={"mount": mount})
    probability, there = replace(classifier, mounts=mounts).guess({"x": session})["x"]
    believed, everywhere = classifier.guess(SESSIONS)["F5D1"]
    np.testing.assert_array_equal(probability, believed)
    read = everywhere[:, :2]
    np.testing.assert_array_equal(there, everywhere if taught else heads_there(read, taught=False))
    assert (there == everywhere).all() == taught


def test_what_is_loaded_says_the_same_and_saves_to_the_same_bytes(classifier, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    notes = {"labelled_minutes": 1 / 3, "adapt": True}
    classifier.save(tmp_path / "first", notes)
    loaded = Classifier.load(tmp_path / "first")
    assert loaded.mounts == classifier.mounts == ("head",)
    loaded.save(tmp_path / "second", notes)
    for name in (NETWORK, RECIPE):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    zero_shot = [c.guess(SESSIONS)["F5D1"][0] for c in (classifier, loaded)]
    np.testing.assert_array_equal(*zero_shot)
    adapted = [c.headline(SESSIONS, adapt=True)["F5D1"] for c in (classifier, loaded)]
    np.testing.assert_allclose(adapted[1][0], adapted[0][0], atol=1e-4)  # settings are written with six decimals
    before, after = classifier.decision, loaded.decision
    assert before.rules == after.rules
    np.testing.assert_allclose(after.probability(*adapted[0]), before.probability(*adapted[0]), atol=1e-5)
    for animal, fitted in classifier.cross_fitted.items():
        np.testing.assert_allclose(loaded.cross_fitted[animal].thresholds, fitted.thresholds, atol=1e-6)
    assert list(loaded.cross_fitted) == ["F5", "M4"]
    assert read_recipe(tmp_path / "first")["labelled_minutes"] == 0.333333
    assert read_recipe(tmp_path / "first")["behaviours"] == list(tiny.BEHAVIOURS)
