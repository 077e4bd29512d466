"""Rows of metrics/accuracy.json: reading and keeping them, and telling fresh ones from stale ones."""

import fcntl
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.datasets import DATASETS, settings
from benchmarks.accuracy.methods import PEERS, RBC, USUAL_MINUTES, VARIANTS, is_rbc
from benchmarks.accuracy.provenance import method_hash
from benchmarks.imports import ROOT
from rbc.outputs import write_json

RESULTS = ROOT / "metrics/accuracy.json"
Fit = tuple[Cell, str]
"""A method on a cell."""


def read_rows(path: Path = RESULTS) -> list[dict]:
    return json.loads(path.read_text())["rows"] if path.exists() else []


def keep_rows(path: Path, new: Sequence[dict]) -> list[dict]:
    """All rows of a file, those of the same fits replaced by the new ones; another benchmark may have added its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {fit_of(row) for row in new}
    with path.with_name(f".{path.name}.lock.tmp").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = sorted([row for row in read_rows(path) if fit_of(row) not in made] + list(new), key=_place)
        write_json(path, {"rows": rows})
    return rows


def fit_of(row: dict) -> Fit:
    return Cell(row["dataset"], row["fold"], row["draw"], row["label_fraction"]), row["method"]


def todays_hashes() -> dict[tuple[str, str], str]:
    """The hash that a fresh row has, by data set and method."""
    params = {name: settings(name) for name in DATASETS}
    return {(name, method): method_hash(method, params[name]) for name in DATASETS for method in (RBC, *PEERS, *VARIANTS)}


def fresh_rows(rows: Iterable[dict], hashes: dict[tuple[str, str], str]) -> list[dict]:
    """The rows that today's code, settings and recordings would make again."""
    return [row for row in rows if row.get("method_hash", "") == hashes.get((row["dataset"], row["method"]))]


def minutes_of(rows: Iterable[dict]) -> Callable[[Fit], float]:
    """What a fit takes on one core: the mean of the method on the data set, else of the method, else a usual time."""
    known: dict[tuple[str, str], list[float]] = {}
    for fit, minutes in {fit_of(row): row["train_minutes"] for row in rows}.items():
        for place in ((fit[0].dataset, fit[1]), ("", fit[1])):
            known.setdefault(place, []).append(minutes)

    def estimate(fit: Fit) -> float:
        cell, method = fit
        times = known.get((cell.dataset, method)) or known.get(("", method))
        return sum(times) / len(times) if times else USUAL_MINUTES.get(RBC if is_rbc(method) else method, 1.5)

    return estimate


def _place(row: dict) -> tuple:
    return row["dataset"], row["label_fraction"], row["method"], row["fold"], row["draw"], row["modalities"], row["mode"]
