"""Where bouts begin and end: annotators press late, and now earlier, now later; what signals show of an edge is the same
every time.

The opinion (T, C) must come from a model that has learnt many edges, so that it has averaged what annotators do. It moves
each edge of its own, not all together: how late annotators are on average is not to be seen in signals, and is given.
T frames, C behaviours, A annotators; a track of labels is (T, C) or (A, T, C). An edge moves outwards where that
makes the bout longer.
"""

from collections.abc import Mapping

import numpy as np

from rbc.scoring.calibration import logit
from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, Habits, bouts

REACH_S = 0.4  # that an edge may move, either way
SAYS_S = 15.0  # log odds count as those of so many independent frames a second: neighbouring ones say nearly the same
LEAST, MOST = 0.02, 0.98  # what an opinion can say at most
FEW = 5  # edges from which on their mean is worth heeding
LEVELS = np.arange(-6.0, 6.1, 0.5)  # of log odds, at which a bout may begin


def with_edges(labels: Mapping[str, np.ndarray], opinion: Mapping[str, np.ndarray], habits: Habits) -> dict[str, np.ndarray]:
    """Tracks whose bouts begin and end where the opinion changes: by behaviour, on average so long before the annotated
    onset and after the annotated end as annotators are late.

    opinion: by session, NaN in frames of which nothing is said; sessions without one stay as they are. So does an edge
    beyond which nothing was scored, and what was not scored stays so.
    """
    rate_hz, spread = habits.rate_hz, habits.spread_s * habits.rate_hz
    reach = round(REACH_S * rate_hz)
    out = {name: y.copy() for name, y in labels.items()}
    said = {n: logit(np.clip(np.nan_to_num(opinion[n].astype(float), nan=0.5), LEAST, MOST)) for n in labels if n in opinion}
    found: dict[int, list[tuple[str, int, int, int]]] = {}
    for name in said:
        for a, c, start, stop in bouts(labels[name]):
            found.setdefault(c, []).append((name, a, start, stop))
    for c, own in found.items():
        scored = {(name, a): _track(labels[name], a)[:, c] for name, a, _, _ in own}
        moves = []
        for side, wanted_s in enumerate((habits.early_s, habits.late_s)):
            lines = [_outwards(said[name][:, c], scored[name, a], start, stop, side, reach) for name, a, start, stop in own]
            moves.append(_moves(*map(np.array, zip(*lines, strict=True)), wanted_s * rate_hz, spread, SAYS_S / rate_hz))
        for name, a, start, stop in own:
            _fill(out[name], a, c, start, stop, ABSENT)
        for (name, a, start, stop), sooner, later in zip(own, *moves, strict=True):
            _fill(out[name], a, c, start - sooner, stop + later, PRESENT)
    return out


def _track(labels: np.ndarray, annotator: int) -> np.ndarray:
    return labels.reshape(-1, *labels.shape[-2:])[annotator]


def _fill(labels: np.ndarray, annotator: int, c: int, start: int, stop: int, state: int) -> None:
    piece = _track(labels, annotator)[start:stop, c]
    piece[piece != NOT_SCORED] = state


def _outwards(said: np.ndarray, scored: np.ndarray, start: int, stop: int, side: int,
              reach: int) -> tuple[np.ndarray, int, int]:
    """Of an edge, the onset (side 0) or the end (1) of a bout: what is said (2 reach,) of the frames around it, from
    within outwards, and how far it may move inwards and outwards."""
    steps = np.arange(-reach, reach)
    rows = stop + steps if side else start - 1 - steps
    there = (rows >= 0) & (rows < len(said))
    line = np.where(there, said[rows.clip(0, len(said) - 1)], 0)
    free = there[reach:] & (scored[rows[reach:].clip(0, len(said) - 1)] == ABSENT)
    outwards = reach if free.all() else int(np.argmin(free))
    return line, min((stop - start - 1) // 2, reach) if outwards else 0, outwards


def _moves(lines: np.ndarray, inwards: np.ndarray, outwards: np.ndarray, wanted: float, spread: float,
           weight: float) -> np.ndarray:
    """(N,) frames outwards of N edges, of log odds (N, 2 reach) around them: at the level at which they are `wanted` on
    average, as far as they can move, give or take their `spread`."""
    reach = lines.shape[1] // 2
    steps = np.arange(-reach, reach + 1)
    gained = np.pad(lines.cumsum(1), ((0, 0), (1, 0)))  # (N, 2 reach + 1) by a bout that ends so far out, but for a constant
    usual = -0.5 * ((steps - wanted) / spread) ** 2
    closed = (steps < -inwards[:, None]) | (steps > outwards[:, None])

    def at(level: float) -> np.ndarray:
        return steps[np.argmax(np.where(closed, -np.inf, weight * (gained - level * steps) + usual), 1)]

    edges = outwards > 0
    if edges.sum() < FEW:
        return at(0.0)
    return min(map(at, LEVELS), key=lambda moved: abs(moved[edges].mean() - wanted))
