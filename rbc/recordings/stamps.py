"""When samples were taken: time columns and sample counters of loggers, as seconds, with repairs that are declared.

N rows of the chapters of one session, one after the other, on one clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.channels import is_counter, time_unit
from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import MISSING, TIME_UNITS, listed, numbers

DROP, UNWRAP, SPREAD = "drop_duplicate_samples", "unwrap_counter", "spread_packets"
REPAIRS = {
    DROP: "rows that repeat an earlier one, stamp and values, are left out",
    UNWRAP: "a counter that starts again at 0 goes on counting",
    SPREAD: "samples that arrived under one stamp are spread evenly back over the interval before it",
}
BITS = (8, 16, 24, 32)
EPOCH_S = 1e8
"""Later than this since 1970 is a date: seconds then count from the first sample, which keeps their digits."""
RATES_HZ = (0.1, 10_000.0)
"""What cameras and loggers do; a rate beyond says a wrong unit."""
RATE_FACTOR = 1.5
"""A stated rate further off than this means a wrong time unit, not a bad crystal."""
MOSTLY_GAP, SHORTEST_S = 20, 3600.0
"""A recording that spans so many times what it holds, and more than an hour, has a stamp that is wrong."""
LOST = 1.5
"""An interval this many times the usual one holds a packet that never arrived."""


@dataclass(frozen=True)
class Stamps:
    """The time column of one chapter, as written."""

    path: Path
    column: str
    lines: np.ndarray
    """(N,) line in the file."""
    values: np.ndarray
    """(N,) f8 counts of `unit_s`."""
    unit_s: float
    """NaN where the name states none."""
    counter: bool
    """Samples are counted, not seconds."""


def read_stamps(path: Path, table: pd.DataFrame) -> Stamps:
    """Stamps of the column that tells time: one with a unit in its name, date-times, or a counter of samples.

    Raises RecordingError for no such column, or two, for empty cells and for what is neither number nor ISO date-time.
    """
    names = [str(name) for name in table.columns]
    told = [name for name in names if name.lower() in TIME_UNITS] or [n for n in names if time_unit(n) is not None]
    counters = [name for name in names if is_counter(name)] if not told else []
    if len(told) > 1 or len(counters) > 1:
        given = ", ".join(repr(name) for name in told or counters)
        raise RecordingError(f"{path}: columns {given} all tell time; needs one, or one of them named time_s, time_ms "
                             "or time_us")  # fmt: skip
    if not told + counters:
        there = ", ".join(repr(name) for name in names[:20])
        raise RecordingError(f"{path}: missing column 'time_s' (or time_ms, time_us, a date-time, a sample counter); "
                             f"the columns are {there}")  # fmt: skip
    column = (told + counters)[0]
    cells, unit_s = table[column], 1.0 if counters else time_unit(column)
    if not pd.api.types.is_numeric_dtype(cells) and (dates := _dates(cells)).notna().sum() > len(cells) / 2:
        empty = cells.isna() | cells.astype(str).str.strip().str.lower().isin(MISSING)
        wrong = np.flatnonzero((dates.isna() & ~empty).to_numpy())
        values, unit_s = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(float), 1.0
    else:
        wrong, values = np.zeros(0, int), numbers(path, cells, column)
        empty = pd.Series(np.isnan(values))
    problems = listed(wrong, lambda i: f"{path}: line {table.index[i]}: column {column!r}: {str(cells.iloc[i])!r} is "
                      "no ISO date-time such as 2024-05-13T10:00:00.125")  # fmt: skip
    problems += listed(np.flatnonzero(empty.to_numpy()), lambda i: f"{path}: line {table.index[i]}: column {column!r} "
                       "is empty; every row needs a time")  # fmt: skip
    if counters:
        part = np.flatnonzero(~np.isnan(values) & (values != np.floor(values)))
        problems += listed(part, lambda i: f"{path}: line {table.index[i]}: column {column!r}: {values[i]:g}; a "
                           "counter of samples needs whole numbers")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    return Stamps(path, column, table.index.to_numpy(), values, unit_s, bool(counters))


def _dates(cells: pd.Series) -> pd.Series:
    """Date-times in UTC (as which those without a zone count), NaT where a cell is none; a decimal comma is taken."""
    text = cells.astype(str).str.strip().str.replace(",", ".", regex=False)
    return pd.to_datetime(text.where(text.str.contains(r"\d-\d|:", regex=True)), format="ISO8601", utc=True,
                          errors="coerce")  # fmt: skip


def to_seconds(
    chapters: list[Stamps], samples: np.ndarray, rate_hz: float, repairs: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(kept rows (M,), their seconds (M,), strictly increasing, what was repaired) of samples (N, C) with their stamps.

    Raises RecordingError listing every stamp that does not follow its predecessor, with the repair to declare.
    """
    first = chapters[0]
    for chapter in chapters[1:]:
        if (chapter.column, chapter.counter) != (first.column, first.counter):
            raise RecordingError(f"{chapter.path}: time is column {chapter.column!r}; the first chapter has "
                                 f"{first.column!r}")  # fmt: skip
    values = np.concatenate([chapter.values for chapter in chapters])
    unit_s = _unit_s(first, values, rate_hz)
    modulus = _modulus(values, unit_s, first.counter)
    kept, notes = np.arange(len(values)), []
    if DROP in repairs:
        again = _repeated(values, samples, UNWRAP not in repairs)
        kept, values, samples = kept[~again], values[~again], samples[~again]
        notes.append(f"{DROP}: {again.sum()} rows left out")
    if UNWRAP in repairs:
        wraps = _wraps(values, modulus)
        values = values + modulus * np.cumsum(wraps) if wraps.any() else values
        notes.append(f"{UNWRAP}: {wraps.sum()} wraps undone")
    time_s = values * unit_s
    if len(time_s) and abs(time_s[0]) > EPOCH_S:
        time_s = (values - values[0]) * unit_s
    if SPREAD in repairs and not first.counter:
        time_s, shared = spread_packets(time_s)
        notes.append(f"{SPREAD}: {shared} samples shared a stamp")
    wrong = np.flatnonzero(~(np.diff(time_s) > 0)) + 1
    if len(wrong):
        raise RecordingError(_describe(chapters, kept, values, samples, wrong, modulus))
    return kept, time_s, notes


