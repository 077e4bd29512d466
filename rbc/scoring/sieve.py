"""Which decided bouts are kept: those that look like the right ones, by what is said within them and beside them.

A frame says how sure it is of itself. That a bout is short, or as likely before and after, says more of whether it is
one at all. T frames, C behaviours, B bouts.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from rbc.rooms import let_go
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
            present, scored = _sums(y[:, c] == PRESENT, runs), _sums(y[:, c] != NOT_SCORED, runs)
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
    for c, own in enumerate(np.broadcast_to(weights, (decided.shape[1], SIGHTS + 1))):
        runs = find_bouts(decided[:, c])
        for start, stop in runs[seen(evidence[:, c], runs) @ own[:-1] + own[-1] < 0]:
            decided[start:stop, c] = False
        let_go(evidence, decided)
    return decided


def seen(evidence: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(B, 4) of the bouts (B, 2) of a behaviour: its mean evidence (T,) within, log of their frames, and mean evidence
    as long before and after."""
    start, stop = runs.T
    frames = stop - start
    beside = (np.stack([np.maximum(start - frames, 0), start], 1),
              np.stack([stop, np.minimum(stop + frames, len(evidence))], 1))
    around = [np.where(part[:, 0] < part[:, 1], _sums(evidence, part) / np.maximum(np.diff(part)[:, 0], 1), BEYOND)
              for part in beside]
    return np.stack([_sums(evidence, runs) / frames, np.log(frames), *around], 1)


def _sums(values: np.ndarray, runs: np.ndarray) -> np.ndarray:
    total = np.append(0, np.cumsum(values))
    return np.diff(total[runs])[:, 0]
