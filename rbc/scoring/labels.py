"""Labels (T, C) of 1 present, 0 absent, -1 not scored: what they hold, and how far they are to be trusted.

T frames, C behaviours.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from rbc.scoring.bouts import find_bouts

PRESENT, ABSENT, NOT_SCORED = 1, 0, -1


def prevalence(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Share (C,) of the scored frames of all sessions that carry each behaviour; 0 where none is scored."""
    pooled = np.concatenate(list(labels.values()))
    return (pooled == PRESENT).sum(0) / np.maximum((pooled != NOT_SCORED).sum(0), 1)


def scored_rows(labels: np.ndarray) -> np.ndarray:
    """(T,) bool: frames in which anything was scored, of labels (T, C)."""
    return (labels != NOT_SCORED).any(1)


def minutes(labels: Mapping[str, np.ndarray], rate_hz: float) -> float:
    """Minutes in which anything was scored."""
    return sum(int(scored_rows(y).sum()) for y in labels.values()) / rate_hz / 60


def unscored(labels: Mapping[str, np.ndarray], name: str, frames: int) -> np.ndarray:
    """(T,) bool: frames of a session in which no behaviour was scored."""
    return ~scored_rows(labels[name]) if name in labels else np.ones(frames, bool)


def bouts(labels: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Behaviour, start and stop (exclusive, frames) of every bout of labels (T, C)."""
    for c, column in enumerate(labels.T):
        for start, stop in find_bouts(column == PRESENT):
            yield c, start, stop


def with_slack(labels: np.ndarray, onset: int, offset: int) -> np.ndarray:
    """The labels (T, C) in which absent frames up to `onset` before each bout and `offset` after it are not scored:
    annotators react late and ends are vague."""
    out = labels.copy()
    for c, start, stop in bouts(labels):
        for piece in (out[max(start - onset, 0):start, c], out[stop:stop + offset, c]):
            piece[piece == ABSENT] = NOT_SCORED
    return out
