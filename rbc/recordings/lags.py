"""How well each lag between two clocks explains the turning, block by block, and the path of the lag through time.

N video frames, n of the increments between them, L lags on a grid, B blocks of frames. The tracker's errors are
whitened and heavy-tailed (Student's t).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from rbc.recordings.turning import Turning

MEMORY_S = 0.15
"""The tracker's errors are whitened over this time."""
FREEDOM = 4.0
"""Of Student's t, for residuals with outliers."""
MOST_EVIDENCE = 4.0
CHUNK = 1 << 18
"""Frames at a time, so that memory hardly grows with a recording's length."""


@dataclass(frozen=True)
class Noise:
    """How the camera's increments differ from the IMU's."""

    taps: np.ndarray
    """Filter that whitens them."""
    scale: float
    """Of Student's t, rad."""
    gain: float
    """Camera's turning per IMU's turning."""


@dataclass(frozen=True)
class Part:
    """Some increments of a recording, with those before them that a filter needs."""

    rows: slice
    """The increments."""
    frames: slice
    """All frames that belong to it, …"""
    pair: Turning
    """… and their turning."""

    def filtered(self, taps: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(n,) `rows` of the increments between all `frames`, after `apply_filter`."""
        return apply_filter(taps, values)[self.rows.start - self.frames.start :]


def parts(pair: Turning, rows: slice, taps: np.ndarray, block: int = 1) -> Iterator[Part]:
    """The increments `rows` in parts of whole blocks, for a filter."""
    count = max(1, CHUNK // block) * block
    for begin in range(rows.start, rows.stop, count):
        stop = min(begin + count, rows.stop)
        frames = slice(max(begin - len(taps) + 1, 0), stop + 1)
        yield Part(slice(begin, stop), frames, pair.part(frames))


def whitener(residual: np.ndarray, order: int) -> np.ndarray:
    """(order + 1,) filter that makes the residuals (N,; NaN where missing) white: 1, -a1, -a2 … (Yule-Walker)."""
    scale = 1.4826 * np.nanmedian(np.abs(residual))
    clipped = np.clip(residual, -4 * scale, 4 * scale)
    there = np.isfinite(clipped)
    filled = np.where(there, clipped, 0.0)
    moments = []
    for k in range(order + 1):
        both = there[k:] & there[: len(there) - k]
        moments.append((filled[k:] * filled[: len(filled) - k])[both].sum() / max(both.sum(), 1))
    moments = np.array(moments)
    moments[0] *= 1.001
    return np.concatenate([[1.0], -solve_toeplitz(moments[:-1], moments[1:])])


def apply_filter(taps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) causal filter of values (N,); NaN wherever it would need a missing value."""
    out = np.convolve(values, taps)[: len(values)]
    out[: len(taps) - 1] = np.nan
    return out


def evidence(pair: Turning, base_lag_s: np.ndarray, lags_s: np.ndarray, noise: Noise, block: int) -> np.ndarray:
    """(B, L) log-likelihood of each lag added to the base lag (N,) in each block of `block` frames.

    No block speaks against a lag by more than the greater of MOST_EVIDENCE and half of what it has for its best one:
    now and then a tracker is wrong for as long as that, but it does not follow the IMU by chance.
    """
    frames = len(pair.angle) - 1
    table = np.empty((-(-frames // block), len(lags_s)))
    for part in parts(pair, slice(0, frames), noise.taps, block):
        base, seen = base_lag_s[part.frames], part.filtered(noise.taps, part.pair.seen())
        nothing, starts = _surprise(seen, noise.scale), np.arange(0, len(seen), block)
        for column, lag in zip(table[part.rows.start // block :][: len(starts)].T, lags_s, strict=True):
            gained = nothing - _surprise(seen - _expected(part, base + lag, noise), noise.scale)
            column[:] = np.add.reduceat(np.nan_to_num(gained), starts)
    best = table.max(axis=1, keepdims=True)
    return np.maximum(table, best - np.maximum(MOST_EVIDENCE, best / 2), out=table)


def trusted(table: np.ndarray, lag_steps: np.ndarray) -> np.ndarray:
    """(B,) bool: the blocks of `evidence` that do not speak against the lags (B,; grid steps) with all they have."""
    index = np.arange(table.shape[1])
    here = np.array([np.interp(lag, index, row) for lag, row in zip(lag_steps, table)])
    return here > 0.9 * table.min(axis=1) + 0.1 * table.max(axis=1)


def bounded(gained: np.ndarray, block: int) -> np.ndarray:
    """(N,) log-likelihood ratios of frames, scaled down in blocks in which they add up to more than MOST_EVIDENCE."""
    starts = np.arange(0, len(gained), block)
    total = np.add.reduceat(gained, starts)
    share = MOST_EVIDENCE / np.maximum(np.abs(total), MOST_EVIDENCE)
    return gained * np.repeat(share, block)[: len(gained)]


def frame_evidence(part: Part, lag_s: np.ndarray, noise: Noise) -> np.ndarray:
    """(n,) log-likelihood of the lags of its frames, frame by frame, against the hypothesis that the IMU says nothing
    (Student's t residuals); 0 where something is missing."""
    seen = part.filtered(noise.taps, part.pair.seen())
    return np.nan_to_num(_surprise(seen, noise.scale) - _surprise(seen - _expected(part, lag_s, noise), noise.scale))


def _expected(part: Part, lag_s: np.ndarray, noise: Noise) -> np.ndarray:
    return noise.gain * part.filtered(noise.taps, part.pair.felt(lag_s))


def _surprise(residual: np.ndarray, scale: float) -> np.ndarray:
    return 0.5 * (FREEDOM + 1) * np.log1p((residual / scale) ** 2 / FREEDOM)


@dataclass(frozen=True)
class Moves:
    """Probabilities, from one block to the next, of what a lag does."""

    creep: float
    """Move to a neighbour on the grid, each."""
    up: float
    """Jump to any greater lag: frames were dropped."""
    down: float
    """Jump to any smaller lag."""
    size: float
    """Mean size of a jump, in steps of the grid; sizes are geometric."""

    @property
    def stay(self) -> float:
        return 1.0 - 2 * self.creep - self.up - self.down


def posterior(log_likelihood: np.ndarray, moves: Moves) -> np.ndarray:
    """(B, L) probability of each lag in each block (forward-backward)."""
    blocks, lags = log_likelihood.shape

    keep = 1.0 - 1.0 / moves.size

    def spread(p: np.ndarray) -> np.ndarray:
        """What jumps upwards from each lag bring to every other."""
        return lfilter([0.0, 1.0 - keep], [1.0, -keep], p)

    def step(p: np.ndarray, up: float, down: float) -> np.ndarray:
        out = moves.stay * p + up * spread(p) + down * spread(p[::-1])[::-1]
        out[1:] += moves.creep * p[:-1]
        out[:-1] += moves.creep * p[1:]
        return out

    highest = log_likelihood.max(axis=1, keepdims=True)
    likelihood, total = log_likelihood - highest, float(highest.sum())
    np.exp(likelihood, out=likelihood)
    both, p = np.empty_like(likelihood), np.full(lags, 1.0 / lags)
    for b in range(blocks):
        p = (step(p, moves.up, moves.down) if b else p) * likelihood[b] + 1e-300
        total += float(np.log(p.sum()))
        p = p / p.sum()
        both[b] = p
    p = np.ones(lags)
    for b in range(blocks - 2, -1, -1):
        p = step(p * likelihood[b + 1], moves.down, moves.up) + 1e-300
        p /= p.sum()
        both[b] *= p
    both /= both.sum(axis=1, keepdims=True)
    return both, total


def sheared(table: np.ndarray, moves_by: np.ndarray) -> np.ndarray:
    """(B, L) evidence (B, L) seen from a base lag that is `moves_by` (B,) grid steps greater; ends are repeated."""
    if not np.any(moves_by):
        return table
    index = np.arange(table.shape[1], dtype=float)
    return np.stack([np.interp(index + move, index, row) for row, move in zip(table, moves_by)])


def best_path(log_likelihood: np.ndarray, moves: Moves) -> tuple[np.ndarray, float]:
    """(B,) the most probable lags and the log-probability of that path (Viterbi)."""
    blocks, lags = log_likelihood.shape
    keep = 1.0 - 1.0 / moves.size
    jump = (1 - keep) / keep
    stay, creep, up, down = np.log([moves.stay, moves.creep, moves.up * jump, moves.down * jump])
    slope = -np.log(keep) * np.arange(lags)
    score, came = log_likelihood[0].copy(), np.zeros((blocks, lags), np.int32)
    index = np.arange(lags)
    for b in range(1, blocks):
        rising, falling = score + slope, score - slope
        lower, higher = _running_best(rising), lags - 1 - _running_best(falling[::-1])[::-1]
        options = np.stack([
            score + stay, np.append(-np.inf, score[:-1] + creep), np.append(score[1:] + creep, -np.inf),
            rising[lower] - slope + up, falling[higher] + slope + down,
        ])
        choice = options.argmax(axis=0)
        came[b] = np.choose(choice, [index, index - 1, index + 1, lower, higher])
        score = options[choice, index] + log_likelihood[b]
    path = np.empty(blocks, int)
    path[-1] = int(np.argmax(score))
    for b in range(blocks - 1, 0, -1):
        path[b - 1] = came[b, path[b]]
    return path, float(score.max())


def _running_best(score: np.ndarray) -> np.ndarray:
    """(L,) index of the greatest score up to each index."""
    best = np.maximum.accumulate(score)
    return np.maximum.accumulate(np.where(score == best, np.arange(len(score)), 0))
