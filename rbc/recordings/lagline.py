"""The lag between two clocks as a line with a slow wander and steps, fitted to the frame-to-frame turning.

N video frames, P parameters, B blocks. Whitened increments are compared under Student's t by iterated, reweighted
Gauss-Newton steps. Standard errors are the larger of what the model claims and what the scatter between stretches of
the recording shows (sandwich estimator; Liang and Zeger 1986), because errors of a tracker remember.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from rbc.recordings import lags
from rbc.recordings.lags import FREEDOM, Noise
from rbc.recordings.turning import Turning

CLUSTER_S = 10.0
STEP_S = 0.002
ROUNDS = 12
STRETCH = 4096
"""Frames that follow each other where not all are looked at."""
BIAS_S, BIAS_MEMORY_S = 0.004, 60.0
"""A tracker's errors follow posture, posture leads turning: a lag error of this size that lasts this long, which no
scatter between shorter stretches shows."""


def estimate_noise(pair: Turning, lag_s: np.ndarray, order: int) -> Noise:
    """Whitening filter, scale and gain of the residuals at lags (N,), from about lags.CHUNK frames at most."""
    pair, lag_s = _sampled(pair, lag_s)
    seen, felt = pair.seen(), pair.felt(lag_s)
    both = np.isfinite(seen) & np.isfinite(felt)
    taps, gain = np.array([1.0]), 1.0
    for _ in range(3):
        a, b = lags.apply_filter(taps, seen), lags.apply_filter(taps, felt)
        good = np.isfinite(a) & np.isfinite(b)
        a, b = a[good], b[good]
        for _ in range(10):
            scale = max(1.4826 * np.median(np.abs(a - gain * b)), 1e-9)
            weight = (FREEDOM + 1) / (FREEDOM + ((a - gain * b) / scale) ** 2)
            gain = (weight * a * b).sum() / max((weight * b * b).sum(), 1e-12)
        taps = lags.whitener(np.where(both, seen - gain * felt, np.nan), order)
    residual = lags.apply_filter(taps, np.where(both, seen - gain * felt, np.nan))
    # the median of |t| with four degrees of freedom is 0.741 of its scale
    return Noise(taps, float(max(np.nanmedian(np.abs(residual)) / 0.741, 1e-9)), float(gain))


def _sampled(pair: Turning, lag_s: np.ndarray) -> tuple[Turning, np.ndarray]:
    """About lags.CHUNK of the frames, or fewer, and their lags: even stretches, with nothing seen between them."""
    apart = -(-len(lag_s) // lags.CHUNK)
    if apart == 1:
        return pair, lag_s
    rows = np.flatnonzero(np.arange(len(lag_s)) // STRETCH % apart == 0)
    angle = pair.angle[rows]
    angle[np.flatnonzero(np.diff(rows) > 1) + 1] = np.nan
    return replace(pair, frame_s=pair.frame_s[rows], angle=angle), lag_s[rows]


@dataclass(frozen=True)
class LagLine:
    lag_s: np.ndarray
    """(N,) fitted lag."""
    se_s: np.ndarray
    """(N,) its standard error."""
    offset_s: float
    """Of the straight line through it, at camera time 0, without the steps."""
    offset_se_s: float
    drift: float
    """Slope of that line."""
    drift_se: float
    steps_s: np.ndarray
    """Sizes of the free steps."""
    steps_se_s: np.ndarray
    inflation: float
    """By how much the scatter between stretches exceeds the model's variance, 1 or more."""


