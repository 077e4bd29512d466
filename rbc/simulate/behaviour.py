"""What the rat does and when: bouts of a semi-Markov process, with overlaps, turns and a walk inside the arena.

Times are true seconds, zero at the exposure of the first video frame; the process starts earlier, with the logger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from rbc.simulate.sizes import Size
from rbc.simulate.world import ACTIVE, BOUTS, CALM, FOLLOWS, MOTION, World

WALL_MARGIN_M = 0.08
AS_USUAL: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Bout:
    behaviour: str
    start: float
    stop: float
    turn: float = 0.0
    """Change of heading in the bout, rad, positive to the left."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Displacement in the bout, m in the arena."""
    delay: float = 0.0
    """The displacement starts this long after the bout, s."""
    speed: float = 0.0
    """Mean speed of the displacement, m/s."""
    flag: bool = False
    """rearing: against a wall; walk: sniffs; aborted movements reach only part of their height."""

    @property
    def length(self) -> float:
        return self.stop - self.start


@dataclass(frozen=True)
class Habits:
    """What an animal on a day is like."""

    budget: dict[str, float]
    habituation_s: float
    aborted: float


def draw_habits(
    world: World, animal_rng: np.random.Generator, day_rng: np.random.Generator, factors: Mapping[str, float] = AS_USUAL
) -> Habits:
    """Habits with the animal's budgets (20 to 40 %) times the day's (10 to 20 %) times what is planted: how many times
    as readily it begins the behaviours in `factors`."""
    animal_sd, day_sd = animal_rng.uniform(*world.budget_sd), day_rng.uniform(*world.day_sd)
    budget = {}
    for name in BOUTS:
        animal = np.clip(animal_sd * animal_rng.standard_normal(), -0.6, 0.6)
        budget[name] = factors.get(name, 1.0) * float(np.exp(animal + day_sd * day_rng.standard_normal()))
    return Habits(budget, 60.0 * animal_rng.uniform(*world.habituation_min), animal_rng.uniform(*world.aborted))


class Place:
    """Where the rat stands; plans movements that stay inside the arena (half side in m)."""

    def __init__(self, half_m: float, rng: np.random.Generator):
        self.half = half_m
        self.rng = rng
        self.x, self.y = rng.uniform(-0.5, 0.5, 2) * half_m
        self.heading = rng.uniform(-np.pi, np.pi)
        self.start = (self.x, self.y, self.heading)

    def near_wall(self) -> bool:
        return max(abs(self.x), abs(self.y)) > self.half - 0.18

    def go(self, distance: float, curve: float, sharp: float) -> tuple[float, tuple[float, float], bool]:
        """(turn, shift, sharply turned?) of a movement over `distance`, straight on if there is room, else turned."""
        turns = [self.rng.normal(0.0, curve)]
        turns += list(self.rng.permutation([-1, 1]) * np.deg2rad(self.rng.uniform(*MOTION["turn"]["angle"], 2)))
        turns += [self._to_centre()]
        if self.rng.random() < sharp:
            turns = turns[1:] + turns[:1]
        for i, turn in enumerate(turns):
            # a small turn curves the path: it leads in the direction of its middle
            along = self.heading + (turn if abs(turn) >= np.deg2rad(35) else 0.5 * turn)
            x, y = self.x + distance * np.cos(along), self.y + distance * np.sin(along)
            if max(abs(x), abs(y)) < self.half - WALL_MARGIN_M or i == len(turns) - 1:
                break
        limit = self.half - WALL_MARGIN_M
        shift = (float(np.clip(x, -limit, limit) - self.x), float(np.clip(y, -limit, limit) - self.y))
        self.x, self.y, self.heading = self.x + shift[0], self.y + shift[1], self.heading + turn
        return float(turn), shift, bool(abs(turn) >= np.deg2rad(35))

    def _to_centre(self) -> float:
        away = np.arctan2(-self.y, -self.x) - self.heading
        return (away + np.pi) % (2 * np.pi) - np.pi


def draw_bouts(
    world: World, size: Size, habits: Habits, half_m: float, start_s: float, stop_s: float, rng: np.random.Generator
) -> tuple[list[Bout], tuple[float, float, float]]:
    """Bouts from `start_s` to `stop_s` in order of their start, and the first place (x m, y m, heading rad)."""
    place, names = Place(half_m, rng), list(BOUTS)
    bouts: list[Bout] = []
    now, before = start_s, "still"
    while now < stop_s:
        weights = [_weight(name, before, now, size, habits) for name in names]
        name = names[rng.choice(len(names), p=np.array(weights) / sum(weights))]
        length = _length(name, size, rng)
        aborted = name in ("rearing", "walk", "grooming", "stand_up") and rng.random() < habits.aborted
        if aborted:
            length *= rng.uniform(0.25, 0.5)
        added = _perform(name, now, length, world, size, place, rng)
        bouts += added
        now, before = max(b.stop for b in added), added[-1].behaviour if name == "still" else name
        if before == "turn_left" or before == "turn_right":
            before = "turn"
    return sorted((b for b in bouts if b.start < stop_s), key=lambda b: (b.start, b.behaviour)), place.start


