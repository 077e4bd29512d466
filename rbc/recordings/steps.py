"""The lag followed through a recording: its line, its steps, and where it is not known to 20 ms.

N video frames, B blocks of frames, L lags on a grid. Frames that a camera drops without stamps make the lag grow at
once. A hidden Markov model over lags finds such steps: evidence block by block, a small probability of a jump between
blocks. Least squares then gives the line, and the posterior over lags and drifts says which stretches remain in doubt.
"""

from dataclasses import dataclass, replace

import numpy as np

from rbc.recordings import lags
from rbc.recordings.correlogram import Found
from rbc.recordings.lagline import LagLine, estimate_noise, fit_line
from rbc.recordings.lags import Moves, Noise
from rbc.recordings.turning import Turning

MAX_ERROR_S = 0.020
DOUBT = 0.005
"""A frame is trusted while the chance of an error near MAX_ERROR_S stays below."""
SURE_SE = 2.5
"""And while this many standard errors stay below MAX_ERROR_S."""
QUARTZ = 60e-6
"""Standard deviation of the drift between two quartz clocks, where it cannot be measured."""
MAX_DRIFT_SE = 30e-6
"""The drift is kept at 0 where its standard error is larger."""
WANDER, WANDER_S = 3e-6, 300.0
"""A drift changes by about so much in so long."""
GRID_S, BLOCK_S = 0.010, 1.0
GRID = GRID_S * np.arange(-60, 61)
MARGIN_S, MARGIN, LEAST_SURE_S = 3.0, 0.1, 5.0
"""A doubtful stretch is widened by this and that share of it; a shorter sure one between two doubtful ones is none."""
CREEP_RATE, DRIFTING_RATE = 1e-4, 0.02
"""Per second: the lag moves to a neighbour on the grid, while the drift is known and while it is not."""
DROP_RATE, SURPRISE_RATE = 1 / 150.0, 1e-7
"""Per second: a step where frames were dropped without stamps; any other step."""
USUAL_STEP_S = 0.15
LEAST_STEP_S, LEAST_STEP_SE = 0.006, 4.0
NO_QUARTZ = 3.2e-4
"""No two quartzes differ by more."""
SHORT_S, RATES = 1200.0, 1e-6 * np.linspace(-120.0, 120.0, 13)
"""In recordings shorter than this a dropped frame could pass for drift, so each of these drifts is tried."""
LOOSE, LOOSE_RATES = 300e-6, 1e-6 * np.linspace(-600.0, 600.0, 25)
"""Where one of the clocks is no quartz: the standard deviation about the rate that the search found, and what is tried
beside it."""
LONG_S = 3600.0
"""In longer recordings a slope adds up to more than the grid holds and than least squares mend: each is judged by lags
along it, and what the path creeps beside it is added."""
MOST_STEPS, STEPS_APART_S = 20, 60.0
"""No camera drops frames more often than this many times, and once in so long."""
MOST_STEPS_RATE = 2e-3
"""No dropped frames look like a steeper slope than this."""
MANIFEST_SURPRISE = 8.0
"""Minus the log-probability that the manifest's rate is wrong."""

Step = tuple[int, float]
"""First frame after it, and its size in s."""


@dataclass(frozen=True)
class Followed:
    line: LagLine
    steps: tuple[Step, ...]
    unsure: tuple[tuple[float, float], ...]
    """Stretches of camera time."""


