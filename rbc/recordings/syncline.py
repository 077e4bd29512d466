"""The clock that pairs of moments fix, and whether camera and IMU, where they can tell, agree with it.

N video frames, P pairs. IMU time = camera time + lag, a straight line through the pairs.
"""

from dataclasses import dataclass, replace

import numpy as np

from rbc.recordings.clock import WIDEST_RATE, Clock
from rbc.recordings.errors import RecordingError
from rbc.recordings.pairs import Pairs
from rbc.recordings.steps import NO_QUARTZ, QUARTZ, SURE_SE, stairs, stretches

TOLERANCE_S = 0.040
"""A pair lies this near the line, and the line this near the signals' clock; a frame where that is longer."""
USUAL_DRIFT, STEEPEST = 2e-3, 0.1
"""Of two clocks, one perhaps a count of frames at 29.97 taken for 30; what is drawn to be refused as steeper than what
the signals' clock may be."""
MOST = 60
"""Pairs from which the lines are drawn that the most pairs agree with."""


@dataclass(frozen=True)
class Line:
    lag_s: float
    """At `centre_s`."""
    centre_s: float
    drift: float
    scatter_s: float
    """Standard error of the lag at `centre_s`."""
    drift_se: float
    held: str = ""
    """Why the drift is not the pairs' own."""

    def lag(self, time_s: np.ndarray) -> np.ndarray:
        return self.lag_s + self.drift * (time_s - self.centre_s)

    def se(self, time_s: np.ndarray) -> np.ndarray:
        return np.hypot(self.scatter_s, self.drift_se * (time_s - self.centre_s))


def sync_clock(pairs: Pairs, frame_s: np.ndarray, imu_period_s: float, signals: Clock) -> Clock:
    """The clock through the pairs for frames (N,), accepted; its reason says what the clock of the `signals` adds.

    Steps that the signals found are kept where the pairs then lie on a line that agrees with the signals.
    Raises RecordingError: a pair off the line, a drift that no clock has, a line that the signals contradict.
    """
    period = float(np.median(np.diff(frame_s))) if len(frame_s) > 1 else 0.0
    tolerance, grain = max(TOLERANCE_S, period), np.hypot(period, imu_period_s) / np.sqrt(12)
    for steps in dict.fromkeys([signals.steps, ()]):
        at = [(int(np.searchsorted(frame_s, time)), size) for time, size in steps]
        lags = pairs.imu_s - pairs.camera_s
        lags = lags - sum((size * (pairs.camera_s >= time) for time, size in steps), np.zeros(len(lags)))
        problems = _outliers(pairs, lags, tolerance)
        if problems:
            continue
        line = fit_line(pairs.camera_s, lags, pairs.drift_ppm * 1e-6, grain, tolerance, frame_s[[0, -1]])
        if abs(line.drift) > WIDEST_RATE:
            problems = [f"sync: {len(pairs.places)} pairs drift by {1e6 * line.drift:.0f} ± {1e6 * line.drift_se:.0f} "
                        f"ppm; clocks differ by {1e6 * WIDEST_RATE:.0f} at most: a wrong pair or rate?"]  # fmt: skip
            continue
        if line.held and signals.accepted and abs(signals.drift_ppm) > 1e6 * NO_QUARTZ:
            line = replace(line, drift=1e-6 * signals.drift_ppm, drift_se=1e-6 * signals.drift_se_ppm,
                           held="drift of the signals")  # fmt: skip
        lag, se = line.lag(frame_s) + stairs(slice(0, len(frame_s)), at), line.se(frame_s)
        own = SURE_SE * se <= tolerance
        apart = np.abs(lag + frame_s - signals.camera_to_imu(frame_s))
        theirs = signals.sure(frame_s)
        for start, stop in signals.unsure:
            if any(start <= time <= stop for time, _ in steps):
                own &= (frame_s < start) | (frame_s > stop)
        both = own & theirs
        if (apart[both] <= tolerance).all():
            rows = np.array(sorted({0, len(frame_s) - 1} | {max(i + d, 0) for i, _ in at for d in (-1, 0)}))
            doubtful = ~own & ~(theirs & (apart <= tolerance))
            return replace(
                signals, offset_s=float(line.lag(0.0)), drift_ppm=1e6 * line.drift, offset_se_s=float(line.se(0.0)),
                drift_se_ppm=1e6 * line.drift_se, knots_camera_s=frame_s[rows], knots_lag_s=lag[rows],
                knots_se_s=se[rows], unsure=tuple(stretches(frame_s, doubtful)), steps=steps, accepted=True,
                reason=_reason(pairs, line, signals, apart[both]),
            )
        i = int(np.argmax(np.where(both, apart, -1)))
        problems = [
            f"sync: {_of(pairs)}: offset {1000 * line.lag(0.0):.0f} ± {1000 * line.se(0.0):.0f} ms, drift "
            f"{1e6 * line.drift:.0f} ± {1e6 * line.drift_se:.0f} ppm; by the signals {1000 * signals.offset_s:.0f} ± "
            f"{1000 * signals.offset_se_s:.0f} ms, {signals.drift_ppm:.0f} ± {signals.drift_se_ppm:.0f} ppm (turning "
            f"correlates {signals.correlation:.2f}): {1000 * apart[i]:.0f} ms apart at {frame_s[i]:.1f} s; needs "
            f"{1000 * tolerance:.0f} ms at most: a wrong moment, or frames dropped without stamps?"
        ]
    raise RecordingError(problems)


