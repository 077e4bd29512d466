"""Behaviours while they happen: `python -m rbc.stream --model data/train_mlp --body-length-px 180 < SAMPLES > ROWS`.

SAMPLES are CSV: a header that names aligned signals (acc_x … gyro_z in m/s² and rad/s in the body's axes, the bands,
<keypoint>_x, _y, _likelihood in px), then a row per frame of the common clock; an empty cell is missing, and so is a
column that is not named. ROWS are CSV: frame, then a probability per behaviour, each as soon as it is known; the
look-ahead is printed to stderr. They are those of the whole session without adaptation.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from rbc.classifier import Classifier, trained
from rbc.recordings.errors import RecordingError
from rbc.streaming import Stream


def main(arguments: Sequence[str] | None = None) -> int:
    """0; or 1 with a message that says what is wrong with the model or with a row."""
    parser = argparse.ArgumentParser("rbc.stream", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder that train_mlp wrote")
    parser.add_argument("--body-length-px", type=float, default=1.0, help="median length of the body's axis, in pixels")
    parser.add_argument("--mount", default="", help="where the IMU is worn: head, back, …")
    told = parser.parse_args(arguments)
    try:
        follow(Stream(load(told.model), told.body_length_px, told.mount), sys.stdin, sys.stdout)
    except RecordingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def load(folder: Path) -> Classifier:
    """The classifier. Raises RecordingError where there is none."""
    with trained(folder):
        return Classifier.load(folder)


def follow(stream: Stream, lines: TextIO, out: TextIO) -> None:
    """Write a row for every sample in the lines, as soon as it is known. Raises RecordingError."""
    writer, frame = csv.writer(out, lineterminator="\n"), 0
    print(f"look-ahead {stream.look_ahead} frames, {stream.look_ahead / stream.recipe.rate_hz:.2f} s", file=sys.stderr)
    writer.writerow(["frame", *(f"{name}_probability" for name in stream.classifier.model.behaviours)])

    def say(probability: np.ndarray) -> None:
        nonlocal frame
        for row in probability:
            writer.writerow([frame, *(f"{p:.4f}" for p in row)])
            frame += 1
        out.flush()

    for sample in samples(lines, stream.columns):
        say(stream.push(sample))
    say(stream.finish())


def samples(lines: TextIO, columns: tuple[str, ...]) -> Iterator[np.ndarray]:
    """A sample per row of the CSV, in the order of `columns`, NaN where missing. Raises RecordingError."""
    reader = csv.reader(lines)
    header = next(reader, [])
    unknown = [name for name in header if name not in columns]
    if unknown or not header:
        raise RecordingError(f"row 1: names {', '.join(unknown) or 'nothing'}; needs some of {', '.join(columns)}")
    places = [columns.index(name) for name in header]
    for number, row in enumerate(reader, start=2):
        sample = np.full(len(columns), np.nan, np.float32)
        if len(row) != len(header):
            raise RecordingError(f"row {number}: has {len(row)} cells; needs {len(header)}")
        for name, place, cell in zip(header, places, row, strict=True):
            try:
                sample[place] = float(cell) if cell.strip() else np.nan
            except ValueError:
                raise RecordingError(f"row {number}, {name}: {cell!r}; needs a number") from None
        yield sample


if __name__ == "__main__":
    sys.exit(main())
