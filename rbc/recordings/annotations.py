"""What people saw: behaviours in video time, and how they become the labels of frames.

BORIS tabular and aggregated exports, Caltech Behavior Annotator text, per-frame CSV. C behaviours, T frames.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rbc.recordings import boris, caltech
from rbc.recordings.errors import RecordingError
from rbc.recordings.session import ABSENT, NOT_SCORED, PRESENT
from rbc.recordings.tables import listed, near, numbers, read_lines, read_table, separator

HEADER_WITHIN = 60  # lines in which a header is looked for: older BORIS exports start with a preamble
ROUNDING_S = 0.0006  # exports round to 1 ms
SLACK_S = 0.5  # containers and trackers differ by a few frames in what they call the end
MASKS = ("unknown", "not_in_frame")
EPSILON = 1e-9


@dataclass(frozen=True)
class Annotation:
    path: Path
    behaviours: tuple[str, ...]
    """What the file names; in an event file that is what occurs (or what its configuration lists)."""
    bouts: tuple[tuple[str, float, float], ...] = ()
    """(behaviour, start_s, stop_s) in video time, stop exclusive; of event files."""
    lines: tuple[int, ...] = ()
    """Line in the file of each bout."""
    spans: tuple[tuple[float, float], ...] = ()
    """Annotated stretches in s of video time; empty = all of `frames`."""
    frame_numbers: np.ndarray | None = None
    """(M,) i8 frames that a per-frame file describes, increasing, from 0; None for event files."""
    frames: np.ndarray | None = None
    """(M, C) i1 1 present, 0 absent, -1 not scored; columns as `behaviours`."""
    rate_hz: float = float("nan")
    """Frames per second of video time, for `frame_numbers`."""
    notes: tuple[str, ...] = ()
    """What was made of the file beyond its words, with counts."""

    @property
    def stop_s(self) -> float:
        """Where the last label or span ends, in s of video time (0 without any)."""
        last = [stop for _, _, stop in self.bouts] + [stop for _, stop in self.spans]
        if self.frames is not None and (self.frames != NOT_SCORED).any():
            scored = np.flatnonzero((self.frames != NOT_SCORED).any(axis=1))[-1]
            last.append((self.frame_numbers[scored] + 1) / self.rate_hz)
        return float(max(last, default=0.0))


def read_annotations(
    path: Path, span_s: tuple[tuple[float, float], ...], pose_rate_hz: float, *, subject: str = "",
    point_s: float = float("nan"), chapters_s: tuple[float, ...] = (),
) -> Annotation:
    """Annotation of one file, its format told from its content.

    `span_s` are the annotated stretches in s of video time (event files need one, from here or from the file),
    `pose_rate_hz` turns frame numbers into video time, `subject` picks one where BORIS scored several, a POINT event
    lasts `point_s` (NaN = is refused), and `chapters_s` are the durations of the files that the video is made of.
    Raises RecordingError: unknown format, unpaired START or STOP, no span, numbers that do not parse.
    """
    path = Path(path)
    lines = read_lines(path)
    name, header = recognise(path, lines)
    if name in BORIS:
        events = BORIS[name](path, lines[header], header, boris.Asked(pose_rate_hz, subject, point_s, chapters_s))
        annotation = _events(path, events.bouts, events.problems, tuple(span_s) or events.spans)
        annotation = replace(annotation, notes=events.notes)
    elif name == "caltech":
        bouts, problems, configured = caltech.read(path, lines, pose_rate_hz)
        annotation = _events(path, bouts, problems, tuple(span_s))
        annotation = replace(annotation, behaviours=tuple(dict.fromkeys((*configured, *annotation.behaviours))))
    else:
        annotation = replace(read_per_frame(path, lines, pose_rate_hz), spans=tuple(span_s))
    return annotation


def recognise(path: Path, lines: list[str]) -> tuple[str, int]:
    """(name of the format, line index of its header) of an annotation file."""
    filled = [line.strip() for line in lines if line.strip()]
    if not filled:
        raise RecordingError(f"{path}: empty file; needs annotations")
    if filled[0].startswith("Caltech Behavior Annotator"):
        return "caltech", 0
    for number, line in enumerate(lines[:HEADER_WITHIN]):
        cells = {cell.strip('" ').lower() for cell in line.split(separator(line))}
        if "behavior" in cells and {"start (s)", "stop (s)"} & cells:
            return "boris_aggregated", number
        if "behavior" in cells and {"behavior type", "status", "time"} & cells:
            return "boris_tabular", number
    if re.match(r'"?index"?\s*[,;\t]', lines[0].strip(), re.IGNORECASE):
        return "per_frame", 0
    raise RecordingError(
        f"{path}: unknown annotation format, first line {filled[0][:60]!r}; missing column 'Behavior' (BORIS tabular "
        "or aggregated export) or 'Index' (per-frame CSV), and not Caltech Behavior Annotator text"
    )


def _events(path: Path, bouts: list[tuple[str, float, float, int]], problems: list[str], spans: tuple) -> Annotation:
    """Annotation of event rows (behaviour, start_s, stop_s, line), or RecordingError listing all that is wrong."""
    if not spans:
        problems.append(f"{path}: event labels without a span: the manifest's span is empty; needs start-stop in s, "
                        "such as 0-300: the stretch watched (the first and last event do not tell)")  # fmt: skip
    for what, start, stop, line in bouts:
        if start < 0 or stop < start:
            problems.append(f"{path}: line {line}: {what!r} from {start:g} s to {stop:g} s; needs 0 <= start <= stop")
    if problems:
        raise RecordingError(problems)
    bouts = sorted(bouts, key=lambda bout: (bout[1], bout[2], bout[0]))
    behaviours = tuple(dict.fromkeys(what for what, *_ in bouts))
    return Annotation(path, behaviours, tuple((w, float(a), float(b)) for w, a, b, _ in bouts),
                      tuple(int(line) for *_, line in bouts), spans)  # fmt: skip


def read_per_frame(path: Path, lines: list[str], rate_hz: float) -> Annotation:
    """Annotation of a per-frame CSV: Index (video frame from 0) and a 0/1 column per behaviour, empty or -1 unscored.

    Columns `unknown` and `not_in_frame` mask their frames in every behaviour.
    """
    table = read_table(path, separator=separator(lines[0]))
    table.columns = ["Index" if name.lower() == "index" else name for name in table.columns]
    problems, columns = [], {}
    if not rate_hz > 0:
        problems.append(f"{path}: counts frames, but pose_rate_hz is empty; needs frames per second")
    for name in table.columns:
        try:
            columns[name] = numbers(path, table[name], name)
        except RecordingError as error:
            problems += error.problems
            continue
        values = columns[name]
        if name == "Index":
            values = np.nan_to_num(values, nan=-1)
            wrong = (values < 0) | (values > 2**52) | (values != np.floor(values)) | (np.diff(values, prepend=-1) <= 0)
            need = "whole numbers from 0 that increase"
        else:
            wrong, need = ~np.isin(values, (1, 0, -1)) & ~np.isnan(values), "1, 0, -1 or an empty cell"
        problems += listed(np.flatnonzero(wrong), lambda i, name=name, need=need: f"{path}: line {table.index[i]}: "
                           f"column {name!r}: {table[name].iloc[i]}; needs {need}")  # fmt: skip
    behaviours = tuple(name for name in table.columns if name and name != "Index" and name.lower() not in MASKS)
    if not behaviours:
        problems.append(f"{path}: missing column: a column per behaviour beside 'Index'")
    if problems:
        raise RecordingError(problems)
    frames = np.column_stack([columns[name] for name in behaviours])  # (M, C)
    masked = np.zeros(len(table), bool)
    for name in table.columns:
        if name.lower() in MASKS:
            masked |= columns[name] == 1
    frames = np.where(np.isnan(frames) | masked[:, None], NOT_SCORED, frames).astype(np.int8)
    numbered = columns["Index"].astype(np.int64)
    return Annotation(path, behaviours, frame_numbers=numbered, frames=frames, rate_hz=rate_hz)


def check(
    annotation: Annotation, behaviours: tuple[str, ...], scored: tuple[str, ...] | None, duration_s: float | None
) -> list[str]:
    """Problems of an annotation: behaviours that are not known or not scored, labels beyond a video of `duration_s`.

    `behaviours` are all known names, `scored` those that were looked for (None = all in the file); a `duration_s` of
    None leaves the length unchecked.
    """
    path, problems, known = annotation.path, [], f"data.behaviours knows {', '.join(behaviours)}"
    lines = dict(zip(reversed([what for what, *_ in annotation.bouts]), reversed(annotation.lines), strict=True))
    used = annotation.behaviours if annotation.frames is not None else tuple(lines)
    for what in used:
        where = f"{path}: line {lines[what]}" if what in lines else f"{path}: column {what!r}"
        if what not in behaviours:
            problems.append(f"{where}: unknown behaviour {what!r}{near(what, behaviours)}; {known}")
        elif scored is not None and what in lines and what not in scored:
            problems.append(f"{where}: {what!r} is labelled, but the manifest's scored lists {', '.join(scored)}")
    for what in scored or ():
        if what not in behaviours:
            problems.append(f"{path}: scored: unknown behaviour {what!r}{near(what, behaviours)}; {known}")
    if duration_s is None:
        return problems
    beyond = f"labels beyond the recording, which ends at {duration_s:.2f} s"
    for start, stop in annotation.spans:
        if stop > duration_s + SLACK_S:
            problems.append(f"{path}: span {start:g}-{stop:g}: {beyond}")
    late = np.flatnonzero([stop > duration_s + SLACK_S for _, _, stop in annotation.bouts])
    problems += listed(late, lambda i: f"{path}: line {annotation.lines[i]}: {annotation.bouts[i][0]!r} stops at "
                       f"{annotation.bouts[i][2]:g} s: {beyond}")  # fmt: skip
    if annotation.frames is not None and annotation.stop_s > duration_s + SLACK_S:
        problems.append(f"{path}: frames to {annotation.stop_s:.2f} s: {beyond}")
    return problems


def to_frames(
    annotation: Annotation,
    frame_video_time_s: np.ndarray,
    behaviours: tuple[str, ...],
    scored: tuple[str, ...] | None,
    duration_s: float | None = None,
) -> np.ndarray:
    """Labels (T, C) i1 of frames at these video times (T,), NaN = no video there; columns as `behaviours`.

    1 inside a bout, 0 elsewhere inside a span for behaviours that were looked for, -1 everywhere else.
    Raises RecordingError with every problem that `check` finds.
    """
    problems = check(annotation, behaviours, scored, duration_s)
    if problems:
        raise RecordingError(problems)
    times = np.asarray(frame_video_time_s, np.float64) + ROUNDING_S
    order = np.argsort(times, kind="stable")
    ordered = times[order]

    def between(start: float, stop: float) -> np.ndarray:
        return order[slice(*np.searchsorted(ordered, (start, stop)))]

    inside = np.zeros(len(times), bool)
    for start, stop in annotation.spans:
        inside[between(start, stop)] = True
    if not annotation.spans:
        inside = np.isfinite(times)
    column = {name: c for c, name in enumerate(behaviours)}
    looked = [name for name in (annotation.behaviours if scored is None else scored) if name in column]
    labels = np.full((len(times), len(behaviours)), NOT_SCORED, np.int8)  # (T, C)
    if annotation.frames is not None:
        number = np.floor(np.where(inside, times, -1) * annotation.rate_hz + EPSILON).astype(np.int64)
        place = np.searchsorted(annotation.frame_numbers, number)
        known = place < len(annotation.frame_numbers)
        known[known] = annotation.frame_numbers[place[known]] == number[known]
        for name in looked:
            if name in annotation.behaviours:
                labels[known, column[name]] = annotation.frames[place[known], annotation.behaviours.index(name)]
        return labels
    labels[np.ix_(inside, [column[name] for name in looked])] = ABSENT
    for name, start, stop in annotation.bouts:
        frames = between(start, stop)
        labels[frames[inside[frames]], column[name]] = PRESENT
    return labels


BORIS = {"boris_tabular": boris.read_tabular, "boris_aggregated": boris.read_aggregated}
