"""What a pose tracker makes of the video: keypoints with errors that remember, swaps, outliers and hidden points.

F frames, K keypoints, in the order of KEYPOINTS.
"""

import numpy as np
from scipy.signal import lfilter

from rbc.simulate.behaviour import Bout
from rbc.simulate.camera import Camera, Frames
from rbc.simulate.chance import inside, runs
from rbc.simulate.world import HIDDEN_IN, KEYPOINTS, World

PAIRS = (("ear_left", "ear_right"), ("paw_left", "paw_right"), ("hind_left", "hind_right"))
HARD = {"tail_tip": 1.5, "paw_left": 1.3, "paw_right": 1.3, "hind_left": 1.2, "hind_right": 1.2}
MISTAKEN = {"nose": "neck", "paw_left": "ear_left", "paw_right": "ear_right"}  # where a hidden point is written


def track(
    seen: np.ndarray, posture: dict, bouts: list[Bout], camera: Camera, frames: Frames, world: World,
    rng: np.random.Generator,
) -> np.ndarray:
    """(F, K, 3) x px, y px, likelihood, from true pixels (F, K, 2) and the posture (dict of (F,)) at the frames."""
    n, rate = len(seen), frames.rate_hz
    scale = camera.height / 1024
    error = rng.uniform(*world.error_px) * scale
    exposure = 1e-3 * rng.uniform(*world.exposure_ms)
    speed = np.linalg.norm(np.gradient(seen, axis=0), axis=2) * rate  # (F, K) px/s
    shape = np.stack([np.sin(posture["pitch"]), posture["head_yaw"], posture["bend"]], axis=1)  # (F, 3)
    covering = [b for b in bouts if b.behaviour in HIDDEN_IN or (b.behaviour == "rearing" and b.flag)]
    covered = inside(covering, frames.true_s)
    index = {name: i for i, name in enumerate(KEYPOINTS)}
    points, sure = np.empty((n, len(KEYPOINTS), 2)), np.empty((n, len(KEYPOINTS)))
    for k, name in enumerate(KEYPOINTS):
        size = error * HARD.get(name, 1.0) * rng.uniform(0.7, 1.1)
        wrong = _remembering(n, rng.uniform(*world.error_memory_s) * rate, rng) * size * 0.55
        wrong += 0.45 * size * rng.standard_t(4, (n, 2))
        wrong += world.posture_error * size * shape @ rng.normal(0, 1.5, (3, 2))
        wrong += 0.4 * exposure * speed[:, k, None] * rng.standard_normal((n, 2))
        likelihood = 1.0 - 0.04 * rng.beta(1, 6, n)
        unsure = rng.uniform(*(world.unsure_tail if name == "tail_tip" else world.unsure))
        bad = runs(n, unsure, *(np.array(world.unsure_s) * rate), rng)
        wrong[bad] *= 2.5
        likelihood[bad] = rng.beta(1.6, 3.0, bad.sum())
        points[:, k] = seen[:, k] + wrong
        far = runs(n, rng.uniform(*world.outliers), 1, 3, rng)
        points[far, k] += rng.normal(0, 70 * scale, (far.sum(), 2))
        likelihood[far & (rng.random(n) < 0.6)] *= 0.5
        if name in MISTAKEN:
            hidden = covered & runs(n, rng.uniform(*world.hidden), 0.15 * rate, 1.2 * rate, rng)
            there = seen[:, index[MISTAKEN[name]]] + 14 * scale * _remembering(n, 0.3 * rate, rng)
            points[hidden, k] = there[hidden]
            certain = runs(n, rng.uniform(*world.hidden_sure), 0.1 * rate, 0.4 * rate, rng)
            doubt = np.where(certain, rng.uniform(0.90, 0.99, n), rng.beta(1.3, 5, n))
            likelihood[hidden] = doubt[hidden]
        sure[:, k] = likelihood
    for left, right in PAIRS:
        swapped = runs(n, rng.uniform(*world.swaps), *world.swap_run, rng)
        both = [index[left], index[right]]
        points[np.ix_(swapped, both)] = points[np.ix_(swapped, both[::-1])]
    edge = np.array([camera.width - 1, camera.height - 1], float)
    outside = ((points < 0) | (points > edge)).any(axis=2)
    points = np.clip(points, 0.0, edge)
    sure = np.where(outside, np.minimum(sure, rng.beta(1.2, 8, sure.shape)), sure)
    return np.concatenate([points, np.clip(sure, 0.0, 1.0)[..., None]], axis=2)


def _remembering(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) noise of unit variance that forgets over `memory` samples."""
    keep = np.exp(-1.0 / max(memory, 0.5))
    return lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], rng.standard_normal((n, 2)), axis=0)
