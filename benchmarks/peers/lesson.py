"""What every method that rbc is compared with learns from, and what it says: one interface for all.

T frames, N scored frames (`rbc.scoring.labels.scored_rows`), F features, C behaviours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from rbc.scoring.splits import folds
from rbc.scoring.labels import NOT_SCORED, scored_rows

MEMBERS = 3

Tracks = dict[str, np.ndarray]
"""An array by session."""


@dataclass(frozen=True)
class Lesson:
    """Training sessions, and whose they are."""

    features: Tracks
    """(T, F) f4 of every training session, NaN where missing."""
    labels: Tracks
    """(T, C) i1, 1/0/-1, of the sessions of these in which something is labelled."""
    animals: dict[str, str]
    """Of every session, training and held out."""
    rate_hz: float
    windows: tuple[int, ...]
    """Frames of the statistics that forests and boosting read."""
    seed: int


Said = tuple[Tracks, Tracks]
"""Probabilities (T, C) f4 of held sessions, and (N, C) f4 of labelled training sessions by members that have not learnt
from their animals: nothing where there is one animal only."""
Method = Callable[[Lesson, Tracks], Said]
Speaker = Callable[[np.ndarray], np.ndarray]
"""Probabilities (T, C) of what a member reads of a session, (T, I)."""


def ensemble(lesson: Lesson, read: Tracks, held: Iterable[tuple[str, np.ndarray]],
             learn: Callable[[Lesson], Speaker]) -> Said:
    """What the mean of MEMBERS says, each learnt from the labels of all animals but those that it leaves out
    (`rbc.scoring.calibration.folds`), with a seed of its own.

    read, held: what a member reads of labelled training sessions and of held ones, (T, I). A behaviour that is scored
    in no other animal is not left out. Raises ValueError where no frame of some behaviour is scored.
    """
    scored = np.stack([(y != NOT_SCORED).any(0) for y in lesson.labels.values()])  # (sessions, C)
    if not scored.any(0).all():
        raise ValueError(f"no training frame is scored for behaviours {np.flatnonzero(~scored.any(0)).tolist()}")
    animals = [lesson.animals[name] for name in lesson.labels]
    places = list(dict.fromkeys(animals))
    absent = folds(len(places), MEMBERS)[:, [places.index(a) for a in animals]]  # (MEMBERS, sessions)
    members = []
    for i, out in enumerate(absent):
        silent = out[:, None] & scored[~out].any(0)  # (sessions, C)
        labels = {name: np.where(hide, np.int8(NOT_SCORED), y)
                  for hide, (name, y) in zip(silent, lesson.labels.items(), strict=True)}
        members.append(learn(replace(lesson, labels=labels, seed=lesson.seed * MEMBERS + i)))

    def mean(x: np.ndarray, speak: np.ndarray) -> np.ndarray:
        return np.mean([members[i](x) for i in np.flatnonzero(speak)], axis=0, dtype=np.float32)

    said = {name: mean(x, np.ones(MEMBERS, bool)) for name, x in held}
    known = {name: mean(read[name], out)[scored_rows(y)]
             for out, (name, y) in zip(absent.T, lesson.labels.items(), strict=True) if absent.any()}
    return said, known