def fit_line(
    time_s: np.ndarray, lags_s: np.ndarray, stated: float, grain_s: float, tolerance_s: float, ends_s: np.ndarray
) -> Line:
    """Least squares through lags (P,) known to `grain_s` each, or more where they scatter more.

    The drift is `stated` where that is a number. Else it is the pairs', but kept at 0 where they tell it worse than a
    quartz is known to be right and it matters between `ends_s`.
    """
    count, centre = len(time_s), time_s.mean()
    away = time_s - centre
    if np.isfinite(stated):
        return Line(*_level(lags_s - stated * away, centre), stated, _scatter(lags_s - stated * away, 1, grain_s), 0.0)
    unknown = Line(
        *_level(lags_s, centre), 0.0, _scatter(lags_s, 1, grain_s), QUARTZ,
        f"drift unknown to ± {1e6 * QUARTZ:.0f} ppm, kept at 0",
    )
    if count < 2:
        return unknown
    drift = float(away @ lags_s / (away @ away))
    scatter = _scatter(lags_s - drift * away, 2, grain_s)
    drift_se = float(scatter * np.sqrt(count) / np.sqrt(away @ away))
    line = Line(*_level(lags_s, centre), drift, scatter, drift_se)
    harmless = (SURE_SE * line.se(ends_s) <= tolerance_s).all() and abs(drift) <= USUAL_DRIFT
    known = drift_se <= QUARTZ or abs(drift) > 3 * QUARTZ + 4 * drift_se
    return line if harmless or known else unknown


def _level(lags_s: np.ndarray, centre_s: float) -> tuple[float, float]:
    return float(lags_s.mean()), float(centre_s)


def _scatter(residuals_s: np.ndarray, fitted: int, grain_s: float) -> float:
    """Standard error of the mean of residuals (P,) after a fit of so many parameters, each known to `grain_s`."""
    count = len(residuals_s)
    spare = count - fitted
    seen = np.sqrt(((residuals_s - residuals_s.mean()) ** 2).sum() / spare) if spare > 0 else 0.0
    return float(max(seen, grain_s) / np.sqrt(count))


def _outliers(pairs: Pairs, lags_s: np.ndarray, tolerance_s: float) -> list[str]:
    """Every pair off the line that the most pairs agree with (the one of least drift, where several do)."""
    time, stated = pairs.camera_s, pairs.drift_ppm * 1e-6
    few = np.unique(np.linspace(0, len(time) - 1, min(len(time), MOST)).astype(int))
    i, j = (few[k] for k in np.triu_indices(len(few), 1))
    slopes = (lags_s[j] - lags_s[i]) / (time[j] - time[i])
    likely = np.abs(slopes) <= STEEPEST
    i, slopes = i[likely], slopes[likely]
    still = 0.0
    if np.isfinite(stated):
        i, slopes, still = i[:0], slopes[:0], stated
    through, slopes = np.append(i, few), np.append(slopes, np.full(len(few), still))
    off = lags_s - lags_s[through, None] - slopes[:, None] * (time - time[through, None])  # (lines, P)
    near = np.abs(off) <= tolerance_s + 1e-9
    best = np.lexsort((np.abs(slopes), -near.sum(1)))[0]
    good = near[best]
    degree = 0 if np.isfinite(stated) or good.sum() < 2 else 1
    off = off[best] - np.polyval(np.polyfit(time[good], off[best][good], degree), time)
    return [
        f"{pairs.places[k]} lies {1000 * off[k]:.0f} ms off the line of {good.sum()} of {len(good)} pairs; needs "
        f"{1000 * tolerance_s:.0f} ms at most: a wrong moment, or frames dropped without stamps?"
        for k in np.flatnonzero(~good)
    ]


def _of(pairs: Pairs) -> str:
    count = len(pairs.places)
    return f"{count} pairs" if count > 1 else pairs.places[0].removeprefix("sync: ")


def _reason(pairs: Pairs, line: Line, signals: Clock, apart_s: np.ndarray) -> str:
    """Where the clock comes from, and what the signals say of it."""
    if len(apart_s):
        check = f"the signals agree within {1000 * apart_s.max():.0f} ms"
    elif signals.accepted:
        check = "the signals are sure where it is not: nothing to compare"
    else:
        check = f"the signals cannot decide ({signals.reason})"
    differ = f"the clocks differ by {100 * line.drift:.2f} %" if abs(line.drift) > NO_QUARTZ else ""
    return "; ".join(filter(None, [f"clock of {_of(pairs)}", line.held, differ, check]))
