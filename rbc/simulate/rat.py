"""What a movement draws from: the names of a posture, smooth weights, and a rat with its own size and tempo."""

import numpy as np

from rbc.simulate.world import MOTION

POSTURE = (
    "vx", "vy", "yaw", "lift", "surge", "pitch", "roll", "bend", "head_yaw", "head_pitch", "head_roll", "bob", "tail",
    "held", "stroke", "paw_left", "paw_right", "hind_left", "hind_right", "leg_left", "leg_right", "leg_shake",
)
DEG, MM = np.pi / 180, 1e-3


def smooth_step(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, with continuous second derivative between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (10.0 - 15.0 * x + 6.0 * x * x)


def bump(u: np.ndarray, length: float) -> np.ndarray:
    """Bell of area 1 (per s) on [0, length]."""
    x = np.clip(u / length, 0.0, 1.0)
    return 30.0 * (x * (1.0 - x)) ** 2 / length


class Rat:
    """Draws what a bout needs; lengths scale with `size`, rhythms with `tempo`."""

    def __init__(self, size: float, tempo: float, rng: np.random.Generator):
        self.size, self.tempo, self.rng = size, tempo, rng

    def draw(self, behaviour: str, name: str) -> float:
        return float(self.rng.uniform(*MOTION[behaviour][name]))

    def deg(self, behaviour: str, name: str) -> float:
        return self.draw(behaviour, name) * DEG

    def mm(self, behaviour: str, name: str) -> float:
        return self.draw(behaviour, name) * MM * self.size

    def rhythm(self, behaviour: str, name: str, u: np.ndarray) -> np.ndarray:
        """Phase (rad) of a rhythm whose rate wanders by a few per cent."""
        return self.phase(self.draw(behaviour, name) * self.tempo, u)

    def phase(self, rate_hz: float, u: np.ndarray) -> np.ndarray:
        slow, depth, start = self.rng.uniform(0.4, 1.2), self.rng.uniform(0.02, 0.08), self.rng.uniform(0, 2 * np.pi, 2)
        wander = depth / (2 * np.pi * slow) * np.sin(2 * np.pi * slow * u + start[0])
        return 2 * np.pi * rate_hz * (u + wander) + start[1]

    def side(self) -> int:
        return int(self.rng.integers(2)) * 2 - 1
