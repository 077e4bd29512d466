"""What is said of labelled bouts by those who have not learnt them.

A network learns a wrong bout by heart where nothing else shows what it shows, and members that leave out its animal know
nothing like it. Trees that leave out a stretch of a recording have the animal's other bouts. T frames, F features,
C behaviours, G groups of stretches.
"""

from collections.abc import Mapping

import numpy as np

from rbc.inference import side_by_side
from rbc.scoring.forest import DRAWS, Forest
from rbc.scoring.labels import PRESENT, bouts, scored_rows

STRETCH_S = 5.0  # at least, for neighbouring frames say the same


def blind_opinion(features: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], *, rate_hz: float, trees: int,
                  windows: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
    """What trees that have left out the stretch say (T, C) f2 of sessions' features (T, F) with labels (T, C): NaN in
    frames that nobody scored, and of behaviours that no other stretch shows. Nothing where there is a single stretch."""
    groups, count = {}, 0
    for name, y in labels.items():
        numbers = count + stretches(y, round(STRETCH_S * rate_hz))
        groups[name], count = numbers % DRAWS, numbers[-1] + 1
    forest = Forest.grow([(features[n], y) for n, y in labels.items()], list(groups.values()),
                         windows=windows, seed=seed, trees=trees)
    if not forest.left_out.any():
        return {}
    shows = np.array([np.any([(y[groups[n] == g] == PRESENT).any(0) for n, y in labels.items()], axis=0)
                      for g in range(DRAWS)])  # (G, C)
    known = shows.sum(0) - shows > 0

    def said(name: str) -> np.ndarray:
        out = np.full(labels[name].shape, np.nan, np.float16)
        rows = np.flatnonzero(scored_rows(labels[name]))
        own = groups[name][rows]
        out[rows] = np.where(known[own], forest.probability(features[name], rows, own), np.nan)
        return out

    return dict(zip(labels, side_by_side(said, labels), strict=True))


def stretches(labels: np.ndarray, least: int) -> np.ndarray:
    """(T,) number, from 0, of each frame's stretch: at least so many scored frames of labels (T, C), as far as there are,
    and cut where no bout is cut."""
    within = np.zeros(len(labels), bool)
    for _, _, start, stop in bouts(labels):
        within[start + 1:stop] = True
    scored, cuts, reached = np.cumsum(scored_rows(labels)), np.zeros(len(labels), int), 0
    for t in np.flatnonzero(~within[1:]) + 1:
        if scored[t - 1] - reached >= least:
            cuts[t], reached = 1, scored[t - 1]
    return cuts.cumsum()
