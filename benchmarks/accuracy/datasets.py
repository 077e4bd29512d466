"""The recordings that methods are compared on, aligned once each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.folds import Fold, draw_folds
from benchmarks.accuracy.processes import run
from benchmarks.accuracy.provenance import SIMULATED, recordings_hash
from benchmarks.imports import ROOT
from rbc.params import Params, changed, load, save
from rbc.recordings.session import load_sessions
from rbc.scoring.splits import assign

DATASETS = {  # name: what differs from params.yaml, said here or in a file
    "first_world": {},
    "second_world": {"simulate": {"world": "second"}},
    "careful_world": {"simulate": {"world": "careful"}},
    **{name: ROOT / f"params/{name}.yaml" for name in ("mouse", "skeleton", "rats", "home", "watch_phone")},
}


def settings(name: str) -> Params:
    """Settings of a data set, on one thread, without a list of label errors, which changes no score."""
    return changed(load(ROOT / "params.yaml"), DATASETS[name], {"compute": {"threads": 1}, "finetune": {"label_error_trees": 0}})


def is_there(name: str) -> bool:
    """Are there recordings, or are they simulated?"""
    root = settings(name).data.root
    return root == SIMULATED or (ROOT / root).exists()


@dataclass(frozen=True)
class Dataset:
    name: str
    folder: Path
    params: Params

    @property
    def aligned(self) -> Path:
        return self.folder / "data/align_data"

    @property
    def truth_root(self) -> Path:
        return self.folder / SIMULATED

    def folds(self) -> list[Fold]:
        """Every labelled group outside split.test held out once; those of split.test stay closed."""
        splits, groups = self.splits_and_groups()
        return draw_folds({g for n, g in groups.items() if splits[n] != "test" and self.is_labelled(n)})

    def splits_and_groups(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of every session whether params.yaml has it in train, validation or test, and its group, as split.by says."""
        split = self.params.split
        animals = {name: s.animal for name, s in load_sessions(self.aligned).items()}
        groups = animals if split.by == "animal" else {name: name for name in animals}
        return assign(animals, split.by, split.validation, split.test), groups

    def is_labelled(self, session: str) -> bool:
        return bool((np.load(self.aligned / session / "labels.npy", mmap_mode="r") >= 0).any())


def prepare(name: str, work: Path) -> Dataset:
    """The data set aligned below `work`, unless it is there: in a folder of these recordings, and of the code and
    settings that align them."""
    params = settings(name)
    dataset = Dataset(name, work / f"{name}-{recordings_hash(params)}", params)
    simulated = params.data.root == SIMULATED
    there = params if simulated else changed(params, {"data": {"root": str((ROOT / params.data.root).resolve())}})
    save(there, dataset.folder / "params.yaml")
    if simulated and not dataset.truth_root.exists():
        run("rbc.simulate", dataset.folder)
    if not dataset.aligned.exists():
        run("stages.align_data", dataset.folder)
    return dataset
