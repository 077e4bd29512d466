"""What the logger on the rat writes: specific force and angular rate of its mount, made wrong as real sensors are.

N samples at SIM_RATE_HZ, M samples of the logger. m/s² and rad/s.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import bilinear, butter, group_delay, lfilter, lfilter_zi

from rbc.simulate import body
from rbc.simulate.behaviour import Bout
from rbc.simulate.chance import box_rotation, runs
from rbc.simulate.rat import smooth_step
from rbc.simulate.world import GRAVITY, SIM_RATE_HZ, World


@dataclass(frozen=True)
class Clock:
    """Reading of the logger's clock at a true time: offset + drift + slow wander (amplitude s, period s, phase)."""

    offset_s: float
    drift_ppm: float
    wander: tuple[tuple[float, float, float], ...]

    def reading(self, true_s: np.ndarray) -> np.ndarray:
        slow = sum(a * np.sin(2 * np.pi * true_s / period + phase) for a, period, phase in self.wander)
        return self.offset_s + (1.0 + self.drift_ppm * 1e-6) * true_s + slow

    def true(self, reading_s: np.ndarray) -> np.ndarray:
        guess = (reading_s - self.offset_s) / (1.0 + self.drift_ppm * 1e-6)
        for _ in range(3):  # the wander is some ppm: each step gains five digits
            guess = guess + (reading_s - self.reading(guess))
        return guess


def draw_clock(world: World, first_true_s: float, rng: np.random.Generator) -> Clock:
    """A clock that reads 0, or in half of the sessions the logger's uptime, at `first_true_s`."""
    drift = rng.uniform(-world.drift_ppm, world.drift_ppm)
    wander = []
    for _ in range(2):
        period = 60 * rng.uniform(10, 30)
        # the rate wanders by `ppm`, so the reading by ppm * period / 2 pi
        amplitude = 0.5e-6 * rng.uniform(*world.wander_ppm) * period / (2 * np.pi)
        wander.append((amplitude, period, rng.uniform(0, 2 * np.pi)))
    clock = Clock(0.0, float(drift), tuple(wander))
    begin = rng.uniform(*world.uptime_s) if rng.random() < 0.5 else 0.0
    return Clock(float(begin - clock.reading(np.array(first_true_s))), float(drift), tuple(wander))


@dataclass(frozen=True)
class Recorded:
    time_s: np.ndarray
    """(M,) the logger's own stamps."""
    values: np.ndarray
    """(M, 6) acc m/s², gyro rad/s in sensor axes."""
    mounting: np.ndarray
    """(3, 3) sensor -> body, before slips."""
    delay_s: float
    """Of the sensor's low-pass filter."""
    rate_hz: float


