"""What a human writes down: late, imprecise, missing some bouts, merging close ones, mistaking a few.

Times are seconds of video playback. A marked bout is (behaviour, start, stop).
"""

from dataclasses import dataclass

import numpy as np

from rbc.simulate.world import BEHAVIOURS, CONFUSED, PACE, TIMING, World

Marked = tuple[str, float, float]


@dataclass(frozen=True)
class Annotator:
    missed: float
    missed_short: float
    confused: float
    late: float
    error: float


def draw_annotator(world: World, rng: np.random.Generator) -> Annotator:
    """The habits of one person, the same in every session."""
    ranges = (world.missed, world.missed_short, world.confused, world.late_factor, world.error_factor)
    return Annotator(*(float(rng.uniform(*pair)) for pair in ranges))


def annotate(
    bouts: list[Marked], spans: list[tuple[float, float]], scored: tuple[str, ...], who: Annotator, world: World,
    rate_hz: float, rng: np.random.Generator,
) -> list[Marked]:
    """Bouts as `who` marks them inside the spans, in order; bouts of one behaviour never touch or overlap."""
    marked: dict[str, list[tuple[float, float]]] = {name: [] for name in BEHAVIOURS}
    names = sorted({name for name, _, _ in bouts})
    # a short gap is not seen at all, however well the boundaries beside it are placed
    true = {name: _merge([(a, b) for known, a, b in bouts if known == name], world.merged_gap_s) for name in names}
    for name, start, stop in ((name, *bout) for name in names for bout in true[name]):
        unlisted = name not in marked
        if not unlisted and rng.random() < (who.missed_short if stop - start < world.short_s else who.missed):
            continue
        # what is in no list is mostly left out, and sometimes taken for what it resembles
        if name in CONFUSED and rng.random() < who.confused * (2.0 if unlisted else 1.0):
            name = CONFUSED[name][rng.integers(len(CONFUSED[name]))]
        if name not in marked:
            continue
        error, late = TIMING[PACE[name]]
        start, stop = _boundaries(start, stop, error * who.error, late * who.late, 2 / rate_hz, rng)
        marked[name].append((start, stop))
    out = []
    for name in scored:
        for start, stop in _merge(marked[name], world.merged_gap_s):
            for first, last in spans:
                a, b = (np.round(np.clip(edge, first, last) * rate_hz) / rate_hz for edge in (start, stop))
                if b - a > 0.5 / rate_hz:
                    out.append((name, float(a), float(b)))
    return sorted(out, key=lambda bout: (bout[1], bout[0]))


def _boundaries(
    start: float, stop: float, error: float, late: float, shortest: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Start and stop as marked. `error` is the mean absolute one; no boundary passes the middle of its bout."""
    half = 0.5 * (stop - start)
    sd = error * np.sqrt(np.pi / 2)
    begin = start + np.clip(rng.normal(late, sd), -2.5 * sd, half)
    end = stop + np.clip(rng.normal(0.0, sd), -0.7 * half, 2.5 * sd)
    return float(begin), float(max(end, begin + shortest))


def _merge(bouts: list[tuple[float, float]], gap_s: float) -> list[tuple[float, float]]:
    """Bouts with those joined whose gap is below `gap_s`."""
    out: list[tuple[float, float]] = []
    for start, stop in sorted(bouts):
        if out and start - out[-1][1] < gap_s:
            out[-1] = (out[-1][0], max(stop, out[-1][1]))
        else:
            out.append((start, stop))
    return out
