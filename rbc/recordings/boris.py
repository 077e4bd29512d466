"""Events of BORIS exports, in s of video time: tabular (a row per START and STOP) and aggregated (a row per bout)."""

from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import MISSING, listed, numbers, read_table, require_columns, separator

Event = tuple[str, float, float, int]
"""Behaviour, start_s, stop_s, line in the file."""
Spans = tuple[tuple[float, float], ...]
RATE_TOLERANCE = 0.01
OFFSET = "Time offset (s)"


def read_tabular(
    path: Path, header: str, skip: int, rate_hz: float, subject: str
) -> tuple[list[Event], list[str], Spans]:
    """Bouts of a tabular export paired per behaviour in order of time, what is wrong, and the span that it states."""
    table, stated = _read(path, header, skip, rate_hz, subject)
    require_columns(path, table, ("Time", "Behavior", "Behavior type"))
    times = numbers(path, table["Time"], "Time")
    problems = _empty_cells(path, table, ("Behavior", "Time"))
    begun: dict[str, tuple[float, int]] = {}
    bouts = []
    for i in np.argsort(times, kind="stable"):
        line, time = int(table.index[i]), float(times[i])
        what, kind = table["Behavior"].iloc[i], table["Behavior type"].iloc[i]
        where = f"{path}: line {line}: {what!r} at {time:g} s"
        if kind.upper() == "START" and what in begun:
            start, started = begun[what]
            problems.append(f"{where}: unpaired START: the START at {start:g} s (line {started}) has no STOP")
        elif kind.upper() == "START":
            begun[what] = (time, line)
        elif kind.upper() == "STOP" and what not in begun:
            problems.append(f"{where}: unpaired STOP: no START before it")
        elif kind.upper() == "STOP":
            start, started = begun.pop(what)
            bouts.append((what, start, time, started))
        elif kind.upper() == "POINT":
            problems.append(f"{where}: a POINT event has no duration; needs START and STOP")
        else:
            problems.append(f"{where}: column 'Behavior type': {kind!r}; needs START or STOP")
    for what, (time, line) in begun.items():
        problems.append(f"{path}: line {line}: {what!r} at {time:g} s: unpaired START: no STOP after it")
    return bouts, problems, stated


def read_aggregated(
    path: Path, header: str, skip: int, rate_hz: float, subject: str
) -> tuple[list[Event], list[str], Spans]:
    """Bouts of an aggregated export, what is wrong with them, and the span that it states."""
    table, stated = _read(path, header, skip, rate_hz, subject)
    require_columns(path, table, ("Behavior", "Start (s)", "Stop (s)"))
    points = np.flatnonzero(table.get("Behavior type", pd.Series("", index=table.index)).str.upper() == "POINT")
    problems = listed(points, lambda i: f"{path}: line {table.index[i]}: {table['Behavior'].iloc[i]!r}: a POINT event "
                      "has no duration; needs a STATE event")  # fmt: skip
    starts, stops = (numbers(path, table[name], name) for name in ("Start (s)", "Stop (s)"))
    problems += _empty_cells(path, table, ("Behavior", "Start (s)", "Stop (s)"))
    return list(zip(table["Behavior"], starts, stops, map(int, table.index), strict=True)), problems, stated


def _read(path: Path, header: str, skip: int, rate_hz: float, subject: str) -> tuple[pd.DataFrame, Spans]:
    """Event rows of one observation, one video and one subject, as text; and the observation interval, if stated."""
    table = read_table(path, text=True, separator=separator(header), skip=skip)
    names = {name: "FPS" if name.upper().startswith("FPS") else name.capitalize() for name in table.columns}
    names |= {name: "Behavior type" for name in table.columns if name.lower() == "status"}
    names |= {name: OFFSET for name in table.columns if name.lower() == OFFSET.lower()}
    if len(set(names.values())) < len(names):
        raise RecordingError(f"{path}: line {skip + 1}: two columns mean the same; needs a BORIS export as written")
    table = table.rename(columns=names)
    subjects = [name for name in _distinct(table, "Subject") if name.lower() != "no focal subject"]
    problems = []
    if len(subjects) > 1 and subject in subjects:
        table = table[table["Subject"] == subject]
    elif len(subjects) > 1:
        problems.append(f"{path}: column 'Subject': {', '.join(subjects)}; the manifest's individual is none of them")
    for column, noun in (("Observation id", "observations"), ("Media file name", "media files")):
        seen = _distinct(table, column)
        if len(seen) > 1:
            problems.append(f"{path}: column {column!r}: {len(seen)} {noun} ({', '.join(seen[:4])}); needs one a file")
    for offset in _distinct(table, OFFSET):
        if offset.strip("0.-+:"):
            problems.append(f"{path}: column {OFFSET!r}: {offset}; needs 0: times in s of video time")
    for fps in _distinct(table, "FPS"):
        seen = pd.to_numeric(fps, errors="coerce")
        if rate_hz > 0 and seen > 0 and abs(seen / rate_hz - 1) > RATE_TOLERANCE:
            problems.append(f"{path}: column 'FPS': the annotated video has {fps}; pose_rate_hz says {rate_hz:g}")
    if problems:
        raise RecordingError(problems)
    ends = [_distinct(table, f"Observation interval {end}")[:1] for end in ("start", "stop")]
    start, stop = (float(pd.to_numeric(cells[0], errors="coerce")) if cells else np.nan for cells in ends)
    return table, ((start, stop),) if 0 <= start < stop < np.inf else ()


def _distinct(table: pd.DataFrame, column: str) -> list[str]:
    """Values of a column in order; none for an absent column or empty cells."""
    return [value for value in dict.fromkeys(table.get(column, [])) if value.lower() not in MISSING]


def _empty_cells(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    problems = []
    for name in columns:
        empty = np.flatnonzero(table[name].str.lower().isin(MISSING))
        problems += listed(empty, lambda i, name=name: f"{path}: line {table.index[i]}: column {name!r} is empty")
    return problems
