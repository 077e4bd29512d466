"""What the camera tracks: DeepLabCut keypoints per video frame, and the camera's time stamps.

N video frames, K keypoints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings import tables
from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import listed, near, numbers, read_body, read_head, read_table

COORDS = ("x", "y", "likelihood")
HEADER = ("scorer", "individuals", "bodyparts", "coords")
UNIQUE = "single"  # DeepLabCut's name for the individual that unique body parts (arena corners) belong to


@dataclass(frozen=True)
class Tracks:
    keypoints: tuple[str, ...]
    points: np.ndarray
    """(N, K, 3) f4 x px, y px, likelihood 0 to 1; NaN, NaN, 0 where not tracked; a row per video frame."""
    others: dict[str, np.ndarray]
    """The other individuals, each (N, K, 3) in the order of `keypoints`."""


def read_tracks(paths: tuple[Path, ...], individual: str = "") -> Tracks:
    """Keypoints of the animal that wears the IMU; several files are chapters in order.

    `individual` picks it in a multi-animal file, and may be empty where the file tracks one animal.
    A point at exactly (0, 0) is how some exports write "not seen": it becomes NaN.
    Raises RecordingError: unknown format, missing individual or column, numbers that do not parse, all-NaN pose.
    """
    chapters, problems = [], []
    for path in map(Path, paths):
        reader = READERS.get(path.suffix.lower())
        try:
            if reader is None:
                raise RecordingError(f"{path}: pose files end in {', '.join(READERS)}; this ends in {path.suffix!r}")
            chapters.append(reader(path, individual))
        except RecordingError as error:
            problems += error.problems
    if not problems:
        first = chapters[0]
        for path, tracks in zip(paths, chapters, strict=True):
            if tracks.keypoints != first.keypoints or tracks.others.keys() != first.others.keys():
                seen, needed = (f"{', '.join(t.keypoints)} of {1 + len(t.others)} animals" for t in (tracks, first))
                problems.append(f"{path}: keypoints {seen}; the first chapter has {needed}")
    if problems:
        raise RecordingError(problems)
    points = np.concatenate([tracks.points for tracks in chapters])  # (N, K, 3)
    others = {name: np.concatenate([tracks.others[name] for tracks in chapters]) for name in first.others}
    if not np.isfinite(points[..., :2]).any():
        raise RecordingError(f"{paths[0]}: pose is all-NaN: {len(points)} frames without one tracked keypoint")
    return Tracks(first.keypoints, points, others)


def read_csv(path: Path, individual: str) -> Tracks:
    """Tracks of one DeepLabCut CSV: header rows scorer, (individuals,) bodyparts, coords; then a row per frame."""
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
    columns = {key: number for number, key in enumerate(keys, start=1)}
    if len(columns) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RecordingError(f"{path}: column {' '.join(filter(None, twice))} is there twice")
    chosen = choose_individual(path, list(dict.fromkeys(animals)), individual)
    keypoints = tuple(dict.fromkeys(part for animal, part, _ in keys if animal == chosen))
    missing = [(part, coord) for part in keypoints for coord in COORDS if (chosen, part, coord) not in columns]
    if missing or not keypoints:
        named = [f"missing column {coord!r} of keypoint {part!r}" for part, coord in missing] or ["no keypoints"]
        raise RecordingError([f"{path}: {problem}; needs x, y, likelihood" for problem in named])
    body = read_body(path, width, len(names))
    if body.empty:
        raise RecordingError(f"{path}: 0 frames below the header; needs a row per video frame")
    _check_frames(path, body[0])
    others = [a for a in dict.fromkeys(animals) if a not in (chosen, UNIQUE)]
    stacked, problems = {}, []
    for animal in (chosen, *others):
        stacked[animal], found = _points(path, body, columns, animal, keypoints)
        problems += found
    if problems:
        raise RecordingError(problems)
    return Tracks(keypoints, stacked.pop(chosen), stacked)


def choose_individual(path: Path, animals: list[str], individual: str) -> str:
    """The animal to read: `individual`, or the only one that the file tracks."""
    candidates = [animal for animal in animals if animal != UNIQUE] or animals
    if individual in candidates or candidates == [""]:
        return individual if individual in candidates else ""
    if not individual and len(candidates) == 1:
        return candidates[0]
    seen = f"individual {individual!r} is not in the file{near(individual, candidates)}"
    seen = seen if individual else "individual is empty"
    raise RecordingError(f"{path}: {seen}; needs one of {', '.join(candidates)}: the animal that wears the IMU")


def _check_frames(path: Path, index: pd.Series) -> None:
    """Raise where numbered rows do not count upwards (image names in the first column count nothing)."""
    if pd.api.types.is_numeric_dtype(index):
        steps = np.flatnonzero(~(np.diff(index.to_numpy(np.float64)) > 0)) + 1
        problems = listed(steps, lambda i: f"{path}: line {index.index[i]}: frame number {index.iloc[i]} after "
                          f"{index.iloc[i - 1]}; frames need to count upwards")  # fmt: skip
        if problems:
            raise RecordingError(problems)


def _points(path: Path, body: pd.DataFrame, columns: dict, animal: str, keypoints: tuple[str, ...]):
    """(N, K, 3) points of one animal, NaN where it lacks a keypoint, and the list of what does not parse."""
    points, problems = np.full((len(body), len(keypoints), 3), np.nan, np.float32), []
    for k, part in enumerate(keypoints):
        for c, coord in enumerate(COORDS):
            if (animal, part, coord) in columns:
                try:
                    cells = body[columns[animal, part, coord]]
                    points[:, k, c] = numbers(path, cells, " ".join([animal, part, coord]).strip())
                except RecordingError as error:
                    problems += error.problems
        outside = np.flatnonzero((points[:, k, 2] < -0.001) | (points[:, k, 2] > 1.001))
        problems += listed(outside, lambda i, k=k: f"{path}: line {body.index[i]}: likelihood of {keypoints[k]!r} is "
                           f"{points[i, k, 2]:g}; needs 0 to 1")  # fmt: skip
    missing = np.isnan(points[..., :2]).any(axis=2) | (points[..., :2] == 0).all(axis=2)  # (N, K)
    points[missing] = (np.nan, np.nan, 0)
    return points, problems


def read_times(path: Path) -> np.ndarray:
    """Camera time stamp in s of every video frame, (N,) f8, from a CSV with columns frame and time_s (_ms, _us).

    Raises RecordingError for times that do not increase and frames that are not numbered one after the other.
    """
    table = read_table(path)
    times = tables.read_times(path, table)
    if "frame" in table.columns:
        frames = numbers(path, table["frame"], "frame")
        skipped = np.flatnonzero(~(np.diff(frames) == 1)) + 1
        problems = listed(skipped, lambda i: f"{path}: line {table.index[i]}: frame {frames[i]:g} after "
                          f"{frames[i - 1]:g}; needs a row for every frame of the video file, in order")  # fmt: skip
        if problems:
            raise RecordingError(problems)
    return times


READERS = {".csv": read_csv}