def _unit_s(stamps: Stamps, values: np.ndarray, rate_hz: float) -> float:
    """Seconds of a count: from the column's name, for counters and names without a unit from the stated rate."""
    if stamps.counter:
        if not rate_hz > 0:
            raise RecordingError(f"{stamps.path}: column {stamps.column!r} counts samples, and imu_rate_hz is empty; "
                                 "needs samples per second")  # fmt: skip
        return 1 / rate_hz
    if stamps.unit_s > 0:
        return stamps.unit_s
    steps = np.diff(np.unique(values))
    step = np.median(steps) / max(len(values) / (len(steps) + 1), 1) if len(steps) else np.nan
    for unit_s in (1.0, 1e-3, 1e-6, 1e-9):
        if rate_hz > 0 and 2 / 3 < step * unit_s * rate_hz < 3 / 2:
            return unit_s
    stated = f"at imu_rate_hz {rate_hz:g} no unit fits its steps of {step:g}" if rate_hz > 0 else "imu_rate_hz is empty"
    raise RecordingError(f"{stamps.path}: column {stamps.column!r} states no unit, and {stated}; needs a name such as "
                         "time_s, time_ms, time_us")  # fmt: skip


def _repeated(values: np.ndarray, samples: np.ndarray, anywhere: bool) -> np.ndarray:
    """(N,) rows that repeat an earlier one, stamp and values; only the row directly before where a counter wraps."""
    rows = pd.DataFrame(np.column_stack([values, samples]))
    if anywhere:
        return rows.duplicated().to_numpy()
    same = (rows == rows.shift()) | (rows.isna() & rows.shift().isna())
    return (same.all(axis=1) & (rows.index > 0)).to_numpy()


def _modulus(values: np.ndarray, unit_s: float, counter: bool) -> float:
    """The smallest count above all values at which a counter of microseconds, milliseconds, samples starts again."""
    if counter:
        sizes = [2.0**bits for bits in BITS]
    else:
        sizes = [2.0**32 * tick / unit_s for tick in (1e-6, 1e-3)] + [2.0**bits for bits in BITS[1:] if unit_s < 1]
    top = values.max(initial=0.0)
    return min((size for size in sizes if size > top), default=np.inf)


def _wraps(values: np.ndarray, modulus: float) -> np.ndarray:
    """(N,) samples at which the counter began again: back by nearly all of its range."""
    if not np.isfinite(modulus):
        return np.zeros(len(values), bool)
    step = np.diff(values, prepend=values[:1])
    return (step < 0) & (step + modulus <= modulus / (4 if modulus <= 2**16 else 50))


