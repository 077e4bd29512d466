"""Which of several tracked animals wears the IMU: the one that the camera sees turn as the gyroscope feels it turn.

N video frames, A animals, B blocks of a second.
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import label

from rbc.recordings import clock as clocks
from rbc.recordings import geometry
from rbc.recordings import motion as motions
from rbc.recordings.clock import LEAST_LEAD, LEAST_SCORE, WIDEST_RATE
from rbc.recordings.correlogram import search
from rbc.recordings.deeplabcut import Tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.physics import RATE_ERROR, enough
from rbc.recordings.raw import Raw
from rbc.recordings.settings import Settings
from rbc.recordings.steps import follow
from rbc.recordings.syncline import sync_clock
from rbc.recordings.turning import Turning

LEAD = 0.15
"""So much more another animal's turning correlates, over the whole recording, where it is the wearer."""
BLOCK_S = 1.0
MOST_EVIDENCE = 4.0
"""Of one block, for or against an animal (log-likelihood ratio): now and then a tracker is wrong for as long."""
LEAST_SCALE = 1e-3
"""rad, of smoothed turning: no tracker is better."""
CHANGE = 20.0
"""Minus the log-probability that a tracker swaps two animals between two blocks: there and back costs 40, and the best
stretch of another animal in 108 pairs of simulated recordings of 4 to 8 min reached 25."""
SWAPPED, DOUBTFUL = 0.99, 0.05
"""A swap is a stretch in which the chance of another animal exceeds the second throughout and the first somewhere."""


def settle(raw: Raw, settings: Settings) -> Raw:
    """The recording with the tracks of the animal that wears the IMU, missing where the tracker took another for it.

    That animal is the row's `individual`; where it names none, the one whose turning correlates clearly best.
    Unchanged where one animal is tracked, where no axis is asked for, and where the named one cannot be compared.
    Raises RecordingError, with everyone's correlation, where another animal fits clearly better than the named one, and
    where none is named and none fits clearly.
    """
    tracks, named = raw.tracks, raw.row.individual
    if tracks is None or not tracks.others or not settings.body_axis:
        return raw
    everyone, where = {tracks.individual: tracks.points, **tracks.others}, f"session {raw.row.session}: individual"
    needs = f"needs one of {', '.join(everyone)}: the animal that wears the IMU"
    felt, axes = motions.felt_turning(raw), motions.seen_axes(raw, settings.body_axis, settings.head_axis)
    if felt is None or not axes:
        if named:
            return raw
        raise RecordingError(f"{where} is empty, and no gyroscope or no axis of the body is there to tell by; {needs}")
    by_mount = {
        name: motions.turnings(raw, geometry.clean_points(points, settings.min_likelihood), felt, axes)
        for name, points in everyone.items()
    }
    try:
        lag_s, pairs = _compare(raw, by_mount)
    except RecordingError as error:
        if named:
            return raw
        raise RecordingError([f"{where} is empty, and {problem}; {needs}" for problem in error.problems]) from None
    alike = {name: float(np.nan_to_num(clocks.correlation(pair, lag_s))) for name, pair in pairs.items()}
    best, second = sorted(alike, key=alike.get, reverse=True)[:2]
    seen = "turning correlates with the gyroscope's: " + ", ".join(f"{name} {r:.2f}" for name, r in alike.items())
    if named and alike[best] < settings.min_clock_correlation:
        return raw
    if not named and alike[best] < max(alike[second] + LEAD, settings.min_clock_correlation):
        raise RecordingError(f"{where} is empty, and {seen}; {needs}")
    if named and alike[best] >= alike[named] + LEAD:
        raise RecordingError(f"{where} {named!r}: {seen}; {needs}: {best}?")
    worn = named or best
    hidden, stretches = np.zeros(len(raw.frame_s), bool), []
    for frames, other in swaps(pairs, lag_s, worn, pairs[best]):
        hidden[frames] = True
        stretches.append((*raw.frame_s[frames[[0, -1]]].tolist(), other))
    notes = [] if named else [f"individual {best}: {seen}"]
    notes += [f"swap with {other} at {start:.0f}-{stop:.0f} s" for start, stop, other in stretches]
    return replace(
        raw, tracks=_worn(tracks, everyone, worn, hidden), wearer_notes=tuple(notes), swaps=tuple(stretches)
    )