def _weight(name: str, before: str, now: float, size: Size, habits: Habits) -> float:
    if name == before:
        return 0.0
    novelty = 0.75 + 0.6 * np.exp(-max(now, 0.0) / habits.habituation_s)
    factor = novelty if name in ACTIVE else 1.0 / novelty if name in CALM else 1.0
    return (BOUTS[name][4] * habits.budget[name] * factor) ** size.evenness * FOLLOWS.get((before, name), 1.0)


def _length(name: str, size: Size, rng: np.random.Generator) -> float:
    median, sigma, shortest, longest, _ = BOUTS[name]
    return float(np.clip(min(median, size.longest_median_s) * np.exp(sigma * rng.standard_normal()), shortest, longest))


def _perform(
    name: str, start: float, length: float, world: World, size: Size, place: Place, rng: np.random.Generator
) -> list[Bout]:
    """The bouts of one movement: the behaviour itself first, what overlaps it after."""
    stop = start + length
    if name == "walk":
        speed = rng.uniform(*world.walk_cm_s) / 100 * (2.0 if rng.random() < world.fast_walk else 1.0)
        turn, shift, sharp = place.go(min(speed * length, 1.5 * place.half), np.deg2rad(14), 0.35)
        if not sharp:
            return [_moved("walk", start, stop, shift, 0.0, turn, rng.random() < world.sniff_in_walk)]
        turning = _turn(turn, start - 0.1 * rng.random(), _length("turn", size, rng))
        delay = 0.6 * turning.length
        stop = max(stop, start + delay + 0.4)
        return [_moved("walk", start, stop, shift, delay, 0.0, rng.random() < world.sniff_in_walk), turning]
    if name == "local_search":
        speed = rng.uniform(*world.search_cm_s) / 100
        if rng.random() < world.turn_in_search and length > 1.0:
            turn, shift, sharp = place.go(min(speed * length, 0.15), np.deg2rad(12), 1.0)
            turning = _turn(turn, start + rng.uniform(0.1, 0.6) * length, _length("turn", size, rng))
            return [_moved(name, start, stop, shift, 0.0, 0.0)] + ([turning] if sharp else [])
        turn, shift, sharp = place.go(min(speed * length, 0.15), np.deg2rad(12), 0.0)
        if sharp:
            return [_moved(name, start, stop, shift, 0.0, 0.0), _turn(turn, start, _length("turn", size, rng))]
        return [_moved(name, start, stop, shift, 0.0, turn)]
    if name == "jump":
        turn, shift, sharp = place.go(rng.uniform(*MOTION["jump"]["forward"]) * length, np.deg2rad(8), 0.0)
        before = [_turn(turn, start, 0.45)] if sharp else []
        begin = start + (0.4 if sharp else 0.0)
        return before + [_moved(name, begin, begin + length, shift, 0.0, 0.0 if sharp else turn)]
    if name == "turn":
        turn, _, sharp = place.go(0.0, 0.0, 1.0)
        return [_turn(turn, start, length)] if sharp else [Bout("shuffle", start, stop)]
    if name == "rearing":
        rear = Bout(name, start, stop, flag=place.near_wall() and rng.random() < 0.8)
        if length > 1.0 and rng.random() < world.search_in_rearing:
            return [rear, Bout("local_search", start + rng.uniform(0.2, 0.5), stop - rng.uniform(0.1, 0.3), flag=True)]
        return [rear]
    if name == "still" and length > 2.0 and rng.random() < world.aiming_in_still:
        aim = _length("aiming", size, rng)
        return [Bout(name, start, stop), Bout("aiming", stop - min(aim, 0.8 * length), stop)]
    return [Bout(name, start, stop)]


def _turn(turn: float, start: float, length: float) -> Bout:
    # even a hurried rat turns its trunk at no more than about 450 degrees/s on average
    length = max(length, abs(turn) / np.deg2rad(450))
    return Bout("turn_left" if turn > 0 else "turn_right", start, start + length, turn=turn)


def _moved(
    name: str, start: float, stop: float, shift: tuple[float, float], delay: float, turn: float, flag: bool = False
) -> Bout:
    speed = float(np.hypot(*shift)) / max(stop - start - delay, 0.1)
    return Bout(name, start, stop, turn, shift, delay, speed, flag)
