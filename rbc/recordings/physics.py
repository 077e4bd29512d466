"""What no animal does: signals whose size betrays a wrong unit, and turning that camera and IMU see opposed.

Bias and scale errors of honest loggers reach 10 % of 1 g and 10 °/s, and a busy animal's calmest second may turn at
60 °/s; wrong units differ by a factor of nine or more.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from rbc.recordings.clock import LEAST_LEAD, LEAST_SCORE
from rbc.recordings.correlogram import Found, search
from rbc.recordings.geometry import clean_points, lengths
from rbc.recordings.motion import felt_turning, narrowed, seen_axes, turnings
from rbc.recordings.mounting import unrest
from rbc.recordings.raw import Raw
from rbc.recordings.resampling import known
from rbc.recordings.settings import Settings
from rbc.recordings.turning import Turning
from rbc.recordings.units import ACC_UNITS, GRAVITY, GYRO_UNITS, read_units

CALM_SHARE = 0.1
GRAVITY_WITHIN, BIAS_G = 0.25, 0.1
"""|acceleration| at rest off by more than the first is a wrong unit, by more than the second worth a note."""
REST_DEG_S, BIAS_DEG_S = 100.0, 10.0
"""The same of the rotation, which has a bias, in recordings of at least REST_WITHIN_S."""
REST_WITHIN_S = 60.0
FASTEST_DEG_S = 4000.0
"""No gyroscope that an animal wears measures more."""
GAIN = 10.0
"""Camera and gyroscope differ by more only where a unit is wrong."""
MIRRORED_LEAD = 1.3
"""So much better the mirrored turning must fit: less than among places, for both peaks are of one signal."""
RATE_ERROR = 3e-4
ACC_COUNTS = {f"lsb/{n} g": GRAVITY / n for n in (2048, 4096, 8192, 16384)}
GYRO_COUNTS = {f"lsb/{n:g} deg/s": np.pi / 180 / n for n in (16.4, 32.8, 65.5, 131)}


@dataclass(frozen=True)
class Rest:
    """The IMU over the calmest tenth of the seconds; NaN where it lacks the sensor."""

    acc_g: float
    """Median size of a second's mean acceleration."""
    turn_deg_s: float
    """Median size of a second's mean rotation."""
    peak_deg_s: float
    """Rotation that 99.9 % of all samples stay below."""
    length_s: float

    @property
    def note(self) -> str:
        """What is odd, though no proof of a wrong unit."""
        notes = []
        if abs(self.acc_g - 1) > BIAS_G:
            notes.append(f"|acceleration| at rest is {self.acc_g:.2f} g")
        if self.turn_deg_s > BIAS_DEG_S and self.length_s >= REST_WITHIN_S:
            notes.append(f"the gyroscope shows {self.turn_deg_s:.0f} °/s at rest")
        return "; ".join(notes)


NO_REST = Rest(float("nan"), float("nan"), float("nan"), 0.0)


def at_rest(raw: Raw) -> Rest:
    """How the IMU behaves while the animal keeps still."""
    if raw.imu is None or raw.imu.names[:3] != ("acc_x", "acc_y", "acc_z"):
        return NO_REST
    rate_hz = 1.0 / np.median(np.diff(raw.imu.time_s))
    there = np.isfinite(raw.imu.values).all(1)
    values = known(raw.imu.values, there)
    span = max(3, int(rate_hz))
    if len(values) < 2 * span:
        return NO_REST
    moved = unrest(values[:, 3:] if values.shape[1] == 6 else values, rate_hz)
    calm = moved <= np.quantile(moved, CALM_SHARE)
    level = np.stack([uniform_filter1d(column.astype(float), span)[calm] for column in values.T], axis=1)
    acc = float(np.median(lengths(level[:, :3])) / GRAVITY)
    turn = peak = float("nan")
    if values.shape[1] == 6:
        turn = float(np.degrees(np.median(lengths(level[:, 3:]))))
        peak = float(np.degrees(np.quantile(lengths(values[:, 3:]), 0.999)))
    return Rest(acc, turn, peak, len(values) / rate_hz)


