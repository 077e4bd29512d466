"""CSV tables of a user's files, read so that every fault is named with its line and column.

The frames returned are indexed by line number in the file (from 1), so that a message can point at it.
"""

import csv
import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.errors import RecordingError

SHOWN = 5
PIECE_ROWS = 50_000
LARGEST = 1e30  # beyond it is no measurement, and no f4 after a change of unit
MISSING = ("", "nan", "na", "n/a", "null", "none")
FAULTS = (OSError, ValueError, csv.Error, pd.errors.ParserError, pd.errors.ParserWarning, OverflowError)
TIME_UNITS = {"time_s": 1.0, "time_ms": 1e-3, "time_us": 1e-6, "time_µs": 1e-6, "time_μs": 1e-6}


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text file without line ends; a byte order mark and CRLF are tolerated."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FAULTS as fault:
        raise RecordingError(unreadable(path, fault)) from None


def read_first_lines(path: Path, rows: int) -> list[str]:
    """First `rows` lines (fewer in a shorter file) of a UTF-8 text file without line ends."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return [line.rstrip("\r\n") for line, _ in zip(file, range(rows), strict=False)]
    except FAULTS as fault:
        raise RecordingError(unreadable(path, fault)) from None


def read_head(path: Path, rows: int, separator: str = ",") -> list[list[str]]:
    """First `rows` lines (fewer in a shorter file) as CSV cells, stripped."""
    lines = read_first_lines(path, rows)
    try:
        return [[cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])] for line in lines]
    except FAULTS as fault:
        raise RecordingError(unreadable(path, fault)) from None


def read_body(path: Path, width: int, skip: int, separator: str = ",", decimal: str = ".") -> pd.DataFrame:
    """Rows below the first `skip` lines, (rows, width), empty rows left out; columns of numbers arrive as numbers."""
    return next(_read_pieces(path, width, skip, separator, decimal, None))


def read_numbers(
    path: Path, width: int, skip: int, separator: str = ",", decimal: str = ".", dtype: type = np.float64
) -> pd.DataFrame:
    """As `read_body`; where all cells are numbers, the first column arrives as f8 and the others as `dtype`.

    They are read piece by piece into one table: the text of a whole day takes many times the memory of its numbers.
    """
    with open(path, "rb") as file:
        count = 1 + sum(block.count(b"\n") for block in iter(partial(file.read, 2**20), b""))
    filled, lines = 0, []
    first, others = np.empty(count), np.empty((width - 1, count), dtype)
    for piece in _read_pieces(path, width, skip, separator, decimal, PIECE_ROWS):
        rows = slice(filled, filled + len(piece))
        if rows.stop > count or not all(kind.kind in "iuf" for kind in piece.dtypes):
            return read_body(path, width, skip, separator, decimal)
        with np.errstate(over="ignore"):  # what f4 cannot hold is no measurement either
            first[rows], others[:, rows] = piece[0], piece[range(1, width)].to_numpy().T
        filled = rows.stop
        lines.append(piece.index)
    body = pd.DataFrame(others[:, :filled].T, index=np.concatenate(lines), columns=range(1, width), copy=False)
    body.insert(0, 0, first[:filled])
    return body


def _read_pieces(
    path: Path, width: int, skip: int, separator: str, decimal: str, rows: int | None
) -> Iterator[pd.DataFrame]:
    """Tables of so many rows each (None = all), as `read_body`."""
    done, surplus = skip + 1, np.zeros(0, int)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            read = pd.read_csv(path, header=None, names=range(width + 1), index_col=False, skiprows=skip, sep=separator,
                               encoding="utf-8-sig", skip_blank_lines=False, low_memory=False, decimal=decimal,
                               chunksize=rows)  # fmt: skip
            for piece in read if rows else [read]:
                piece.index = np.arange(len(piece)) + done
                done += len(piece)
                surplus = piece.index[piece[width].notna()]
                if len(surplus):
                    break
                yield piece.loc[piece.notna().any(axis=1), range(width)]
    except pd.errors.EmptyDataError:
        yield pd.DataFrame({column: np.zeros(0) for column in range(width)})
    except FAULTS as fault:
        raise RecordingError(unreadable(path, fault)) from None
    if len(surplus):
        raise RecordingError(too_wide(path, surplus[0], width))


def read_cells(path: Path, width: int, skip: int, separator: str = ",") -> pd.DataFrame:
    """Rows below the first `skip` lines as text, (rows, width), cells stripped, empty rows left out."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for _ in range(skip):
                next(file, "")
            reader = csv.reader(file, delimiter=separator)
            rows = {skip + reader.line_num: [cell.strip() for cell in row] for row in reader}
            rows = {line: row for line, row in rows.items() if any(row)}
    except FAULTS as fault:
        raise RecordingError(unreadable(path, fault)) from None
    for line, row in rows.items():
        # one empty cell too many in every row is a comma at the end of the line; in some rows it is a decimal comma
        if len(row) > width and (any(row[width:]) or any(len(other) != len(row) for other in rows.values())):
            raise RecordingError(too_wide(path, line, width))
    cells = [(row + [""] * width)[:width] for row in rows.values()]
    return pd.DataFrame(cells, index=list(rows), columns=range(width), dtype=object)


