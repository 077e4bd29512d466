"""All recordings of a folder looked through before anything is made of them: what there is, and all that is wrong.

A worker holds one session at a time; how many workers there are changes nothing in what comes out.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rbc.recordings import labelling, physics, wearer
from rbc.recordings.alignment import extent, sync_problems
from rbc.recordings.errors import RecordingError
from rbc.recordings.geometry import unite_keypoints
from rbc.recordings.manifest import Row, read_rows
from rbc.recordings.ontology import Ontology, translate
from rbc.recordings.raw import label_problems, read_raw
from rbc.recordings.resampling import make_grid
from rbc.recordings.session import NOT_SCORED
from rbc.recordings.settings import Settings

WORKERS = 2


@dataclass(frozen=True)
class Look:
    """What the files of one session hold."""

    problems: tuple[str, ...] = ()
    behaviours: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    imu: bool = False
    pose: bool = False
    rest: physics.Rest = physics.NO_REST
    length_s: float = 0.0
    labelled_s: float = 0.0
    warnings: tuple[str, ...] = ()
    """Odd, but no reason to stop."""


@dataclass(frozen=True)
class Checked:
    """A folder without a problem."""

    rows: tuple[Row, ...]
    """All of the manifest, the excluded ones too."""
    looks: dict[str, Look]
    """By session, without the excluded ones."""
    behaviours: tuple[str, ...]
    keypoints: tuple[str, ...]
    """Of all sessions together."""


def check_all(
    root: Path, settings: Settings, *, animal_pattern: str, ontology: Ontology, labels: bool = True,
    progress: bool = True,
) -> Checked:
    """What the recordings below `root` hold; the keypoints of the settings are not looked at.

    No behaviours in the settings means all that the label files name; no body_axis, that none is needed. Without
    `labels` none are needed nor looked at.
    Raises one RecordingError with every problem of the manifest and of every file.
    """
    judged = read_rows(Path(root), animal_pattern, labels=labels)
    problems = [problem for _, found in judged for problem in found]
    used = [(row, not found) for row, found in judged if not row.exclude]
    if not used and not problems:
        raise RecordingError(f"{root}: every session is excluded")
    task = partial(look, settings=settings, ontology=ontology)
    looks = list(work(task, used, "check", progress))
    problems += [problem for seen in looks for problem in seen.problems]
    named = {row.session: seen for (row, _), seen in zip(used, looks, strict=True)}
    behaviours, keypoints = settings.behaviours, ()
    if not behaviours:
        behaviours = tuple(dict.fromkeys(name for seen in looks for name in seen.behaviours))
    if labels:
        problems += ontology.problems(behaviours)
    try:
        keypoints = unite_keypoints({name: seen.keypoints for name, seen in named.items()}, settings.body_axis)
    except RecordingError as error:
        problems += error.problems
    if problems:
        raise RecordingError(list(dict.fromkeys(problems)))
    return Checked(tuple(row for row, _ in judged), named, behaviours, keypoints)


def work(task: Callable, items: list, name: str, progress: bool) -> Iterator:
    """Results of a task on every item, in order."""
    workers = min(WORKERS, os.cpu_count() or 1, len(items))
    with ProcessPoolExecutor(max(1, workers)) as pool:
        results: Iterable = pool.map(task, items, chunksize=max(1, min(16, len(items) // 40)))
        yield from tqdm(results, total=len(items), desc=name, unit="session", disable=not progress, delay=1)


def look(item: tuple[Row, bool], settings: Settings, ontology: Ontology) -> Look:
    """Everything that can be said of a row's files; where the row itself is wrong, only whether they can be read."""
    row, sound = item
    try:
        raw = translate(read_raw(row, settings.behaviours), ontology.aliases)
    except RecordingError as error:
        return Look(tuple(error.problems))
    behaviours = settings.behaviours or raw.behaviours
    has = replace(Look(), behaviours=raw.behaviours, keypoints=raw.keypoints)
    if not sound:
        return has
    rest = physics.at_rest(raw)
    wrong, unworn = physics.unit_problems(rest, row.imu_units), []
    # in a wrong unit nothing turns as it should, nor does a wrong animal
    try:
        raw = wearer.settle(raw, settings) if not wrong else raw
    except RecordingError as error:
        unworn = error.problems
    if not (wrong or unworn):
        wrong = physics.turning_problems(raw, settings)
    where = f"session {row.session}: {'; '.join(map(str, row.imu))}"
    problems = label_problems(raw, behaviours) + unworn + [f"{where}: {problem}" for problem in wrong]
    problems += sync_problems(raw, settings) if not (wrong or unworn) else []
    if problems:
        return replace(has, problems=tuple(problems))
    start, stop = extent(raw)
    times = make_grid(start, stop, settings.rate_hz)
    _, labels = labelling.label_frames(raw, times, behaviours)
    conflicts, _ = ontology.conflicts(labels, behaviours)
    warnings = [conflict_note(conflicts)] if conflicts else []
    return replace(
        has, imu=bool(row.imu), pose=bool(row.pose), rest=rest, length_s=stop - start,
        labelled_s=np.count_nonzero((labels != NOT_SCORED).any(1)) / settings.rate_hz,
        warnings=(*warnings, *([rest.note] if rest.note else []), *raw.wearer_notes),
    )


def conflict_note(conflicts: dict[str, int]) -> str:
    """Contradictions of labels in words."""
    return "labels contradict: " + ", ".join(f"{kind} in {count} frames" for kind, count in conflicts.items())