def unit_problems(rest: Rest, units: str) -> list[str]:
    """What the cell `imu_units` says that cannot be, with the unit that it likely is."""
    problems = []
    stated = {sensor: unit.factor for sensor, unit in read_units(units)[0].items()}
    if abs(rest.acc_g - 1) > GRAVITY_WITHIN:
        factors = ACC_UNITS | ACC_COUNTS
        one_g = {name: rest.acc_g * factor / stated.get("acc", 1.0) for name, factor in factors.items()}
        likely = [name for name, size in one_g.items() if abs(size - 1) < GRAVITY_WITHIN][:1]
        guess = f"it looks like {likely[0]}" if likely else "wrong unit, or gravity was taken out"
        problems.append(f"imu_units {units!r}: at rest |acceleration| is {rest.acc_g:.4g} g; needs 1 g within "
                        f"{100 * GRAVITY_WITHIN:.0f} %: {guess}")  # fmt: skip
    restless = rest.turn_deg_s > REST_DEG_S and rest.length_s >= REST_WITHIN_S
    if restless or rest.peak_deg_s > FASTEST_DEG_S:
        factors = GYRO_UNITS | GYRO_COUNTS
        shrunk = {name: factor / stated.get("gyro", 1.0) for name, factor in factors.items()}
        likely = [
            name for name, by in sorted(shrunk.items(), key=lambda item: -item[1])
            if by < 0.9 and rest.turn_deg_s * by < BIAS_DEG_S and rest.peak_deg_s * by < FASTEST_DEG_S
        ][:1]
        guess = f"it looks like {likely[0]}" if likely else "wrong unit"
        problems.append(
            f"imu_units {units!r}: the gyroscope shows {rest.turn_deg_s:.4g} °/s at rest and {rest.peak_deg_s:.4g} °/s "
            f"at its fastest; needs less than {REST_DEG_S:g} and {FASTEST_DEG_S:g}: {guess}"
        )
    return problems


def turning_problems(raw: Raw, settings: Settings) -> list[str]:
    """Where camera and gyroscope agree on when the animal turns, but neither on the way nor on how fast."""
    axes = seen_axes(raw, settings.body_axis, settings.head_axis)
    felt = felt_turning(raw) if axes else None
    if felt is None:
        return []
    pairs = [_seen(raw, settings.min_likelihood, felt, {mount: axis}) for mount, axis in axes.items()]
    found = [(search(pair, RATE_ERROR), pair) for pair in pairs if enough(pair)]
    if not found:
        return []
    best, pair = max(found, key=lambda f: max(f[0].score, f[0].negative))
    if best.negative > max(MIRRORED_LEAD * best.score, LEAST_SCORE):
        return [
            f"the camera sees it turn against the gyroscope (agreement {best.score:.1f} deviations, mirrored "
            f"{best.negative:.1f}): left and right would swap; needs a video that is not mirrored (or x turned round "
            "in the pose file) and a right-handed gyroscope (or the signs turned round in the IMU file)"
        ]
    if best.score < LEAST_SCORE or best.score < LEAST_LEAD * best.runner_up:
        return []
    gain = _gain(pair, best)
    if 1 / GAIN < gain < GAIN:
        return []
    return [f"imu_units {raw.row.imu_units!r}: the camera sees it turn {gain:.3g} times as fast as the gyroscope says; "
            f"needs about 1: {'rad/s taken for deg/s' if gain > 1 else 'deg/s taken for rad/s'}?"]  # fmt: skip


def _seen(raw: Raw, min_likelihood: float, felt: Turning, axis: dict[str, tuple[str, str]]) -> Turning:
    """The turning of one axis by its mount."""
    raw = narrowed(raw, axis)
    return turnings(raw, clean_points(raw.tracks.points, min_likelihood), felt, axis).popitem()[1]


def enough(pair: Turning) -> bool:
    """Both sides long enough for a search, and the axis seen in a tenth of the frames, as clocks need."""
    if len(pair.frame_s) < 2 or len(pair.imu_s) < 2:
        return False
    return min(np.ptp(pair.frame_s), np.ptp(pair.imu_s)) >= 20.0 and np.isfinite(pair.seen()).mean() >= 0.1


def _gain(pair: Turning, found: Found) -> float:
    """Camera's turning per IMU's turning, over half a second each, where the search found them to agree."""
    lag = found.lag_s + found.rate * (pair.frame_s - found.centre_s)
    seen, felt = pair.seen(), pair.felt(lag)
    both = np.isfinite(seen) & np.isfinite(felt)
    block = np.floor(pair.frame_s[:-1] / 0.5).astype(int)
    block -= block.min()
    a, b = (np.bincount(block, np.where(both, x, 0.0)) for x in (seen, felt))
    return float((a * b).sum() / max((b * b).sum(), 1e-12))
