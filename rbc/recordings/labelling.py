"""Labels on the common clock: each annotator's, and what they agree on.

T frames, C behaviours, A annotators.
"""

import numpy as np

from rbc.recordings import annotations
from rbc.recordings.annotations import Annotation
from rbc.recordings.raw import Raw
from rbc.recordings.session import ABSENT, NOT_SCORED, PRESENT


def label_frames(raw: Raw, time_s: np.ndarray, behaviours: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(A, T, C) labels of each annotator and (T, C) their consensus, at times (T,) of the common clock."""
    each = [_labels(raw, annotation, time_s, behaviours) for annotation in raw.annotators.values()]
    stacked = np.stack(each) if each else np.zeros((0, len(time_s), len(behaviours)), np.int8)
    whole = _labels(raw, raw.consensus, time_s, behaviours) if raw.consensus else majority(stacked)
    return stacked, whole


def majority(annotators: np.ndarray) -> np.ndarray:
    """(T, C) what most of those who scored a frame say; -1 where they are even, or nobody scored it."""
    if len(annotators) == 1:
        return annotators[0]
    present, absent = ((annotators == said).sum(0, dtype=np.int16) for said in (PRESENT, ABSENT))
    out = np.full(present.shape, NOT_SCORED, np.int8)
    out[present > absent], out[present < absent] = PRESENT, ABSENT
    return out


def _labels(raw: Raw, annotation: Annotation, time_s: np.ndarray, behaviours: tuple[str, ...]) -> np.ndarray:
    video_s = playback(raw, time_s, annotation.frames is not None)
    return annotations.to_frames(annotation, video_s, behaviours, raw.row.scored)


def playback(raw: Raw, time_s: np.ndarray, whole_frames: bool) -> np.ndarray:
    """(T,) video playback time (frame index / nominal rate) at times of the common clock; NaN outside the video.

    Between two frames it runs on evenly, or, for labels given frame by frame, stays at the nearest.
    """
    if not len(raw.frame_s):
        return np.asarray(time_s, float)
    index = np.interp(time_s, raw.frame_s, np.arange(len(raw.frame_s)), left=np.nan, right=np.nan)
    return (np.round(index) if whole_frames else index) / raw.label_rate_hz
