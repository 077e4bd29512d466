"""Which decided bouts are kept: those that look like the right ones, by what is said within them and beside them.

A frame says how sure it is of itself. That a bout is short, or as likely before and after, says more of whether it is
one at all. T frames, C behaviours, B bouts.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from rbc.rooms import let_go, pieces, walk
from rbc.scoring.bouts import find_bouts
from rbc.scoring.decoder import f1_of_frames_and_bouts
from rbc.scoring.metrics import f1_scores, frame_counts

PRESENT, NOT_SCORED = 1, -1
BEYOND = -5.0  # evidence where nothing was recorded
ENOUGH_RIGHT, ENOUGH_WRONG = 100, 20  # bouts, with fewer of which all are kept
SIGHTS = 4  # what `seen` tells of a bout


def fit_sieve(evidence: Sequence[np.ndarray], decided: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> np.ndarray:
    """Weights (C, 5) with which `sift` sees bouts, the last one on its own: of decided bouts (T, C) of sessions, their
    evidence (T, C) and labels (T, C) 1, 0, -1. 0 keeps every bout: where few were right or few wrong, and of a behaviour
    whose F1 of frames and bouts would fall.

    A bout is right where half of what was scored of it is present, and teaches nothing where less than half was scored.
    Behaviours differ in how often they are right, not in how it is seen: they have few bouts. To leave a bout out raises
    F1 if it is right less often than half of F1, for what is missed counts as well: that is the chance that it needs.
    """
    width = labels[0].shape[1]
    sights, own, right = [np.zeros((0, SIGHTS))], [np.zeros(0, int)], [np.zeros(0, bool)]
    for x, d, y in zip(evidence, decided, labels, strict=True):
        for c in range(width):
            runs = find_bouts(d[:, c])
            present, scored = (_between(of, runs)[:, 0] for of in (y[:, c] == PRESENT, y[:, c] != NOT_SCORED))
            known = 2 * scored >= np.diff(runs)[:, 0]
            sights.append(seen(x[:, c], runs)[known])
            own.append(np.full(known.sum(), c))
            right.append((2 * present >= scored)[known])
    sights, own, right = (np.concatenate(part) for part in (sights, own, right))
    if right.sum() < ENOUGH_RIGHT or (~right).sum() < ENOUGH_WRONG:
        return np.zeros((width, SIGHTS + 1))
    mean, spread = sights.mean(0), sights.std(0) + 1e-6
    model = LogisticRegression(max_iter=1000).fit(np.hstack([(sights - mean) / spread, np.eye(width)[own]]), right)
    slopes = model.coef_[0, :SIGHTS] / spread
    alone = model.coef_[0, SIGHTS:] + model.intercept_[0] - slopes @ mean
    half = np.nanmean(f1_scores(sum(map(frame_counts, labels, decided)))) / 2
    weights = np.column_stack([np.tile(slopes, (width, 1)), alone - np.log(half / (1 - half))])
    sifted = [sift(x, d.copy(), weights) for x, d in zip(evidence, decided, strict=True)]
    worse = f1_of_frames_and_bouts(labels, sifted) < f1_of_frames_and_bouts(labels, decided)
    return np.where(worse[:, None], 0.0, weights)


def sift(evidence: np.ndarray, decided: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The decided bouts (T, C) bool, changed in place, without those that are likely wrong by their evidence (T, C)."""
    weights = np.broadcast_to(weights, (decided.shape[1], SIGHTS + 1))
    for c in np.flatnonzero(weights.any(1)):
        runs = find_bouts(decided[:, c])
        for start, stop in runs[seen(evidence[:, c], runs) @ weights[c, :-1] + weights[c, -1] < 0]:
            decided[start:stop, c] = False
        let_go(decided)
    return decided


def seen(evidence: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(B, 4) of the bouts (B, 2) of a behaviour: its mean evidence (T,) within, log of their frames, and mean evidence
    as long before and after."""
    start, stop = runs.T
    frames = stop - start
    edges = np.stack([np.maximum(start - frames, 0), start, stop, np.minimum(stop + frames, len(evidence))], 1)
    said, lasted = _between(evidence, edges), np.diff(edges)
    before, within, after = np.where(lasted > 0, said / np.maximum(lasted, 1), BEYOND).T
    return np.stack([within, np.log(frames), before, after], 1)


def _between(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sums (B, E - 1) of the values (T,) from each of the frames (B, E) to the next, added up piece by piece."""
    steps = list(pieces(len(values)))
    sums, total = np.zeros(edges.shape), np.zeros(1)  # total[i]: of the values before step.start + i
    for step, part in zip(steps, walk(values, steps), strict=True):
        total = np.cumsum(np.append(total[-1], part))
        here = (step.start < edges) & (edges <= step.stop)
        sums[here] = total[edges[here] - step.start]
    return np.diff(sums)
