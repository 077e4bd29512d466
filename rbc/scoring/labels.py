"""Label tracks of 1 present, 0 absent, -1 not scored: what they hold, and how far they are to be trusted.

T frames, C behaviours, A annotators. A track is (T, C), or (A, T, C) where each of several annotators is learnt from.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rbc.scoring.bouts import find_bouts

PRESENT, ABSENT, NOT_SCORED = 1, 0, -1


@dataclass(frozen=True)
class Habits:
    """How annotators set edges: bouts begin `early_s` before the annotated onset and end `late_s` after the annotated end,
    on average, give or take `spread_s`; 0 where they annotate frame by frame, and edges stay. Where edges are not moved,
    `slack` frames before an onset and after an end are not scored."""
    rate_hz: float
    early_s: float
    late_s: float
    spread_s: float
    slack: tuple[int, int] = (0, 0)


def prevalence(tracks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Share (C,) of the scored frames of all sessions that carry each behaviour; 0 where none is scored."""
    pooled = np.concatenate([y.reshape(-1, y.shape[-1]) for y in tracks.values()])
    return (pooled == PRESENT).sum(0) / np.maximum((pooled != NOT_SCORED).sum(0), 1)


def scored_rows(labels: np.ndarray) -> np.ndarray:
    """(T,) bool: frames in which anything was scored, of labels (T, C)."""
    return (labels != NOT_SCORED).any(1)


def union(labels: np.ndarray) -> np.ndarray:
    """(T, C) of a track: present where any annotator says so, absent where those who looked do not."""
    return labels.reshape(-1, *labels.shape[-2:]).max(0)


def minutes(tracks: Mapping[str, np.ndarray], rate_hz: float) -> float:
    """Minutes in which anything was scored."""
    return sum(int(scored_rows(y).sum()) for y in tracks.values()) / rate_hz / 60


def unscored(tracks: Mapping[str, np.ndarray], name: str, frames: int) -> np.ndarray:
    """(T,) frames of a session in which no behaviour was scored."""
    return (union(tracks[name]) == NOT_SCORED).all(1) if name in tracks else np.ones(frames, bool)


def shown_elsewhere(tracks: Mapping[str, np.ndarray], groups: Mapping[str, Hashable]) -> dict[str, np.ndarray]:
    """The tracks in which a behaviour that no session of another group shows is not scored: who has left this group out
    has never seen it and cannot be asked."""
    shows = {name: (y == PRESENT).reshape(-1, y.shape[-1]).any(0) for name, y in tracks.items()}  # (C,)
    return {name: np.where(np.any([False & own, *(s for n, s in shows.items() if groups[n] != groups[name])], axis=0),
                           tracks[name], np.int8(NOT_SCORED)) for name, own in shows.items()}


def bouts(labels: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """Annotator (0 of a single track), behaviour, start and stop of every bout of a track."""
    for a, track in enumerate(labels.reshape(-1, *labels.shape[-2:])):
        for c, column in enumerate(track.T):
            for start, stop in find_bouts(column == PRESENT):
                yield a, c, start, stop


def with_slack(labels: np.ndarray, onset: int, offset: int) -> np.ndarray:
    """The track in which `onset` frames before each bout and `offset` frames after it are not scored for it:
    annotators react late and end vaguely, and what they surely saw is enough."""
    out = labels.copy()
    tracks = out.reshape(-1, *labels.shape[-2:])
    for a, c, start, stop in bouts(labels):
        for piece in (tracks[a, max(start - onset, 0):start, c], tracks[a, stop:stop + offset, c]):
            piece[piece == ABSENT] = NOT_SCORED
    return out
