"""From log odds per frame to bouts: a two-state Viterbi with switching cost and least duration per behaviour.

T frames, C behaviours. A track of on and off earns the sum of its log odds over the on frames, less the switching cost
at every change within the recording; every on-run lasts at least min_frames. `viterbi` finds the best track exactly.
Every frame ahead has a say, but a finite stretch of them decides: without a least duration a state is settled, and all
before it, once its evidence has piled up to twice the switching cost; a least duration adds min_frames at each end.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np

from rbc.rooms import let_go, pieces, room, walk
from rbc.scoring.bouts import bout_counts, bout_f1, find_bouts, scored_bouts
from rbc.scoring.calibration import logit
from rbc.scoring.metrics import f1_scores, frame_counts

PRESENT = 1
SWITCH_COSTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
MIN_FRAMES = (1, 3, 5, 10, 20)
BOUT_IOU = 0.5
UNREACHED = -1e300
TOGETHER = 2**18  # frames x behaviours of a piece; bounds memory to some tens of MB
GREW, EARNED = 1, 2
LOOK_BACK = 1024  # frames


def log_odds(probability: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Evidence (T, C) for presence: log odds of the probability (T, C) above those of the thresholds (C,)."""
    return logit(probability) - logit(thresholds)


def viterbi(log_odds: np.ndarray, switch_cost: np.ndarray, min_frames: np.ndarray) -> np.ndarray:
    """Best track (T, C) bool of finite log odds (T, C) under switch_cost (C,) >= 0 and least duration min_frames (C,).

    No on-run is shorter than min_frames, at the ends of the recording neither; ties are off. Walked forwards piece by
    piece, then back: memory does not grow with T, but for what `room` holds.
    """
    frames, width = log_odds.shape
    cost, least = np.broadcast_to(switch_cost, width).astype(float), np.broadcast_to(min_frames, width)
    if (cost < 0).any() or (least < 1).any() or not all(np.isfinite(x).all() for x in walk(log_odds, pieces(frames))):
        raise ValueError("viterbi needs finite log odds, switch_cost >= 0 and min_frames >= 1")
    track = room((width, frames), bool)
    for duration in np.unique(least[least <= frames]).tolist():
        columns = np.flatnonzero(least == duration)
        steps = list(pieces(frames, max(TOGETHER // len(columns), duration)))
        parts = (np.asarray(x[:, columns], float) for x in walk(log_odds, steps))
        solve = _free if duration == 1 else _lasting
        for own, place, found in solve(parts, steps, cost[columns], duration):
            track[columns[own], place] = found
            let_go(track)
    return track.T


def _free(parts: Iterable[np.ndarray], steps: list[slice], cost: np.ndarray, _: int) -> Iterator[tuple]:
    """Best track without a least duration, from the last piece to the first.

    Beyond the cost the state is certain, between it is that of the next frame.
    """
    sure = room((len(cost), steps[-1].stop), np.int8)
    lead = np.zeros(len(cost))  # in front of the first frame either state may begin
    for step, gain in zip(steps, parts, strict=True):
        leads = _leads(gain, cost, lead)
        lead = leads[-1]
        sure[:, step] = np.where(leads > cost, 1, np.where(leads < -cost, 0, -1)).T
        let_go(sure)
    state = lead > 0
    for step in reversed(steps):
        known = np.concatenate([sure[:, step], state[:, None]], axis=1)
        frames = known.shape[1]
        following = np.where(known >= 0, np.arange(frames), frames)
        following = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
        found = np.take_along_axis(known, following, axis=1)[:, :-1].astype(bool)
        if step is steps[-1]:
            found[:, -1] = state
        state = found[:, 0]
        yield ..., step, found
        let_go(sure)


def _leads(gain: np.ndarray, cost: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Lead (T, C) of on over off after each frame: lead[t] = clip(lead[t-1], -cost, cost) + gain[t].

    Such steps compose to a clip again, x -> clip(x + total, low, high): blocks are walked side by side, then joined, in
    about 2 sqrt(T) numpy steps.
    """
    frames, width = gain.shape
    size = int(np.ceil(np.sqrt(frames)))
    count = -(-frames // size)
    padded = np.zeros((count * size, width))
    padded[:frames] = gain
    blocks = padded.reshape(count, size, width)
    total = np.cumsum(blocks, axis=1)
    low, high = np.empty_like(blocks), np.empty_like(blocks)
    down, up = np.full((count, width), -np.inf), np.full((count, width), np.inf)
    for t in range(size):
        low[:, t] = down = np.clip(down, -cost, cost) + blocks[:, t]
        high[:, t] = up = np.clip(up, -cost, cost) + blocks[:, t]
    entry = np.empty((count, width))  # lead in front of each block
    entry[0] = lead
    for b in range(1, count):
        entry[b] = np.clip(entry[b - 1] + total[b - 1, -1], low[b - 1, -1], high[b - 1, -1])
    return np.clip(entry[:, None] + total, low, high).reshape(-1, width)[:frames]


def _lasting(parts: Iterable[np.ndarray], steps: list[slice], cost: np.ndarray, least: int) -> Iterator[tuple]:
    """Best track whose on-runs last at least `least` frames, behaviour by behaviour.

    off[t], on[t]: best score of frames < t that ends off, or in a run that is long enough. A run that is long enough at
    t began at t - least or earlier, so `least` frames are solved at once by running maxima. What is kept of a piece is
    the last `least` of its scores, and of every t whether off came from on (GREW) and whether the run got long enough
    just then (EARNED).
    """
    width = len(cost)
    turns = room((width, steps[-1].stop), np.uint8)
    total, off = np.zeros((least + 1, width)), np.zeros((least + 1, width))
    on, begin = np.full((2, least + 1, width), UNREACHED)  # best scores, less `total`; begin: of a run that begins at t
    begin[-1] = 0
    for step, gain in zip(steps, parts, strict=True):
        fresh = np.empty((len(gain), width))
        total = np.concatenate([total[-least - 1 :], fresh])
        total[least + 1 :] = gain
        np.cumsum(total[least:], axis=0, out=total[least:])
        off, on, begin = (np.concatenate([x[-least - 1 :], fresh]) for x in (off, on, begin))
        gained, spent = total - cost, total + cost  # by an end, for a beginning
        for a in range(least + 1, len(total), least):
            b = min(a + least, len(total))
            on[a:b] = begin[a - least : b - least]
            np.maximum.accumulate(on[a - 1 : b], axis=0, out=on[a - 1 : b])
            np.add(on[a - 1 : b - 1], gained[a - 1 : b - 1], out=off[a:b])
            np.maximum.accumulate(off[a - 1 : b], axis=0, out=off[a - 1 : b])
            np.subtract(off[a:b], spent[a:b], out=begin[a:b])
        grew, earned = (x[least + 1 :] > x[least:-1] for x in (off, on))
        turns[:, step] = (GREW * grew + EARNED * earned).T
        let_go(turns)
    for c, is_on in enumerate(on[-1] + total[-1] > off[-1]):
        found = np.zeros(turns.shape[1], bool)
        for run in _runs(turns[c], bool(is_on), least):
            found[run] = True
        let_go(turns)
        yield c, ..., found


def _runs(turns: np.ndarray, is_on: bool, least: int) -> Iterator[slice]:
    """On-runs of one behaviour, walked back from the last one."""
    t = len(turns)
    while t > 0:
        if is_on:
            start = _last(turns, EARNED, t) - least
            yield slice(start, t)
            t, is_on = start, False
        else:
            t, is_on = _last(turns, GREW, t) - 1, True


def _last(turns: np.ndarray, kind: int, t: int) -> int:
    """The last score up to t that turned in this way; 0 where none did."""
    while t > 0:
        first = max(t - LOOK_BACK, 0)
        found = np.flatnonzero(turns[first:t] & kind)
        if len(found):
            return first + int(found[-1]) + 1
        t = first
    return 0


def _too_slow(pairs: Sequence[tuple[int, float]], labels: Sequence[np.ndarray]) -> np.ndarray:
    """(pairs, C) whether a bout needs more than a third of the behaviour's median annotated bout to be found, by its
    least duration or, at a log odd of 1, by its two switches: what few bouts happen to forgive must not cost all short
    ones."""
    width = labels[0].shape[1]
    lengths = [[stop - start for y in labels for start, stop in find_bouts(y[:, c] == PRESENT)] for c in range(width)]
    limit = np.array([max(np.median(n) / 3, 1) if n else np.inf for n in lengths])
    return np.array([max(least, 2 * cost) for least, cost in pairs])[:, None] > limit


def f1_of_frames_and_bouts(labels: Sequence[np.ndarray], decided: Sequence[np.ndarray]) -> np.ndarray:
    """Mean (C,) of frame F1 and bout F1 at IoU 0.5 of what was decided (T, C) in sessions, against their labels (T, C) 1,
    0, -1; NaN where nothing is present. Frame F1 alone does not see a bout broken in two, bout F1 alone does not see
    where it ends."""
    frames = sum(map(frame_counts, labels, decided))
    bouts = sum(np.array([bout_counts(*scored_bouts(*track), BOUT_IOU) for track in zip(y.T, d.T, strict=True)])
                for y, d in zip(labels, decided, strict=True))
    return (f1_scores(frames) + bout_f1(bouts)) / 2


def fit_decoder(log_odds: Sequence[np.ndarray], labels: Sequence[np.ndarray], *,
                switch_costs: Sequence[float] = SWITCH_COSTS, min_frames: Sequence[int] = MIN_FRAMES,
                min_bouts: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Switching cost (C,) and least duration (C,) in frames with the best mean of frame F1 and bout F1 at IoU 0.5.

    log_odds: one (T, C) a session; labels likewise, 1, 0, -1. Behaviours with fewer than min_bouts bouts take the pair that
    is best on average; of equal pairs the one that changes least. Decoding with cost 0 and duration 1 is the bare
    threshold.
    """
    width = labels[0].shape[1]
    pairs = list(product(min_frames, switch_costs))
    score = []
    for least in min_frames:
        costs = np.repeat(switch_costs, width)
        tracks = [viterbi(np.tile(gain, len(switch_costs)), costs, least) for gain in log_odds]  # (T, costs * C)
        score += [f1_of_frames_and_bouts(labels, [track[:, i : i + width] for track in tracks])
                  for i in range(0, len(costs), width)]
    score = np.array(score)
    bouts = np.array([sum(len(find_bouts(y[:, c] == PRESENT)) for y in labels) for c in range(width)])
    rare, known = bouts < min_bouts, bouts > 0
    if known.any():
        score[:, rare] = score[:, known].mean(1, keepdims=True)
        score[_too_slow(pairs, labels)] = -1.0
    else:
        score[:] = 0
    chosen = [pairs[i] for i in np.argmax(score, axis=0)]
    return np.array([cost for _, cost in chosen], float), np.array([least for least, _ in chosen], int)
