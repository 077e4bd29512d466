"""A cell of the grid: one data set, fold, draw and label budget; the workspace in which the stages run on it, and what
other methods learn from there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.budgets import budget
from benchmarks.accuracy.datasets import Dataset, Fold
from benchmarks.peers.training_data import TrainingData
from rbc.experiment import ALIGNED, Experiment
from rbc.features import session_features
from rbc.params import changed, load, save
from rbc.scoring.labels import minutes, with_slack

PIECE_S = 2.0  # nobody annotates less at a time


@dataclass(frozen=True)
class Cell:
    dataset: str
    fold: int
    draw: int
    fraction: float

    @property
    def name(self) -> str:
        return f"fold{self.fold}-draw{self.draw}-{self.fraction:g}"


@dataclass(frozen=True)
class Bench:
    """A cell with its recordings at hand."""

    cell: Cell
    dataset: Dataset
    folder: Path

    @classmethod
    def of(cls, cell: Cell, dataset: Dataset, fold: Fold) -> "Bench":
        """The cell's workspace: params.yaml with its split, aligned sessions with its labels, the held-out ones whole
        and those that stay closed left out."""
        folder = dataset.folder / cell.name
        if not (folder / ALIGNED).exists():
            params = dataset.params
            split = {"by": params.split.by, "validation": list(fold.validation), "test": list(fold.held)}
            save(changed(params, {"split": split, "seed": params.seed + cell.draw}), folder / "params.yaml")
            _link_sessions(folder / ALIGNED, dataset, fold, cell)
        return cls(cell, dataset, folder)

    def experiment(self) -> Experiment:
        return Experiment.open(load(self.folder / "params.yaml"), self.folder / ALIGNED)

    def lesson(self, experiment: Experiment) -> tuple[TrainingData, dict[str, np.ndarray]]:
        """What a method other than ours learns from, and the features (T, F) of the sessions that it is asked about."""
        labels = {n: with_slack(y, *experiment.slack) for n, y in experiment.labels("train").items()}
        features = {n: session_features(s, experiment.recipe) for n, s in experiment.sessions.items()
                    if experiment.roles[n] == "train" or (s.labels >= 0).any()}
        own = {n: x for n, x in features.items() if experiment.roles[n] == "train"}
        asked = {n: x for n, x in features.items() if n not in own}
        params = experiment.params
        return TrainingData(own, labels, experiment.animals, experiment.rate_hz, params.baselines.windows, params.seed), asked


def labelled_minutes(experiment: Experiment) -> float:
    """Minutes of labels that anything was fitted to: those of training and of validation."""
    return minutes(experiment.labels("train") | experiment.labels("validation"), experiment.rate_hz)


def _link_sessions(place: Path, dataset: Dataset, fold: Fold, cell: Cell) -> None:
    roles, groups = dataset.roles_and_groups()
    wanted = [n for n in groups if roles[n] != "test"]
    labels = {n: np.load(dataset.aligned / n / "labels.npy") for n in wanted}
    rate_hz = dataset.params.align_data.rate_hz
    kept = labels | _budgeted(labels, groups, fold, cell, round(PIECE_S * rate_hz))
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.tmp")
    for name in wanted:
        (new / name).mkdir(parents=True, exist_ok=True)
        for file in (dataset.aligned / name).iterdir():
            link = new / name / file.name
            if not link.exists() and file.name not in ("labels.npy", "annotators.npy"):
                link.symlink_to(os.path.relpath(file, new / name))
        np.save(new / name / "labels.npy", kept[name])
        each = np.load(dataset.aligned / name / "annotators.npy")
        np.save(new / name / "annotators.npy", np.where(kept[name] >= 0, each, np.int8(-1)))
    new.rename(place)


def _budgeted(labels: Mapping[str, np.ndarray], groups: Mapping[str, str], fold: Fold, cell: Cell,
              least: int) -> dict[str, np.ndarray]:
    """Labels of training and of validation sessions, each cut to the cell's share of them."""
    found = {}
    for validation in (False, True):
        own = {n: y for n, y in labels.items()
               if groups[n] not in fold.held and (groups[n] in fold.validation) == validation and (y >= 0).any()}
        found |= budget(own, cell.fraction, least, cell.draw)
    return found
