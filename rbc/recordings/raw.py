"""One session as it lies on disk: every file of a manifest row, read and checked against the others.

N video frames (or rows of a pose array), M samples of the IMU.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rbc.recordings import annotations
from rbc.recordings.annotations import Annotation
from rbc.recordings.arrays import Arrays, is_arrays, read_arrays
from rbc.recordings.camera import frame_times, read_times
from rbc.recordings.deeplabcut import Tracks, read_tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import ImuRecording, read_imu
from rbc.recordings.manifest import Row
from rbc.recordings.pairs import Moments, Pairs, inline_moments, place_moments, read_moments, stated_pair
from rbc.recordings.pulses import pulse_pairs
from rbc.recordings.stamps import time_problems


@dataclass(frozen=True)
class Raw:
    row: Row
    frame_s: np.ndarray
    """(N,) camera time of each video frame: its stamp, or index / nominal rate. Empty without pose."""
    tracks: Tracks | None
    ready_pose: Arrays | None
    imu: ImuRecording | None
    ready_imu: Arrays | None
    one_clock: bool
    """IMU and pose share a clock: nothing is to be estimated."""
    label_rate_hz: float
    """Video frames per second of labelled time; NaN without labels or video."""
    annotators: dict[str, Annotation] = field(default_factory=dict)
    consensus: Annotation | None = None
    """Where the file brings its own."""
    pairs: Pairs | None = None
    """What fixes the clocks of camera and IMU; None = the signals do."""
    clock_notes: tuple[str, ...] = ()
    """What was found with the camera's stamps and with `pairs`."""
    wearer_notes: tuple[str, ...] = ()
    """Which of several animals wears the IMU, and where the tracker swapped them."""
    swaps: tuple[tuple[float, float, str], ...] | None = None
    """(start s, stop s of camera time, with whom) of these stretches; None = they were not looked for."""

    @property
    def behaviours(self) -> tuple[str, ...]:
        """Every behaviour that its label files name, in order."""
        named = [a.behaviours for a in (self.consensus, *self.annotators.values()) if a]
        return tuple(dict.fromkeys(name for names in (*named, self.row.scored or ()) for name in names))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired or left out in reading, with counts."""
        labels = [note for annotation in self.annotators.values() for note in annotation.notes]
        notes = (*(self.tracks.notes if self.tracks else ()), *(self.imu.notes if self.imu else ()))
        return (*notes, *labels, *self.clock_notes, *self.wearer_notes)

    @property
    def keypoints(self) -> tuple[str, ...]:
        return self.tracks.keypoints if self.tracks else ()


def read_raw(row: Row, behaviours: tuple[str, ...] = ()) -> Raw:
    """Everything that a row names; `behaviours` name the columns of label arrays without names.

    Raises one RecordingError that lists every problem, each with the session's name.
    """
    problems: list[str] = []

    def attempt(read, *args, **settings):
        try:
            return read(*args, **settings)
        except RecordingError as error:
            problems.extend(f"session {row.session}: {problem}" for problem in error.problems)
            return None

    tracks, pose, frame_s, clock_notes = None, None, np.zeros(0), []
    if row.pose and is_arrays(row.pose[0]):
        pose = attempt(read_arrays, row.pose, "pose", rate_hz=row.pose_rate_hz)
        tracks = pose.tracks if pose else None
        frame_s = np.arange(pose.frames) / pose.rate_hz if pose else frame_s
    elif row.pose:
        tracks = attempt(read_tracks, row.pose, row.individual, undecided=bool(row.imu))
        frame_s = np.arange(len(tracks.points)) / row.pose_rate_hz if tracks else frame_s
    if row.pose_times:
        stamps = attempt(read_times, row.pose_times)
        if stamps is not None and len(frame_s):
            rows = np.arange(len(frame_s)) if tracks is None or tracks.rows is None else tracks.rows
            placed = attempt(frame_times, row.pose_times, stamps, rows, len(frame_s))
            frame_s, clock_notes = placed or (frame_s, [])
        elif stamps is not None:
            frame_s = stamps.time_s
        found = time_problems(str(row.pose_times), frame_s, row.pose_rate_hz, "pose_rate_hz") if stamps else []
        problems += [f"session {row.session}: {problem}" for problem in found]
    imu, ready_imu = None, None
    if row.imu and is_arrays(row.imu[0]):
        ready_imu = attempt(read_arrays, row.imu, "imu", units=row.imu_units, rate_hz=row.imu_rate_hz)
        imu = ready_imu.imu if ready_imu else None
    elif row.imu:
        imu = attempt(read_imu, row.imu, row.imu_units, row.imu_rate_hz, row.repairs, row.sync_channel)
    one_clock = pose is None and tracks is None or ready_imu is not None and pose is not None
    label_rate = pose.rate_hz if pose else row.pose_rate_hz
    if not row.pose and ready_imu:
        label_rate = ready_imu.rate_hz
    moments = inline_moments(row.sync) if row.sync else None
    if row.sync_file:
        moments = attempt(read_moments, row.sync_file)
    stated, pairs = np.isfinite(row.imu_offset_s), None
    pulsed = bool(row.sync_channel and row.sync_video)
    if moments or stated or pulsed:
        both = len(frame_s) and imu is not None and not one_clock
        if both:
            pairs = attempt(_pairs, row, moments, frame_s, label_rate, imu)
        elif not problems:
            clock_notes.append(f"{'imu_offset_s' if stated else 'sync'} is not used: needs pose and IMU on two clocks")
    chapters_s = tuple(frames / label_rate for frames in tracks.chapters) if tracks else ()
    annotators, consensus = {}, None
    for name, path in row.labels:
        if is_arrays(path):
            read = attempt(read_arrays, (path,), "labels", rate_hz=label_rate, behaviours=behaviours)
            if read:
                annotators |= read.annotators or {name: read.labels}
                consensus = read.labels
        else:
            read = attempt(annotations.read_annotations, path, row.span, label_rate,
                           subject=row.subject or row.individual, point_s=row.point_s,
                           chapters_s=chapters_s)  # fmt: skip
            if read:
                annotators[name] = read
    if problems:
        raise RecordingError(problems)
    return Raw(
        row, frame_s, tracks, pose, imu, ready_imu, one_clock, label_rate, annotators,
        consensus if len(row.labels) == 1 else None, pairs, tuple(clock_notes),
    )


def _pairs(row: Row, moments: Moments | None, frame_s: np.ndarray, rate_hz: float, imu: ImuRecording) -> Pairs:
    """What a row states of its clocks."""
    if row.sync_video:
        if imu.channel is None:
            raise RecordingError(f"sync: imu:{row.sync_channel}: {row.imu[0]} has no such column; needs a CSV with one")
        return pulse_pairs(row.sync_video, row.sync_channel, row.imu_drift_ppm, frame_s, rate_hz, imu)
    if moments is None:
        return stated_pair(row.imu_offset_s, row.imu_drift_ppm)
    return place_moments(moments, row.imu_drift_ppm, frame_s, rate_hz, imu.time_s)


def label_problems(raw: Raw, behaviours: tuple[str, ...]) -> list[str]:
    """What does not fit between a session's labels, its length and the known behaviours."""
    duration = len(raw.frame_s) / raw.label_rate_hz if len(raw.frame_s) else None
    if duration is None and raw.ready_imu:
        duration = raw.ready_imu.frames / raw.ready_imu.rate_hz
    elif duration is None and raw.imu:
        duration = float(np.ptp(raw.imu.time_s))
    given = {id(a): a for a in (*raw.annotators.values(), raw.consensus) if a}.values()
    found = [p for a in given for p in annotations.check(a, behaviours, raw.row.scored, duration)]
    return [f"session {raw.row.session}: {problem}" for problem in dict.fromkeys(found)]


def source_files(row: Row) -> list[Path]:
    """Every file of a row, once."""
    times = filter(None, [row.pose_times])
    labels = (path for _, path in row.labels)
    return list(dict.fromkeys([*row.pose, *times, *row.imu, *labels, *filter(None, [row.sync_file, row.sync_video])]))
