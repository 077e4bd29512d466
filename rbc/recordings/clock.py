"""The IMU's clock seen from the camera's: offset, drift, steps where frames were dropped, and how sure all that is.

N video frames, P parameters of the mapping, G knots. IMU time = camera time + lag; the lag is a straight line, plus a
slow wander in long recordings, plus steps. It is found by rbc.recordings.correlogram and refined by robust least
squares on the frame-to-frame increments of the animal's turning, so that the error is a fraction of a frame.
"""

from dataclasses import dataclass, replace

import numpy as np

from rbc.recordings.correlogram import Found, search
from rbc.recordings.steps import NO_QUARTZ, Followed, follow, stretches
from rbc.recordings.turning import Turning

MAX_RATE = 1e-3
"""29.97 taken for 30."""
QUARTZ_RATE, WIDEST_RATE = 3e-4, 5.1e-2
"""Of two quartzes, which most recordings have; of a counter of samples whose rate is only nominal."""
STEADY, BETTER = 0.2, 1.1
"""A line on which every third of the video agrees so well is not sought elsewhere; another one is the better where it
explains so many times more."""
LEAST_SCORE, LEAST_LEAD = 9.0, 1.8
"""The search's peak stands this many deviations high, and this far above any other."""
LEAST_SURE = 0.2
"""Share of the frames that both share in which the clock must be known."""
LOOSE_S, LOOSE_UNSTAMPED_S = 180.0, 480.0
"""Where a clock is no quartz so much is needed, and where frames may have been dropped beside."""
KNOT_S = 30.0


@dataclass(frozen=True)
class Clock:
    offset_s: float
    """IMU time minus camera time at camera time 0 (first segment)."""
    drift_ppm: float
    offset_se_s: float
    drift_se_ppm: float
    """The drift is kept at 0 where this exceeds 30 ppm."""
    knots_camera_s: np.ndarray
    """(G,) increasing; a step lies between two neighbouring frames."""
    knots_lag_s: np.ndarray
    """(G,) IMU time minus camera time."""
    knots_se_s: np.ndarray
    """(G,) standard error of the mapping."""
    unsure: tuple[tuple[float, float], ...]
    """Stretches of camera time in which the error may exceed 20 ms."""
    steps: tuple[tuple[float, float], ...]
    """(camera time, size s) of the steps."""
    correlation_before: float
    """Of turning, smoothed over 0.25 s, as if both recordings had begun together."""
    correlation: float
    """The same on this clock."""
    accepted: bool
    reason: str

    def camera_to_imu(self, time_s: np.ndarray) -> np.ndarray:
        """IMU time at camera times; beyond the ends the lag stays."""
        return time_s + np.interp(time_s, self.knots_camera_s, self.knots_lag_s)

    def sure(self, time_s: np.ndarray) -> np.ndarray:
        """bool per camera time: the clock is trusted there."""
        time_s = np.asarray(time_s, float)
        starts, stops = np.sort(np.reshape(self.unsure, (-1, 2)), axis=0).T
        begun, over = np.searchsorted(starts, time_s, "right"), np.searchsorted(stops, time_s)
        return (begun == over) & self.accepted


def same_clock() -> Clock:
    """The clock of recordings that share one."""
    zero = np.zeros(1)
    return Clock(0.0, 0.0, 0.0, 0.0, zero, zero, zero, (), (), np.nan, np.nan, True, "one clock")


def refused(reason: str, correlation_before: float = np.nan, correlation: float = np.nan) -> Clock:
    """A clock that is sure nowhere."""
    return replace(
        same_clock(), accepted=False, reason=reason, offset_se_s=np.nan, drift_se_ppm=np.nan,
        correlation_before=correlation_before, correlation=correlation,
    )


