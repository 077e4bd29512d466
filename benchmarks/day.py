"""How align_data copes with long recordings: simulated sessions of some lengths, aligned in a process of their own.

`python -m benchmarks.day [--hours 1.5 3 6 12 24] [--json FILE]` writes sessions as raw files (50 frames/s, eight
keypoints; IMU at 100 Hz on a clock with offset, drift and slow wander; events over the whole video) to a temporary
folder, piece by piece, and prints for each the seconds (by the clock, and of CPU time), the peak of memory and the
error of the clock. N samples at RATE_HZ, F frames, M samples of the IMU, K keypoints.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from rbc.params import load
from rbc.recordings.preparation import align_all
from rbc.recordings.session import Session
from rbc.simulate import writer
from rbc.simulate.decimals import rows
from rbc.simulate.imu import Clock

SESSION = "F1D1_day"
RATE_HZ, FPS = 100.0, 50.0
PIECE_S, LEAD_S = 600.0, 30.0
CLOCK = Clock(12.5, 21.0, ((0.002, 1700.0, 0.4), (0.015, 20_000.0, 1.9)))
CYCLE_S, ASLEEP = 4800.0, 0.05
"""A third of each cycle is spent asleep, moving this share."""
TURN_RAD_S, YAW_RAD, REACH_M = 1.5, 0.35, 0.12
LOW_PASS_HZ = {"turn": 1.0, "yaw": 2.0, "x": 0.4, "y": 0.4}
BODY_M = {  # keypoint -> forward and left of the neck; the first three turn with the head
    "nose": (0.05, 0.0), "ear_left": (0.02, 0.016), "ear_right": (0.02, -0.016), "neck": (0.0, 0.0),
    "back": (-0.065, 0.0), "tail_base": (-0.13, 0.0), "paw_left": (-0.01, 0.02), "paw_right": (-0.01, -0.02),
}  # fmt: skip
HEAD = ("nose", "ear_left", "ear_right")
PX_PER_M, MIDDLE_PX, ERROR_PX = 1000.0, 500.0, 0.7
UNSURE = 0.03
SENSOR_AXES = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def movement(stop_s: float, rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    """Time s, heading and yaw of the head rad, x and y m, turning of the head rad/s, its acceleration m/s² (N,) each,
    piece by piece from -LEAD_S; a piece begins with the last sample of the one before."""
    filters = {name: butter(2, hz, fs=RATE_HZ, output="sos") for name, hz in LOW_PASS_HZ.items()}
    size = {name: np.sqrt(RATE_HZ / (2 * hz)) for name, hz in LOW_PASS_HZ.items()}
    states = {name: np.zeros((len(sos), 2)) for name, sos in filters.items()}
    first, last, count = int(-LEAD_S * RATE_HZ), int((stop_s + LEAD_S) * RATE_HZ), int(PIECE_S * RATE_HZ)
    kept = {name: np.zeros(0) for name in ("time", "heading", "yaw", "x", "y")}
    heading = 0.0
    for begin in range(first, last, count):
        time_s = np.arange(begin, min(begin + count, last)) / RATE_HZ
        lively = np.where(np.sin(2 * np.pi * time_s / CYCLE_S) > -0.5, 1.0, ASLEEP)
        new = {"time": time_s}
        for name, sos in filters.items():
            drive = lively * size[name] * rng.standard_normal(len(time_s))
            new[name], states[name] = sosfilt(sos, drive, zi=states[name])
        new["heading"] = heading + np.cumsum(TURN_RAD_S * new.pop("turn")) / RATE_HZ
        heading = new["heading"][-1]
        new |= {"yaw": YAW_RAD * new["yaw"], "x": REACH_M * new["x"], "y": REACH_M * new["y"]}
        piece = {name: np.concatenate([kept[name], new[name]]) for name in kept}
        kept = {name: values[-3:] for name, values in piece.items()}
        turned = np.gradient(piece["heading"] + piece["yaw"]) * RATE_HZ
        push = [np.gradient(np.gradient(piece[name])) * RATE_HZ**2 for name in "xy"]
        piece |= {"turned": turned, "ax": push[0], "ay": push[1]}
        yield {name: values[1:-1] for name, values in piece.items()}


def felt(piece: dict[str, np.ndarray], reading_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(M, 6) acceleration g and rotation deg/s of an IMU on the head at readings of its clock."""
    true_s = CLOCK.true(reading_s)
    at = {name: np.interp(true_s, piece["time"], values) for name, values in piece.items()}
    away = at["heading"] + at["yaw"]
    ahead = at["ax"] * np.cos(away) + at["ay"] * np.sin(away)
    aside = at["ay"] * np.cos(away) - at["ax"] * np.sin(away)
    nothing = np.zeros_like(away)
    acc = np.stack([ahead, aside, nothing + 9.81], axis=1) @ SENSOR_AXES + 0.05 * rng.standard_normal((len(away), 3))
    gyro = np.stack([nothing, nothing, at["turned"]], axis=1) @ SENSOR_AXES + 0.01 * rng.standard_normal((len(away), 3))
    return np.concatenate([acc / 9.81, np.degrees(gyro + 0.02)], axis=1)


