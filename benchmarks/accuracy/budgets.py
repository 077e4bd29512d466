"""Label budgets: the same draw of annotation at 2 %, 10 % and 100 %, each within the next, in whole bouts.

T frames, C behaviours. Labels are 1 present, 0 absent, -1 not scored.
"""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.bouts import find_bouts
from rbc.scoring.labels import NOT_SCORED, PRESENT, scored_rows

Piece = tuple[str, int, int]
"""Frames [start, stop) of a session."""


def pieces(labels: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Stretches [start, stop) of the scored frames of labels (T, C), cut where no bout is cut and `least` frames long at
    least; a scored stretch in which nothing can be cut stays whole."""
    present = labels == PRESENT
    going_on = np.append((present[1:] & present[:-1]).any(1), False)  # does a bout go on after frame t?
    found = []
    for start, stop in find_bouts(scored_rows(labels)):
        while start < stop:
            cuts = np.flatnonzero(~going_on[start + least - 1 : stop]) + start + least
            end = int(cuts[0]) if len(cuts) and stop - cuts[0] >= least else int(stop)
            found.append((int(start), end))
            start = end
    return found


def order(labels: Mapping[str, np.ndarray], least: int, draw: int) -> list[Piece]:
    """Every piece of the sessions in the order in which this draw's annotator gets to them: first one for each
    behaviour, the rarest first, as somebody who looks for examples would, then the others as they come."""
    rng = np.random.default_rng(draw)
    found = [(name, a, b) for name, y in labels.items() for a, b in pieces(y, least)]
    drawn = [found[i] for i in rng.permutation(len(found))]
    holds = np.array([(labels[n][a:b] == PRESENT).any(0) for n, a, b in drawn])  # (pieces, C)
    first: list[int] = []
    for behaviour in np.argsort(holds.sum(0), kind="stable"):
        if holds[:, behaviour].any() and not holds[first, behaviour].any():
            first.append(int(np.argmax(holds[:, behaviour])))
    return [drawn[i] for i in (*first, *(i for i in range(len(drawn)) if i not in first))]


def budget(labels: Mapping[str, np.ndarray], fraction: float, least: int, draw: int) -> dict[str, np.ndarray]:
    """The labels (T, C) of each session, -1 outside the pieces that come first: as many as hold `fraction` of all
    scored frames, the last one whole."""
    total = sum(int(scored_rows(y).sum()) for y in labels.values())
    kept = {name: np.full_like(y, NOT_SCORED) for name, y in labels.items()}
    spent = 0
    for name, a, b in order(labels, least, draw):
        if spent >= fraction * total:
            break
        kept[name][a:b] = labels[name][a:b]
        spent += b - a  # pieces are of scored frames
    return kept
