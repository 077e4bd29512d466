"""Which column of a logger's table is which signal: the names that loggers give them, and units in brackets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rbc.recordings.tables import separator
from rbc.recordings.units import disagreement, known_unit, read_units

ACC = ("acc_x", "acc_y", "acc_z")
GYRO = ("gyro_x", "gyro_y", "gyro_z")
SIGNALS = ACC + GYRO
SENSORS = {  # letters of a column's name without its axis
    "acc": ("acc", "accel", "accelerometer", "acceleration", "a"),
    "gyro": ("gyr", "gyro", "gyroscope", "angularvelocity", "angularrate", "rotationrate", "omega", "w"),
    "mag": ("mag", "magn", "magnetometer", "magneticfield", "m"),
    "g": ("g",),
}
TIME_STEMS = ("time", "timestamp", "timestamps", "t", "ts", "elapsed", "elapsedtime", "epoch", "epochtime", "unix",
              "unixtime", "unixtimestamp", "datetime", "date", "localtime", "utc")  # fmt: skip
TIME_UNITS = {
    1.0: ("s", "sec", "secs", "second", "seconds"), 1e-3: ("ms", "msec", "millis", "millisecond", "milliseconds"),
    1e-6: ("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), 1e-9: ("ns", "nanoseconds"),
}  # fmt: skip
SECONDS = {name: factor for factor, names in TIME_UNITS.items() for name in names}
COUNTERS = ("sample", "samples", "samplenumber", "sampleno", "samplenr", "sampleindex", "sampleid", "samplecount",
            "samplecounter", "counter", "count", "seq", "sequence", "sequencenumber", "index", "idx", "n")  # fmt: skip
HEADER_WITHIN = 100  # lines of preamble that a logger may write


@dataclass(frozen=True)
class Channels:
    columns: dict[str, str]
    """Signal -> column."""
    units: dict[str, str]
    """Signal -> unit that the header states in brackets or as the name's last part."""
    notes: tuple[str, ...]


def find_channels(path: Path, names: Sequence[str]) -> tuple[Channels, list[str]]:
    """Signals among column names, and what is wrong with them: two columns for one signal, a name of two meanings."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        signal, unit = signal_of(name)
        if signal:
            seen.setdefault(signal, []).append((name, unit))
    problems = []
    short = {f"gyro_{axis}": seen.pop(f"g_{axis}") for axis in "xyz" if f"g_{axis}" in seen}
    if short and not any(name in seen for name in ACC):
        given = ", ".join(repr(name) for columns in short.values() for name, _ in columns)
        problems.append(f"{path}: columns {given} may be acceleration or rotation; needs acc_x, acc_y, acc_z or "
                        "gyro_x, gyro_y, gyro_z")  # fmt: skip
    elif short:
        for signal, columns in short.items():
            seen[signal] = seen.get(signal, []) + columns
    for signal, columns in seen.items():
        if len(columns) > 1:
            given = ", ".join(repr(name) for name, _ in columns)
            problems.append(f"{path}: columns {given} are all {signal}; needs one")
    notes = ("magnetometer not used",) if any(signal.startswith("mag_") for signal in seen) else ()
    chosen = {signal: seen[signal][0] for signal in SIGNALS if signal in seen}
    units = {signal: unit for signal, (_, unit) in chosen.items() if unit}
    return Channels({signal: name for signal, (name, _) in chosen.items()}, units, notes), problems


def signal_of(name: str) -> tuple[str, str]:
    """('acc_x', unit in brackets) of a column's name; ('', '') of one that is no signal; g_x may be either sensor."""
    for stem, unit in stems(name):
        letters = re.sub(r"[\W_]", "", stem.lower())
        for sensor, spellings in SENSORS.items():
            for spelling in spellings:
                if letters[:-1] == spelling and letters[-1:] in ("x", "y", "z"):
                    return f"{sensor}_{letters[-1]}", unit
                if len(spelling) > 1 and letters[1:] == spelling and letters[0] in "xyz":
                    return f"{sensor}_{letters[0]}", unit
    return "", ""


def stems(name: str) -> list[tuple[str, str]]:
    """(name without a unit, unit) in every way that it can be taken apart: 'acc_x (g)', 'acc_x_mg', 'acc_x'."""
    name = name.strip()
    bracketed = re.fullmatch(r"(.+?)[\s_]*[(\[]\s*(.*?)\s*[)\]]", name)
    ways = [(bracketed[1], bracketed[2])] if bracketed else [(name, "")]
    cut = re.fullmatch(r"(.+?)[\s_]([^\s_()\[\]]+)", name)
    if cut and (known_unit(cut[2]) or cut[2].lower() in SECONDS):
        ways.append((cut[1], cut[2]))
    return ways


def unit_problems(path: Path, channels: Channels, imu_units: str) -> list[str]:
    """Where the header's units are not those of the manifest's imu_units."""
    said, problems = read_units(imu_units)[0], []
    for signal, stated in channels.units.items():
        unit, where = said.get(signal.split("_")[0]), f"{path}: column {channels.columns[signal]!r}"
        if not known_unit(stated):
            problems.append(f"{where}: unit {stated!r} is not known")
        elif unit and disagreement(known_unit(stated), unit):
            problems.append(f"{where} is in {stated}; imu_units says {unit.text}")
    return problems


def time_unit(name: str) -> float | None:
    """Seconds of one count of a time column, NaN where its name states no unit; None for a column of something else."""
    if name.strip().lower() in ("millis", "micros", "milliseconds", "microseconds", "seconds", "ms", "us"):
        return SECONDS[name.strip().lower()]
    ways = [unit.lower() for stem, unit in stems(name) if re.sub(r"[\W_]", "", stem.lower()) in TIME_STEMS]
    stated = [SECONDS[unit] for unit in ways if unit in SECONDS]
    return stated[0] if stated else float("nan") if "" in ways else None


def is_counter(name: str) -> bool:
    return re.sub(r"[\W_]", "", name.lower()) in COUNTERS


def find_header(lines: Sequence[str]) -> int:
    """Index of the line that names the columns: the first with two axes of a sensor, or a time and an axis; else 0."""
    for number, line in enumerate(lines[:HEADER_WITHIN]):
        cells = [cell.strip().strip('"').strip() for cell in line.split(separator(line))]
        signals = {signal_of(cell)[0] for cell in cells} - {""}
        if len(signals) + any(time_unit(cell) is not None for cell in cells) >= 2:
            return number
    return 0
