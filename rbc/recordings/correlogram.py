"""The search for the place and the rate at which the turning of camera and IMU agree.

Turning is compared on an even grid of COARSE_HZ, in windows of the video, each with the whole of the other side, so
that the search costs the same for every hour of it; the line that is found in one window is then followed to the ends.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from rbc.recordings.turning import Turning

COARSE_HZ = 20.0
CHUNK_S = 60.0
WINDOW_S, NARROW_S = 1200.0, 300.0
"""Video that is searched at once: where the rates are nearly known, and where they are not."""
STRETCH = 1.25e-3
"""A rate error up to this hardly blurs the turning within a chunk."""
MIN_OVERLAP_S = 40.0
MAX_TURN_RAD_S, USUAL_RAD_S = 12.0, 2.0
"""Faster is a tracker's mistake; what is faster than usual counts as usual, lest a few fast turns agree by chance."""
MOST_WINDOWS, ENOUGH_SCORE = 6, 14.0
"""Windows that are tried, those with the most turning first, until one reaches this score."""
CALM = 0.25
"""Share of the usual energy that every overlap is taken to hold at least."""
NEAR = 20
"""Steps of the grid to either side of a line in which its continuation is looked for."""
SHARPER, MOST_AGAIN = 8, 4
"""So many times finer than one step at the ends is the rate of a continued line, which is turned so often at most."""


