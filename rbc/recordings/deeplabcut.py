"""What the camera tracks: DeepLabCut keypoints per video frame.

N video frames, K keypoints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.errors import RecordingError
from rbc.recordings.frames_hdf import read_frame
from rbc.recordings.tables import joined, listed, near, numbers, read_head, read_numbers
from rbc.recordings.trackers import read_poses

COORDS = ("x", "y", "likelihood")
COORDS_3D = ("x", "y", "z", "likelihood")
HEADER = ("scorer", "individuals", "bodyparts", "coords")
FARTHEST = 1e6  # px or mm: no camera sees that far
UNIQUE = "single"  # DeepLabCut's name for the individual that unique body parts (arena corners) belong to


@dataclass(frozen=True)
class Tracks:
    keypoints: tuple[str, ...]
    points: np.ndarray
    """(N, K, 3) f4 x px, y px, likelihood 0 to 1; NaN, NaN, 0 where not tracked; a row per video frame. In 3D
    (N, K, 4) x, y, z, likelihood."""
    others: dict[str, np.ndarray]
    """The other individuals, each (N, K, 3 or 4) in the order of `keypoints`."""
    notes: tuple[str, ...] = ()
    """What was filled in, with its count."""
    rows: np.ndarray | None = None
    """(R,) frames that the files have a row for; None = all."""
    chapters: tuple[int, ...] = ()
    """Frames of each file."""
    individual: str = ""
    """Name of the animal in a multi-animal file."""


@dataclass(frozen=True)
class Sheet:
    """One pose file as written."""

    columns: dict[tuple[str, str, str], int]
    """(individual, keypoint, coordinate) -> column of `cells`; no individual in a single-animal file."""
    cells: pd.DataFrame
    """(rows, columns), indexed by line number."""
    numbered: np.ndarray
    """(rows,) numbers of the video frames."""


def read_tracks(paths: tuple[Path, ...], individual: str = "", *, undecided: bool = False) -> Tracks:
    """Keypoints of the animal that wears the IMU; several files are chapters in order.

    `individual` picks it in a multi-animal file, and may be empty where the file tracks one animal, or where it is
    `undecided`: then the first one is taken.
    A point at exactly (0, 0) is how some exports write "not seen": it becomes NaN. Frames without a row are missing.
    Raises RecordingError: unknown format, missing individual or column, numbers that do not parse, all-NaN pose.
    """
    chapters, problems, upto = [], [], 0
    for path in map(Path, paths):
        reader = READERS.get(path.suffix.lower())
        try:
            if reader is None:
                raise RecordingError(f"{path}: pose files end in {', '.join(READERS)}; this ends in {path.suffix!r}")
            sheet = reader(path)
            chapters.append(_tracks(path, sheet, individual, upto, undecided))
            upto = int(sheet.numbered[-1]) + 1
        except RecordingError as error:
            problems += error.problems
    if not problems:
        first = chapters[0]
        for path, tracks in zip(paths, chapters, strict=True):
            if tracks.keypoints != first.keypoints or tracks.others.keys() != first.others.keys():
                seen, needed = (f"{', '.join(t.keypoints)} of {1 + len(t.others)} animals" for t in (tracks, first))
                problems.append(f"{path}: keypoints {seen}; the first chapter has {needed}")
            elif tracks.points.shape[2] != first.points.shape[2]:
                problems.append(f"{path}: points of {tracks.points.shape[2] - 1} dimensions; the first chapter has "
                                f"{first.points.shape[2] - 1}")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    points = joined([tracks.points for tracks in chapters])  # (N, K, 3)
    others = {name: joined([tracks.others[name] for tracks in chapters]) for name in first.others}
    if not np.isfinite(points[..., :2]).any():
        raise RecordingError(f"{paths[0]}: pose is all-NaN: {len(points)} frames without one tracked keypoint")
    lengths = tuple(len(tracks.points) for tracks in chapters)
    rows = np.concatenate([tracks.rows + begin for tracks, begin in zip(chapters, np.cumsum([0, *lengths]))])
    rows = rows if len(rows) < len(points) else None
    notes = tuple(note for tracks in chapters for note in tracks.notes)
    return Tracks(first.keypoints, points, others, notes, rows, lengths, first.individual)


def read_csv(path: Path) -> Sheet:
    """One DeepLabCut CSV: header rows scorer, (individuals,) bodyparts, coords; then a row per frame."""
    head = read_head(path, 4)
    rows = {row[0].lower(): row for row in head if row}
    names = [name for name in HEADER if name != "individuals" or name in rows]
    if [row[0].lower() if row else "" for row in head[: len(names)]] != names:
        seen = ", ".join(repr(row[0]) if row else "''" for row in head) or "nothing"
        raise RecordingError(
            f"{path}: missing header row: the first column starts with {seen}; a DeepLabCut CSV has scorer, bodyparts, "
            "coords (or scorer, individuals, bodyparts, coords)"
        )
    width = len(rows["coords"])
    if any(len(rows[name]) != width for name in names):
        widths = ", ".join(str(len(rows[name])) for name in names)
        raise RecordingError(f"{path}: header rows of {widths} fields; needs as many in each")
    animals = rows["individuals"][1:] if "individuals" in rows else [""] * (width - 1)
    keys = list(zip(animals, rows["bodyparts"][1:], (c.lower() for c in rows["coords"][1:]), strict=True))
    body = read_numbers(path, width, len(names), dtype=np.float32)
    index = body.pop(0)
    return _sheet(path, keys, body, index)


def read_h5(path: Path) -> Sheet:
    """One DeepLabCut H5, a pandas table with columns scorer, (individuals,) bodyparts, coords; or another tracker's."""
    frame = read_frame(path)
    if frame is None:
        return read_other(path)
    keys, index, values = frame
    depth = {len(key) for key in keys}
    if not depth <= {3, 4} or len(depth) != 1:
        raise RecordingError(f"{path}: column names of {sorted(depth)} levels; a DeepLabCut H5 has scorer, bodyparts, "
                             "coords (or scorer, individuals, bodyparts, coords)")  # fmt: skip
    animals = depth == {4}
    keys = [(key[1] if animals else "", key[-2], key[-1].lower()) for key in keys]
    cells = pd.DataFrame(values, index=np.arange(1, len(values) + 1))
    return _sheet(path, keys, cells, pd.Series(index, index=cells.index))