def read_table(
    path: Path, *, text: bool = False, long: bool = False, separator: str = ",", skip: int = 0, decimal: str = "."
) -> pd.DataFrame:
    """Table with one header row below `skip` lines: columns by name (stripped), index = line number.

    `text` keeps every cell as the string that it is; otherwise columns of numbers arrive as numbers, all as f8 in a
    `long` table.
    """
    header = read_head(path, skip + 1, separator)[skip:]
    header = list(header[0]) if header else []
    while header and not header[-1]:
        header.pop()
    if not header:
        raise RecordingError(f"{path}: line {skip + 1}: empty; needs a header row that names the columns")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise RecordingError(f"{path}: line {skip + 1}: column {twice[0]!r} is there twice; needs names that differ")
    if text:
        body = read_cells(path, len(header), skip + 1, separator)
    else:
        body = (read_numbers if long else read_body)(path, len(header), skip + 1, separator, decimal)
    return body.set_axis(header, axis=1)


def too_wide(path: Path, line: int, width: int) -> str:
    return f"{path}: line {line}: {width + 1} fields or more; the header has {width}"


def unreadable(path: Path, fault: Exception) -> str:
    """The problem in words for a file that the operating system, the decoder or the parser refused."""
    if isinstance(fault, FileNotFoundError):
        return f"{path}: no such file"
    if isinstance(fault, UnicodeError):
        place = f" (byte {fault.start}: {fault.object[fault.start]:#04x})" if hasattr(fault, "start") else ""
        return f"{path}: is not UTF-8 text{place}; needs a CSV or text file saved as UTF-8"
    reason = re.sub(r"\s+", " ", str(fault)).strip()
    return f"{path}: cannot be read as a table: {reason}"


def require_columns(path: Path, table: pd.DataFrame, needed: Iterable[str]) -> None:
    """Raise RecordingError naming every needed column that the table lacks, with near misses."""
    needed, problems = tuple(needed), []
    spare = [column for column in table.columns if column not in needed]
    for name in needed:
        if name not in table.columns:
            there = ", ".join(repr(str(column)) for column in table.columns[:20])
            problems.append(f"{path}: missing column {name!r}{near(name, spare)}; the columns are {there}")
    if problems:
        raise RecordingError(problems)


def numbers(path: Path, cells: pd.Series, column: str) -> np.ndarray:
    """Cells as float64 (N,), NaN where empty; every cell that is no finite number is listed by its line."""
    if cells.dtype == bool:
        cells = cells.astype(str)
    numeric = pd.api.types.is_numeric_dtype(cells)
    values = (cells if numeric else pd.to_numeric(cells, errors="coerce")).to_numpy(np.float64)
    wrong = np.abs(values) > LARGEST
    if not numeric:
        empty = cells.isna() | cells.astype(str).str.strip().str.lower().isin(MISSING)
        wrong |= np.isnan(values) & ~empty.to_numpy()
    if wrong.any():
        raise RecordingError(
            listed(np.flatnonzero(wrong), lambda i: f"{path}: line {cells.index[i]}: column {column!r}: "
                   f"{str(cells.iloc[i])!r} is not a number; needs a finite number or an empty cell")
        )  # fmt: skip
    return values


def read_times(path: Path, table: pd.DataFrame) -> np.ndarray:
    """Seconds (N,) of the table's time column (time_s, time_ms, time_us or time_µs), strictly increasing.

    Raises RecordingError for a missing time column, empty cells and times that do not increase.
    """
    column = next((name for name in table.columns if name.lower() in TIME_UNITS), None)
    if column is None:
        there = ", ".join(repr(str(name)) for name in table.columns[:20])
        raise RecordingError(f"{path}: missing column 'time_s' (or time_ms, time_us); the columns are {there}")
    times = numbers(path, table[column], column) * TIME_UNITS[column.lower()]
    lines = table.index
    empty = np.flatnonzero(np.isnan(times))
    back = np.flatnonzero(np.diff(times) <= 0) + 1
    problems = listed(empty, lambda i: f"{path}: line {lines[i]}: column {column!r} is empty; every row needs a time")
    problems += listed(back, lambda i: f"{path}: line {lines[i]}: column {column!r}: time does not increase "
                       f"(non-monotonic): {table[column].iloc[i]} after {table[column].iloc[i - 1]}")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    return times


def joined(chapters: list[np.ndarray]) -> np.ndarray:
    """The rows of all chapters; of a single one without a copy."""
    return np.concatenate(chapters) if len(chapters) > 1 else chapters[0]


def listed(places: np.ndarray, describe: Callable[[int], str]) -> list[str]:
    """One problem per place, the first few in full and the rest as a count."""
    problems = [describe(int(i)) for i in places[:SHOWN]]
    if len(places) > SHOWN:
        problems[-1] += f" (and {len(places) - SHOWN} more like it)"
    return problems


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """' (did you mean …?)' where a known name is close, else ''."""
    known = {str(k).lower(): str(k) for k in known}
    close = difflib.get_close_matches(str(name).lower(), known, n=2, cutoff=cutoff)
    return f" (did you mean {' or '.join(repr(known[k]) for k in close)}?)" if close else ""


def separator(line: str) -> str:
    """Comma, tab or semicolon: what the header line is split by."""
    return max(",\t;", key=line.count)


def decimal_mark(lines: Iterable[str], separator: str) -> str:
    """',' where cells hold numbers such as 0,25 and none such as 0.25, else '.'."""
    cells = [cell.strip(' "') for line in lines for cell in line.split(separator)] if separator != "," else []
    commas, points = (sum(bool(re.fullmatch(rf"[+-]?\d*{mark}\d+", cell)) for cell in cells) for mark in (",", r"\."))
    return "," if commas and not points else "."
