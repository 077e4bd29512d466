"""rbc on a cell of the grid: the stages as they ship, run in the cell's workspace, and the model that they leave."""

import json
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.methods import STAGES
from benchmarks.accuracy.processes import run
from rbc.classifier import Classifier
from rbc.evaluation import variants
from rbc.outputs import write_json
from rbc.recordings.session import MODALITIES, Session
from rbc.scoring.metrics import Scored

SECONDS = "seconds.json"


def train(folder: Path) -> Path:
    """The saved model of a workspace once its stages have run, those that are done left alone."""
    for stage in STAGES:
        if not (folder / "data" / stage).exists():
            start = time.monotonic()
            run(f"stages.{stage}", folder)
            write_json(folder / SECONDS, _seconds(folder) | {stage: time.monotonic() - start})
    return folder / "data" / STAGES[-1]


def seconds(folder: Path) -> float:
    """How long the stages of a workspace took."""
    return sum(_seconds(folder).values())


def _seconds(folder: Path) -> Mapping[str, float]:
    return json.loads((folder / SECONDS).read_text()) if (folder / SECONDS).exists() else {}


def judged(folder: Path, sessions: Mapping[str, Session]) -> dict[tuple[str, str], list[Scored]]:
    """Held-out sessions with the probabilities and decisions of the workspace's saved model, by modalities and mode
    (transductive, inductive). Modalities are both, imu, pose, and both with one of them gone every other minute."""
    classifier = Classifier.load(train(folder))
    predictions = variants(classifier, sessions, adapt=True)
    found = {("both", "transductive"): predictions["adapted"], ("both", "inductive"): predictions["zero_shot"]}
    measured = [m for column, m in enumerate(MODALITIES) if all(s.valid[:, column].any() for s in sessions.values())]
    for modality in measured:
        found[modality, "transductive"] = predictions[modality]
        # of one modality nothing would be left, and a session shorter than a minute would lose nothing
        if len(measured) > 1 and any(len(s) > minute(s) for s in sessions.values()):
            broken = {n: every_other_minute_without(s, modality) for n, s in sessions.items()}
            found[half_gone(modality), "transductive"] = classifier.headline(broken, adapt=True)
    return {how: [classifier.decision.score(n, s.animal, predicted[n], np.asarray(s.labels)) for n, s in sessions.items()]
            for how, predicted in found.items()}


def minute(session: Session) -> int:
    """Frames of a minute."""
    return round(60 * session.rate_hz)


def half_gone(modality: str) -> str:
    """What rows call both modalities with one of them gone every other minute."""
    return f"both, {modality} half the time"


def every_other_minute_without(session: Session, modality: str) -> Session:
    """The session with one modality gone in every second minute."""
    gone, even = session.without(modality), np.arange(len(session)) // minute(session) % 2 == 0
    changed = [field.name for field in fields(session) if getattr(gone, field.name) is not getattr(session, field.name)]

    def pieced(name: str) -> np.ndarray:
        whole, lost = getattr(session, name), getattr(gone, name)
        return np.where(even.reshape(-1, *[1] * (whole.ndim - 1)), whole, lost)

    return replace(session, **{name: pieced(name) for name in changed})
