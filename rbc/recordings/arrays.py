"""Recordings that arrive as arrays: .npz files, and the two older layouts without a manifest.

N frames, on one clock. Columns named as signals (acc_x …, <keypoint>_x/_y/_likelihood) become signals, the rest are
ready-made features. In an array NaN says missing: a slot that is NaN throughout is a modality that this session lacks.
"""

import re
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rbc.recordings.annotations import Annotation
from rbc.recordings.channels import ACC, GYRO
from rbc.recordings.deeplabcut import COORDS, Tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import ImuRecording
from rbc.recordings.layouts import LAYOUT_RATE_HZ
from rbc.recordings.session import NOT_SCORED
from rbc.recordings.stamps import RATES_HZ
from rbc.recordings.tables import LARGEST, listed, numbers, read_table
from rbc.recordings.units import check_signals, convert

FEATURE_CSV = "madnorm.csv"
CLIP_GAP_S = 2.5  # between clips that do not follow each other: nothing measured, longer than the encoder sees
ANNOTATOR = "labels_annotator_"
UNNAMED = {"imu": "imu_{}", "pose": "pose_{}", "labels": "behaviour_{}"}
FAULTS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
          MemoryError, OverflowError, TypeError, SyntaxError, tokenize.TokenError)  # fmt: skip


@dataclass(frozen=True)
class Arrays:
    """One slot (imu, pose or labels) of array files; the fields of the other slots stay empty."""

    frames: int
    rate_hz: float
    imu: ImuRecording | None = None
    """Signals in m/s² and rad/s, time_s from 0; None where the file has none or they are NaN throughout."""
    tracks: Tracks | None = None
    ready: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """(N, F) f4 ready-made features of the slot, NaN where missing."""
    ready_names: tuple[str, ...] = ()
    labels: Annotation | None = None
    annotators: dict[str, Annotation] = field(default_factory=dict)


def is_arrays(path: Path) -> bool:
    """True for files that `read_arrays` reads."""
    return Path(path).suffix.lower() in (".npz", ".npy") or Path(path).name.lower().endswith(FEATURE_CSV)


def read_arrays(
    paths: Sequence[Path], slot: str, *, units: str = "", rate_hz: float = float("nan"), behaviours: Sequence[str] = ()
) -> Arrays:
    """One slot ('imu', 'pose' or 'labels') of array files; several are chapters in order.

    `units` is the manifest's imu_units (needed for signals), `rate_hz` its rate (a file's own rate_hz must agree),
    `behaviours` name the label columns of files without names, in order.
    Raises RecordingError: not an array file, wrong rank, names or rows that do not fit, values that are no labels.
    """
    chapters, rates, problems = [], [], []
    for path in map(Path, paths):
        try:
            columns, rate = _load(path, slot, rate_hz, tuple(behaviours))
            chapters.append(columns)
            rates.append(rate)
        except RecordingError as error:
            problems += error.problems
    if problems:
        raise RecordingError(problems)
    first, path = chapters[0], Path(paths[0])
    for other, columns in zip(paths[1:], chapters[1:], strict=True):
        if columns[slot][0] != first[slot][0]:
            problems.append(f"{other}: {slot} columns differ from the first chapter's: {', '.join(columns[slot][0])}")
    if len(set(rates)) > 1:
        problems.append(f"{path}: rate_hz of the chapters: {', '.join(f'{rate:g}' for rate in rates)}; needs one")
    if problems:
        raise RecordingError(problems)
    merged = {key: (first[key][0], np.concatenate([c[key][1] for c in chapters if key in c])) for key in first}
    names, values = merged.pop(slot)
    if slot == "labels":
        whole = {key.removeprefix(ANNOTATOR): own for key, (_, own) in merged.items() if len(own) == len(values)}
        annotators = {name: _annotation(path, names, own, rates[0]) for name, own in whole.items()}
        return Arrays(len(values), rates[0], labels=_annotation(path, names, values, rates[0]), annotators=annotators)
    if not np.isfinite(values).any():
        return Arrays(len(values), rates[0])
    if (values == 0).all():
        raise RecordingError(f"{path}: {slot} is 0 in all {len(values)} rows; needs what was measured, or NaN")
    return _imu(path, names, values, rates[0], units) if slot == "imu" else _pose(names, values, rates[0])


