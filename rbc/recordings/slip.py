"""How far a harness has rolled about the animal's long axis, from the roll of gravity while the animal moves.

A rat that moves leans to the left as it does to the right, so its median roll over a minute is the sensor's. Pitch
changes with what it does, and lying on one side is no movement. M samples, K moving seconds, T frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rbc.recordings.geometry import median

STEEP_DEG = 45.0  # of pitch, from which roll means little
WINDOW = 45
"""Moving seconds to each side over which medians are taken."""
NEAREST = 15  # moving seconds between two slips
LEAST_DEG = 8.0
LEAST_SE = 5.0
RATE_HZ = 10.0  # of samples, plenty for gravity
MEMORY = 10  # seconds after which a posture is another one
SHOWN = 4
HEADING_SE_DEG = 15.0  # the long axis is known no better: what looks like roll may be pitch


@dataclass(frozen=True)
class Roll:
    time_s: np.ndarray
    """(K,) IMU time …"""
    angle: np.ndarray
    """(K,) … and roll of the harness, rad."""
    slips: tuple[tuple[float, float], ...]
    """(time_s, angle) of each sudden change."""
    se: float
    """Standard error of these angles, rad."""

    def undone(self, time_s: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """(T, 3) vectors in body axes, at IMU times (T,), with the roll taken back."""
        angle = np.interp(time_s, self.time_s, self.angle)
        (x, y, z), cosine, sine = vectors.T, np.cos(angle), np.sin(angle)
        return np.stack([x, cosine * y - sine * z, sine * y + cosine * z], axis=1)

    def report(self, imu_s: np.ndarray, time_s: np.ndarray) -> dict:
        """What was found, as plain values, at times (T,) of the common clock that are imu_s (T,) of the IMU's."""
        slips = [{"time_s": round(float(np.interp(at, imu_s, time_s)), 1), "deg": round(float(np.rad2deg(angle)), 1)}
                 for at, angle in self.slips]  # fmt: skip
        roll_deg = float(np.rad2deg(np.ptp(self.angle)))
        return {"slips": slips, "slip_se_deg": float(np.rad2deg(self.se)), "roll_deg": roll_deg}


def find_roll(time_s: np.ndarray, up: np.ndarray, moving: np.ndarray) -> Roll | None:
    """The roll of upward directions (M, 3) in body axes at times (M,); None where the sensor holds, or where it rolls
    more than it pitches, as no body does."""
    seconds, roll, pitch = moving_seconds(time_s, up, moving)
    if len(roll) < 2 * WINDOW:
        return None
    noise, nodding = (1.4826 * median(np.abs(angle - _running(angle))) for angle in (roll, pitch))
    se = 1.2533 * noise * np.sqrt(2 * MEMORY / WINDOW)
    least = max(np.deg2rad(LEAST_DEG), LEAST_SE * se)
    places = _steps(roll, least)
    bounds = [0, *places, len(roll)]
    angle = np.concatenate([_running(roll[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)])
    if noise >= nodding or not places and np.ptp(angle) < least:
        return None
    slips = [(float(seconds[k - 1 : k + 1].mean()),
              float(np.median(roll[k:b][:WINDOW]) - np.median(roll[a:k][-WINDOW:])))
             for a, k, b in zip(bounds[:-2], places, bounds[2:], strict=True)]  # fmt: skip
    return Roll(seconds, angle, tuple(slips), float(se))


def slip_note(mounted: dict) -> str:
    """What a session's mounting says of slips, in words; '' where the sensor held."""
    if "slips" not in mounted:
        return ""
    shown = [f"{abs(slip['deg']):.0f}° at {slip['time_s']:.0f} s" for slip in mounted["slips"][:SHOWN]]
    more = [f"{len(mounted['slips']) - SHOWN} times more"] if len(mounted["slips"]) > SHOWN else []
    if not shown:
        return f"sensor rolled slowly, by {mounted['roll_deg']:.0f}°; taken back"
    return f"sensor slipped by {', '.join([*shown, *more])} (± {mounted['slip_se_deg']:.0f}°); taken back"


def slip_columns(mounted: dict) -> dict[str, float]:
    """How many slips, and over how much the harness rolled in all; NaN where that was not looked for."""
    known = mounted.get("heading_se_deg", np.inf) <= HEADING_SE_DEG
    return {"slips": len(mounted.get("slips", ())) if known else np.nan,
            "roll_deg": mounted.get("roll_deg", 0.0) if known else np.nan}  # fmt: skip


def moving_seconds(time_s: np.ndarray, up: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (K,) and median roll and pitch (K,), rad, of each second in which the animal mostly moves on its feet."""
    lying = np.arcsin(np.clip(np.abs(up[:, 0]), 0, 1)) > np.deg2rad(STEEP_DEG)
    steady = moving & ~lying & (up[:, 2] > 0)
    begins = np.flatnonzero(np.diff(np.floor(time_s - time_s[0]), prepend=-1.0, append=np.inf))
    angles = np.stack([np.arctan2(up[:, 1], up[:, 2]), np.arcsin(np.clip(-up[:, 0], -1, 1))], axis=1)
    found = [(time_s[a:b].mean(), *np.median(angles[a:b][steady[a:b]], axis=0))
             for a, b in zip(begins[:-1], begins[1:], strict=True) if steady[a:b].mean() > 0.5]  # fmt: skip
    return tuple(np.array(found).reshape(-1, 3).T)


def _running(angle: np.ndarray) -> np.ndarray:
    """(K,) median over a window to each side, as far as there is one."""
    return median(sliding_window_view(np.pad(angle, WINDOW, constant_values=np.nan), 2 * WINDOW + 1))


def _steps(roll: np.ndarray, least: float) -> list[int]:
    """Where the medians over windows to both sides differ by `least` or more, in order; the largest step first, then
    those in the parts to both sides of it."""
    places, parts = [], [(0, len(roll))]
    while parts:
        a, b = parts.pop()
        if b - a < 2 * NEAREST:
            continue
        medians = median(sliding_window_view(np.pad(roll[a:b], WINDOW, constant_values=np.nan), WINDOW))
        change = np.abs(medians[WINDOW:] - medians[:-WINDOW])[NEAREST : b - a - NEAREST + 1]
        k = a + NEAREST + int(np.argmax(change))
        if change.max() >= least:
            k = _edge(roll, max(k - WINDOW, a), k, min(k + WINDOW, b))
            places.append(k)
            parts += [(a, k), (k, b)]
    return sorted(places)


def _edge(roll: np.ndarray, a: int, k: int, b: int) -> int:
    """The place between a and b that best parts what is like the median before k from what is like that after it."""
    before, after = (np.abs(roll[a:b] - np.median(part)) for part in (roll[a:k], roll[k:b]))
    cost = np.cumsum([0.0, *before]) + np.cumsum([0.0, *after[::-1]])[::-1]
    return a + 1 + int(np.argmin(cost[1:-1]))