def read_other(path: Path) -> Sheet:
    """One file of another tracker."""
    keys, values = read_poses(path)
    cells = pd.DataFrame(values, index=np.arange(1, len(values) + 1))
    return _sheet(path, keys, cells, pd.Series(np.arange(len(values)), index=cells.index))


def _sheet(path: Path, keys: list[tuple[str, str, str]], cells: pd.DataFrame, index: pd.Series) -> Sheet:
    columns = {key: number for number, key in enumerate(keys)}
    if len(columns) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RecordingError(f"{path}: column {' '.join(filter(None, twice))} is there twice")
    if cells.empty:
        raise RecordingError(f"{path}: 0 frames below the header; needs a row per video frame")
    return Sheet(columns, cells.set_axis(range(len(keys)), axis=1), _frame_numbers(path, index))


def _tracks(path: Path, sheet: Sheet, individual: str, upto: int, undecided: bool) -> Tracks:
    """Tracks of one file; frames without a row are missing; `upto` is the frame that may follow an earlier chapter."""
    animals = list(dict.fromkeys(animal for animal, *_ in sheet.columns))
    chosen = choose_individual(path, animals, individual, undecided)
    named = {(part, coord) for animal, part, coord in sheet.columns if animal == chosen}
    keypoints = tuple(dict.fromkeys(part for animal, part, _ in sheet.columns if animal == chosen))
    deep = any(coord == "z" for _, coord in named)
    scored = any(coord == "likelihood" for _, coord in named)
    coords = COORDS_3D if deep and scored else COORDS_3D[:3] if deep else COORDS  # 3D exports have no likelihood
    missing = [f"missing column {coord!r} of keypoint {part!r}; needs {', '.join(coords)}"
               for part in keypoints for coord in coords if (part, coord) not in named]  # fmt: skip
    if missing or not keypoints:
        raise RecordingError([f"{path}: {problem}" for problem in missing or ["no keypoints; needs x, y, likelihood"]])
    frames = sheet.numbered - (upto if upto and sheet.numbered[0] == upto else 0)
    if frames[0] != 0:
        raise RecordingError(f"{path}: line {sheet.cells.index[0]}: the first row is frame {sheet.numbered[0]}; needs "
                             f"0{f' or {upto}' if upto else ''}: a row for every frame of the video")  # fmt: skip
    gone = int(frames[-1]) + 1 - len(frames)
    if gone > len(frames):
        raise RecordingError(f"{path}: {len(frames)} rows number the frames to {frames[-1]}; needs a row for most")
    stacked, problems = {}, []
    for animal in (chosen, *(a for a in animals if a not in (chosen, UNIQUE))):
        points, found = _points(path, sheet, animal, keypoints, coords)
        problems += found
        stacked[animal] = points
        if gone:
            stacked[animal] = np.full((int(frames[-1]) + 1, *points.shape[1:]), np.nan, np.float32)
            stacked[animal][..., -1] = 0
            stacked[animal][frames] = points
    if problems:
        raise RecordingError(problems)
    notes = (f"{path.name}: {gone} frames without a row",) if gone else ()
    return Tracks(keypoints, stacked.pop(chosen), stacked, notes, frames, individual=chosen)


