"""Signals on the common clock: anti-aliased resampling, and band powers taken at a sensor's own rate.

N samples, F columns, T frames of the grid. NaN is missing, goes in and comes out; nothing is invented over a gap longer
than `max_gap_s`.
"""

import numpy as np

STOP_DB = 50.0
DOWN_CROSSINGS, UP_CROSSINGS = 6, 3
PASS_SHARE = 0.84
"""Of the new Nyquist frequency; the rest of the band is the filter's slope."""
LEAST_WEIGHT = 0.6
CHUNK = 8192
BANDS_HZ = ((0.5, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 9.0), (9.0, 13.0), (13.0, 20.0), (20.0, 40.0))
BAND_WINDOW_S, BAND_HOP_S = 1.0, 0.08
POWER_FLOOR = 1e-6
"""Keeps the logarithm finite: far below any sensor's noise, (m/s²)² or (rad/s)²."""


def make_grid(start_s: float, stop_s: float, rate_hz: float) -> np.ndarray:
    """(T,) f8 the multiples of 1 / rate_hz between the two times, both included."""
    first, last = np.ceil(start_s * rate_hz - 1e-6), np.floor(stop_s * rate_hz + 1e-6)
    return np.arange(first, last + 1) / rate_hz


def known(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The values that are there (N,); no copy where all are."""
    return values if there.all() else values[there]


def gap_around(time_s: np.ndarray, there: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """(T,) seconds between the measured samples (there (N,)) on both sides of each time; 0 on a sample, inf outside."""
    times, out = known(time_s, there), np.full(len(at_s), np.inf)
    for begin in range(0, len(at_s) if len(times) else 0, CHUNK):
        at = at_s[begin : begin + CHUNK]
        after = np.searchsorted(times, at)
        on = times[np.minimum(after, len(times) - 1)] - at < 1e-9
        inner = (after > 0) & (after < len(times))
        gap = np.where(inner, times[np.minimum(after, len(times) - 1)] - times[np.maximum(after - 1, 0)], np.inf)
        out[begin : begin + CHUNK] = np.where(on & (after < len(times)), 0.0, gap)
    return out


def resample(time_s: np.ndarray, values: np.ndarray, at_s: np.ndarray, rate_hz: float, max_gap_s: float) -> np.ndarray:
    """(T, F) f4 values (N, F) at the times (T,) of a grid of `rate_hz`; NaN over gaps longer than `max_gap_s`.

    A windowed sinc weighs the samples around each time by their true distance, so that uneven stamps do no harm. Where
    the source is faster it is a low-pass below the grid's Nyquist frequency (Kaiser, 50 dB), else it interpolates
    (Lanczos). Missing samples get no weight; where too little is left, a straight line joins the neighbours.
    """
    if len(time_s) < 2:
        return np.full((len(at_s), values.shape[1]), np.nan, np.float32)
    out = resample_linear(time_s, values, at_s, max_gap_s)
    period = float(np.median(np.diff(time_s)))
    down = period * rate_hz < 0.99
    crossing_s = 1.0 / (PASS_SHARE * rate_hz) if down else period
    reach_s = (DOWN_CROSSINGS if down else UP_CROSSINGS) * crossing_s
    side = int(np.ceil(reach_s / period)) + 1
    share = np.clip(np.gradient(time_s) / period, 0.25, 1.5)  # (N,) uneven samples stand for uneven stretches
    for begin in range(0, len(at_s), CHUNK):
        rows = slice(begin, begin + CHUNK)
        index = np.searchsorted(time_s, at_s[rows])[:, None] + np.arange(-side, side)  # (t, W)
        inside = (index >= 0) & (index < len(time_s))
        index = np.clip(index, 0, len(time_s) - 1)
        weight = _kernel(at_s[rows, None] - time_s[index], crossing_s, reach_s, down) * inside * share[index]
        near = values[index].astype(float)  # (t, W, F)
        used = np.isfinite(near)
        total = np.einsum("tw,twf->tf", weight, used)
        mean = np.einsum("tw,twf->tf", weight, np.where(used, near, 0.0))
        mean /= np.where(np.abs(total) > 1e-6, total, np.nan)
        enough = total * period / crossing_s > LEAST_WEIGHT
        out[rows] = np.where(np.isfinite(out[rows]) & enough, mean, out[rows])
    return out


def _kernel(distance_s: np.ndarray, crossing_s: float, reach_s: float, down: bool) -> np.ndarray:
    x = distance_s / reach_s
    if down:
        beta = 0.5842 * (STOP_DB - 21) ** 0.4 + 0.07886 * (STOP_DB - 21)
        window = np.i0(beta * np.sqrt(np.maximum(1 - x**2, 0.0))) / np.i0(beta)
    else:
        window = np.sinc(x)
    return np.sinc(distance_s / crossing_s) * window * (np.abs(x) < 1)


def _line(time_s: np.ndarray, values: np.ndarray, there: np.ndarray, at_s: np.ndarray, longest_s: float) -> np.ndarray:
    """(T,) straight lines between the samples that are there; NaN over longer gaps and outside."""
    if not there.any():
        return np.full(len(at_s), np.nan)
    line = np.interp(at_s, known(time_s, there), known(values, there))
    line[~(gap_around(time_s, there, at_s) <= longest_s)] = np.nan
    return line


def resample_linear(time_s: np.ndarray, values: np.ndarray, at_s: np.ndarray, max_gap_s: float) -> np.ndarray:
    """(T, F) f4 straight lines between the samples (N, F) that are there; NaN over gaps longer than `max_gap_s`."""
    out = np.empty((len(at_s), values.shape[1]), np.float32)
    longest_s = max(max_gap_s, 1.5 * float(np.median(np.diff(time_s)))) if len(time_s) > 1 else max_gap_s
    for f, column in enumerate(values.T):
        out[:, f] = _line(time_s, column, np.isfinite(column), at_s, longest_s)
    return out


def measured(time_s: np.ndarray, there: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """(T,) bool: a time lies between two samples that follow each other and are both there (N,), or on one."""
    if len(time_s) < 2:
        return np.zeros(len(at_s), bool)
    return gap_around(time_s, there, at_s) < 1.6 * float(np.median(np.diff(time_s)))


def band_names(sensors: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns of `band_powers` for each sensor in turn: acc_0.5_2 …"""
    return tuple(f"{sensor}_{low:g}_{high:g}" for sensor in sensors for low, high in BANDS_HZ)


def band_powers(time_s: np.ndarray, size: np.ndarray, at_s: np.ndarray, max_gap_s: float) -> np.ndarray:
    """(T, bands) f4 log10 power of a magnitude (N,) in BANDS_HZ around each time (T,), in Hann windows of 1 s.

    Taken at the sensor's own rate, so that nothing is folded down. A band beyond the Nyquist frequency is NaN, one
    across it is cut there; a window of which more than half was not measured is NaN.
    """
    out = np.full((len(at_s), len(BANDS_HZ)), np.nan, np.float32)
    good = np.isfinite(size)
    if good.sum() < 2:
        return out
    period = float(np.median(np.diff(time_s)))
    even_s = np.arange(time_s[0], time_s[-1] + period / 2, period)
    width = int(round(BAND_WINDOW_S / period))
    hop = max(1, int(round(BAND_HOP_S / period)))
    if len(even_s) < width or width < 8:
        return out
    even = np.interp(even_s, known(time_s, good), known(size, good))
    there = measured(time_s, good, even_s)
    starts = np.arange(0, len(even) - width + 1, hop)
    hann = np.hanning(width + 2)[1:-1]
    frequency = np.fft.rfftfreq(width, period)
    top = 0.45 / period
    members = [(frequency >= low) & (frequency < min(high, top)) for low, high in BANDS_HZ]
    power = np.full((len(starts), len(BANDS_HZ)), np.nan)
    for begin in range(0, len(starts), CHUNK // 4):
        some = starts[begin : begin + CHUNK // 4]
        index = some[:, None] + np.arange(width)
        window = even[index]
        window = (window - window.mean(1, keepdims=True)) * hann
        spectrum = np.abs(np.fft.rfft(window, axis=1)) ** 2 * (2.0 / (width * (hann**2).sum()))
        bad = there[index].mean(1) < 0.5
        for band, member in enumerate(members):
            if member.any():
                total = np.log10(spectrum[:, member].sum(1) + POWER_FLOOR)
                power[begin : begin + len(some), band] = np.where(bad, np.nan, total)
    middles = even_s[starts] + (width - 1) * period / 2
    for band in range(len(BANDS_HZ)):
        good = np.isfinite(power[:, band])
        if good.any():
            out[:, band] = np.interp(at_s, middles[good], power[good, band])
            far = gap_around(middles, good, np.clip(at_s, middles[0], middles[-1])) > max_gap_s + 2 * hop * period
            out[far, band] = np.nan
    outside = (at_s < time_s[0] - period) | (at_s > time_s[-1] + period)
    out[outside] = np.nan
    return out
