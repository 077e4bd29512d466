"""Leaks planted in a loader: evaluate stops and says which frames of whom were served."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

import stages.align_sessions
import stages.evaluate
import stages.finetune
import stages.pretrain
import stages.train_mlp
from rbc.experiment import Experiment
from rbc.learning.crops import Corpus
from rbc.params import load
from rbc.recordings.session import Session
from rbc.scoring.splits import LeakError
from rbc.signals import Crop

pytestmark = pytest.mark.pipeline
TEST, TRAINING, VALIDATION = "F6D1_indoor", "M1D1_outdoor", "F5D2_indoor"


@pytest.fixture
def sessions(origin, tmp_path, monkeypatch) -> dict[str, Session]:
    """All sessions of a clone that has become the working directory, so that stages can run inside this process."""
    for name in ("DVC_STAGE", "RBC_SCRATCH", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(origin.clone(tmp_path / "clone", shared_cache=True).folder)
    return Experiment.open(load()).sessions


@contextmanager
def knowing(corpus: Corpus, stranger: Session) -> Iterator[None]:
    """The corpus can serve a session more."""
    own, corpus.sessions = corpus.sessions, {**corpus.sessions, stranger.name: stranger}
    yield
    corpus.sessions = own


def plant_stranger(monkeypatch, stranger: Session) -> None:
    """The first crop of each batch is one of another session."""
    batch = Corpus.batch

    def leaky(self, picks, frames, warp=1.0, flip=None):
        with knowing(self, stranger):
            return batch(self, [(stranger.name, 100), *picks[1:]], frames, warp, flip)

    monkeypatch.setattr(Corpus, "batch", leaky)


def plant_overrun(monkeypatch, session: Session, neighbour: Session) -> None:
    """Crops of a session begin too late and go on in the session that follows, as in one long array of all sessions."""
    cut = Corpus._cut

    def leaky(self, name, start, span):
        if name != session.name:
            return cut(self, name, start, span)
        own = cut(self, name, len(session) - span // 2, span // 2)
        with knowing(self, neighbour):
            rest = cut(self, neighbour.name, 0, span - span // 2)
        pairs = zip(vars(own).values(), vars(rest).values(), strict=True)
        return Crop(*(torch.cat([a, b], 1) if a.dim() > 1 else a for a, b in pairs))

    monkeypatch.setattr(Corpus, "_cut", leaky)


def run(*names: str) -> None:
    for name in names:
        getattr(stages, name).main()


def test_a_test_frame_served_to_training_stops_evaluate(sessions, monkeypatch):
    plant_stranger(monkeypatch, sessions[TEST])
    run("pretrain", "align_sessions", "finetune", "train_mlp")  # the ledger goes with the weights
    with pytest.raises(LeakError, match=rf"{TEST}: signals of frames 100-\d+ served as 'test'"):
        run("evaluate")


def test_a_crop_that_reaches_over_the_border_stops_evaluate(sessions, monkeypatch):
    plant_overrun(monkeypatch, sessions[TRAINING], sessions[VALIDATION])
    run("finetune", "train_mlp")
    with pytest.raises(LeakError) as found:
        run("evaluate")
    frames = re.search(rf"{VALIDATION}: signals of frames 0-(\d+) served as 'validation' are scored", str(found.value))
    assert 0 < int(frames[1]) < 128  # no more than half of a crop
    monkeypatch.setattr(stages.evaluate, "check_no_leak", lambda *_, **__: None)
    run("evaluate")  # nothing else would have stopped it
