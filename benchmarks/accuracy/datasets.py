"""The recordings that methods are compared on: aligned once each, and which animals a fold holds out."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbc.folds import leave_out
from rbc.params import Params, changed, load, save
from rbc.recordings.session import load_sessions
from rbc.scoring.splits import assign

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = "data/raw"
CODE = ("rbc", "stages")
DATASETS = {  # name: what differs from params.yaml, said here or in a file
    "first_world": (),
    "second_world": ({"simulate": {"world": "second"}},),
    "watch_phone": (ROOT / "params/watch_phone.yaml",),
    "watch_phone_2s": (  # its script has an order: here nothing looks further than 2 s
        ROOT / "params/watch_phone.yaml", {"train_mlp": {"windows": [16, 64]}, "baselines": {"windows": [16, 64]}},
    ),
    "home": (ROOT / "params/home.yaml",),
    "rats": (ROOT / "params/rats.yaml",),
}  # fmt: skip
REST_PER_VALIDATION = 4  # of so many groups that are not held out one is for validation


@dataclass(frozen=True)
class Fold:
    """Groups (animals, or sessions where they are not named) by role; the rest is for training."""

    held: tuple[str, ...]
    validation: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    name: str
    folder: Path

    @property
    def aligned(self) -> Path:
        return self.folder / "data/align_data"

    @property
    def params(self) -> Params:
        return load(self.folder / "params.yaml")

    @property
    def truth_root(self) -> Path:
        return self.folder / SIMULATED

    def folds(self, count: int) -> list[Fold]:
        """Every labelled group outside split.test held out once; those of split.test stay closed."""
        split = self.params.split
        roles, groups = self.roles_and_groups()
        labelled = sorted({g for n, g in groups.items() if roles[n] != "test" and self.is_labelled(n)})
        found = []
        for held in leave_out(labelled, count, seed=0).values():
            rest = [g for g in labelled if g not in held]
            drawn = np.random.default_rng(len(found)).permutation(rest)[: max(len(rest) // REST_PER_VALIDATION, 1)]
            found.append(Fold(tuple(held), tuple(sorted(map(str, drawn)))))
        return found

    def roles_and_groups(self) -> tuple[dict[str, str], dict[str, str]]:
        """Of every session its role in params.yaml and its group, whichever split.by says."""
        split = self.params.split
        animals = {name: s.animal for name, s in load_sessions(self.aligned).items()}
        groups = animals if split.by == "animal" else {name: name for name in animals}
        return assign(animals, split.by, split.validation, split.test), groups

    def is_labelled(self, session: str) -> bool:
        return bool((np.load(self.aligned / session / "labels.npy", mmap_mode="r") >= 0).any())


def prepare(name: str, work: Path) -> Dataset:
    """The data set aligned below `work`, in a folder of exactly these settings and this code, unless it is there."""
    params = changed(load(ROOT / "params.yaml"), *DATASETS[name], {"compute": {"threads": 1}})
    simulated = params.data.root == SIMULATED
    if not simulated:
        params = changed(params, {"data": {"root": str((ROOT / params.data.root).resolve())}})
    dataset = Dataset(name, work / f"{name}-{digest(params)}")
    save(params, dataset.folder / "params.yaml")
    if simulated and not dataset.truth_root.exists():
        run("rbc.simulate", dataset.folder)
    if not dataset.aligned.exists():
        run("stages.align_data", dataset.folder)
    return dataset


def digest(params: Params) -> str:
    """Eight hex digits that change with any setting and any line of rbc and its stages."""
    found = hashlib.sha256(params.model_dump_json().encode())
    for path in sorted(path for part in CODE for path in (ROOT / part).rglob("*.py")):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:8]


def run(module: str, folder: Path) -> None:
    """A command of this project in another folder, on one thread; what it prints goes to log.txt there. Raises
    CalledProcessError."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("a") as log:
        subprocess.run([sys.executable, "-m", module], cwd=folder, env=env, stdout=log, stderr=log, check=True)