def follow(pair: Turning, found: Found, stamped: bool) -> Followed:
    """The lag of a pair near where the search found it; without stamps frames may have been dropped."""
    time = pair.frame_s
    period = float(np.median(np.diff(time)))
    order, block = max(2, int(round(lags.MEMORY_S / period))), max(1, int(round(BLOCK_S / period)))
    middles = time[np.minimum(np.arange(0, len(time) - 1, block) + block // 2, len(time) - 1)]  # (B,)
    short, long = not stamped and np.ptp(time) < SHORT_S, np.ptp(time) > LONG_S
    moves = Moves(
        creep=BLOCK_S * CREEP_RATE, up=BLOCK_S * (SURPRISE_RATE if stamped else DROP_RATE),
        down=BLOCK_S * SURPRISE_RATE, size=USUAL_STEP_S / GRID_S,
    )  # fmt: skip
    searching = moves if short else replace(moves, creep=BLOCK_S * DRIFTING_RATE)
    # a rate that no quartz has: the manifest's may be wrong, or steps look like a slope
    nominals = [0.0, found.rate] if abs(found.rate) > NO_QUARTZ else [0.0]
    if abs(found.rate) > MOST_STEPS_RATE:
        nominals = [found.rate]
    hypotheses = [
        (nominal, rate, nominal + rate * long) for nominal in nominals
        for rate in (_beside(nominal)[0] if short else np.unique([0.0, found.rate - nominal]))
    ]
    noise = estimate_noise(pair, found.lag_s + found.rate * (time - found.centre_s), order)
    inflation, drift, drift_se, known, lost = 1.0, 0.0, 0.0, True, False
    # the likelihood is trusted less once the scatter is seen; a drift that stays unknown is none, whatever the steps
    for drifts in (True, True, False):
        if not drifts:
            known = nominal != 0 or drift_se <= MAX_DRIFT_SE or abs(drift) > 3 * QUARTZ + 4 * drift_se
            if known:
                break
            hypotheses = [(0.0, 0.0, 0.0)]
        nominal, rate, path, trust = _search(pair, found, noise, block, middles, searching, hypotheses, inflation)
        rate += nominal
        followed = _per_frame(GRID[path], block, len(time))
        straight = found.lag_s + rate * (time - found.centre_s)
        noise = estimate_noise(pair, straight + followed, order)
        jumps = np.diff(path) * GRID_S
        steps = [(int((b + 1) * block), float(jumps[b])) for b in np.flatnonzero(np.abs(jumps) > 1.5 * GRID_S)]
        if len(steps) > MOST_STEPS + np.ptp(time) / STEPS_APART_S:  # the path runs after noise: nothing is known
            steps, lost = [], True
        # the path may creep between its steps
        crept, start = followed - stairs(slice(0, len(time)), steps), straight.mean()
        del straight, followed
        if drifts and long:
            slope = np.polyfit(time[::block], crept[::block], 1)[0]
            rate, crept = rate + slope, crept - slope * (time - time.mean())
        start += np.median(crept)
        line, steps, doubts = _settle(pair, start, rate, noise, steps, trust, block, drifts)
        inflation = line.inflation
        rates = nominal + (_beside(nominal)[0] if short else RATES[:0])
        wrong, mean, spread = _doubt(
            lags.evidence(pair, line.lag_s, GRID, noise, block) / inflation, middles - time.mean(), rates, line.drift,
            nominal, moves,
        )  # fmt: skip
        if drifts:
            drift, drift_se = line.drift, float(np.hypot(spread, line.drift_se))
    line = replace(line, drift_se=drift_se)
    if not known:
        # the drift that there probably is: over all hypotheses, or the estimate and a quartz's habit together
        weight = QUARTZ**2 / (QUARTZ**2 + drift_se**2)
        may = np.hypot(mean, spread) if short else np.hypot(weight * drift, np.sqrt(weight) * drift_se)
        origin_se = float(np.hypot(line.offset_se_s, may * time.mean()))
        line = replace(line, se_s=np.hypot(line.se_s, may * (time - time.mean())), offset_se_s=origin_se)
    bad = (_per_frame(wrong, block, len(time)) > DOUBT) | (SURE_SE * line.se_s > MAX_ERROR_S) | lost
    return Followed(line, tuple(steps), _merged(doubts + stretches(time, bad)))


def _beside(nominal: float) -> tuple[np.ndarray, float]:
    """What is tried beside a nominal rate, and how far from it the true one usually is."""
    return (LOOSE_RATES, LOOSE) if nominal else (RATES, QUARTZ)


def _search(
    pair: Turning, found: Found, noise: Noise, block: int, middles: np.ndarray, moves: Moves,
    hypotheses: list[tuple[float, float, float]], inflation: float,
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """The most probable of the hypotheses (a nominal rate, what a quartz adds to it, the rate of the lags by which that
    is judged), the path over GRID (B,) beside it, and the blocks (B,) that do not contradict it."""
    best, seen_from = None, None
    for nominal, rate, along in hypotheses:
        if along != seen_from:
            base, seen_from = found.lag_s + along * (pair.frame_s - found.centre_s), along
            table = lags.evidence(pair, base, GRID, noise, block) / inflation
        leans = (along == nominal) * rate * (middles - found.centre_s) / GRID_S
        path, score = lags.best_path(lags.sheared(table, leans), moves)
        score -= 0.5 * (rate / _beside(nominal)[1]) ** 2 + MANIFEST_SURPRISE * (nominal != 0)
        if best is None or score > best[0]:
            best = (score, nominal, rate, path, lags.trusted(table, path + leans))
    return best[1:]


def _doubt(
    table: np.ndarray, away_s: np.ndarray, rates: np.ndarray, drift: float, nominal: float, moves: Moves
) -> tuple[np.ndarray, float, float]:
    """(B,) probability that the line is wrong by more than MAX_ERROR_S, over every drift in `rates` that there may be
    instead of `drift`, as near to the `nominal` one as a quartz keeps it (or a worse clock, where that is not 0), and
    the drift's mean and standard deviation over them. `table` is seen from the line, `away_s` (B,) counts from the
    middle of the recording."""
    rates = np.append(rates, drift)
    wrong, totals = [], []
    for rate in rates:
        leans, most = (rate - drift) * away_s[:, None], MAX_ERROR_S + 1e-9
        chance, total = lags.posterior(lags.sheared(table, leans[:, 0] / GRID_S), moves)
        wrong.append((chance * ((GRID > most - leans) | (GRID < -most - leans))).sum(1))
        totals.append(total - 0.5 * ((rate - nominal) / _beside(nominal)[1]) ** 2)
    weights = np.exp(np.array(totals) - max(totals))
    weights /= weights.sum()
    mean = float(weights @ rates)
    return weights @ np.stack(wrong), mean, float(np.sqrt(weights @ (rates - mean) ** 2))


def _per_frame(values: np.ndarray, block: int, frames: int) -> np.ndarray:
    """(N,) the values (B,) of the blocks, frame by frame."""
    return np.repeat(values, np.diff(np.append(block * np.arange(len(values)), frames)))


def _settle(
    pair: Turning, start_s: float, rate: float, noise: Noise, steps: list[Step], trust: np.ndarray, block: int,
    drifts: bool,
) -> tuple[LagLine, list[Step], list[tuple[float, float]]]:
    """The fitted line, the steps that stand, and the stretches in which they may lie."""
    time, doubts = pair.frame_s, []
    for attempt in range(6):
        line = fit_line(
            pair, start_s + stairs(slice(0, len(time)), steps), rate, noise, drifts=drifts, wander=WANDER,
            wander_s=WANDER_S, steps_at_s=np.array([time[i] for i, _ in steps]),
            trust=_per_frame(trust, block, len(time) - 1),
        )
        steps = [(i, float(size + more)) for (i, size), more in zip(steps, line.steps_s)]
        sure = np.abs([size for _, size in steps]) > np.maximum(LEAST_STEP_SE * line.steps_se_s, LEAST_STEP_S)
        moved, doubts = _locate(pair, line, noise, steps, block)
        if attempt == 5 or (sure.all() and [i for i, _ in moved] == [i for i, _ in steps]):
            break
        # a step that may be none goes first, the others move when it is gone
        steps = moved if sure.all() else [step for step, there in zip(steps, sure) if there]
    return line, steps, doubts


def _locate(
    pair: Turning, line: LagLine, noise: Noise, steps: list[Step], block: int
) -> tuple[list[Step], list[tuple[float, float]]]:
    """The steps at their most probable frames, and the stretches that hold each with all but DOUBT of probability."""
    time, moved, doubts = pair.frame_s, [], []
    for k, (i, size) in enumerate(steps):
        # between the middles to its neighbours
        low = (steps[k - 1][0] + i) // 2 if k else 0
        high = (steps[k + 1][0] + i) // 2 if k + 1 < len(steps) else len(time) - 1
        gained = []
        for part in lags.parts(pair, slice(low, high), noise.taps):
            others = stairs(part.frames, steps[:k] + steps[k + 1 :])
            before = line.lag_s[part.frames] - stairs(part.frames, steps) + others
            gained.append(lags.frame_evidence(part, before, noise) - lags.frame_evidence(part, before + size, noise))
        total = np.cumsum(lags.bounded(np.concatenate(gained), block)) / line.inflation
        chance = np.exp(total - total.max())
        below = np.cumsum(chance) / chance.sum()
        first, middle, last = low + 1 + np.searchsorted(below, [DOUBT / 2, 0.5, 1 - DOUBT / 2])
        moved.append((int(min(middle, high)), size))
        doubts.append((float(time[max(first - 1, 0)]), float(time[min(last, len(time) - 1)])))
    return moved, doubts


def stairs(frames: slice, steps: list[Step]) -> np.ndarray:
    """(n,) sum of the steps, which are in order, at some frames."""
    edges = np.clip([frames.start, *(i for i, _ in steps), frames.stop], frames.start, frames.stop)
    return np.repeat(np.cumsum([0.0, *(size for _, size in steps)]), np.diff(edges))


def stretches(time_s: np.ndarray, bad: np.ndarray) -> list[tuple[float, float]]:
    """Stretches of time in which `bad` (N,) holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(int), [0]])))
    return [(float(time_s[a]), float(time_s[b - 1])) for a, b in zip(edges[::2], edges[1::2])]


def _merged(stretches: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The stretches, widened, in order; those that nearly touch made one."""
    out: list[tuple[float, float]] = []
    margins = (MARGIN_S + MARGIN * (b - a) for a, b in stretches)
    for start, stop in sorted((a - margin, b + margin) for (a, b), margin in zip(stretches, margins)):
        if out and start <= out[-1][1] + LEAST_SURE_S:
            out[-1] = (out[-1][0], max(stop, out[-1][1]))
        else:
            out.append((start, stop))
    return tuple(out)