def estimate_clock(pair: Turning, *, stamped: bool, min_correlation: float) -> Clock:
    """The clock of a pair of recordings; refused, with the reason, where the evidence does not carry it.

    Without time stamps (`stamped` False) dropped frames are steps: the lag grows at once.
    """
    problem = _too_little(pair)
    if problem:
        return refused(problem)
    before = correlation(pair, np.full(len(pair.frame_s), pair.imu_s[0] - pair.frame_s[0]))
    found = search(pair, QUARTZ_RATE)
    if found.score < LEAST_SCORE or min(found.agreements) < STEADY:
        other = search(pair, WIDEST_RATE)
        found = other if other.product > BETTER * found.product else found
    if found.negative > max(found.score, LEAST_SCORE):
        return refused("the camera sees it turn the other way: is the video mirrored, or an axis flipped?", before)
    if found.score < LEAST_SCORE or found.score < LEAST_LEAD * found.runner_up:
        return refused(
            f"turning agrees nowhere clearly: best match {found.score:.1f} deviations high, needed {LEAST_SCORE:g}; "
            f"elsewhere {found.runner_up:.1f}", before,
        )
    whole, pair = pair, _shared(pair, found)
    clock = _clock(pair, follow(pair, found, stamped), before, whole.frame_s)
    if stamped and clock.steps:
        told = ", ".join(f"{1000 * size:+.0f} ms at {time:.1f} s" for time, size in clock.steps[:5])
        clock = replace(clock, reason="; ".join(filter(None, [clock.reason, f"steps that no stamp explains: {told}"])))
    if not clock.correlation >= min_correlation:
        seen = f"turning correlates {clock.correlation:.2f} on the best clock; needed {min_correlation:g}"
        return refused(seen, before, clock.correlation)
    length, needed = np.ptp(pair.frame_s), LOOSE_S if stamped else LOOSE_UNSTAMPED_S
    if abs(clock.drift_ppm) > 1e6 * NO_QUARTZ and length < needed:
        frames = "" if stamped else " of frames without stamps, which may have been dropped,"
        seen = f"{clock.reason}: {length:.0f} s{frames} do not tell that well enough; needed {needed:.0f} s"
        return refused(seen, before, clock.correlation)
    sure = clock.sure(pair.frame_s).mean()
    if sure < LEAST_SURE:
        return refused(f"the clock is sure in {100 * sure:.0f} % of the frames; needed {100 * LEAST_SURE:g} %", before)
    return clock


def _shared(pair: Turning, found: Found) -> Turning:
    """The part of the video during which the IMU was running."""
    imu_s = pair.frame_s + found.lag_s + found.rate * (pair.frame_s - found.centre_s)
    return pair.part(slice(np.searchsorted(imu_s, pair.imu_s[0]), np.searchsorted(imu_s, pair.imu_s[-1], "right")))


def _too_little(pair: Turning) -> str:
    seen = np.isfinite(pair.seen()).mean() if len(pair.angle) > 1 else 0.0
    length = min(np.ptp(pair.frame_s), np.ptp(pair.imu_s)) if len(pair.frame_s) > 1 and len(pair.imu_s) > 1 else 0.0
    if length < 20.0:
        return f"recordings of {length:.0f} s are too short for a clock; needed 20 s"
    if seen < 0.1:
        return f"the body axis is seen in {100 * seen:.0f} % of the frames; needed 10 %"
    return ""


def correlation(pair: Turning, lag_s: np.ndarray) -> float:
    """Of the turning that camera and IMU saw at these lags (N,), each over 0.25 s."""
    seen, felt, span = pair.smoothed(lag_s)
    a, b = (x[np.isfinite(seen)] for x in (seen, felt))
    enough = len(a) >= 10 * span and a.std() > 0 and b.std() > 0
    return float(np.corrcoef(a, b)[0, 1]) if enough else float("nan")


def _clock(pair: Turning, found: Followed, before: float, frame_s: np.ndarray) -> Clock:
    """The clock of a lag fitted to a pair, taken as accepted; of all frames, at
    `frame_s` (N,), some may lie outside the IMU's recording."""
    time, line = pair.frame_s, found.line
    rows = set(np.linspace(0, len(time) - 1, 2 + int(np.ptp(time) / KNOT_S)).astype(int))
    rows = np.array(sorted(rows | {i + d for i, _ in found.steps for d in (-1, 0)}))
    reason = f"drift unknown to ± {1e6 * line.drift_se:.0f} ppm, kept at 0" if line.drift == 0.0 else ""
    if abs(line.drift) > NO_QUARTZ:
        reason = f"the clocks differ by {100 * line.drift:.2f} %"
    outside = stretches(frame_s, (frame_s < time[0]) | (frame_s > time[-1]))
    return Clock(
        line.offset_s, line.drift * 1e6, line.offset_se_s, line.drift_se * 1e6, time[rows], line.lag_s[rows],
        line.se_s[rows], tuple(sorted((*found.unsure, *outside))),
        tuple((float(time[i]), size) for i, size in found.steps), before,
        correlation(pair, line.lag_s), True, reason,
    )