def _imu(path: Path, names: tuple[str, ...], values: np.ndarray, rate_hz: float, units: str) -> Arrays:
    signals = tuple(name for sensor in (ACC, GYRO) if set(sensor) <= set(names) for name in sensor)
    rest = [c for c, name in enumerate(names) if name not in signals]
    imu = None
    if signals:
        chosen = values[:, [names.index(name) for name in signals]]
        measured = convert(path, signals, chosen.T, units)
        notes = check_signals(path, signals, measured)
        imu = ImuRecording(np.arange(len(values)) / rate_hz, signals, measured, notes)
    return Arrays(len(values), rate_hz, imu=imu, ready=values[:, rest], ready_names=tuple(names[c] for c in rest))


def _pose(names: tuple[str, ...], values: np.ndarray, rate_hz: float) -> Arrays:
    """Keypoints are what has _x, _y and _likelihood: a pair of _x and _y alone may be any feature."""
    stems = [name.removesuffix("_likelihood") for name in names if name.endswith("_likelihood")]
    keypoints = tuple(stem for stem in stems if all(f"{stem}_{coord}" in names for coord in COORDS))
    used = [names.index(f"{stem}_{coord}") for stem in keypoints for coord in COORDS]
    rest = [c for c in range(len(names)) if c not in set(used)]
    points = values[:, used].reshape(len(values), len(keypoints), 3)  # (N, K, 3)
    missing = np.isnan(points[..., :2]).any(axis=2)
    points[missing] = (np.nan, np.nan, 0)
    return Arrays(len(values), rate_hz, tracks=Tracks(keypoints, points, {}) if keypoints else None,
                  ready=values[:, rest], ready_names=tuple(names[c] for c in rest))  # fmt: skip


def _annotation(path: Path, names: tuple[str, ...], values: np.ndarray, rate_hz: float) -> Annotation:
    values = np.where(np.isnan(values), NOT_SCORED, values)
    wrong = np.argwhere(~np.isin(values, (1, 0, -1)))
    if len(wrong):
        raise RecordingError(listed(np.arange(len(wrong)), lambda i: f"{path}: labels: row {wrong[i, 0]}, column "
                             f"{names[wrong[i, 1]]!r}: {values[tuple(wrong[i])]:g}; needs 1, 0 or -1"))  # fmt: skip
    return Annotation(path, names, frame_numbers=np.arange(len(values)), frames=values.astype(np.int8), rate_hz=rate_hz)


def _load(path: Path, slot: str, rate_hz: float, behaviours: tuple[str, ...]) -> tuple[dict, float]:
    """({slot or annotator: (names, (N, F) f4)}, rate_hz) of one file."""
    if path.suffix.lower() == ".csv":
        return {slot: _feature_csv(path)}, rate_hz if rate_hz > 0 else LAYOUT_RATE_HZ
    loaded = _open(path, slot)
    if path.suffix.lower() == ".npz":
        if slot not in loaded:
            raise RecordingError(f"{path}: missing array {slot!r}; the arrays are {', '.join(loaded) or 'none'}")
        stated = loaded.get("rate_hz", np.array(rate_hz))
        if stated.size != 1 or stated.dtype.kind not in "fiu" or not (
            RATES_HZ[0] <= float(stated.reshape(())) <= RATES_HZ[1]
        ):
            raise RecordingError(f"{path}: rate_hz is {stated.tolist()}; needs one number of frames per second")
        stated = float(stated.reshape(()))
        if rate_hz > 0 and abs(stated / rate_hz - 1) > 1e-3:
            raise RecordingError(f"{path}: rate_hz is {stated:g}; the manifest says {rate_hz:g}")
        rate_hz = stated
    rate_hz = rate_hz if rate_hz > 0 else LAYOUT_RATE_HZ
    array = _numeric(path, slot, loaded[slot])
    names = loaded.get({"labels": "label_names"}.get(slot, f"{slot}_names"))
    width = array.shape[-1]
    if names is None and slot == "labels" and behaviours and len(behaviours) != width:
        raise RecordingError(f"{path}: {width} label columns without names; data.behaviours names {len(behaviours)}")
    if names is not None:
        named = names.reshape(-1).tolist()
    else:
        named = slot == "labels" and behaviours or [UNNAMED[slot].format(c) for c in range(width)]
    named = tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in named)
    if len(named) != width or len(set(named)) != width:
        raise RecordingError(f"{path}: {slot}: {width} columns, {len(set(named))} different names; needs a name each")
    for other in ("imu", "pose", "labels"):
        if path.suffix.lower() == ".npz" and other in loaded and loaded[other].shape[:1] != array.shape[:1]:
            beyond = ": labels beyond the recording" if "labels" in (slot, other) else ""
            rows = loaded[other].shape[0] if loaded[other].ndim else 0
            raise RecordingError(f"{path}: {slot} has {len(array)} rows, {other} has {rows}{beyond}")
    columns = {slot: (named, _flat(array, rate_hz))}
    for key in sorted(loaded):
        if slot == "labels" and key.startswith(ANNOTATOR):
            own = _numeric(path, key, loaded[key])
            if own.shape != array.shape:
                raise RecordingError(f"{path}: {key} has shape {own.shape}; labels has {array.shape}")
            columns[key] = (named, _flat(own, rate_hz))
    return columns, rate_hz