def fit_line(
    pair: Turning, base_s: np.ndarray, rate: float, noise: Noise, *, trust: np.ndarray, steps_at_s: np.ndarray,
    wander: float, wander_s: float, drifts: bool,
) -> LagLine:
    """The lag: base_s (N,) with a slope `rate`, plus a smooth line and free steps at the camera times `steps_at_s`.

    Frames (N - 1,) without `trust` do not count. The slope changes by about `wander` in `wander_s`; `drifts` False adds
    a constant instead of the line.
    """
    time = pair.frame_s
    centre = time.mean()
    knots = np.linspace(time[0], time[-1], 1 + max(1, int(np.ptp(time) / (0.4 * wander_s)))) if drifts else time[:1]
    width, size = len(knots), len(knots) + len(steps_at_s)

    def lag_of(beta: np.ndarray, frames: slice) -> np.ndarray:
        at = time[frames]
        segment = np.searchsorted(steps_at_s, at, "right")
        straight = base_s[frames] + rate * (at - centre)
        return straight + np.interp(at, knots, beta[:width]) + np.append(0.0, np.cumsum(beta[width:]))[segment]

    # a column for each segment between steps, so that rows stay short; a segment's height is that of all steps before
    heights = np.eye(size + 1)
    heights[width:size, width:size] = np.tri(size - width)
    prior = np.zeros((size + 1, size + 1))
    if width > 2:
        bend = np.diff(np.eye(width), 2, axis=0) / (knots[1] - knots[0])
        prior[:width, :width] = bend.T @ bend / (wander**2 * 0.4)
    clusters = 1 + int(np.ptp(time) // CLUSTER_S)
    beta, gain = np.zeros(size), noise.gain
    for _ in range(ROUNDS):
        products, scores, sums = np.zeros((size + 1, size + 1)), np.zeros(size + 1), csr_array((clusters, size + 1))
        for part in lags.parts(pair, slice(0, len(time) - 1), noise.taps):
            lag = lag_of(beta, part.frames)
            steeper = (part.pair.felt(lag + STEP_S) - part.pair.felt(lag - STEP_S)) / (2 * STEP_S)
            seen, felt, slope = (
                part.filtered(noise.taps, turned) for turned in (part.pair.seen(), part.pair.felt(lag), steeper)
            )
            residual = seen - gain * felt
            good = np.flatnonzero(np.isfinite(residual) & np.isfinite(slope) & trust[part.rows])
            rows = part.rows.start + good
            columns, weights = _basis((time[rows + 1] + time[rows]) / 2, knots, steps_at_s)  # (n, 3)
            filled = np.column_stack([gain * slope[good, None] * weights, felt[good]]) / noise.scale  # (n, 4)
            where = np.column_stack([columns, np.full(len(rows), size, np.int32)])
            jacobian = csr_array((filled.ravel(), where.ravel(), np.arange(0, filled.size + 1, 4)),
                                 (len(rows), size + 1))  # fmt: skip
            r = residual[good] / noise.scale
            pull = (FREEDOM + 1) / (FREEDOM + r**2) * r
            products += (jacobian.T @ jacobian).toarray()
            scores += jacobian.T @ pull
            cluster = ((time[rows + 1] - time[0]) // CLUSTER_S).astype(int)
            sums += csr_array((pull, (cluster, np.arange(len(rows)))), (clusters, len(rows))) @ jacobian
        # of Student's t: the information is (v + 1) / (v + 3), whatever the residuals
        model = (FREEDOM + 1) / (FREEDOM + 3) * heights.T @ products @ heights
        curvature = model + prior + 1e-9 * np.diag(np.diag(model)) + 1e-12 * np.eye(size + 1)
        push = heights.T @ scores - prior @ np.append(beta, 0.0)
        move = np.linalg.solve(curvature, push)
        move *= min(1.0, 0.03 / max(np.abs(move[:size]).max(initial=0.0), 1e-12))
        beta, gain = beta + move[:size], gain + move[-1]
        if np.abs(move[:size]).max(initial=0.0) < 2e-5:
            break
    count = max(np.count_nonzero(np.diff(sums.indptr)), 2)
    meat = heights.T @ (sums.T @ sums).toarray() @ heights * count / max(count - 2, 1)
    inverse = np.linalg.inv(curvature)
    claimed = inverse[:size, :size]
    shown = (inverse @ (meat + prior) @ inverse)[:size, :size]
    inflation = max(1.0, float(np.trace(meat[:size, :size]) / max(np.trace(model[:size, :size]), 1e-12)))

    length = max(np.ptp(time), BIAS_MEMORY_S)
    bias = BIAS_S * np.sqrt(BIAS_MEMORY_S / length)
    bias_slope = bias * np.sqrt(12) / length if drifts else 0.0
    heights = heights[:size, :size]

    def variance(direction: np.ndarray) -> float:
        return max(float(direction @ c @ direction) for c in (claimed, shown))

    spreads = [heights @ covariance @ heights.T for covariance in (claimed, shown)]
    lag_s, se_s = np.empty(len(time)), np.empty(len(time))
    across, level, length_s2 = np.zeros(size), np.zeros(size), 0.0
    for begin in range(0, len(time), lags.CHUNK):
        part = slice(begin, begin + lags.CHUNK)
        away = time[part] - centre
        columns, weights = _basis(time[part], knots, steps_at_s)  # (n, 3)
        spread_s2 = np.maximum(*(_quadratic(weights, columns, spread) for spread in spreads))
        lag_s[part], se_s[part] = lag_of(beta, part), np.sqrt(spread_s2 + bias**2 + (bias_slope * away) ** 2)
        smooth = csr_array((weights[:, :2].ravel(), columns[:, :2].ravel(), np.arange(0, 2 * len(columns) + 1, 2)),
                           (len(columns), size))  # fmt: skip
        across += smooth.T @ away
        level += smooth.T @ np.ones(len(columns))
        length_s2 += away @ away
    across, level = across / length_s2, level / len(time)
    origin = level - across * centre
    free = np.eye(size)[width:]
    return LagLine(
        lag_s=lag_s,
        se_s=se_s,
        offset_s=float(base_s[0] + origin @ beta - rate * centre),
        offset_se_s=float(np.sqrt(variance(origin) + bias**2 + (bias_slope * centre) ** 2)),
        drift=float(rate + across @ beta) if drifts else 0.0,
        drift_se=float(np.hypot(np.sqrt(variance(across)), bias_slope)),
        steps_s=beta[width:],
        steps_se_s=np.array([np.hypot(np.sqrt(variance(step)), bias) for step in free]),
        inflation=inflation,
    )


def _quadratic(weights: np.ndarray, columns: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n,) w' A w of rows with three weights (n, 3) in the columns (n, 3)."""
    return sum(weights[:, i] * weights[:, j] * matrix[columns[:, i], columns[:, j]] for i in range(3) for j in range(3))


def _basis(time: np.ndarray, knots: np.ndarray, steps_at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) columns and weights of each time: linear interpolation between two knots, and the segment that it lies in,
    of which the first has no column."""
    place = np.clip(np.searchsorted(knots, time, "right") - 1, 0, max(len(knots) - 2, 0))
    share = (time - knots[place]) / (knots[1] - knots[0]) if len(knots) > 1 else np.zeros(len(time))
    segment = np.searchsorted(steps_at_s, time, "right")
    last = len(knots) + len(steps_at_s) - 1
    columns = [place, np.minimum(place + 1, len(knots) - 1), np.minimum(len(knots) + np.maximum(segment - 1, 0), last)]
    return np.stack(columns, axis=1).astype(np.int32), np.stack([1 - share, share, segment > 0], axis=1).astype(float)
