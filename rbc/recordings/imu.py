"""What the animal wears: accelerometer and gyroscope on the logger's own clock, in m/s² and rad/s."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.channels import (ACC, GYRO, HEADER_WITHIN, SIGNALS, Channels, find_channels, find_header,
                                     unit_problems)  # fmt: skip
from rbc.recordings.errors import RecordingError
from rbc.recordings.stamps import Stamps, read_stamps, time_problems, to_seconds
from rbc.recordings.tables import (decimal_mark, joined, numbers, read_first_lines, read_table, require_columns,
                                   separator)  # fmt: skip
from rbc.recordings.units import check_signals, convert


@dataclass(frozen=True)
class ImuRecording:
    time_s: np.ndarray
    """(N,) f8 seconds on the logger's clock, strictly increasing; lost samples are missing rows."""
    names: tuple[str, ...]
    """Channels, a subset of SIGNALS in that order."""
    values: np.ndarray
    """(N, len(names)) f4 acc in m/s², gyro in rad/s; NaN where missing."""
    notes: tuple[str, ...] = ()
    """Repairs with their counts, and sensors that are not used."""
    channel: np.ndarray | None = None
    """(N,) f8 of the further column that was asked for."""


@dataclass(frozen=True)
class Chapter:
    path: Path
    stamps: Stamps
    names: tuple[str, ...]
    values: np.ndarray
    """(N, C) f4 m/s², rad/s."""
    notes: tuple[str, ...]
    channel: np.ndarray


def read_imu(
    paths: tuple[Path, ...], units: str, rate_hz: float = float("nan"), repairs: tuple[str, ...] = (), channel: str = ""
) -> ImuRecording:
    """Accelerometer and gyroscope of one session; several files are chapters in order, on one clock.

    A CSV, by commas, tabs or semicolons (then perhaps with decimal commas), has a time column (see stamps) and
    acc_x, acc_y, acc_z with or without gyro_x, gyro_y, gyro_z, or common other names of theirs (see channels); other
    columns are not read but for `channel`, lines above the header neither. `units` is the manifest's cell; `rate_hz`
    (NaN = not stated) guards the time unit and gives a sample counter its seconds; `repairs` are those that the
    manifest declares.
    Raises RecordingError: no units, missing column, numbers that do not parse, time that does not increase, all-NaN
    columns.
    """
    chapters, problems = [], []
    if not units:
        problems.append(f"{paths[0]}: imu_units is empty; needs the units of acc and gyro, such as 'g,deg/s'")
    for path in paths:
        chapter, found = _read_chapter(Path(path), units, rate_hz, repairs, channel)
        chapters.append(chapter)
        problems += found
    if problems:
        raise RecordingError(problems)
    first = chapters[0]
    for chapter in chapters:
        if chapter.names != first.names:
            problems.append(f"{chapter.path}: channels {', '.join(chapter.names)}; the first chapter has "
                            f"{', '.join(first.names)}")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    values = joined([chapter.values for chapter in chapters])
    kept, time_s, notes = to_seconds([chapter.stamps for chapter in chapters], values, rate_hz, repairs)
    origin = np.repeat(np.arange(len(chapters)), [len(chapter.values) for chapter in chapters])[kept]
    for number, chapter in enumerate(chapters):
        problems += time_problems(str(chapter.path), time_s[origin == number], rate_hz, "imu_rate_hz")
    problems = problems or time_problems(str(chapters[0].path), time_s, np.nan, "imu_rate_hz")
    if problems:
        raise RecordingError(problems)
    notes += check_signals(first.path, first.names, values)
    notes = (*notes, *dict.fromkeys(note for chapter in chapters for note in chapter.notes))
    further = np.concatenate([chapter.channel for chapter in chapters])[kept] if channel else None
    return ImuRecording(time_s, first.names, values[kept] if len(kept) < len(values) else values, notes, further)


def _read_chapter(
    path: Path, units: str, rate_hz: float, repairs: tuple[str, ...], channel: str
) -> tuple[Chapter | None, list[str]]:
    """One file, and all that is wrong with it."""
    problems: list[str] = []

    def attempt(read, *args):
        try:
            return read(*args)
        except RecordingError as error:
            problems.extend(error.problems)
            return None

    opened = attempt(_open, path)
    if opened is None:
        return None, problems
    table, channels, names = opened
    problems += unit_problems(path, channels, units)
    columns = [attempt(numbers, path, table[name], channels.columns[name]) for name in names]
    further = attempt(_channel, path, table, channel) if channel else np.zeros(0)
    parsed = all(column is not None for column in columns)
    values = attempt(convert, path, names, columns, units) if parsed and units else None
    stamps = attempt(read_stamps, path, table)
    if stamps is not None and problems:
        rows = np.arange(len(table))[:, None] if values is None else values
        attempt(to_seconds, [stamps], rows, rate_hz, repairs)
    return None if problems else Chapter(path, stamps, names, values, channels.notes, further), problems


def _channel(path: Path, table: pd.DataFrame, name: str) -> np.ndarray:
    """A further column."""
    require_columns(path, table, [name])
    return numbers(path, table[name], name)


def _open(path: Path) -> tuple[pd.DataFrame, Channels, tuple[str, ...]]:
    """The table of a file with its signals under their own names, how they were found, and which there are."""
    lines = read_first_lines(path, 2 * HEADER_WITHIN)
    skip = find_header(lines)
    mark = separator(lines[skip]) if lines else ","
    table = read_table(path, long=True, separator=mark, skip=skip, decimal=decimal_mark(lines[skip + 1 :], mark))
    channels, problems = find_channels(path, list(table.columns))
    if problems:
        raise RecordingError(problems)
    table = table.rename(columns={column: signal for signal, column in channels.columns.items()})
    names = SIGNALS if any(name in table.columns for name in GYRO) else ACC
    require_columns(path, table, names)
    if len(table) < 2:
        raise RecordingError(f"{path}: {len(table)} rows of data; needs at least 2")
    return table, channels, names