def mount_motion(
    posture: dict, bouts: list[Bout], mount: str, size: float, world: World, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Specific force (N, 3) and angular rate (N, 3) at the mount in its axes, from its path and orientation alone."""
    lever = 1e-3 * rng.uniform(*world.lever_mm)
    if mount == "head":
        turned = body.head_rotation(posture)
        lean = np.deg2rad(rng.uniform(20, 50))
        place = body.head_origin(posture, size) + turned @ (lever * np.array([np.sin(lean), 0.0, np.cos(lean)]))
    else:
        turned = body.trunk_rotation(posture) @ _about_x(_slip(posture["time"], bouts, world, rng))
        place = body.trunk(posture, size)[1] + turned @ np.array([0.0, 0.0, lever])
    return specific_force(place, turned), angular_rate(turned)


def specific_force(place: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """(N, 3) what an accelerometer on the path (N, 3) with orientation (N, 3, 3) feels, m/s²: 1 g upwards at rest."""
    felt = np.zeros_like(place)
    felt[1:-1] = (place[2:] - 2 * place[1:-1] + place[:-2]) * SIM_RATE_HZ**2
    felt[:, 2] += GRAVITY
    return np.einsum("nij,ni->nj", turned, felt)


def angular_rate(turned: np.ndarray) -> np.ndarray:
    """(N, 3) rad/s in body axes of the orientations (N, 3, 3), by the rotation between the neighbours."""
    step = np.einsum("nji,njk->nik", turned[:-2], turned[2:])
    axis = 0.5 * np.stack(
        [step[:, 2, 1] - step[:, 1, 2], step[:, 0, 2] - step[:, 2, 0], step[:, 1, 0] - step[:, 0, 1]], axis=1
    )
    sine = np.linalg.norm(axis, axis=1)
    # axis is sin(angle) long; the angle is what turns in two samples
    stretch = np.where(sine > 1e-9, np.arcsin(np.minimum(sine, 1.0)) / np.maximum(sine, 1e-12), 1.0)
    inner = axis * stretch[:, None] * (0.5 * SIM_RATE_HZ)
    return np.concatenate([inner[:1], inner, inner[-1:]])


def _slip(time_s: np.ndarray, bouts: list[Bout], world: World, rng: np.random.Generator) -> np.ndarray:
    """(N,) angle of the harness about the long axis, rad: a slow drift and steps after grooming."""
    total = rng.uniform(*world.slip_deg) * rng.choice([-1, 1])
    angle = total * (time_s - time_s[0]) / (time_s[-1] - time_s[0])
    held = 0.0
    for bout in bouts:
        if bout.behaviour == "grooming" and rng.random() < world.slip_after_grooming:
            step = rng.uniform(*world.slip_step_deg) * (-np.sign(held) if abs(held) > 25 else rng.choice([-1, 1]))
            first = np.searchsorted(time_s, bout.stop - 0.5)
            angle[first:] += step * smooth_step((time_s[first:] - bout.stop + 0.5) / 0.8)
            held += step
    return np.deg2rad(angle)


def _about_x(angle: np.ndarray) -> np.ndarray:
    return body.rotation(np.zeros_like(angle), np.zeros_like(angle), angle)


def record(
    posture: dict, bouts: list[Bout], mount: str, size: float, world: World, clock: Clock, rng: np.random.Generator
) -> Recorded:
    """What the logger writes from the posture's first to its last sample."""
    force, rate = mount_motion(posture, bouts, mount, size, world, rng)
    return log(posture["time"], force, rate, mount, world, clock, rng)


def log(
    true_s: np.ndarray, force: np.ndarray, rate: np.ndarray, mount: str, world: World, clock: Clock,
    rng: np.random.Generator,
) -> Recorded:
    """What the logger writes of the specific force (N, 3) and angular rate (N, 3) of its mount at true times (N,)."""
    if mount == "back":
        force = _harness(force, world, rng)
    else:
        _tug(force, true_s, world, rng)
    mounting = box_rotation(world.box_deg, rng)  # v_sensor = v_body @ mounting
    signals = np.concatenate([force @ mounting, rate @ mounting], axis=1)
    rate_hz = float(rng.choice(world.imu_rates_hz))
    b, a = butter(2, min(rng.uniform(*world.low_pass_hz), 0.45 * rate_hz), fs=SIM_RATE_HZ)
    delay_s = float(group_delay((b, a), w=[1e-4])[1][0]) / SIM_RATE_HZ
    signals = lfilter(b, a, signals, axis=0, zi=lfilter_zi(b, a)[:, None] * signals[:1])[0]
    begin, end = clock.reading(true_s[[0, -1]])
    time_s = begin + np.arange(int((end - begin) * rate_hz)) / rate_hz
    sampled_s = clock.true(time_s)
    values = np.stack([np.interp(sampled_s, true_s, signals[:, i]) for i in range(6)], axis=1)
    values = _sensor(values, sampled_s - sampled_s[0], world, rng)
    lost = runs(len(time_s), rng.uniform(*world.loss), *(np.array(world.loss_burst_s) * rate_hz), rng)
    return Recorded(time_s[~lost], values[~lost], mounting, delay_s, rate_hz)


def _harness(force: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """The force through a springy harness (transmissibility of a base-excited mass); gravity passes unchanged."""
    w0, damping = 2 * np.pi * rng.uniform(*world.harness_hz), rng.uniform(*world.harness_damping)
    b, a = bilinear([2 * damping * w0, w0**2], [1.0, 2 * damping * w0, w0**2], fs=SIM_RATE_HZ)
    through = lfilter(b, a, force, axis=0, zi=lfilter_zi(b, a)[:, None] * force[:1])[0]
    return 0.5 * force + 0.5 * through


def _tug(force: np.ndarray, true_s: np.ndarray, world: World, rng: np.random.Generator) -> None:
    """Adds the cable's tugs, from above and aside."""
    minutes = (true_s[-1] - true_s[0]) / 60
    for begin in rng.uniform(true_s[0], true_s[-1], rng.poisson(rng.uniform(*world.tug_per_min) * minutes)):
        length = rng.uniform(0.05, 0.20)
        first, last = np.searchsorted(true_s, [begin, begin + length])
        pull = np.array([rng.normal(0, 0.5), rng.normal(0, 0.5), 1.0])
        pull *= rng.uniform(*world.tug_g) * GRAVITY / np.linalg.norm(pull)
        force[first:last] += np.sin(np.pi * (true_s[first:last] - begin) / length)[:, None] * pull


def _sensor(values: np.ndarray, age_s: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """(M, 6) with scale, cross-axis, bias with warm-up, noise, clipping and 16 bits."""
    out = []
    milli = GRAVITY / 1000
    for part, unit, bias, noise, limits in (
        (values[:, :3], milli, world.acc_bias_mg, world.acc_noise_mg, [1000 * g for g in world.acc_range_g]),
        (values[:, 3:], np.pi / 180, world.gyro_bias_deg_s, world.gyro_noise_deg_s, world.gyro_range_deg_s),
    ):
        mixed = rng.uniform(*world.cross_axis) * rng.choice([-1, 1], (3, 3))
        np.fill_diagonal(mixed, np.clip(rng.normal(0, rng.uniform(*world.scale_sd), 3), -0.03, 0.03))
        level = rng.uniform(*bias, 3) * rng.choice([-1, 1], 3) * unit
        warm = 1.0 - rng.uniform(*world.warm_up_share) * np.exp(-age_s / (60 * rng.uniform(*world.warm_up_min)))
        limit = float(rng.choice(limits)) * unit
        wrong = part + part @ mixed + warm[:, None] * level
        wrong += rng.uniform(*noise) * unit * rng.standard_normal(part.shape)
        out.append(np.round(np.clip(wrong, -limit, limit) / limit * 32767) * limit / 32767)
    return np.concatenate(out, axis=1)
