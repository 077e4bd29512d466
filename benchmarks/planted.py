"""Pairs of recordings whose clocks are known: the simulator's rats, cameras and loggers at chosen rates and overlaps.

N samples at SIM_RATE_HZ, F video frames, K keypoints. A few animals are simulated once; every pair plays stretches of
them at a tempo of its own and draws its own camera, tracker, logger, mounting and noise.
"""

from dataclasses import dataclass, replace

import numpy as np

from rbc.recordings.deeplabcut import Tracks
from rbc.recordings.imu import SIGNALS, ImuRecording
from rbc.recordings.manifest import Row
from rbc.recordings.raw import Raw
from rbc.simulate import body
from rbc.simulate.behaviour import Bout, draw_bouts, draw_habits
from rbc.simulate.camera import draw_camera, draw_frames
from rbc.simulate.chance import runs, stream
from rbc.simulate.imu import Clock, log, mount_motion
from rbc.simulate.rat import Rat
from rbc.simulate.sizes import SIZES
from rbc.simulate.tracker import track
from rbc.simulate.world import KEYPOINTS, SIM_RATE_HZ, WORLDS

WORLD, HALF_M = WORLDS["first"], 0.30
STRETCH_S = 600.0
"""Longer recordings are several stretches of movement, one after the other."""


@dataclass(frozen=True)
class Cell:
    """What is planted in one pair."""

    factor: str
    """The one that is varied, or random."""
    level: str
    seed: int
    kind: str = "moving"
    """moving, asleep, or wrong: the IMU of another session."""
    mount: str = "head"
    fps: float = 30.0
    imu_hz: float = 100.0
    minutes: float = 10.0
    """Of video."""
    lead_s: float = 30.0
    """Of the logger before the video; negative where it starts later."""
    tail_s: float = 3.0
    """After the video; negative where it stops earlier."""
    rate_ppm: float = 40.0
    """By which the logger's clock runs faster."""
    wander: tuple[tuple[float, float], ...] = ((4.0, 20.0), (3.0, 12.0))
    """(ppm, period in min) of slow changes of that rate."""
    dropout: float = 0.0
    """Share of the frames in which the animal is hidden as a whole, beside what the tracker loses anyway."""
    stamped: bool = True
    drops: int = 0
    """Runs of dropped frames, where they have no stamps."""


@dataclass(frozen=True)
class Piece:
    """An animal's movement and what its mount feels of it."""

    posture: dict[str, np.ndarray]
    bouts: list[Bout]
    scale: float
    mount: str
    force: np.ndarray
    rate: np.ndarray

    @property
    def length_s(self) -> float:
        return len(self.force) / SIM_RATE_HZ


@dataclass(frozen=True)
class Stretch:
    """A piece from `start_s` on, played `tempo` times as fast (backwards where negative) from true time `begin_s` to
    `end_s`."""

    piece: Piece
    start_s: float
    tempo: float
    begin_s: float
    end_s: float

    def inner(self, true_s: np.ndarray) -> np.ndarray:
        return self.start_s + self.tempo * (true_s - self.begin_s)


@dataclass(frozen=True)
class Planted:
    raw: Raw
    lag_s: np.ndarray
    """(F,) the true IMU time of each frame minus its camera time."""
    line: tuple[float, float]
    """Offset (s) and drift of the straight line through it while the logger runs, without the steps."""
    shared: np.ndarray
    """(F,) frames at which the logger was running."""


def make_piece(name: str, mount: str, minutes: float, asleep: bool = False) -> Piece:
    """An animal's movement, drawn by its name."""
    rng = stream(0, "clocks", name)
    scale = float(np.exp(np.clip(WORLD.size_sd * rng.standard_normal(), -0.077, 0.077)))
    stop_s, size = 60 * minutes, SIZES["default"]
    habits = draw_habits(WORLD, rng, rng)
    bouts, place = draw_bouts(WORLD, size, habits, HALF_M, 0.0, stop_s, rng)
    if asleep:
        bouts = [Bout("still", 0.0, stop_s)]
    posture = body.move(bouts, place, 0.0, stop_s, Rat(scale, rng.uniform(*WORLD.tempo), rng), WORLD)
    force, rate = mount_motion(posture, bouts, mount, scale, WORLD, rng)
    return Piece(posture, bouts, scale, mount, force, rate)