def _open(path: Path, slot: str) -> dict[str, np.ndarray]:
    """Arrays of a .npz by name, or the one of a .npy under the slot's name, labels widened to their features' clips."""
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {slot: _widen(path, loaded) if slot == "labels" else loaded}
            wanted = [k for k in loaded.files if k in ("imu", "pose", "labels", "rate_hz") or k.endswith("_names")
                      or (slot == "labels" and k.startswith(ANNOTATOR))]  # fmt: skip
            return {key: loaded[key] for key in wanted}
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except RecordingError:
        raise
    except FAULTS as fault:
        reason = re.sub(r"\s+", " ", str(fault))[:200]
        raise RecordingError(f"{path}: cannot be read as an array file: {reason or type(fault).__name__}") from None


def _widen(path: Path, labels: np.ndarray) -> np.ndarray:
    """Labels (N, T, C) where one label a clip (N, C) stands beside clips of T frames (N, T, F); else as they are."""
    for folder, prefix in (("sup_IMU", "sup_IMU_"), ("sup_DLC", "sup_DLC_")):
        beside = path.parent.parent / folder / path.name.replace("sup_labels_", prefix)
        if labels.ndim == 2 and beside.exists():
            clips = np.load(beside, mmap_mode="r", allow_pickle=False)
            if clips.ndim == 3 and len(clips) == len(labels):
                return np.repeat(labels[:, None], clips.shape[1], axis=1)
    return labels


def _numeric(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3) or 0 in array.shape:
        raise RecordingError(f"{path}: {name} has shape {array.shape} and type {array.dtype}; needs numbers (T, F)")
    large = np.argwhere(np.abs(array) > LARGEST)[:1]
    if len(large):
        row, value = large[0], array[tuple(large[0])]
        raise RecordingError(f"{path}: {name}: row {row[0]}, column {row[-1]} is {value:g}; needs a number or NaN")
    return array


def _flat(array: np.ndarray, rate_hz: float) -> np.ndarray:
    """(N, F) f4 of (N, F), or of clips (M, T, F) one after the other with a stretch of NaN between."""
    if array.ndim == 2:
        return array.astype(np.float32)
    clips, length, width = array.shape
    gap = int(round(CLIP_GAP_S * rate_hz))
    flat = np.full((clips, length + gap, width), np.nan, np.float32)
    flat[:, :length] = array
    return flat.reshape(-1, width)[: clips * (length + gap) - gap]


def _feature_csv(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """(names, (N, F) f4) of a CSV of ready-made features; a first column without a name, or Index, is no feature."""
    table = read_table(path)
    names = list(table.columns)
    names = names[names[0].lower() in ("", "index", "unnamed: 0") :]
    columns, problems = [], []
    for name in names:
        try:
            columns.append(numbers(path, table[name], name))
        except RecordingError as error:
            problems += error.problems
    if problems or not columns or not len(table):
        raise RecordingError(problems or [f"{path}: no rows of features"])
    return tuple(names), np.column_stack(columns).astype(np.float32)
