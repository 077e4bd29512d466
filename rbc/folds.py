"""Cross-validation by animal: a DVC experiment a fold, each with other animals held out (`make folds` does all of it).

`python -m rbc.folds queue --folds N` queues those without scores, `dvc exp run --run-all` or `dvc queue start` runs them,
`python -m rbc.folds collect --folds N` prints their scores, a row a fold, and writes report/folds.csv. Every labelled
animal is held out once, as validation; those that split.test names stay closed throughout.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from dvc.api import metrics_show
from dvc.exceptions import DvcException

from rbc.outputs import write_table
from rbc.params import Params, ParamsError, load
from rbc.recordings.errors import RecordingError
from rbc.recordings.manifest import read_rows

SCORES, TABLE = "metrics/evaluate.json", Path("report/folds.csv")
COLUMNS = ("f1.macro", "f1.micro", "f1.macro_collar", "bouts.annotated_f1", "bouts.predicted_f1", "modalities.imu",
           "modalities.pose", "adaptation.zero_shot", "baselines.random_forest", "baselines.always_present")


class FoldsError(ValueError):
    """Folds that these animals cannot be left out in, or that have not been run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 once the folds are queued, or their scores are shown; else there is a message."""
    parser = argparse.ArgumentParser("rbc.folds", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=("queue", "collect"))
    parser.add_argument("--folds", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="decides which animals are left out together")
    chosen = parser.parse_args(arguments)
    try:
        animals, closed = animals_of(load())
        folds = leave_out(animals, chosen.folds, chosen.seed)
        if chosen.task == "queue":
            todo = [command(name, held, closed) for name, held in folds.items() if not scores_of(name)]
            return max((subprocess.run(line).returncode for line in todo), default=0)
        table = collect(folds)
    except (FoldsError, ParamsError, RecordingError) as error:
        print(error, file=sys.stderr)
        return 1
    write_table(TABLE, table)
    print(table.to_string(index=False, float_format="{:.3f}".format, na_rep="–"))
    return 0


def animals_of(params: Params) -> tuple[list[str], list[str]]:
    """Animals with labels, and animals of split.test, which are not among them. Raises RecordingError."""
    rows = [row for row, _ in read_rows(Path(params.data.root), params.data.animal_pattern) if not row.exclude]
    group = {row.session: row.animal if params.split.by == "animal" else row.session for row in rows}
    closed = {row.animal for row in rows if group[row.session] in params.split.test}
    return sorted({row.animal for row in rows if row.labels} - closed), sorted(closed)


def leave_out(animals: Iterable[str], folds: int, seed: int) -> dict[str, list[str]]:
    """{experiment: animals held out}: every animal in one fold, folds as even as can be, drawn by the seed.

    Raises FoldsError unless 2 <= folds <= number of animals.
    """
    drawn = np.random.default_rng(seed).permutation(sorted(animals))
    if not 2 <= folds <= len(drawn):
        raise FoldsError(f"--folds is {folds}; needs 2 to {len(drawn)}, the labelled animals outside split.test")
    return {f"fold-{i}-of-{folds}-seed-{seed}": sorted(map(str, part))
            for i, part in enumerate(np.array_split(drawn, folds), start=1)}


def command(name: str, held: Iterable[str], closed: Iterable[str]) -> list[str]:
    """What queues the experiment in which the animals `held` are validation and those `closed` remain test."""
    split = {"by": "animal", "validation": f"[{','.join(held)}]", "test": f"[{','.join(closed)}]"}
    return ["dvc", "exp", "run", "--queue", "--name", name,
            *(part for key, value in split.items() for part in ("--set-param", f"split.{key}={value}"))]


def scores_of(name: str) -> dict:
    """metrics/evaluate.json of an experiment; empty where it has not run."""
    try:
        return metrics_show(SCORES, rev=name)
    except DvcException:
        return {}


def collect(folds: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """COLUMNS of the scores of each fold, then their mean and standard deviation over folds.

    Raises FoldsError that names every fold without scores.
    """
    scores = {name: scores_of(name) for name in folds}
    missing = [name for name, found in scores.items() if not found]
    if missing:
        raise FoldsError(f"no scores at this commit (dvc queue status tells why): {', '.join(missing)}")
    table = pd.json_normalize(list(scores.values())).reindex(columns=COLUMNS).astype(float)
    summary = table.agg(["mean", "std"])
    table.insert(0, "held_out", [" ".join(held) for held in folds.values()])
    return pd.concat([table.set_axis(list(folds)), summary]).rename_axis("fold").reset_index()


if __name__ == "__main__":
    sys.exit(main())
