"""How the IMU sits on the body: which way is up in its axes, how fast it turns about that, and sensor -> body axes.

M samples of the IMU. acc (M, 3) m/s², the specific force (1 g upwards at rest); gyro (M, 3) rad/s.
Body axes: x forward, y left, z up, for the posture that the animal holds most of the time on its feet.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from rbc.recordings.geometry import lengths, median

GRAVITY = 9.81
UP_CUTOFF_HZ = 0.15
QUIET_SHARE = 0.3
PLANE_HZ = (0.5, 5.0)
PITCHES_WITHIN_DEG = 25.0
"""A head nods more than it rolls, so the axis in which its tilt varies is a second, sharper estimate of its heading;
it is taken where it lies this near the first."""
STRETCH_S = 20.0
BLOCK, BLOCKS = 512, 128
"""Samples whose rotations are multiplied before rounding is mended, and how many such blocks are held at a time."""


@dataclass(frozen=True)
class Mounting:
    rotation: np.ndarray
    """(3, 3) sensor -> body: v_body = rotation @ v_sensor."""
    heading_se_deg: float
    """Standard error of the turn about the vertical."""
    coherence: float
    """Of the horizontal acceleration with that of the tracked body, 0 to 1."""


def rest_rate(gyro: np.ndarray, rate_hz: float) -> np.ndarray:
    """(3,) what the gyroscope shows at rest, rad/s: its median over the calmest tenth of the recording."""
    moved = unrest(gyro, rate_hz)
    return np.median(gyro[moved <= np.quantile(moved, 0.1)].astype(float), axis=0)


def unrest(signal: np.ndarray, rate_hz: float, rest: np.ndarray | float = 0.0) -> np.ndarray:
    """(M,) variance of a signal (M, 3), less what it shows at rest, over a second each, summed over its axes."""
    span = max(3, int(rate_hz))
    total = np.zeros(len(signal))
    for column, level in zip(signal.T, np.broadcast_to(rest, 3), strict=True):
        column = column.astype(float)
        column -= level
        mean = uniform_filter1d(column, span)
        total += uniform_filter1d(np.square(column, out=column), span) - np.square(mean, out=mean)
    return total


def orientations(
    gyro: np.ndarray, time_s: np.ndarray, rest: np.ndarray | float = 0.0
) -> Iterator[tuple[slice, np.ndarray]]:
    """(M, 3, 3) sensor -> an inertial frame that drifts slowly, by integrating the rate (M, 3), less that at rest, over
    the times (M,), as (rows, their matrices) of one stretch after the other."""
    start = np.eye(3)
    for begin in range(0, len(gyro), BLOCK * BLOCKS):
        rows = slice(begin, min(begin + BLOCK * BLOCKS, len(gyro)))
        before = slice(max(begin - 1, 0), rows.stop)
        step_s = np.diff(time_s[before], prepend=time_s[:1] if begin == 0 else [])
        rate = gyro[before] - rest
        middle = (rate[1:] + rate[:-1]) / 2
        turn = np.zeros((-(-len(step_s) // BLOCK) * BLOCK, 3))
        turn[: len(step_s)] = np.concatenate([rate[:1], middle] if begin == 0 else [middle]) * step_s[:, None]
        steps = rotation_of(turn).reshape(-1, BLOCK, 3, 3)
        for i in range(1, BLOCK):
            steps[:, i] = steps[:, i - 1] @ steps[:, i]
        for block in steps:
            last = start @ block[-1]
            block[:] = start @ block
            # rounding would unmake the rotation in long recordings
            u, _, v = np.linalg.svd(last)
            start = u @ v
        yield rows, steps.reshape(-1, 3, 3)[: len(step_s)]


def rotation_of(turn: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotation matrices of rotation vectors (N, 3) in rad (Rodrigues)."""
    angle = np.linalg.norm(turn, axis=1)
    axis = turn / np.maximum(angle, 1e-12)[:, None]
    cross = np.zeros((len(turn), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= np.swapaxes(cross, 1, 2)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)


def up_direction(
    time_s: np.ndarray, acc: np.ndarray, gyro: np.ndarray | None, rest: np.ndarray | float = 0.0
) -> np.ndarray:
    """(M, 3) unit vector upwards in sensor axes, at the samples' times (M,); rest (3,), what the gyroscope shows then.

    The acceleration is low-passed in a frame that the gyroscope keeps from turning, so that gravity stands still while
    the animal rears and turns; without a gyroscope it is low-passed as it is. No NaN in the inputs (fill_gaps).
    """
    rate_hz = 1.0 / np.median(np.diff(time_s))
    sos = butter(1, UP_CUTOFF_HZ if gyro is not None else 0.8, fs=rate_hz, output="sos")
    up = np.array(acc, float)
    if gyro is not None:
        for rows, turned in orientations(gyro, time_s, rest):
            up[rows] = np.einsum("nij,nj->ni", turned, up[rows])
    for column in up.T:
        column[:] = sosfiltfilt(sos, column)
    if gyro is not None:
        for rows, turned in orientations(gyro, time_s, rest):
            up[rows] = np.einsum("nji,nj->ni", turned, up[rows])
    up /= np.maximum(lengths(up), 1e-9)[:, None]
    return up


def level_rotation(up: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """(3, 3) the smallest rotation that takes the usual upward direction (M, 3) over `quiet` samples to the z axis."""
    usual = median(up[quiet], axis=0)
    # the posture held longest, not the mean with rearing in it
    for _ in range(5):
        close = up[quiet] @ (usual / np.linalg.norm(usual)) > np.cos(np.deg2rad(25))
        if close.sum() < 20:
            break
        usual = up[quiet][close].mean(0)
    usual = usual / np.linalg.norm(usual)
    axis = np.cross(usual, [0.0, 0.0, 1.0])
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        return np.eye(3) if usual[2] > 0 else np.diag([1.0, -1.0, -1.0])
    return rotation_of(axis[None] / sine * np.arctan2(sine, usual[2]))[0]


def quiet_samples(
    acc: np.ndarray, gyro: np.ndarray | None, rate_hz: float, rest: np.ndarray | float = 0.0
) -> np.ndarray:
    """(M,) bool: the calmer share of the recording, over a second each."""
    moved = unrest(acc, rate_hz) if gyro is None else unrest(gyro, rate_hz, rest)
    return moved <= np.quantile(moved, QUIET_SHARE)


def fit_heading(
    moved: np.ndarray, lean: np.ndarray, paths: Iterable[np.ndarray], angle: np.ndarray, rate_hz: float, nods: bool
) -> Mounting | None:
    """The rest of the mounting: the turn about the vertical from levelled sensor axes to body axes; None without data.

    moved m/s², the acceleration without gravity, and lean, the upward direction, are x + iy (T,) in levelled sensor axes
    on a grid of `rate_hz`; paths, complex (T,) px of points of the body, y up; angle (T,) rad of the body axis; NaN
    where missing. In the plane the acceleration that is felt, turned by the angle, must be that of a tracked point plus
    a lever arm; the point that agrees best is used. `nods` says that tilt is mostly pitch, as on a head.
    """
    best = None
    axis = np.exp(1j * angle)
    for path in paths:
        there = np.isfinite(moved) & np.isfinite(path) & np.isfinite(angle)
        if there.sum() < 20 * rate_hz:
            continue
        sos = butter(2, PLANE_HZ, "bandpass", fs=rate_hz, output="sos")
        felt = _band(sos, moved * axis, there)
        seen, lever = (np.gradient(np.gradient(_band(sos, x, there))) for x in (path, axis))
        seen *= rate_hz**2
        lever *= rate_hz**2
        weight = there / (1 + np.abs(seen) ** 2 / (4 * np.median(np.abs(seen[there]) ** 2)))
        stretch = (np.arange(len(there)) / (STRETCH_S * rate_hz)).astype(int)
        a, b, c = (_sums(weight, x, y, stretch) for x, y in ((seen, seen), (seen, lever), (lever, lever)))
        d, e = (_sums(weight, x, felt, stretch) for x in (seen, lever))
        gain = _gain(*(x.sum() for x in (a, b, c, d, e)))
        coherence = abs(d.sum()) / np.sqrt(a.sum().real * (weight * np.abs(felt) ** 2).sum() + 1e-12)
        del felt, seen, lever, weight, stretch  # of a day hundreds of MB each, and the next path is as long
        if best is None or coherence > best[0]:
            used = np.flatnonzero(a.real > 0)
            # leave out one stretch at a time
            others = [_gain(*(x.sum() - x[i] for x in (a, b, c, d, e))) for i in used]
            turns = np.angle(np.array(others) / gain)
            se = np.sqrt((len(used) - 1) / max(len(used), 1) * (turns**2).sum()) if len(used) > 2 else np.pi
            best = (coherence, -np.angle(gain), se)
    if best is None:
        return None
    coherence, turn, se = best
    if nods:
        lean = lean[np.isfinite(lean)]
        pitch = -np.angle(((lean - lean.mean()) ** 2).sum()) / 2
        pitch += np.pi * (np.cos(pitch - turn) < 0)
        if np.cos(pitch - turn) > np.cos(np.deg2rad(PITCHES_WITHIN_DEG)):
            turn = pitch
    return Mounting(rotation_of(np.array([[0.0, 0.0, turn]]))[0], float(np.rad2deg(se)), float(coherence))


def _band(sos: np.ndarray, signal: np.ndarray, there: np.ndarray) -> np.ndarray:
    rows, out = np.arange(len(signal), dtype=float), np.empty(len(signal), complex)
    known = rows[there]
    out.real = sosfiltfilt(sos, np.interp(rows, known, signal.real[there]))
    out.imag = sosfiltfilt(sos, np.interp(rows, known, signal.imag[there]))
    return out


def _sums(weight: np.ndarray, x: np.ndarray, y: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Of weight x* y over each stretch."""
    values = np.conj(x)
    values *= weight
    values *= y
    return np.bincount(stretch, values.real) + 1j * np.bincount(stretch, values.imag)


def _gain(a: complex, b: complex, c: complex, d: complex, e: complex) -> complex:
    """Coefficient of the tracked point's acceleration in a least-squares fit with the lever arm."""
    determinant = a * c - b * np.conj(b)
    return (d * c - b * e) / determinant if abs(determinant) > 1e-12 * abs(a * c) else d / max(abs(a), 1e-12)
