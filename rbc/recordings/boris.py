"""Events of BORIS exports, in s of video time: tabular (a row per START and STOP) and aggregated (a row per bout).

Versions differ in their columns (`Status` or `Behavior type`, `Media file path` or `Media file name`, `Modifiers` or
`Modifier #1`, …) and older ones write a preamble above the header.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import MISSING, listed, numbers, read_first_lines, read_table, require_columns, separator

Event = tuple[str, float, float, int]
"""Behaviour, start_s, stop_s, line in the file."""
Spans = tuple[tuple[float, float], ...]
RATE_TOLERANCE = 0.01
OFFSET = "Time offset (s)"
MEDIA = ("Media file name", "Media file path", "Media file")
POINT = "a POINT event has no duration; needs START and STOP, or how long it lasts in the manifest's point_s"


@dataclass(frozen=True)
class Asked:
    """What a manifest row says of its events."""

    rate_hz: float
    """Of the video."""
    subject: str
    """Whose events count where several were scored."""
    point_s: float
    """Duration given to POINT events; NaN = none."""


@dataclass(frozen=True)
class Events:
    bouts: list[Event]
    problems: list[str]
    spans: Spans
    """The observation interval, if stated."""
    notes: tuple[str, ...]


def read_tabular(path: Path, header: str, skip: int, asked: Asked) -> Events:
    """Bouts of a tabular export paired in order of time, each behaviour with its subject and modifiers."""
    table, spans, notes = _read(path, header, skip, asked)
    require_columns(path, table, ("Time", "Behavior", "Behavior type"))
    times = numbers(path, table["Time"], "Time")
    problems = _empty_cells(path, table, ("Behavior", "Time"))
    modifiers = _modifiers(table)
    subjects = table.get("Subject", pd.Series("", index=table.index))
    begun: dict[tuple[str, str, str], tuple[float, int]] = {}
    bouts, points = [], Counter()
    for i in np.argsort(times, kind="stable"):
        line, time = int(table.index[i]), float(times[i])
        what, kind = table["Behavior"].iloc[i], table["Behavior type"].iloc[i]
        key = (what, modifiers.iloc[i], subjects.iloc[i])
        where = f"{path}: line {line}: {_named(*key[:2])} at {time:g} s"
        if kind.upper() == "START" and key in begun:
            start, started = begun[key]
            problems.append(f"{where}: unpaired START: the START at {start:g} s (line {started}) has no STOP")
        elif kind.upper() == "START":
            begun[key] = (time, line)
        elif kind.upper() == "STOP" and key not in begun:
            problems.append(f"{where}: unpaired STOP: no START before it")
        elif kind.upper() == "STOP":
            start, started = begun.pop(key)
            bouts.append((what, start, time, started))
        elif kind.upper() == "POINT" and asked.point_s > 0:
            bouts.append((what, time, time + asked.point_s, line))
            points[what] += 1
        elif kind.upper() == "POINT":
            problems.append(f"{where}: {POINT}")
        else:
            problems.append(f"{where}: column 'Behavior type': {kind!r}; needs START or STOP")
    for key, (time, line) in begun.items():
        problems.append(f"{path}: line {line}: {_named(*key[:2])} at {time:g} s: unpaired START: no STOP after it")
    return Events(bouts, problems, spans, (*notes, *_point_notes(points, asked.point_s)))


def read_aggregated(path: Path, header: str, skip: int, asked: Asked) -> Events:
    """Bouts of an aggregated export."""
    table, spans, notes = _read(path, header, skip, asked)
    require_columns(path, table, ("Behavior", "Start (s)", "Stop (s)"))
    point = table.get("Behavior type", pd.Series("", index=table.index)).str.upper() == "POINT"
    refused = np.flatnonzero(point) if not asked.point_s > 0 else []
    problems = listed(refused, lambda i: f"{path}: line {table.index[i]}: {table['Behavior'].iloc[i]!r}: {POINT}")
    starts, stops = (numbers(path, table[name], name) for name in ("Start (s)", "Stop (s)"))
    stops = np.where(point, starts + asked.point_s, stops)
    needed = ("Behavior", "Start (s)", "Stop (s)")
    problems += _empty_cells(path, table[~point], needed) + _empty_cells(path, table[point], needed[:2])
    notes = (*notes, *_point_notes(Counter(table["Behavior"][point]), asked.point_s))
    bouts = list(zip(table["Behavior"], starts, stops, map(int, table.index), strict=True))
    return Events(bouts, problems, spans, notes)


def _read(path: Path, header: str, skip: int, asked: Asked) -> tuple[pd.DataFrame, Spans, tuple[str, ...]]:
    """Event rows of one observation, one video and one subject, as text; the observation interval, if stated; notes."""
    mark = separator(header)
    table = read_table(path, text=True, separator=mark, skip=skip)
    names = {name: "FPS" if name.upper().startswith("FPS") else name.capitalize() for name in table.columns}
    names |= {name: "Behavior type" for name in table.columns if name.lower() == "status"}
    names |= {name: OFFSET for name in table.columns if name.lower() == OFFSET.lower()}
    if len(set(names.values())) < len(names):
        raise RecordingError(f"{path}: line {skip + 1}: two columns mean the same; needs a BORIS export as written")
    table = table.rename(columns=names)
    subjects = [name for name in _distinct(table, "Subject") if name.lower() != "no focal subject"]
    problems, notes = [], ()
    if len(subjects) > 1 and asked.subject in subjects:
        table = table[table["Subject"] == asked.subject]
        others = ", ".join(name for name in subjects if name != asked.subject)
        notes = (f"{path.name}: events of {asked.subject}, not of {others}",)
    elif len(subjects) > 1:
        problems.append(f"{path}: column 'Subject': {', '.join(subjects)}; the manifest's subject (or individual) is "
                        f"{asked.subject!r}; needs one of them")  # fmt: skip
    seen = _distinct(table, "Observation id")
    if len(seen) > 1:
        problems.append(f"{path}: column 'Observation id': {len(seen)} observations ({', '.join(seen[:4])}); needs one "
                        "a file")  # fmt: skip
    above = [[cell.strip(' "') for cell in line.split(mark, 1)] for line in read_first_lines(path, skip)]
    stated = [(OFFSET, value) for value in _distinct(table, OFFSET)]
    stated += [cells for cells in above if len(cells) == 2 and cells[0].lower().startswith("time offset")]
    for name, offset in stated:
        if offset.strip("0.-+:," + mark):
            problems.append(f"{path}: {name!r} is {offset.strip(mark)}; needs 0: times in s of video time")
    media = _media(table, above)
    if len(media) > 1:
        problems.append(f"{path}: {len(media)} media files in the observation ({', '.join(media[:4])}); needs one a "
                        "file: times run on over all of them")  # fmt: skip
    for fps in _distinct(table, "FPS"):
        seen_hz = [pd.to_numeric(part, errors="coerce") for part in re.split(r"[;\s]+", fps)]
        if any(asked.rate_hz > 0 and hz > 0 and abs(hz / asked.rate_hz - 1) > RATE_TOLERANCE for hz in seen_hz):
            problems.append(f"{path}: column 'FPS': the annotated video has {fps}; pose_rate_hz says {asked.rate_hz:g}")
    if problems:
        raise RecordingError(problems)
    if _modifiers(table).any():
        notes = (*notes, f"{path.name}: modifiers are not used")
    ends = [_distinct(table, f"Observation interval {end}")[:1] for end in ("start", "stop")]
    start, stop = (float(pd.to_numeric(cells[0], errors="coerce")) if cells else np.nan for cells in ends)
    return table, ((start, stop),) if 0 <= start < stop < np.inf else (), notes


def _media(table: pd.DataFrame, above: list[list[str]]) -> list[str]:
    """Media files that one player showed one after the other: by the events, the source and the preamble."""
    shown = [_distinct(table, column) for column in MEDIA]
    queues: dict[str, list[str]] = {}
    for source in _distinct(table, "Source"):
        player = ""
        for part in filter(None, map(str.strip, source.split(";"))):
            named = re.match(r"player #(\d+):(.*)", part, re.IGNORECASE)
            player, file = (named[1], named[2]) if named else (player, part)
            queues.setdefault(player, []).append(file.strip())
    for cells in above:
        if len(cells) == 2 and re.fullmatch(r"player #\d+", cells[0], re.IGNORECASE):
            queues.setdefault(f"above {cells[0]}", []).append(cells[1])
    lists = [*shown, *(list(dict.fromkeys(queue)) for queue in queues.values())]
    return max(lists, key=len)


def _modifiers(table: pd.DataFrame) -> pd.Series:
    """Modifiers of each row, '' for none."""
    columns = [name for name in table.columns if re.fullmatch(r"modifiers?( ?#?\d+)?", name, re.IGNORECASE)]
    texts = [table[name].where(~table[name].str.lower().isin(MISSING), "") for name in columns]
    rows = ["|".join(filter(None, row)) for row in zip(*texts, strict=True)] if texts else [""] * len(table)
    return pd.Series(rows, index=table.index, dtype=object)


def _named(what: str, modifiers: str) -> str:
    return f"{what!r} ({modifiers})" if modifiers else repr(what)


def _point_notes(points: Counter, point_s: float) -> list[str]:
    return [f"{count} POINT events of {what!r} last {point_s:g} s each" for what, count in points.items()]


def _distinct(table: pd.DataFrame, column: str) -> list[str]:
    """Values of a column in order; none for an absent column or empty cells."""
    return [value for value in dict.fromkeys(table.get(column, [])) if value.lower() not in MISSING]


def _empty_cells(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    problems = []
    for name in columns:
        empty = np.flatnonzero(table[name].str.lower().isin(MISSING))
        problems += listed(empty, lambda i, name=name: f"{path}: line {table.index[i]}: column {name!r} is empty")
    return problems