def spread_packets(time_s: np.ndarray) -> tuple[np.ndarray, int]:
    """Times (N,) in which samples of one stamp lie evenly in the interval before it, and how many shared a stamp.

    The last sample keeps the stamp. After a lost packet, and in the first one, the usual interval is taken.
    """
    starts = np.flatnonzero(np.diff(time_s, prepend=np.nan) != 0)  # first sample of each packet
    sizes = np.diff(starts, append=len(time_s))
    step = np.diff(time_s[starts], prepend=np.nan) / sizes  # s per sample
    there = step > 0
    usual = np.median(step[there]) if there.any() else 0.0
    step = np.where(there & (step <= LOST * usual), step, usual)
    place = np.arange(len(time_s)) - np.repeat(starts, sizes)
    return time_s - (np.repeat(sizes, sizes) - 1 - place) * np.repeat(step, sizes), int(sizes[sizes > 1].sum())


def time_problems(place: str, time_s: np.ndarray, rate_hz: float, field: str) -> list[str]:
    """What is wrong with increasing times (N,) of one file: their rate, against that of the manifest's `field`, or a
    gap that no recording has."""
    if len(time_s) < 2:
        return []
    steps = np.diff(time_s)
    step, problems = np.median(steps), []
    if rate_hz > 0 and not 1 / RATE_FACTOR < 1 / step / rate_hz < RATE_FACTOR:
        problems.append(f"{place}: the time column steps at {1 / step:.6g} Hz; {field} says {rate_hz:g}: wrong time "
                        "unit or rate")  # fmt: skip
    elif not RATES_HZ[0] <= 1 / step <= RATES_HZ[1]:
        problems.append(f"{place}: the time column steps at {1 / step:.6g} Hz: wrong time unit")
    elif time_s[-1] - time_s[0] > max(SHORTEST_S, MOSTLY_GAP * step * len(time_s)):
        i, span = int(np.argmax(steps)), time_s[-1] - time_s[0]
        problems.append(f"{place}: {len(time_s)} rows at {1 / step:.6g} Hz span {span:.6g} s; row {i + 2} is "
                        f"{steps[i]:.6g} s after the row before: a wrong time?")  # fmt: skip
    return problems


def _describe(
    chapters: list[Stamps], kept: np.ndarray, values: np.ndarray, samples: np.ndarray, wrong: np.ndarray, modulus: float
) -> list[str]:
    """A problem for each kind of stamp that does not follow the one before, the first few of each in full."""
    chapter = np.repeat(np.arange(len(chapters)), [len(c.values) for c in chapters])[kept]
    line = np.concatenate([c.lines for c in chapters])[kept]
    repeated, wraps = _repeated(values, samples, True), _wraps(values, modulus)
    kinds: dict[str, list[int]] = {}
    for i in wrong:
        same = values[i] == values[i - 1]
        if chapter[i] != chapter[i - 1] and not repeated[i] and not wraps[i]:
            repair = "chapter"
        elif repeated[i]:
            repair = DROP
        elif same and not chapters[0].counter:
            repair = SPREAD
        else:
            repair = UNWRAP if wraps[i] else ""
        kinds.setdefault(repair, []).append(int(i))

    def plain(i: int) -> str:
        c = chapters[chapter[i]]
        return (f"{c.path}: line {line[i]}: column {c.column!r}: time does not increase (non-monotonic): "
                f"{values[i]:.15g} after {values[i - 1]:.15g}")  # fmt: skip

    def restart(i: int) -> str:
        return (f"{chapters[chapter[i]].path}: time does not increase (non-monotonic): starts at {values[i]:.15g}, the "
                f"last chapter ended at {values[i - 1]:.15g}")  # fmt: skip

    says: dict[str, Callable[[int], str]] = {
        DROP: lambda i: f"{plain(i)}, the same row again; declare repairs: {DROP}, or remove it",
        SPREAD: lambda i: f"{plain(i)}, other values; if packets share a stamp declare repairs: {SPREAD}",
        UNWRAP: lambda i: f"{plain(i)}: a counter that began again; declare repairs: {UNWRAP}",
        "chapter": restart,
        "": plain,
    }  # fmt: skip
    return [problem for kind, places in kinds.items() for problem in listed(np.array(places), says[kind])]
