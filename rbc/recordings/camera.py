"""When the camera took its frames: its time stamps, placed on the frames of a pose file.

S time stamps, R rows of pose, N video frames that they number.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbc.recordings import tables
from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import listed, numbers, read_table


@dataclass(frozen=True)
class Stamped:
    time_s: np.ndarray
    """(S,) f8 increasing."""
    numbers: np.ndarray | None
    """(S,) number of each stamp's frame, increasing; None without a column for it."""


def read_times(path: Path) -> Stamped:
    """Camera time stamps in s, from a CSV with columns time_s (_ms, _us) and perhaps frame.

    Raises RecordingError for times and frame numbers that do not increase.
    """
    table = read_table(path)
    times = tables.read_times(path, table)
    if "frame" not in table.columns:
        return Stamped(times, None)
    frames = numbers(path, table["frame"], "frame")
    wrong = np.flatnonzero(~(frames == np.floor(frames)) | ~(np.diff(frames, prepend=-np.inf) > 0))
    problems = listed(wrong, lambda i: f"{path}: line {table.index[i]}: frame {frames[i]:g}"
                      f"{f' after {frames[i - 1]:g}' if i else ''}; frame numbers need to count upwards")  # fmt: skip
    if problems:
        raise RecordingError(problems)
    return Stamped(times, frames.astype(np.int64))


def frame_times(path: Path, stamped: Stamped, rows: np.ndarray, frames: int) -> tuple[np.ndarray, list[str]]:
    """(N,) camera time of each of the `frames`, and what there is to say where stamps, rows (R,) and frames differ.

    A stamp each is taken as it is. Fewer are placed by their frame numbers where these span the frames, or on the rows
    where there are as many; frames between them get times between theirs. Raises RecordingError for anything else.
    """
    time_s, numbered = stamped.time_s, stamped.numbers
    stamps, count = len(time_s), len(rows)
    span = int(numbered[-1] - numbered[0]) + 1 if numbered is not None and stamps else stamps
    seen = f"{stamps} time stamps{f' numbered over {span} frames' if span > stamps else ''}, {count} rows of pose, "
    seen += f"{frames} video frames"
    if stamps == frames:
        dropped = f"{span - stamps} frames dropped by the camera have none of them"
        return time_s, [f"{path.name}: {seen}: {dropped}"] if span > stamps else []
    if span == frames:
        at = numbered - numbered[0]
    elif stamps == count == span:
        at = rows
    else:
        raise RecordingError(f"{path}: {seen}; needs a stamp for every frame, or for every row, or a column frame "
                             "whose gaps are the frames that were dropped")  # fmt: skip
    note = f"{path.name}: {seen}: {frames - stamps} frames were dropped, their times lie between their neighbours'"
    return np.interp(np.arange(frames), at, time_s), [note]
