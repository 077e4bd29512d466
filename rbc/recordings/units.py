"""Units of what an IMU measures: the manifest's imu_units, those a header states, and the factors to m/s² and rad/s.

imu_units holds a unit for the accelerometer and one for the gyroscope, `g,deg/s`. Raw counts are written with their
scale, so many LSB to a unit: `lsb/16384 g, lsb/16.4 deg/s`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import near

GRAVITY = 9.80665
ACC_UNITS = {"m/s2": 1.0, "m/s²": 1.0, "m/s^2": 1.0, "g": GRAVITY, "mg": GRAVITY / 1000}
GYRO_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "°/s": np.pi / 180, "dps": np.pi / 180, "mdps": np.pi / 180_000}
RAW = ("lsb", "raw", "counts", "count", "adc", "digits")
ALIASES = {  # spellings in headers, without spaces and in small letters, beside the manifest's own
    "mps2": "m/s2", "ms2": "m/s2", "m/s/s": "m/s2", "m/(s^2)": "m/s2", "m/sec2": "m/s2", "m/sec^2": "m/s2",
    "ms-2": "m/s2", "ms^-2": "m/s2", "rads": "rad/s", "rad/sec": "rad/s", "rads/s": "rad/s", "radps": "rad/s",
    "degs": "deg/s", "deg/sec": "deg/s", "degrees/s": "deg/s", "degrees/sec": "deg/s", "º/s": "deg/s",
}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    sensor: str
    """acc or gyro."""
    text: str
    factor: float
    """To m/s² or rad/s."""
    raw: bool


def read_units(cell: str) -> tuple[dict[str, Unit], list[str]]:
    """Unit of each sensor that an imu_units cell names, and what is wrong with it."""
    found: dict[str, Unit] = {}
    problems = []
    text = re.sub(r"\s*/\s*", "/", cell.strip())
    for part in re.findall(r"lsb/[^\s,;]*(?:\s+[^\s,;]+)?|[^\s,;]+", text, re.IGNORECASE):
        scale, name = re.fullmatch(r"(?:lsb/(\S*)\s*)?(\S*)", part, re.IGNORECASE).groups()
        counts = _positive(scale) if scale is not None else 1.0
        if not counts or not name:
            problems.append(f"imu_units: {part!r}; needs counts per unit and the unit, such as 'lsb/16384 g'")
            continue
        sensor = "acc" if name in ACC_UNITS else "gyro" if name in GYRO_UNITS else ""
        if not sensor:
            known = (*ACC_UNITS, *GYRO_UNITS)
            problems.append(f"imu_units: unknown unit {name!r}{near(name, known)}; needs one of {', '.join(known)}, "
                            "or raw counts with their scale, such as 'lsb/16384 g'")  # fmt: skip
        elif sensor in found:
            problems.append(f"imu_units: {cell!r} names two units for {sensor}; needs one")
        else:
            found[sensor] = Unit(sensor, part, (ACC_UNITS | GYRO_UNITS)[name] / counts, scale is not None)
    return found, problems


def _positive(text: str) -> float:
    """The number, 0 where it is none above 0."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 1e-12 < value < 1e12 else 0.0


def known_unit(text: str) -> str:
    """The manifest's spelling of a unit in a header, 'lsb' for raw counts, '' where it is no unit."""
    name = re.sub(r"\s+", "", text).lower()
    name = ALIASES.get(name, name)
    return "lsb" if name in RAW else name if name in ACC_UNITS or name in GYRO_UNITS else ""


def disagreement(stated: str, unit: Unit) -> bool:
    """A header's unit (as `known_unit` spells it) is not what the manifest says."""
    if stated == "lsb" or unit.raw:
        return (stated == "lsb") != unit.raw
    return not np.isclose((ACC_UNITS | GYRO_UNITS)[stated], unit.factor)


def parse_units(units: str, names: tuple[str, ...]) -> np.ndarray:
    """Factor to m/s² or rad/s of each channel in `names`, from a cell such as 'g,deg/s' or 'lsb/16384 g,lsb/16.4 dps'.

    Raises RecordingError for an unknown unit, or where the cell names no unit for a sensor that is there.
    """
    found, problems = read_units(units)
    for sensor, example in (("acc", "g or m/s2"), ("gyro", "deg/s or rad/s")):
        if any(name.startswith(sensor) for name in names) and sensor not in found and not problems:
            problems.append(f"imu_units: {units!r} names no unit for {sensor}_x, _y, _z; needs {example}")
    if problems:
        raise RecordingError(problems)
    return np.array([found[name.split("_")[0]].factor for name in names])


def convert(source: Path | str, names: tuple[str, ...], columns: Sequence[np.ndarray], units: str) -> np.ndarray:
    """(N, C) f4 in m/s² and rad/s of the columns (N,) of the channels; refuses one without a single number."""
    try:
        factors = parse_units(units, names)
    except RecordingError as error:
        raise RecordingError([f"{source}: {problem}" for problem in error.problems]) from None
    rows = len(columns[0])
    present = np.array([np.isfinite(column).any() for column in columns])
    if not present.any():
        raise RecordingError(f"{source}: imu is all-NaN: {rows} rows without a number in {', '.join(names)}")
    if not present.all():
        gone = ", ".join(name for name, there in zip(names, present, strict=True) if not there)
        raise RecordingError(f"{source}: all-NaN column {gone} in {rows} rows; needs numbers or no column")
    values = np.empty((rows, len(names)), np.float32)
    for c, (column, factor) in enumerate(zip(columns, factors, strict=True)):
        values[:, c] = column * factor
    return values


def check_signals(source: Path | str, names: tuple[str, ...], values: np.ndarray) -> tuple[str, ...]:
    """Notes on signals (N, C) in m/s² and rad/s: axes that are 0 throughout.

    Raises RecordingError where a whole sensor is.
    """
    problems, notes = [], []
    for sensor in ("acc", "gyro"):
        columns = [i for i, name in enumerate(names) if name.startswith(sensor)]
        dead = [names[i] for i in columns if not np.nan_to_num(values[:, i]).any()]
        if columns and len(dead) == len(columns):
            problems.append(f"{source}: {', '.join(dead)} are 0 in all {len(values)} rows: a sensor that was off? "
                            "needs what it measured, or no column")  # fmt: skip
        notes += [f"{name} is 0 in all rows" for name in dead if len(dead) < len(columns)]
    if problems:
        raise RecordingError(problems)
    return tuple(notes)
