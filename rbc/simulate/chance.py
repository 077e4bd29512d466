"""Random pieces that several modules share: independent streams by name, masks of runs, small rotations."""

import zlib

import numpy as np
from scipy.spatial.transform import Rotation


def stream(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and the names only, not on the order of use."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def runs(n: int, share: float, shortest: float, longest: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) bool: runs of `shortest` to `longest` samples that cover about `share` of all."""
    mean = 0.5 * (shortest + longest)
    count = rng.poisson(-np.log1p(-min(share, 0.99)) * n / mean)
    starts = rng.integers(0, max(n, 1), count)
    lengths = np.maximum(1, np.round(rng.uniform(shortest, longest, count))).astype(int)
    edges = np.zeros(n + 1, int)
    np.add.at(edges, starts, 1)
    np.add.at(edges, np.minimum(starts + lengths, n), -1)
    return np.cumsum(edges)[:n] > 0


def inside(bouts: list, time_s: np.ndarray) -> np.ndarray:
    """(T,) bool: is any of the bouts (with .start, .stop) going on at the times, which increase?"""
    mask = np.zeros(len(time_s), bool)
    for bout in bouts:
        mask[np.searchsorted(time_s, bout.start) : np.searchsorted(time_s, bout.stop)] = True
    return mask


def box_rotation(tilt_deg: float, rng: np.random.Generator) -> np.ndarray:
    """(3, 3) one of the 24 right-angled orientations of a box, tilted by up to `tilt_deg` about each axis."""
    square = Rotation.create_group("O").as_matrix()[rng.integers(24)].round()
    return Rotation.from_euler("xyz", rng.uniform(-tilt_deg, tilt_deg, 3), degrees=True).as_matrix() @ square
