import numpy as np
import pytest
import ranked
import tiny
import torch
from elsewhere import AWAY, HERE, Elsewhere

from rbc import classifier as module_of_classifier
from rbc import inference
from rbc.classifier import Classifier
from rbc.device import DeviceError, home, placed
from rbc.learning import training
from rbc.learning.ensemble import train_ensemble
from rbc.learning.training import Chance
from rbc.scoring.decision import Decision, Rules
from rbc.scoring.splits import Ledger
from rbc.streaming import Stream

SESSIONS = {n: tiny.session(n, 300, seed=i) for i, n in enumerate(("F1D1", "M1D1"))}


@pytest.fixture
def away(monkeypatch):
    """What calls a function with everything elsewhere; modes belong to a thread, so nothing goes side by side."""
    monkeypatch.setattr(training, "leads", lambda: False)  # a checkpoint asks for the random state of a real GPU
    for module in (inference, module_of_classifier):
        monkeypatch.setattr(module, "side_by_side", map)

    def called(function, *arguments):
        monkeypatch.setenv("RBC_DEVICE", "cuda")
        with Elsewhere():
            made = function(*arguments)
        monkeypatch.delenv("RBC_DEVICE")
        return made

    return called


def test_the_device_is_the_cpu_unless_the_environment_names_another(monkeypatch):
    assert home() == HERE
    for name in ("gpu", "cuda:99"):
        monkeypatch.setenv("RBC_DEVICE", name)
        with pytest.raises(DeviceError, match=f"RBC_DEVICE is '{name}'; needs a device of this machine"):
            home()


def test_of_several_processes_each_has_a_gpu_of_its_own(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "empty", lambda *_, device: asked.append(device) or torch.zeros(0))
    monkeypatch.setenv("RBC_DEVICE", "cuda")
    home()
    monkeypatch.setenv("LOCAL_RANK", "3")
    home()
    assert asked == ["cuda:0", "cuda:3"]


def test_what_is_elsewhere_does_not_mix_with_what_is_here(monkeypatch):
    monkeypatch.setenv("RBC_DEVICE", "cuda")
    with Elsewhere():
        here = torch.ones(3)
        there, model = placed(here), placed(torch.nn.Linear(3, 2))
        assert (here.device, there.device, model.weight.device) == (HERE, AWAY, AWAY)
        made = (model(there) * there.sum().cpu()).relu()
        assert made.device == AWAY and made.cpu().device == HERE
        with pytest.raises(RuntimeError, match="two devices"):
            model(here)
        with pytest.raises(TypeError, match="array"):
            there.numpy()


@pytest.mark.parametrize("name", ranked.TRAININGS)
def test_every_stage_learns_elsewhere_to_the_same_bytes(name, away, tmp_path):
    def learn(folder: str):
        return ranked.TRAININGS[name](tmp_path / folder, Chance(0), Ledger())

    here, history = learn("here")
    there, again = away(learn, "there")
    assert tiny.same_bytes(here, there) and again == history


def everything_said(scratch) -> dict[str, np.ndarray]:
    """What is said of sessions, from latents to guesses after adapting; an MLP learns on the way."""
    model = tiny.model(dropout=0.1)
    encoded = {n: inference.encode(model.network, s, model.recipe) for n, s in SESSIONS.items()}
    labels, animals = {"F1D1": SESSIONS["F1D1"].labels}, {n: n[:2] for n in SESSIONS}
    settings = dict(hidden_dim=6, windows=(4, 16), members=2, epochs=1, batch_size=32, lr=0.01, balance=0.5,
                    weight_decay=0.01, pseudo_weight=0.5)
    looked = {n: np.arange(len(e.there)) for n, e in encoded.items()}
    soft = {n: np.full(s.labels.shape, 0.5, "f2") for n, s in SESSIONS.items()}
    mlp, said, _ = train_ensemble(encoded.items(), looked, labels, soft, animals, **settings, chance=Chance(0),
                              scratch=scratch)
    features = [inference.scaled_features(model.network, s, model.recipe) for s in SESSIONS.values()]
    class_map = inference.fit_class_map(features, [s.labels.astype(float) for s in SESSIONS.values()])
    first = Classifier(model, mlp, class_map, Decision(Rules(), np.full((3, 3), 1 / 3), np.tile((1.0, 0.0), (3, 1)),
                                                      np.full(3, 0.5), np.zeros(3), np.ones(3, int)))
    scratch.mkdir(exist_ok=True)
    first.save(scratch, {})
    made = Classifier.load(scratch)
    guesses = made.guess(SESSIONS)
    adapted = made.adapted(SESSIONS, guesses)
    stream = Stream(made, 80.0)
    rows = np.random.default_rng(0).normal(size=(20, len(stream.columns)))
    streamed = np.concatenate([*map(stream.push, rows), stream.finish()])
    return {"streamed": streamed, "latents": encoded["M1D1"].latents, "said": said["M1D1"].probability,
            "read": mlp.probability(encoded["M1D1"].read),
            "guess": guesses["M1D1"][0], "adapted": adapted["M1D1"][0]}


def test_the_same_is_said_elsewhere(away, tmp_path):
    here, there = everything_said(tmp_path / "here"), away(everything_said, tmp_path / "there")
    for name in here:
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)
    assert not np.array_equal(here["guess"], here["adapted"])
