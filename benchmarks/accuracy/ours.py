"""rbc on a cell of the grid: the stages as they ship, run in the cell's workspace; and rbc with a part off or on."""

import json
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cells import Bench
from benchmarks.accuracy.datasets import run
from rbc.classifier import Classifier
from rbc.evaluation import variants
from rbc.experiment import ALIGNED, Experiment
from rbc.outputs import write_json
from rbc.params import changed, load, save
from rbc.recordings.session import MODALITIES, Session
from rbc.scoring.decision import Guess
from rbc.scoring.known import KNOWN, NOTHING, Known, of_head, read_known

STAGES = ("pretrain", "align_sessions", "finetune", "pseudo_label", "train_mlp")
WHOLE = "rbc"
VARIANTS = {  # method: what is changed of params.yaml
    "rbc without mirror": {"augment": {"mirror": 0.0}},
    "rbc with pretrain": {"pretrain": {"steps": 40}},
    "rbc with align_sessions": {"align_sessions": {"steps": 20}},
    "rbc with pretrain and align_sessions": {"pretrain": {"steps": 40}, "align_sessions": {"steps": 20}},
    "rbc with consistency": {"finetune": {"weights": {"consistency": 0.5}}},
    "rbc without proofreading": {"finetune": {"proofread": {"steps": 0}}},
    "rbc without pseudo_label": {"train_mlp": {"pseudo_weight": 0.0}},
    "rbc without second round": {"train_mlp": {"n_cycles": 1}},
}
SECONDS = "seconds.json"


def workspace(bench: Bench, method: str) -> Path:
    """Where the method's stages run: the cell's folder, or one inside that shares what its changes do not touch."""
    if method == WHOLE:
        return bench.folder
    changes = VARIANTS[method]
    folder = bench.folder / method.replace(" ", "_")
    if not (folder / "params.yaml").exists():
        train(bench, WHOLE)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        first = min(STAGES.index(section) if section in STAGES else 0 for section in changes)  # others concern all
        for shared in (ALIGNED.name, *STAGES[:first]):
            link = folder / "data" / shared
            if not link.is_symlink():
                link.symlink_to(Path("../..") / "data" / shared)
        save(changed(load(bench.folder / "params.yaml"), changes), folder / "params.yaml")
    return folder


def train(bench: Bench, method: str) -> Path:
    """The method's workspace once its stages have run, those that are done left alone."""
    folder = workspace(bench, method)
    for stage in STAGES:
        if not (folder / "data" / stage).exists():
            start = time.monotonic()
            run(f"stages.{stage}", folder)
            write_json(folder / SECONDS, seconds(folder) | {stage: time.monotonic() - start})
    return folder


def seconds(*folders: Path) -> Mapping[str, float]:
    """How long each stage took in a workspace, or in the last of several that share stages."""
    found = {}
    for path in (folder / SECONDS for folder in folders):
        found |= json.loads(path.read_text()) if path.exists() else {}
    return found


def said(bench: Bench, method: str, experiment: Experiment) -> dict[tuple[str, str], tuple[dict[str, Guess], Known]]:
    """Guesses of all sessions with labels that were not learnt from, and what is known of the others; by modalities and
    mode (transductive, inductive). Modalities are both, imu, pose, and both with one of them gone every other minute."""
    model = train(bench, method) / "data" / STAGES[-1]
    classifier = Classifier.load(model)
    sessions = {n: s for n, s in experiment.of("validation", "test").items() if (s.labels >= 0).any()}
    own = read_known(model / KNOWN).get("rbc", NOTHING)
    guesses = variants(classifier, sessions, adapt=True)
    found = {("both", "transductive"): (guesses["adapted"], own), ("both", "inductive"): (guesses["zero_shot"], own)}
    for head, modality in enumerate(MODALITIES):
        if all(s.valid[:, head].any() for s in sessions.values()):
            found[modality, "transductive"] = guesses[modality], of_head(own, head)
            if any(len(s) > minute(s) for s in sessions.values()):  # a shorter one would lose nothing
                broken = {n: every_other_minute_without(s, modality) for n, s in sessions.items()}
                found[half_gone(modality), "transductive"] = classifier.headline(broken, adapt=True), own
    return found


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
        there, lost = getattr(session, name), getattr(gone, name)
        return np.where(even.reshape(-1, *[1] * (there.ndim - 1)), there, lost)

    return replace(session, **{name: pieced(name) for name in changed})
