"""An animal's turning as the camera and as the IMU saw it.

N video frames, M samples of the IMU. The camera gives the direction of an axis (an angle per frame), the IMU a rate
about the vertical. What is compared is the *increment* from frame to frame, which both give exactly, whatever their
rates.
"""

from dataclasses import dataclass, replace

import numpy as np

SMOOTH_S = 0.25


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

    def part(self, frames: slice) -> "Turning":
        """With these frames alone; the IMU's side stays whole."""
        return replace(self, frame_s=self.frame_s[frames], angle=self.angle[frames])

    def seen(self) -> np.ndarray:
        """(N - 1,) increments of the angle, wrapped; NaN where an end is missing."""
        step = np.diff(self.angle)
        return (step + np.pi) % (2 * np.pi) - np.pi

    def felt(self, lag_s: np.ndarray | float) -> np.ndarray:
        """(N - 1,) the IMU's increments of the same intervals, for IMU time = frame time + lag; NaN without samples."""
        return np.diff(np.interp(self.frame_s + lag_s, self.imu_s, self.turned, left=np.nan, right=np.nan))

    def smoothed(self, lag_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """What both sides saw at these lags (N,) over SMOOTH_S, each (N - 1,), NaN where less than 80 % of it is there,
        and how many frames that are."""
        seen, felt = self.seen(), self.felt(lag_s)
        span = max(1, int(round(SMOOTH_S / np.median(np.diff(self.frame_s)))))
        both = np.isfinite(seen) & np.isfinite(felt)
        enough = np.convolve(both, np.ones(span), "same") > 0.8 * span
        sums = (np.convolve(np.where(both, x, 0.0), np.ones(span), "same") for x in (seen, felt))
        a, b = (np.where(enough, x, np.nan) for x in sums)
        return a, b, span


def turning(
    frame_s: np.ndarray, angle: np.ndarray, imu_s: np.ndarray, rate: np.ndarray, longest_gap_s: float
) -> Turning:
    """Turning of an angle (N,) and a rate about the vertical (M,) rad/s; stretches longer than `longest_gap_s` without
    samples count as lost."""
    step = np.diff(imu_s, prepend=imu_s[0])
    turned = np.cumsum(step * np.concatenate([rate[:1], (rate[1:] + rate[:-1]) / 2]))
    gaps = np.flatnonzero(step > longest_gap_s)
    if not len(gaps):
        return Turning(frame_s, angle, imu_s, turned)
    middles = (imu_s[gaps] + imu_s[gaps - 1]) / 2
    # one missing value in the middle makes everything between the two samples missing
    return Turning(frame_s, angle, np.insert(imu_s, gaps, middles), np.insert(turned, gaps, np.nan))