@dataclass(frozen=True)
class Found:
    """The best place of the whole recording on the other clock."""

    lag_s: float
    """At `centre_s`."""
    centre_s: float
    rate: float
    """Lag gained per second of camera time."""
    score: float
    """Height of the peak in standard deviations of the correlogram."""
    runner_up: float
    """The best score elsewhere."""
    negative: float
    """The best score of the mirrored turning."""
    product: float = 0.0
    """Turning that both saw along the line, rad²: of two lines the better has more."""
    agreements: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Correlation of both along the line, in each third of their overlap."""


def search(pair: Turning, max_rate: float) -> Found:
    """The lag that fits best over every overlap of the two recordings, for rate errors up to `max_rate`."""
    step = 1.0 / COARSE_HZ
    seen = _even_seen(pair, step)
    size = int((WINDOW_S if max_rate <= STRETCH else NARROW_S) * COARSE_HZ)
    count = max(1, round(len(seen) / size))
    edges = np.linspace(0, len(seen), count + 1).astype(int)
    turned = [np.nansum(seen[a:b] ** 2) for a, b in zip(edges, edges[1:])]
    around = int((max_rate + STRETCH) / (2 * STRETCH))
    rates = 2 * STRETCH * np.arange(-around, around + 1) if max_rate > STRETCH else [0.0]
    best = None
    for w in np.argsort(turned)[::-1][:MOST_WINDOWS]:
        first, last = edges[w : w + 2]
        for rate in rates:
            felt = _even_felt(pair, step * (1 + rate))
            found = _scan(pair, seen[first:last], first, felt, rate, min(max_rate, STRETCH))
            if best is None or found.score > best.score:
                best, window = found, (first, last)
        if best.score > ENOUGH_SCORE:
            break
    return _continued(pair, seen, best, *window)


def _scan(pair: Turning, seen: np.ndarray, begin: int, felt: np.ndarray, stretch: float, max_rate: float) -> Found:
    """The best line of the window `seen`, which begins at sample `begin` of the video, against all of `felt`, whose
    samples lie 1 + stretch as far apart.

    Chunks of the window are correlated by FFT and added along straight lines of lag against time (a Hough transform),
    normalised by the energy that overlaps.
    """
    step, chunk, size = 1.0 / COARSE_HZ, int(CHUNK_S * COARSE_HZ), len(felt)
    starts = np.arange(0, len(seen), chunk)
    zero = len(starts) * chunk  # row i of the correlogram: felt sample = sample of the window + i - zero
    shifts = size + zero
    there = np.isfinite(felt)
    length = next_fast_len(size + zero, real=True)
    felt = np.where(there, felt, 0.0)
    mask = np.isfinite(seen)
    seen = np.where(mask, seen, 0.0)

    def correlated(ours: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
        return np.roll(irfft(np.conj(rfft(ours, length)) * spectrum, length), zero)[:shifts]

    spectra = [rfft(x, length) for x in (felt, felt**2, there.astype(float))]
    theirs, ours = correlated(mask.astype(float), spectra[1]), correlated(seen**2, spectra[2])
    overlap = correlated(mask.astype(float), spectra[2])
    products = np.empty((len(starts), shifts), np.float32)
    for c, start in enumerate(starts):
        part = np.zeros(len(seen))
        part[start : start + chunk] = seen[start : start + chunk]
        products[c] = correlated(part, spectra[0])
    enough = overlap * step >= min(MIN_OVERLAP_S, 0.5 * min(len(seen), size) * step)
    # where both keep still little energy overlaps, and what noise there is would agree by chance
    theirs, ours = (np.maximum(e, CALM * e.sum() / overlap.sum() * overlap) for e in (theirs, ours))
    weight = np.where(enough, np.sqrt(np.maximum(overlap, 0.0) / np.maximum(theirs * ours, 1e-12)), 0.0)
    middles = (starts + chunk / 2) * step
    centre = float(middles.mean())
    span = max(middles.max() - centre, 1e-9)
    count = int(np.ceil(max_rate * span / step)) if len(starts) > 1 else 0
    best = None
    for rate in np.arange(-count, count + 1) * step / span:
        total = np.zeros(shifts)
        for product, middle in zip(products, middles):
            _add_shifted(total, product, -int(round(rate * (middle - centre) / step)))
        score = total * weight
        peak = int(np.argmax(score))
        if best is None or score[peak] > best[0]:
            best = (score[peak], rate, peak, score)
    top, rate, peak, score = best
    usual = 1.4826 * np.median(np.abs(score[enough])) if enough.any() else np.inf
    apart = np.abs(np.arange(shifts) - peak) > 2.0 * COARSE_HZ
    camera_s = begin * step + centre
    imu_s = (peak - zero + centre / step) * step * (1 + stretch)
    return Found(
        float(imu_s - camera_s + pair.imu_s[0] - pair.frame_s[0]), float(pair.frame_s[0] + camera_s),
        float((1 + stretch) * (1 + rate) - 1), float(top / usual),
        float(np.max(score * (apart & enough), initial=0.0) / usual),
        float(-np.min(score * enough, initial=0.0) / usual),
    )


def _add_shifted(total: np.ndarray, row: np.ndarray, move: int) -> None:
    if move > 0:
        total[move:] += row[:-move]
    elif move < 0:
        total[:move] += row[-move:]
    else:
        total += row


def _continued(pair: Turning, seen: np.ndarray, found: Found, first: int, last: int) -> Found:
    """The line of a window sharpened and followed to the ends of the video, the stretch doubled each time."""
    step, chunk = 1.0 / COARSE_HZ, int(CHUNK_S * COARSE_HZ)
    time_s = pair.frame_s[0] + (np.arange(len(seen)) + 0.5) * step
    lag_s, centre_s, rate, again = found.lag_s, found.centre_s, found.rate, 0

    def theirs(part: slice, later_s: float) -> np.ndarray:
        edges = np.append(time_s[part] - step / 2, time_s[part][-1] + step / 2)
        return _felt_at(pair, edges + lag_s + rate * (edges - centre_s) + later_s, step)

    while True:
        part = slice(first, last)
        starts = np.arange(0, last - first, chunk)
        middles = time_s[first + np.minimum(starts + chunk // 2, last - first - 1)]
        lag_s, centre_s = lag_s + rate * (middles.mean() - centre_s), middles.mean()
        ours, moves = np.nan_to_num(seen[part]), np.arange(-NEAR, NEAR + 1)
        sums = np.stack([np.add.reduceat(ours * np.nan_to_num(theirs(part, move * step)), starts) for move in moves])
        span = max(np.abs(middles - centre_s).max(), step)
        best = None
        for turn in np.arange(-3 * SHARPER, 3 * SHARPER + 1) / SHARPER * step / span:
            lines = np.clip(moves[:, None] + turn * (middles - centre_s) / step, -NEAR, NEAR)  # (2 NEAR + 1, chunks)
            low = np.minimum(np.floor(lines).astype(int), NEAR - 1)
            below, above = (np.take_along_axis(sums, low + NEAR + k, axis=0) for k in (0, 1))
            total = (below + (lines - low) * (above - below)).sum(1)
            if best is None or total.max() > best[0]:
                best = (total.max(), turn, moves[np.argmax(total)])
        product, turn, move = best
        lag_s, rate = lag_s + move * step, rate + turn
        again += 1
        if abs(turn) >= 2 * step / span and again < MOST_AGAIN:
            continue  # steeper than was looked for
        if first == 0 and last == len(seen):
            break
        more, again = (last - first) // 2, 0
        first, last = max(0, first - more), min(len(seen), last + more)
    felt = theirs(slice(0, len(seen)), 0.0)
    both = np.flatnonzero(np.isfinite(felt) & np.isfinite(seen))
    thirds = [(seen[rows], felt[rows]) for rows in np.array_split(both, 3)]
    agreements = tuple(float((a * b).sum() / np.sqrt(max((a**2).sum() * (b**2).sum(), 1e-12))) for a, b in thirds)
    return replace(
        found, lag_s=float(lag_s), centre_s=float(centre_s), rate=float(rate), product=float(product),
        agreements=agreements,
    )


def _felt_at(pair: Turning, imu_s: np.ndarray, step: float) -> np.ndarray:
    """Increments between the IMU times (n + 1,), clipped; NaN without samples."""
    out = np.diff(np.interp(imu_s, pair.imu_s, pair.turned, left=np.nan, right=np.nan))
    return np.clip(out, -USUAL_RAD_S * step, USUAL_RAD_S * step)


def _even_seen(pair: Turning, step: float) -> np.ndarray:
    """Increments of the angle per `step` s, clipped at what a neck can do; NaN over gaps."""
    grid = np.arange(pair.frame_s[0], pair.frame_s[-1], step)
    good = np.isfinite(pair.angle)
    time, angle = pair.frame_s[good], np.unwrap(pair.angle[good])
    far = np.diff(time) > 0.15
    gaps = np.interp(grid, time, np.concatenate([[0.0], np.cumsum(far)]))
    out = np.diff(np.interp(grid, time, angle))
    out[np.diff(gaps) > 0] = np.nan
    out[np.abs(out) > MAX_TURN_RAD_S * step] = np.nan
    return np.clip(out, -USUAL_RAD_S * step, USUAL_RAD_S * step)


def _even_felt(pair: Turning, step: float) -> np.ndarray:
    grid = np.arange(pair.imu_s[0], pair.imu_s[-1], step)
    out = np.diff(np.interp(grid, pair.imu_s, pair.turned))
    out -= np.nanmean(out)
    return np.clip(out, -USUAL_RAD_S * step, USUAL_RAD_S * step)
