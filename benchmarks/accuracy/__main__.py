"""F1 on animals that no method has learnt from: rbc and what else there is, at several label budgets.

`python -m benchmarks.accuracy` goes on where it was stopped: rows that are in metrics/accuracy.json are not made again
(--again METHOD makes them again). What stages write lies below --work, in a folder of exactly this code and settings.
"""

import argparse
import fcntl
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from benchmarks.accuracy import ours
from benchmarks.accuracy.cells import Bench, Cell
from benchmarks.accuracy.comparison import table
from benchmarks.accuracy.datasets import DATASETS, ROOT, prepare
from benchmarks.accuracy.judging import ALWAYS, rows
from benchmarks.accuracy.page import comparison_page
from benchmarks.peers.methods import METHODS
from rbc.outputs import write_json, write_text

RESULTS, TABLE = ROOT / "metrics/accuracy.json", ROOT / "benchmarks/results/accuracy.md"
PAGE, LOCK = ROOT / "report/accuracy.html", ROOT / ".scratch/accuracy.lock"
PEERS = (ALWAYS, *(name for name in METHODS if name != "cebra"))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 once every cell asked for has its rows."""
    chosen = _parsed(arguments)
    done = _read()
    made = {(_cell(row), row["method"]) for row in done if row["method"] not in chosen.again}
    cells = [Cell(*place) for place in product(chosen.datasets, range(chosen.folds), range(chosen.draws), chosen.fractions)]
    todo = [(cell, method) for cell in cells for method in chosen.methods if (cell, method) not in made]
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        names = list(dict.fromkeys(cell.dataset for cell, _ in todo))
        datasets = dict(zip(names, pool.map(prepare, names, repeat(chosen.work)), strict=True))
        folds = {name: dataset.folds(chosen.folds) for name, dataset in datasets.items()}
        benches = {cell: Bench.of(cell, datasets[cell.dataset], folds[cell.dataset][cell.fold]) for cell, _ in todo}
        failed = 0
        with tqdm(total=len(todo), desc="accuracy", unit="fit") as bar:
            for shares in (False, True):  # variants of rbc share what rbc's stages have written
                part = [(cell, method) for cell, method in todo if (method in ours.VARIANTS) == shares]
                jobs = {pool.submit(rows, benches[cell], method): (cell, method) for cell, method in part}
                for job in as_completed(jobs):
                    bar.update()
                    if error := job.exception():  # one that fails must not take the hours of the others with it
                        failed += 1
                        bar.write(f"{jobs[job]}: {error!r}")
                        continue
                    done = _keep(jobs[job], job.result())
    compared = table(done)
    write_text(TABLE, compared)
    if done:
        write_text(PAGE, comparison_page(done))
    print(compared, PAGE, sep="\n")
    return int(failed > 0)


def _read() -> list[dict]:
    return json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []


def _keep(made: tuple[Cell, str], new: list[dict]) -> list[dict]:
    """All rows, those of one fit new; another benchmark may have written its own since."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = sorted([row for row in _read() if (_cell(row), row["method"]) != made] + new, key=_place)
        write_json(RESULTS, {"rows": done})
    return done


def _cell(row: dict) -> Cell:
    return Cell(row["dataset"], row["fold"], row["draw"], row["label_fraction"])


def _place(row: dict) -> tuple:
    return row["dataset"], row["label_fraction"], row["method"], row["fold"], row["draw"], row["modalities"], row["mode"]


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks.accuracy", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    methods = (ours.WHOLE, *PEERS, "cebra", *ours.VARIANTS)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=methods, default=[ours.WHOLE, *PEERS], metavar="NAME",
                        help="; ".join(methods))
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.1], metavar="SHARE", help="of all labels")
    parser.add_argument("--folds", type=int, default=3, help="every labelled animal is held out in one of them")
    parser.add_argument("--draws", type=int, default=1, help="of labels, each with a seed of its own")
    parser.add_argument("--jobs", type=int, default=2, help="at a time, of one thread each")
    parser.add_argument("--again", nargs="+", choices=methods, default=[], metavar="NAME")
    parser.add_argument("--work", type=Path, default=ROOT / ".scratch/accuracy")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
