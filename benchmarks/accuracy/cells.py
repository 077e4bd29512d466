"""A cell of the grid: one data set, fold, draw and label budget, with the aligned sessions as methods get them there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.budgets import budget
from benchmarks.accuracy.datasets import Dataset
from benchmarks.accuracy.folds import Fold
from benchmarks.accuracy.methods import settings_of
from benchmarks.accuracy.provenance import cells_hash
from rbc.disk import remove
from rbc.experiment import ALIGNED, Experiment
from rbc.params import Params, changed, save
from rbc.scoring.labels import minutes

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
    fold: Fold
    folder: Path
    """Holds data/align_data: sessions with the cell's labels, the held-out ones whole, those that stay closed left out."""

    @classmethod
    def of(cls, cell: Cell, dataset: Dataset, fold: Fold) -> "Bench":
        folder = dataset.folder / f"cells-{cells_hash(dataset.params)}" / cell.name
        if not (folder / ALIGNED).exists():
            _link_sessions(folder / ALIGNED, dataset, fold, cell)
        return cls(cell, dataset, fold, folder)

    def params(self, method: str) -> Params:
        """Settings of a method here: with the cell's split, and a seed of its own for each draw."""
        params = settings_of(self.dataset.params, method)
        split = {"by": params.split.by, "validation": list(self.fold.validation), "test": list(self.fold.held)}
        return changed(params, {"split": split, "seed": params.seed + self.cell.draw})

    def experiment(self, method: str) -> Experiment:
        return Experiment.open(self.params(method), self.folder / ALIGNED)

    def workspace(self, method: str, key: str) -> Path:
        """Folder in which the stages of rbc run, for a hash of the method, with params.yaml and the sessions; folders of
        other hashes of it are deleted."""
        name = method.replace(" ", "_")
        folder = self.folder / f"{name}-{key}"
        for stale in set(self.folder.glob(f"{name}-*")) - {folder}:
            remove(stale)
        if not (folder / ALIGNED).exists():
            (folder / ALIGNED).parent.mkdir(parents=True, exist_ok=True)
            (folder / ALIGNED).symlink_to(os.path.relpath(self.folder / ALIGNED, (folder / ALIGNED).parent))
        save(self.params(method), folder / "params.yaml")
        return folder


def labelled_minutes(experiment: Experiment) -> float:
    """Minutes of labels that anything was fitted to: those of training and of validation."""
    return minutes(experiment.labels("train") | experiment.labels("validation"), experiment.rate_hz)


def _link_sessions(place: Path, dataset: Dataset, fold: Fold, cell: Cell) -> None:
    splits, groups = dataset.splits_and_groups()
    wanted = [n for n in groups if splits[n] != "test"]
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
