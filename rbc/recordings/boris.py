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
from rbc.recordings.playlist import Playlist, queue_problem, read_players
from rbc.recordings.tables import MISSING, listed, numbers, read_first_lines, read_table, require_columns, separator

Event = tuple[str, float, float, int]
"""Behaviour, start_s, stop_s, line in the file."""
Spans = tuple[tuple[float, float], ...]
RATE_TOLERANCE = 0.01
OFFSET, DURATION = "Time offset (s)", "Media duration (s)"
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
    chapters_s: tuple[float, ...] = ()
    """Durations of the files that the session's video is made of; empty = not known."""


@dataclass(frozen=True)
class Events:
    bouts: list[Event]
    problems: list[str]
    spans: Spans
    """The observation interval, if stated."""
    notes: tuple[str, ...]


def read_tabular(path: Path, header: str, skip: int, asked: Asked) -> Events:
    """Bouts of a tabular export paired in order of time, each behaviour with its subject and modifiers."""
    table, spans, notes, playlist = _read(path, header, skip, asked)
    require_columns(path, table, ("Time", "Behavior", "Behavior type"))
    times = _times(path, table, "Time", playlist)
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
    table, spans, notes, playlist = _read(path, header, skip, asked)
    require_columns(path, table, ("Behavior", "Start (s)", "Stop (s)"))
    point = table.get("Behavior type", pd.Series("", index=table.index)).str.upper() == "POINT"
    refused = np.flatnonzero(point) if not asked.point_s > 0 else []
    problems = listed(refused, lambda i: f"{path}: line {table.index[i]}: {table['Behavior'].iloc[i]!r}: {POINT}")
    starts, stops = (_times(path, table, name, playlist) for name in ("Start (s)", "Stop (s)"))
    stops = np.where(point, starts + asked.point_s, stops)
    needed = ("Behavior", "Start (s)", "Stop (s)")
    problems += _empty_cells(path, table[~point], needed) + _empty_cells(path, table[point], needed[:2])
    notes = (*notes, *_point_notes(Counter(table["Behavior"][point]), asked.point_s))
    bouts = list(zip(table["Behavior"], starts, stops, map(int, table.index), strict=True))
    return Events(bouts, problems, spans, notes)


def _read(path: Path, header: str, skip: int, asked: Asked) -> tuple[pd.DataFrame, Spans, tuple[str, ...], Playlist]:
    """Event rows of one observation and one subject, as text; the observation interval, if stated; notes; where the
    times lie in the video."""
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
    for name, offset in [cells for cells in above if len(cells) == 2 and cells[0].lower().startswith("time offset")]:
        if offset.strip("0.-+:," + mark):
            problems.append(f"{path}: {name!r} is {offset.strip(mark)}; needs 0: times in s of video time")
    offsets = _distinct(table, OFFSET)
    offset_s = float(pd.to_numeric(offsets[0], errors="coerce")) if offsets else 0.0
    if len(offsets) > 1 or not np.isfinite(offset_s):
        problems.append(f"{path}: {OFFSET!r} is {', '.join(offsets)}; needs one number")
    players = read_players(_distinct(table, "Source"))
    media = _media(table, players, above)
    durations = _distinct(table, DURATION)[:1]
    media_s = [float(pd.to_numeric(cell, errors="coerce")) for cells in durations for cell in cells.split(";")]
    unplaced = queue_problem(players, media, media_s, asked.chapters_s) if len(media) > 1 else ""
    if unplaced:
        problems.append(f"{path}: {len(media)} media files in the observation ({', '.join(media[:4])}); {unplaced}")
    for fps in _distinct(table, "FPS"):
        seen_hz = [pd.to_numeric(part, errors="coerce") for part in re.split(r"[;|\s]+", fps)]
        if any(asked.rate_hz > 0 and hz > 0 and abs(hz / asked.rate_hz - 1) > RATE_TOLERANCE for hz in seen_hz):
            problems.append(f"{path}: column 'FPS': the annotated video has {fps}; pose_rate_hz says {asked.rate_hz:g}")
    if problems:
        raise RecordingError(problems)
    if _modifiers(table).any():
        notes = (*notes, f"{path.name}: modifiers are not used")
    if offset_s:
        notes = (*notes, f"{path.name}: {OFFSET!r} of {offset_s:g} is taken off the times")
    if len(media) > 1:
        notes = (*notes, f"{path.name}: times run over {len(media)} media files, which are the chapters of video")
    playlist = Playlist(offset_s, tuple(media_s[:-1]), asked.chapters_s[:-1]) if len(media) > 1 else Playlist(offset_s)
    ends = [_distinct(table, f"Observation interval {end}")[:1] for end in ("start", "stop")]
    start, stop = (float(pd.to_numeric(cells[0], errors="coerce")) if cells else np.nan for cells in ends)
    start, stop = map(float, playlist.video_time([start, stop]))
    sure = 0 <= start < stop < np.inf and not offset_s  # whether it includes an offset is not documented
    return table, ((start, stop),) if sure else (), notes, playlist


def _media(table: pd.DataFrame, players: dict[str, list[str]], above: list[list[str]]) -> list[str]:
    """Media files that one player showed one after the other: by the source, the events and the preamble."""
    queues: dict[str, list[str]] = {}
    for cells in above:
        if len(cells) == 2 and re.fullmatch(r"player #\d+", cells[0], re.IGNORECASE):
            queues.setdefault(cells[0], []).append(cells[1])
    shown = [_distinct(table, column) for column in MEDIA]
    return max([*players.values(), *shown, *(list(dict.fromkeys(queue)) for queue in queues.values())], key=len)


def _times(path: Path, table: pd.DataFrame, column: str, playlist: Playlist) -> np.ndarray:
    """(E,) s of video time of a column of times."""
    stated, begin = numbers(path, table[column], column), playlist.offset_s
    early = np.flatnonzero(stated < begin) if begin else []
    if len(early):
        raise RecordingError(listed(early, lambda i: f"{path}: line {table.index[i]}: column {column!r}: {stated[i]:g}"
                                    f"; the video begins at {begin:g}, its {OFFSET!r}"))  # fmt: skip
    return playlist.video_time(stated)


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
