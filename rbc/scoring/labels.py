"""Label tracks (T, C) of 1 present, 0 absent, -1 not scored: what they hold, and how far they are to be trusted."""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.bouts import find_bouts

PRESENT, ABSENT, NOT_SCORED = 1, 0, -1


def prevalence(tracks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Share (C,) of the scored frames of all sessions that carry each behaviour; 0 where none is scored."""
    pooled = np.concatenate(list(tracks.values()))
    return (pooled == PRESENT).sum(0) / np.maximum((pooled != NOT_SCORED).sum(0), 1)


def scored_rows(labels: np.ndarray) -> np.ndarray:
    """(T,) bool: frames in which anything was scored, of labels (T, C)."""
    return (labels != NOT_SCORED).any(1)


def minutes(tracks: Mapping[str, np.ndarray], rate_hz: float) -> float:
    """Minutes in which anything was scored."""
    return sum(int(scored_rows(y).sum()) for y in tracks.values()) / rate_hz / 60


def unscored(tracks: Mapping[str, np.ndarray], name: str, frames: int) -> np.ndarray:
    """(T,) frames of a session in which no behaviour was scored."""
    return (tracks[name] == NOT_SCORED).all(1) if name in tracks else np.ones(frames, bool)


def with_slack(labels: np.ndarray, onset: int, offset: int) -> np.ndarray:
    """Labels (T, C) in which `onset` frames before each bout and `offset` frames after it are not scored for it:
    annotators react late and end vaguely, and what they surely saw is enough."""
    out = labels.copy()
    for c in range(labels.shape[1]):
        for start, stop in find_bouts(labels[:, c] == PRESENT):
            for a, b in ((max(start - onset, 0), start), (stop, stop + offset)):
                piece = out[a:b, c]
                piece[piece == ABSENT] = NOT_SCORED
    return out
