"""What the animal wears: accelerometer and gyroscope on the logger's own clock, in m/s² and rad/s."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import listed, near, numbers, read_table, read_times, require_columns

ACC = ("acc_x", "acc_y", "acc_z")
GYRO = ("gyro_x", "gyro_y", "gyro_z")
SIGNALS = ACC + GYRO
GRAVITY = 9.80665
ACC_UNITS = {"m/s2": 1.0, "m/s²": 1.0, "m/s^2": 1.0, "g": GRAVITY, "mg": GRAVITY / 1000}
GYRO_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "°/s": np.pi / 180, "dps": np.pi / 180, "mdps": np.pi / 180_000}
RATE_FACTOR = 1.5  # a stated rate further off than this means a wrong time unit, not a bad crystal


@dataclass(frozen=True)
class ImuRecording:
    time_s: np.ndarray
    """(N,) f8 seconds on the logger's clock, strictly increasing; lost samples are missing rows."""
    names: tuple[str, ...]
    """Channels, a subset of SIGNALS in that order."""
    values: np.ndarray
    """(N, len(names)) f4 acc in m/s², gyro in rad/s; NaN where missing."""


def parse_units(units: str, names: tuple[str, ...]) -> np.ndarray:
    """Factor to m/s² or rad/s of each channel in `names`, from a cell such as 'g,deg/s' or 'm/s2,rad/s'.

    Raises RecordingError for an unknown unit, or where the cell names no unit for a sensor that is there.
    """
    parts = [part for part in re.split(r"[\s,;]+", units.strip()) if part]
    factors, problems = {}, []
    for part in parts:
        sensor = "acc" if part in ACC_UNITS else "gyro" if part in GYRO_UNITS else None
        if sensor is None:
            known = (*ACC_UNITS, *GYRO_UNITS)
            problems.append(f"imu_units: unknown unit {part!r}{near(part, known)}; needs one of {', '.join(known)}")
        elif sensor in factors:
            problems.append(f"imu_units: {units!r} names two units for {sensor}; needs one")
        else:
            factors[sensor] = ACC_UNITS[part] if sensor == "acc" else GYRO_UNITS[part]
    for sensor, example in (("acc", "g or m/s2"), ("gyro", "deg/s or rad/s")):
        if any(name.startswith(sensor) for name in names) and sensor not in factors and not problems:
            problems.append(f"imu_units: {units!r} names no unit for {sensor}_x, _y, _z; needs {example}")
    if problems:
        raise RecordingError(problems)
    return np.array([factors[name.split("_")[0]] for name in names])


def convert(source: Path | str, names: tuple[str, ...], values: np.ndarray, units: str) -> np.ndarray:
    """Values (N, C) as f4 in m/s² and rad/s; refuses a channel without a single number."""
    try:
        factors = parse_units(units, names)
    except RecordingError as error:
        raise RecordingError([f"{source}: {problem}" for problem in error.problems]) from None
    present = np.isfinite(values).any(axis=0)
    if not present.any():
        raise RecordingError(f"{source}: imu is all-NaN: {len(values)} rows without a number in {', '.join(names)}")
    if not present.all():
        gone = ", ".join(name for name, there in zip(names, present, strict=True) if not there)
        raise RecordingError(f"{source}: all-NaN column {gone} in {len(values)} rows; needs numbers or no column")
    return (values * factors).astype(np.float32)


def read_imu(paths: tuple[Path, ...], units: str, rate_hz: float = float("nan")) -> ImuRecording:
    """Accelerometer and gyroscope of one session; several files are chapters in order, on one clock.

    A CSV has a time column (time_s, time_ms, time_us) and acc_x, acc_y, acc_z, with or without gyro_x, gyro_y, gyro_z;
    other columns are not read. `units` is the manifest's cell; `rate_hz` (NaN = not stated) only guards the time unit.
    Raises RecordingError: missing column, numbers that do not parse, time that does not increase, all-NaN columns.
    """
    chapters, problems = [], []
    for path in paths:
        try:
            chapters.append(_read_chapter(Path(path), units))
        except RecordingError as error:
            problems += error.problems
    if not problems:
        problems = _chapter_problems(paths, chapters, rate_hz)
    if problems:
        raise RecordingError(problems)
    times, names, values = zip(*chapters, strict=True)
    return ImuRecording(np.concatenate(times), names[0], np.concatenate(values))


def _read_chapter(path: Path, units: str) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    table = read_table(path)
    table.columns = [name.lower() for name in table.columns]
    names = SIGNALS if any(name in table.columns for name in GYRO) else ACC
    require_columns(path, table, names)
    if len(table) < 2:
        raise RecordingError(f"{path}: {len(table)} rows of data; needs at least 2")
    problems, columns, times = [], [], None
    try:
        times = read_times(path, table)
    except RecordingError as error:
        problems += error.problems
    for name in names:
        try:
            columns.append(numbers(path, table[name], name))
        except RecordingError as error:
            problems += error.problems
    if problems:
        raise RecordingError(problems)
    return times, names, convert(path, names, np.column_stack(columns), units)  # (N,), (N, C)


def _chapter_problems(paths: tuple[Path, ...], chapters: list[tuple], rate_hz: float) -> list[str]:
    """What is wrong between chapters (other channels, time that steps back), or with the stated rate."""
    problems = []
    for path, (times, names, _) in zip(paths, chapters, strict=True):
        seen_hz = 1 / np.median(np.diff(times))
        if rate_hz > 0 and not 1 / RATE_FACTOR < seen_hz / rate_hz < RATE_FACTOR:
            problems.append(f"{path}: the time column steps at {seen_hz:.6g} Hz; imu_rate_hz says {rate_hz:g}: "
                            "wrong time unit or rate")  # fmt: skip
        if names != chapters[0][1]:
            problems.append(f"{path}: channels {', '.join(names)}; the first chapter has {', '.join(chapters[0][1])}")
    starts = np.array([times[0] for times, _, _ in chapters[1:]])
    ends = np.array([times[-1] for times, _, _ in chapters[:-1]])
    problems += listed(np.flatnonzero(starts <= ends), lambda i: f"{paths[i + 1]}: time does not increase "
                       f"(non-monotonic): starts at {starts[i]:.6f} s, the last ended at {ends[i]:.6f} s")  # fmt: skip
    return problems
