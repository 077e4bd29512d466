"""An animal's turning as the camera and as the IMU saw it, and the search for the place where the two agree.

N video frames, M samples of the IMU. The camera gives the direction of an axis (an angle per frame), the IMU a rate
about the vertical. What is compared is the *increment* from frame to frame, which both give exactly, whatever their
rates.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

COARSE_HZ = 20.0
CHUNK_S = 60.0
MIN_OVERLAP_S = 40.0
MAX_TURN_RAD_S = 12.0


@dataclass(frozen=True)
class Turning:
    """What both sides saw of the animal's turning."""

    frame_s: np.ndarray
    """(N,) camera time of the video frames."""
    angle: np.ndarray
    """(N,) rad, NaN where not seen."""
    imu_s: np.ndarray
    """(M,) IMU time of its samples."""
    turned: np.ndarray
    """(M,) rad turned about the vertical since the first sample; NaN inside stretches without samples."""

    def seen(self) -> np.ndarray:
        """(N - 1,) increments of the angle, wrapped; NaN where an end is missing."""
        step = np.diff(self.angle)
        return (step + np.pi) % (2 * np.pi) - np.pi

    def felt(self, lag_s: np.ndarray | float) -> np.ndarray:
        """(N - 1,) the IMU's increments of the same intervals, for IMU time = frame time + lag; NaN without samples."""
        return np.diff(np.interp(self.frame_s + lag_s, self.imu_s, self.turned, left=np.nan, right=np.nan))


def turning(
    frame_s: np.ndarray, angle: np.ndarray, imu_s: np.ndarray, rate: np.ndarray, longest_gap_s: float
) -> Turning:
    """Turning of an angle (N,) and a rate about the vertical (M,) rad/s; stretches longer than `longest_gap_s` without
    samples count as lost."""
    step = np.diff(imu_s, prepend=imu_s[0])
    turned = np.cumsum(step * np.concatenate([rate[:1], (rate[1:] + rate[:-1]) / 2]))
    gaps = np.flatnonzero(step > longest_gap_s)
    middles = (imu_s[gaps] + imu_s[gaps - 1]) / 2
    # one missing value in the middle makes everything between the two samples missing
    return Turning(frame_s, angle, np.insert(imu_s, gaps, middles), np.insert(turned, gaps, np.nan))


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


def search(pair: Turning, max_rate: float) -> Found:
    """The lag that fits best over every overlap of the two recordings, for rate errors up to `max_rate`.

    Chunks of the video are correlated with the whole of the other side by FFT and added along straight lines of lag
    against time (a Hough transform), normalised by the energy that overlaps.
    """
    step = 1.0 / COARSE_HZ
    seen, felt = _even_seen(pair, step), _even_felt(pair, step)
    size, chunk = len(felt), int(CHUNK_S * COARSE_HZ)
    starts = np.arange(0, len(seen), chunk)
    length = next_fast_len(size + chunk, real=True)
    there = np.isfinite(felt)
    felt = np.where(there, felt, 0.0)
    spectra = [rfft(x, length) for x in (felt, felt**2, there.astype(float))]
    zero = len(starts) * chunk  # row i of the correlogram: felt sample = seen sample + i - zero
    shifts = size + zero
    sums = np.zeros((len(starts), 4, shifts), np.float32)
    for c, start in enumerate(starts):
        part = seen[start : start + chunk]
        mask = np.isfinite(part)
        part = np.where(mask, part, 0.0)
        turned = [np.conj(rfft(x, length)) for x in (part, mask.astype(float), part**2)]
        rows = (turned[0] * spectra[0], turned[1] * spectra[1], turned[2] * spectra[2], turned[1] * spectra[2])
        for k, row in enumerate(rows):
            # sample j of the correlogram: this chunk's first sample lies on sample j of the other side
            whole = np.roll(irfft(row, length), chunk)[: size + chunk]
            first = zero - start - chunk
            sums[c, k, first : first + size + chunk] = whole
    middles = (starts + chunk / 2) * step
    centre = float(middles.mean())
    span = max(middles.max() - centre, 1e-9)
    fastest = max_rate if len(starts) > 1 else 0.0
    count = int(np.ceil(fastest * span / step))
    best = None
    for rate in (np.arange(-count, count + 1) * step / span if count else [0.0]):
        total = np.zeros((4, shifts))
        for c, middle in enumerate(middles):
            move = int(round(rate * (middle - centre) / step))
            total += _shifted(sums[c], -move)
        product, theirs, ours, overlap = total
        enough = overlap * step >= min(MIN_OVERLAP_S, 0.5 * min(len(seen), size) * step)
        with np.errstate(divide="ignore", invalid="ignore"):
            r = np.where(enough, product / np.sqrt(np.maximum(theirs * ours, 1e-12)), 0.0)
            score = r * np.sqrt(np.maximum(overlap, 0.0))
        peak = int(np.argmax(score))
        if best is None or score[peak] > best[0]:
            best = (score[peak], rate, peak, score, enough)
    top, rate, peak, score, enough = best
    usual = 1.4826 * np.median(np.abs(score[enough])) if enough.any() else np.inf
    apart = np.abs(np.arange(shifts) - peak) > 2.0 * COARSE_HZ
    lag = (peak - zero) * step + pair.imu_s[0] - pair.frame_s[0]
    return Found(
        float(lag), pair.frame_s[0] + centre, float(rate), float(top / usual),
        float(np.max(score * (apart & enough), initial=0.0) / usual),
        float(-np.min(score * enough, initial=0.0) / usual),
    )


def _shifted(rows: np.ndarray, move: int) -> np.ndarray:
    out = np.zeros_like(rows)
    if move > 0:
        out[:, move:] = rows[:, :-move]
    elif move < 0:
        out[:, :move] = rows[:, -move:]
    else:
        out[:] = rows
    return out


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
    return out


def _even_felt(pair: Turning, step: float) -> np.ndarray:
    grid = np.arange(pair.imu_s[0], pair.imu_s[-1], step)
    out = np.diff(np.interp(grid, pair.imu_s, pair.turned))
    out -= np.nanmean(out)
    return np.clip(out, -MAX_TURN_RAD_S * step, MAX_TURN_RAD_S * step)