def choose_individual(path: Path, animals: list[str], individual: str, undecided: bool) -> str:
    """The animal to read: `individual`, or the only one that the file tracks, or the first where it is undecided."""
    candidates = [animal for animal in animals if animal != UNIQUE] or animals
    if individual in candidates or candidates == [""]:
        return individual if individual in candidates else ""
    if not individual and (undecided or len(candidates) == 1):
        return candidates[0]
    seen = f"individual {individual!r} is not in the file{near(individual, candidates)}"
    seen = seen if individual else "individual is empty"
    raise RecordingError(f"{path}: {seen}; needs one of {', '.join(candidates)}: the animal that wears the IMU")


def _frame_numbers(path: Path, index: pd.Series) -> np.ndarray:
    """Numbers of the frames, which need to count upwards; 0, 1, 2, … where the first column holds image names."""
    if not pd.api.types.is_numeric_dtype(index):
        return np.arange(len(index))
    given = index.to_numpy(np.float64, na_value=np.nan)
    whole = (given >= 0) & (given < 2**40) & (given == np.floor(given))
    wrong = np.flatnonzero(~whole | (np.diff(given, prepend=-1) <= 0))
    problems = listed(wrong, lambda i: f"{path}: line {index.index[i]}: frame number {given[i]:.15g}"
                      f"{f' after {given[i - 1]:.15g}' if i else ''}; frames need to count upwards from 0")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    return given.astype(np.int64)


def _points(path: Path, sheet: Sheet, animal: str, keypoints: tuple[str, ...], coords: tuple[str, ...]):
    """(rows, K, 3 or 4) points of one animal, NaN where it lacks a keypoint, and the list of what does not parse."""
    line, problems = sheet.cells.index, []
    places = [coord for coord in coords if coord != "likelihood"]
    points = np.full((len(line), len(keypoints), len(places) + 1), np.nan, np.float32)
    for k, part in enumerate(keypoints):
        for c, coord in enumerate((*places, "likelihood")):
            if (animal, part, coord) in sheet.columns:
                try:
                    cells = sheet.cells[sheet.columns[animal, part, coord]]
                    points[:, k, c] = numbers(path, cells, " ".join([animal, part, coord]).strip())
                except RecordingError as error:
                    problems += error.problems
        outside = np.flatnonzero((points[:, k, -1] < -0.001) | (points[:, k, -1] > 1.001))
        problems += listed(outside, lambda i, k=k: f"{path}: line {line[i]}: likelihood of {keypoints[k]!r} is "
                           f"{points[i, k, -1]:g}; needs 0 to 1")  # fmt: skip
        far = np.flatnonzero((np.abs(points[:, k, :-1]) > FARTHEST).any(axis=1))
        problems += listed(far, lambda i, k=k: f"{path}: line {line[i]}: {keypoints[k]!r} lies at "
                           f"{', '.join(f'{v:g}' for v in points[i, k, :-1])}; needs at most {FARTHEST:g}")  # fmt: skip
    if "likelihood" not in coords:
        points[..., -1] = 1
    missing = np.isnan(points[..., :-1]).any(axis=2) | (points[..., :-1] == 0).all(axis=2)  # (rows, K)
    points[missing] = (*[np.nan] * len(places), 0)
    return points, problems


READERS = {".csv": read_csv, ".h5": read_h5, ".hdf5": read_h5, ".slp": read_other, ".nwb": read_other}