def seen(piece: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(F, 3 K) x px, y px, likelihood of each keypoint at the samples that are frames of the video."""
    columns = []
    for name, (ahead, aside) in BODY_M.items():
        away = piece["heading"] + (piece["yaw"] if name in HEAD else 0.0)
        x = piece["x"] + ahead * np.cos(away) - aside * np.sin(away)
        y = piece["y"] + ahead * np.sin(away) + aside * np.cos(away)
        error = ERROR_PX * rng.standard_normal((2, len(x)))
        likelihood = np.where(rng.random(len(x)) < UNSURE, 0.3, 0.98)
        columns += [MIDDLE_PX + PX_PER_M * x + error[0], MIDDLE_PX - PX_PER_M * y + error[1], likelihood]
    return np.stack(columns, axis=1)


def write_day(root: Path, hours: float, seed: int = 0) -> None:
    """Write a recordings folder with one session of so many hours below `root`."""
    rng, frames = np.random.default_rng(seed), int(3600 * hours * FPS)
    for folder in writer.FOLDERS:
        (root / folder).mkdir(parents=True)
    with open(root / "pose/day.csv", "wb") as pose, open(root / "imu/day.csv", "wb") as imu:
        pose.write(f"scorer{',day' * 3 * len(BODY_M)}\n".encode())
        pose.write(f"bodyparts{''.join(f',{name}' * 3 for name in BODY_M)}\n".encode())
        pose.write(f"coords{',x,y,likelihood' * len(BODY_M)}\n".encode())
        imu.write(b"time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n")
        sample, frame, step = None, 0, int(RATE_HZ / FPS)
        for piece in movement(3600 * hours, rng):
            first, last = np.ceil(CLOCK.reading(piece["time"][[0, -1]]) * RATE_HZ).astype(int)
            reading_s = np.arange(first if sample is None else sample, last) / RATE_HZ
            sample = last
            imu.write(rows(np.column_stack([reading_s, felt(piece, reading_s, rng)]), [2] + [5] * 6))
            filmed = np.rint(piece["time"] * RATE_HZ).astype(int)
            filmed = (filmed % step == 0) & (filmed >= frame * step) & (filmed < frames * step)
            if filmed.any():
                tracks = seen({name: values[filmed] for name, values in piece.items()}, rng)
                numbered = np.column_stack([frame + np.arange(len(tracks)), tracks])
                pose.write(rows(numbered, [0] + [3] * tracks.shape[1]))
                frame += len(tracks)
    bouts = [("walk", start, start + 4.0) for start in np.arange(5.0, 3600 * hours - 10, 20.0)]
    row = {
        "session": SESSION, "animal": "F1", "pose": "pose/day.csv", "imu": "imu/day.csv", "pose_rate_hz": f"{FPS:g}",
        "imu_rate_hz": f"{RATE_HZ:g}", "imu_units": "g,deg/s", "span": f"0-{frames / FPS:.3f}", "scored": "walk",
        "labels": writer.write_labels(root, SESSION, "", bouts, "F1", FPS, frames),
    }
    writer.write_manifest(root, [row])


def align_day(root: Path, out: Path) -> dict[str, float]:
    """Seconds that aligning takes, by the clock and of CPU time, and the peak MB of memory of the process that holds the
    session."""
    data, settings = load().data, load().align_data
    begin, used = time.perf_counter(), sum(os.times()[:4])
    align_all(
        root, out, behaviours=data.behaviours, animal_pattern=data.animal_pattern, body_axis=data.body_axis,
        head_axis=data.head_axis, progress=False, **settings.model_dump(),
    )
    seconds, cpu = time.perf_counter() - begin, sum(os.times()[:4]) - used
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(peak / 1024)}


def clock_error(session: Session) -> dict[str, object]:
    """How far the clock lies from the truth where it is sure, ms, and the share of such frames."""
    clock = session.report["clock"]
    if not clock["accepted"]:
        return {"clock": clock["reason"]}
    time_s = np.asarray(session.time)[:: int(session.rate_hz)]
    sure = np.asarray(session.valid[:, 0])[:: int(session.rate_hz)]
    lag_s = np.interp(time_s, clock["knots_camera_s"], clock["knots_lag_s"])
    error_ms = 1000 * np.abs(lag_s - (CLOCK.reading(time_s) - time_s))[sure]
    return {
        "clock_ms": {"median": round(float(np.median(error_ms)), 2), "most": round(float(error_ms.max()), 2)},
        "sure": round(float(sure.mean()), 4),
    }


def measure(hours: float) -> dict[str, object]:
    """What aligning a session of so many hours takes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        begin = time.perf_counter()
        write_day(root / "raw", hours)
        written = time.perf_counter() - begin
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            done = pool.submit(align_day, root / "raw", root / "out").result()
        session = Session.load(root / "out" / SESSION)
        mine = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return {"hours": hours, "frames": len(session), **done, **clock_error(session),
                "writing": {"seconds": round(written, 1), "peak_mb": mine}}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[1.5, 3.0, 6.0, 12.0, 24.0])
    parser.add_argument("--json", type=Path, help="file for the results")
    told = parser.parse_args()
    done = []
    for hours in told.hours:
        done.append(measure(hours))
        print(json.dumps(done[-1]), flush=True)
        if told.json:
            told.json.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
