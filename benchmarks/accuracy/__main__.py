"""AP and F1 on animals that no method has learnt from: rbc and what else there is, at several label budgets.

`python -m benchmarks.accuracy` makes the full table: three folds with three draws of 10 % of the labels, and with one draw
of 2 % and of all of them. `--screen` is one cell of each data set with few methods, printed and put aside.
It goes on where it was stopped: rows that today's code, settings and recordings have made are not made again, stale ones
are. What stages write lies below --work, in a folder of exactly this code and these settings.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from benchmarks.accuracy.cells import Bench, Cell
from benchmarks.accuracy.comparison import JUDGED
from benchmarks.accuracy.datasets import DATASETS, is_there, prepare
from benchmarks.accuracy.folds import FOLDS
from benchmarks.accuracy.judging import rows
from benchmarks.accuracy.methods import OPTIONAL, PEERS, RBC, SCREENED, VARIANTS
from benchmarks.accuracy.page import comparison_page
from benchmarks.accuracy.processes import die_with_parent
from benchmarks.accuracy.records import (RESULTS, Fit, fit_of, fresh_rows, keep_rows, minutes_of, read_rows,
                                         todays_hashes)
from benchmarks.accuracy.tables import modalities_table, results_page
from benchmarks.imports import ROOT
from rbc.outputs import write_text

TABLE, PAGE = ROOT / "benchmarks/results/accuracy.md", ROOT / "report/accuracy.html"
FRACTIONS = (0.02, JUDGED, 1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 once every cell asked for has its rows."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once, and with it whatever it has started
    chosen = _parsed(arguments)
    if missing := [name for name in chosen.datasets if not is_there(name)]:
        print(f"left out, for want of recordings: {', '.join(missing)}")
        chosen.datasets = [name for name in chosen.datasets if name not in missing]
    path = chosen.work / "screen.json" if chosen.screen else RESULTS
    known = read_rows(path)
    done = {fit_of(row) for row in fresh_rows(known, todays_hashes())}
    todo = [fit for fit in asked_for(chosen) if fit not in done]
    minutes = sum(map(minutes_of(known + read_rows(RESULTS)), todo))
    print(f"{len(todo)} fits to make, roughly {minutes / 60 / chosen.jobs:.1f} hours, {chosen.jobs} at a time", flush=True)
    failed = _make(todo, path, chosen)
    known = read_rows(path)
    fresh = fresh_rows(known, todays_hashes())  # code may have been edited meanwhile
    if chosen.screen:
        wanted = set(asked_for(chosen))
        own = [row for row in fresh if fit_of(row) in wanted]
        print(modalities_table(own, chosen.methods) if own else "No rows.")
    else:
        write_text(TABLE, results_page(fresh, len(known) - len(fresh)))
        if fresh:
            write_text(PAGE, comparison_page(fresh))
        print(TABLE.read_text(), PAGE, sep="\n")
    return int(failed > 0)


def asked_for(chosen: argparse.Namespace) -> list[Fit]:
    """Methods on cells; only the budget of the verdicts has more than one draw."""
    cells = [Cell(*place) for place in product(chosen.datasets, range(chosen.folds), range(chosen.draws), chosen.fractions)]
    return [(cell, method) for cell in cells if cell.draw == 0 or cell.fraction == JUDGED for method in chosen.methods]


def _make(todo: Sequence[Fit], path: Path, chosen: argparse.Namespace) -> int:
    """Make the rows of fits and keep them; how many failed."""
    failed = 0
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn"), initializer=die_with_parent,
                             max_tasks_per_child=1) as pool:
        names = list(dict.fromkeys(cell.dataset for cell, _ in todo))
        datasets = dict(zip(names, pool.map(prepare, names, repeat(chosen.work)), strict=True))
        folds = {name: dataset.folds() for name, dataset in datasets.items()}
        benches = {cell: Bench.of(cell, datasets[cell.dataset], folds[cell.dataset][cell.fold]) for cell, _ in todo}
        jobs = {pool.submit(rows, benches[cell], method): (cell, method) for cell, method in todo}
        with tqdm(total=len(todo), desc="accuracy", unit="fit") as bar:
            for job in as_completed(jobs):
                bar.update()
                if error := job.exception():  # one that fails must not take the hours of the others with it
                    failed += 1
                    bar.write(f"{jobs[job]}: {error!r}")
                else:
                    keep_rows(path, job.result())
    return failed


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks.accuracy", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    methods = (RBC, *PEERS, *VARIANTS)
    usual = [RBC, *(name for name in PEERS if name not in OPTIONAL)]
    parser.add_argument("--screen", action="store_true",
                        help=f"one fold and draw of every data set with {JUDGED:.0%}% of the labels: {', '.join(SCREENED)}")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=methods, metavar="NAME", help="; ".join(methods))
    parser.add_argument("--fractions", nargs="+", type=float, metavar="SHARE", help="of all labels")
    parser.add_argument("--folds", type=int, choices=range(1, FOLDS + 1), metavar="N",
                        help=f"the first so many of {FOLDS}; every labelled animal is held out in one of them")
    parser.add_argument("--draws", type=int, metavar="N", help=f"of {JUDGED:.0%}% of the labels, each with a seed of its own")
    parser.add_argument("--jobs", type=int, default=2, help="at a time, of one thread each")
    parser.add_argument("--work", type=Path, default=ROOT / ".scratch/accuracy")
    chosen = parser.parse_args(arguments)
    usually = (list(SCREENED), [JUDGED], 1, 1) if chosen.screen else (usual, list(FRACTIONS), FOLDS, 3)
    for name, value in zip(("methods", "fractions", "folds", "draws"), usually, strict=True):
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    chosen.work = chosen.work.resolve()
    return chosen


if __name__ == "__main__":
    sys.exit(main())
