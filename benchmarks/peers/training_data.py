"""What every method that rbc is compared with learns from, and what it predicts: one interface for all.

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
class TrainingData:
    """Training sessions, and whose they are."""

    features: Tracks
    """(T, F) f4 of every training session, NaN where missing: what the method reads."""
    labels: Tracks
    """(T, C) i1, 1/0/-1, of the sessions of these in which something is labelled."""
    animals: dict[str, str]
    """Of every session, training and held out."""
    rate_hz: float
    windows: tuple[int, ...]
    """Frames of the statistics that forests and boosting read."""
    seed: int


Predictions = tuple[Tracks, Tracks]
"""Probabilities (T, C) f4 of held-out sessions, and out-of-fold probabilities (N, C) f4 of the labelled training
sessions, by members that were not trained on their animals: none where there is one animal only."""
Method = Callable[[TrainingData, Tracks], Predictions]
Predictor = Callable[[np.ndarray], np.ndarray]
"""Probabilities (T, C) from a member's inputs of a session, (T, I)."""


def ensemble(data: TrainingData, read: Tracks, held: Iterable[tuple[str, np.ndarray]],
             fit: Callable[[TrainingData], Predictor]) -> Predictions:
    """Mean probabilities of MEMBERS members, each trained on the labels of all animals but those that it leaves out
    (`rbc.scoring.splits.folds`), with a seed of its own.

    read, held: a member's inputs of labelled training sessions and of held-out ones, (T, I). A behaviour that is scored
    in no other animal is not left out. Raises ValueError where no frame of some behaviour is scored.
    """
    scored = np.stack([(y != NOT_SCORED).any(0) for y in data.labels.values()])  # (sessions, C)
    if not scored.any(0).all():
        raise ValueError(f"no training frame is scored for behaviours {np.flatnonzero(~scored.any(0)).tolist()}")
    animals = [data.animals[name] for name in data.labels]
    places = list(dict.fromkeys(animals))
    left_out = folds(len(places), MEMBERS)[:, [places.index(a) for a in animals]]  # (MEMBERS, sessions)
    members = []
    for i, out in enumerate(left_out):
        hidden = out[:, None] & scored[~out].any(0)  # (sessions, C)
        labels = {name: np.where(hide, np.int8(NOT_SCORED), y)
                  for hide, (name, y) in zip(hidden, data.labels.items(), strict=True)}
        members.append(fit(replace(data, labels=labels, seed=data.seed * MEMBERS + i)))

    def mean(x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.mean([members[i](x) for i in np.flatnonzero(chosen)], axis=0, dtype=np.float32)

    predicted = {name: mean(x, np.ones(MEMBERS, bool)) for name, x in held}
    out_of_fold = {name: mean(read[name], out)[scored_rows(y)]
                   for out, (name, y) in zip(left_out.T, data.labels.items(), strict=True) if out.any()}
    return predicted, out_of_fold
