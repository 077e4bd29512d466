"""All sessions of a recordings folder: checked together, aligned one by one, saved, and summed up in a table.

A worker holds one session at a time; how many workers there are changes nothing in what is written.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from rbc.recordings.alignment import Settings, align
from rbc.recordings.errors import RecordingError
from rbc.recordings.geometry import unite_keypoints
from rbc.recordings.manifest import Row, scan_manifest
from rbc.recordings.raw import label_problems, read_raw
from rbc.recordings.session import NOT_SCORED, Session

WORKERS = 2


def align_all(
    root: Path, out: Path, *, behaviours: tuple[str, ...], animal_pattern: str, body_axis: tuple[str, str],
    head_axis: tuple[str, str], rate_hz: float, min_likelihood: float, max_gap_s: float, min_clock_correlation: float,
    keypoints: tuple[str, ...] = (), labels: bool = True, progress: bool = True,
) -> pd.DataFrame:
    """Save every session of `root` below `out` and return a table with a row for each, in the manifest's order.

    No `behaviours` means all that the label files name; `keypoints` (a model's) replace the union over the sessions.
    Without `labels` none are needed nor looked at.
    Raises one RecordingError with every problem of every session before anything is written.
    """
    rows, problems = scan_manifest(Path(root), animal_pattern, labels=labels)
    used = [row for row in rows if not row.exclude]
    if not used:
        raise RecordingError(problems or f"{root}: every session is excluded")
    names = [row.session for row in used]
    seen = dict(zip(names, _work(partial(_look, behaviours=behaviours), used, "check", progress)))
    problems += [problem for found, *_ in seen.values() for problem in found]
    if not problems and not behaviours:
        behaviours = tuple(dict.fromkeys(name for _, named, _ in seen.values() for name in named))
    try:
        have = {name: points for name, (_, _, points) in seen.items()}
        union = unite_keypoints(have, body_axis)
        keypoints = keypoints or union
    except RecordingError as error:
        problems += error.problems
    if problems:
        raise RecordingError(problems)
    settings = Settings(
        behaviours, keypoints, rate_hz, min_likelihood, max_gap_s, min_clock_correlation, body_axis, head_axis
    )
    done = dict(zip(names, _work(partial(_align, settings=settings, out=Path(out)), used, "align", progress)))
    return pd.DataFrame([done.get(row.session) or _left_out(row) for row in rows])


def _work(task, rows: list[Row], name: str, progress: bool) -> Iterator:
    """Results of a task on every row, in order."""
    workers = min(WORKERS, os.cpu_count() or 1, len(rows))
    with ProcessPoolExecutor(workers) as pool:
        results: Iterable = pool.map(task, rows, chunksize=max(1, min(16, len(rows) // 40)))
        yield from tqdm(results, total=len(rows), desc=name, unit="session", disable=not progress)


def _look(row: Row, behaviours: tuple[str, ...]) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Problems, behaviours and keypoints of a session."""
    try:
        raw = read_raw(row, behaviours)
    except RecordingError as error:
        return error.problems, (), ()
    return label_problems(raw, behaviours or raw.behaviours), raw.behaviours, raw.keypoints


def _align(row: Row, settings: Settings, out: Path) -> dict:
    session = align(read_raw(row, settings.behaviours), settings)
    session.save(out / row.session)
    return table_row(session)


def table_row(session: Session) -> dict:
    """A session's row of plots/align_data.csv."""
    report, clock = session.report, session.report["clock"]
    state = "accepted" if clock["accepted"] else "refused"
    if not report["two_clocks"]:
        state = "shared" if report["imu_rate_hz"] or session.ready_imu_names else "none"
    mounted = report["mounting"]
    notes = [clock["reason"] if report["two_clocks"] else "", "" if mounted["axes"] == "body" else "sensor axes kept"]
    notes += [f"{len(clock['steps'])} steps in the clock"] if clock["steps"] else []
    notes += report.get("notes", [])
    ms = {name: None if clock[name] is None else 1000 * clock[name] for name in ("offset_s", "offset_se_s")}
    own = report["two_clocks"] and clock["accepted"]
    return {
        "session": session.name, "animal": session.animal, "frames": len(session),
        "labelled_frames": int((session.labels != NOT_SCORED).any(1).sum()),
        "offset_ms": ms["offset_s"] if own else np.nan, "offset_se_ms": ms["offset_se_s"] if own else np.nan,
        "drift_ppm": clock["drift_ppm"] if own else np.nan, "drift_se_ppm": clock["drift_se_ppm"] if own else np.nan,
        "correlation_before": clock["correlation_before"], "correlation_after": clock["correlation"], "clock": state,
        "missing_imu": float(1 - session.valid[:, 0].mean()), "missing_pose": float(1 - session.valid[:, 1].mean()),
        "pose_rate_hz": report["pose_rate_hz"], "imu_rate_hz": report["imu_rate_hz"],
        "mounting": report["mount"] or "unknown", "heading_se_deg": mounted.get("heading_se_deg"),
        "note": "; ".join(filter(None, notes)),
    }


def _left_out(row: Row) -> dict:
    note = f"left out: {row.exclude}"
    return {"session": row.session, "animal": row.animal, "frames": 0, "labelled_frames": 0, "note": note}