def _compare(raw: Raw, by_mount: dict[str, dict[str, Turning]]) -> tuple[np.ndarray, dict[str, Turning]]:
    """(N,) lag at which some animal turns most like the IMU, or that the manifest fixes, and the turning of each
    animal's axis that shows it. Raises RecordingError where nothing fits, and where the manifest's clock cannot be."""
    flat = {(name, mount): pair for name, pairs in by_mount.items() for mount, pair in pairs.items() if enough(pair)}
    if not flat:
        raise RecordingError("too little of anybody's turning is seen")
    if raw.pairs is not None:
        period_s = float(np.median(np.diff(raw.imu.time_s)))
        fixed = sync_clock(raw.pairs, raw.frame_s, period_s, clocks.refused("not asked"))
        lag_s = fixed.camera_to_imu(raw.frame_s) - raw.frame_s
        _, mount = max(flat, key=lambda key: np.nan_to_num(clocks.correlation(flat[key], lag_s)))
    else:
        for max_rate in (RATE_ERROR, WIDEST_RATE):
            found = {key: search(pair, max_rate) for key, pair in flat.items()}
            key = max(found, key=lambda key: found[key].score)
            best, mount = found[key], key[1]
            if best.score >= max(LEAST_SCORE, LEAST_LEAD * best.runner_up):
                break
        else:
            raise RecordingError(
                f"nobody turns as the gyroscope does: best match {best.score:.1f} deviations high, mirrored "
                f"{best.negative:.1f}, needed {LEAST_SCORE:g}; elsewhere {best.runner_up:.1f}"
            )
        lag_s = follow(flat[key], best, raw.row.pose_times is not None).line.lag_s
    return lag_s, {name: pairs[mount] for name, pairs in by_mount.items()}


def _worn(tracks: Tracks, everyone: dict[str, np.ndarray], wearer: str, hidden: np.ndarray) -> Tracks:
    """The tracks of the wearer, nothing tracked in the frames that are hidden (N,)."""
    points = np.array(everyone[wearer])
    points[hidden, :, :-1], points[hidden, :, -1] = np.nan, 0
    others = {name: other for name, other in everyone.items() if name != wearer}
    return replace(tracks, individual=wearer, points=points, others=others)


def swaps(
    pairs: dict[str, Turning], lag_s: np.ndarray, wearer: str, sharpest: Turning
) -> list[tuple[np.ndarray, str]]:
    """(frames, whom it was taken for) of each stretch in which another animal turns as the wearer's IMU does.

    The turning of each animal by its name, at lags (N,); `sharpest` shows how far the two sides differ.
    """
    frame_s, names = next(iter(pairs.values())).frame_s, list(pairs)
    block = ((frame_s - frame_s[0]) / BLOCK_S).astype(int)  # (N,)
    seen, felt, _ = sharpest.smoothed(lag_s)
    scale = max(1.4826 * np.nanmedian(np.abs(seen - felt)), LEAST_SCALE)
    chance = posterior(np.stack([_evidence(pair, lag_s, scale, block) for pair in pairs.values()], axis=1))  # (B, A)
    another = 1 - chance[:, names.index(wearer)]
    runs, count = label(another > DOUBTFUL)
    found = []
    for run in range(1, count + 1):
        blocks = np.flatnonzero(runs == run)
        if another[blocks].max() > SWAPPED:
            share = dict(zip(names, chance[blocks].sum(0)))
            other = max((name for name in names if name != wearer), key=share.get)
            found.append((np.flatnonzero(np.isin(block, blocks)), other))
    return found


def _evidence(pair: Turning, lag_s: np.ndarray, scale: float, block: np.ndarray) -> np.ndarray:
    """(B,) log-likelihood ratio of each block (N,) that an animal turns as the IMU does, give or take `scale` rad, to
    that the IMU says nothing of it; 0 where it is not seen."""
    seen, felt, span = pair.smoothed(lag_s)
    gained = np.nan_to_num(seen**2 - (seen - felt) ** 2) / (2 * scale**2 * span)  # neighbours say the same
    return np.clip(np.bincount(block[1:], gained, block[-1] + 1), -MOST_EVIDENCE, MOST_EVIDENCE)


def posterior(evidence: np.ndarray) -> np.ndarray:
    """(B, A) probability that each animal is the wearer in each block, from log-likelihoods (forward-backward)."""

    def forward(evidence: np.ndarray) -> np.ndarray:
        """(B, A) of all blocks before each one."""
        out = np.zeros(evidence.shape)
        for b in range(1, len(evidence)):
            known = out[b - 1] + evidence[b - 1]
            out[b] = np.logaddexp(known, np.logaddexp.reduce(known) - CHANGE)
        return out

    total = forward(evidence) + evidence + forward(evidence[::-1])[::-1]
    chance = np.exp(total - total.max(axis=1, keepdims=True))
    return chance / chance.sum(axis=1, keepdims=True)