def plant(cell: Cell, pieces: list[Piece], sleepers: list[Piece]) -> Planted:
    """The pair of recordings of a cell, from movements that have its mount among them."""
    rng = np.random.default_rng([cell.seed, 77])
    stop_s = 60 * cell.minutes
    known = [p for p in (sleepers if cell.kind == "asleep" else pieces) if p.mount == cell.mount]
    first_s, last_s = min(-cell.lead_s, 0.0), stop_s + max(cell.tail_s, 0.0) + 0.1
    stretches = _stretches(known[1:] if cell.kind == "wrong" else known, first_s, last_s, rng)
    shown = _stretches(known[:1], 0.0, stop_s, rng) if cell.kind == "wrong" else stretches
    world = replace(
        WORLD, fps=(cell.fps,), imu_rates_hz=(cell.imu_hz,), dropped_runs_unstamped=(cell.drops, cell.drops)
    )
    frames = draw_frames(world, stop_s, cell.stamped, rng)
    points = _film(shown, frames, world, rng)
    hidden = runs(len(points), cell.dropout, 0.1 * cell.fps, 2.0 * cell.fps, rng)
    points[hidden, :, 2] *= 0.4
    clock, (time_s, values, delay_s) = _log(cell, stretches, world, stop_s, rng)
    frame_s = frames.camera_s if frames.stamps_s is None else frames.stamps_s
    reading = clock.reading(frames.true_s + delay_s)
    lag = reading - frame_s
    steps = frames.true_s - frames.camera_s if frames.stamps_s is None else np.zeros(len(lag))
    shared = (reading > time_s[0]) & (reading < time_s[-1])
    drift, offset = np.polyfit(frame_s[shared], (lag - steps)[shared] + steps[np.argmax(shared)], 1)
    raw = Raw(
        row=_row(cell, frames.stamps_s is not None), frame_s=frame_s, tracks=Tracks(KEYPOINTS, points, {}),
        ready_pose=None, imu=ImuRecording(time_s, SIGNALS, values.astype(np.float32)), ready_imu=None, one_clock=False,
        label_rate_hz=cell.fps,
    )  # fmt: skip
    return Planted(raw, lag, (offset, drift), shared)


def _stretches(pieces: list[Piece], first_s: float, last_s: float, rng: np.random.Generator) -> list[Stretch]:
    """Movement from `first_s` to `last_s`; no piece comes again in the same direction before all have been played."""
    out, now, left = [], first_s, []
    while now < last_s:
        left = left or [(piece, way) for piece in pieces for way in (1, -1)]
        piece, way = left.pop(rng.integers(len(left)))
        tempo = rng.uniform(0.85, 1.15)
        length = min(STRETCH_S, last_s - now, (piece.length_s - 1) / tempo)
        start = rng.uniform(0, piece.length_s - 0.5 - tempo * length)
        out.append(Stretch(piece, start if way > 0 else start + tempo * length, way * tempo, now, now + length))
        now += length
    return out


def _film(stretches: list[Stretch], frames, world, rng: np.random.Generator) -> np.ndarray:
    """(F, K, 3) what the tracker makes of the frames."""
    camera = draw_camera(world, HALF_M, False, rng)
    seen, then, bouts = [], [], []
    for s in stretches:
        here = (frames.true_s >= s.begin_s) & (frames.true_s < s.end_s)
        posture = body.at(s.piece.posture, s.inner(frames.true_s[here]))
        then.append(posture)
        seen.append(camera.project(body.keypoints(posture, s.piece.scale)))
        for bout in s.piece.bouts:
            start, stop = sorted(s.begin_s + (edge - s.start_s) / s.tempo for edge in (bout.start, bout.stop))
            if stop > s.begin_s and start < s.end_s:
                bouts.append(replace(bout, start=start, stop=stop))
    posture = {name: np.concatenate([t[name] for t in then]) for name in then[0]}
    return track(np.concatenate(seen), posture, bouts, camera, frames, world, rng)


def _log(cell: Cell, stretches: list[Stretch], world, stop_s: float, rng: np.random.Generator):
    """The logger's clock, and its times, values and delay."""
    begin, end = -cell.lead_s, stop_s + cell.tail_s
    true_s = np.arange(begin, end, 1 / SIM_RATE_HZ)
    force, rate = np.empty((len(true_s), 3)), np.empty((len(true_s), 3))
    for s in stretches:
        here = slice(*np.searchsorted(true_s, [s.begin_s, s.end_s]))
        inner = s.inner(true_s[here]) * SIM_RATE_HZ
        for out, given, factor in ((force, s.piece.force, 1.0), (rate, s.piece.rate, s.tempo)):
            for c in range(3):
                out[here, c] = factor * np.interp(inner, np.arange(len(given)), given[:, c])
    wander = tuple(
        (ppm * 1e-6 * 60 * period / (2 * np.pi), 60 * period, rng.uniform(0, 2 * np.pi)) for ppm, period in cell.wander
    )
    clock = Clock(0.0, cell.rate_ppm, wander)
    begins = rng.uniform(*world.uptime_s) if rng.random() < 0.5 else 0.0
    clock = replace(clock, offset_s=float(begins - clock.reading(np.array(begin))))
    recorded = log(true_s, force, rate, cell.mount, world, clock, rng)
    return clock, (recorded.time_s, recorded.values, recorded.delay_s)


def _row(cell: Cell, stamped: bool) -> Row:
    return Row(
        session="F1D1_x", animal="F1", day="1", arena="x", pose=(), imu=(), labels=(), scored=None,
        pose_rate_hz=cell.fps, imu_rate_hz=cell.imu_hz, individual="", setup="F1D1_x",
        pose_times="times.csv" if stamped else None, imu_mount=cell.mount, imu_units="m/s2,rad/s",
        px_per_cm=float("nan"), span=(), exclude="", extra={},
    )  # fmt: skip
