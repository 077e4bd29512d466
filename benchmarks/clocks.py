"""How well clocks are found: `python -m benchmarks.clocks [--quick] [--json FILE] [--jobs N]`.

Planted pairs (see planted.py) go the way of align_data; what it says is compared with the truth, at the frames at which
it calls the clock sure and the logger was running. Cells are a base with one factor changed at a time, random
combinations, wrong pairs and sleeping rats. The margins of doubtful stretches (rbc.recordings.steps) were chosen on
cells of even seed.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.planted import Cell, Piece, make_piece, plant
from rbc.params import load
from rbc.recordings import geometry, motion, timing
from rbc.simulate.world import KEYPOINTS

FPS, IMU_HZ = (20.0, 25.0, 30.0, 60.0, 120.0), (30.0, 50.0, 100.0, 200.0, 400.0)
RATES_PPM = (0.0, 100.0, -100.0, 1000.0, -1000.0, 10_000.0, -10_000.0, 50_000.0, -50_000.0)
LEADS_S = (-480.0, -240.0, 5.0, 300.0, 1200.0, 3600.0)
MINUTES, DROPOUTS = (5.0, 10.0, 20.0, 60.0), (0.0, 0.1, 0.2, 0.4)
MARGIN = 1.96


def cells(seeds: int, combinations: int, foreign: int, long: int) -> list[Cell]:
    """One factor at a time with `seeds` each, random combinations, `foreign` wrong pairs and sleepers each, and `long`
    recordings of six hours whose drift wanders."""
    varied = {
        "fps": FPS, "imu_hz": IMU_HZ, "rate_ppm": RATES_PPM, "lead_s": LEADS_S, "minutes": MINUTES, "dropout": DROPOUTS,
        "tail_s": (-480.0, -240.0), "mount": ("head", "back"), "stamped": (True, False),
    }  # fmt: skip
    out = []
    for factor, levels in varied.items():
        for level in levels:
            for _ in range(1 if level == 60 and factor == "minutes" else seeds):
                cell = Cell(factor, str(level), len(out), mount=("head", "back")[len(out) // 2 % 2])
                cell = replace(cell, **{factor: level})
                out.append(replace(cell, drops=0 if cell.stamped else 1 + len(out) % 3))
    rng = np.random.default_rng(1)
    for _ in range(combinations):
        out.append(_combination(len(out), rng))
    for kind in ("wrong", "asleep"):
        for _ in range(foreign):
            out.append(replace(_combination(len(out), rng), factor=kind, level="", kind=kind))
    for i in range(long):
        out.append(Cell("minutes", "360 (wander)", len(out), mount=("head", "back")[i % 2], fps=25.0, imu_hz=50.0,
                        minutes=360.0, wander=((8.0, 360.0), (2.0, 25.0))))  # fmt: skip
    return out


def _combination(seed: int, rng: np.random.Generator) -> Cell:
    minutes = float(rng.choice([5.0, 10.0, 20.0], p=[0.4, 0.4, 0.2]))
    stamped = bool(rng.random() < 0.6)
    lead = float(rng.choice([-0.6 * 60 * minutes, -0.3 * 60 * minutes, rng.uniform(3, 90), rng.uniform(90, 3600)],
                            p=[0.1, 0.15, 0.5, 0.25]))  # fmt: skip
    return Cell(
        "random", "", seed, mount=str(rng.choice(["head", "back"])), fps=float(rng.choice(FPS)),
        imu_hz=float(rng.choice(IMU_HZ)), minutes=minutes, lead_s=lead,
        rate_ppm=float(rng.choice([rng.uniform(-100, 100), *rng.choice(RATES_PPM[3:], 2)])),
        wander=((rng.uniform(1, 4), rng.uniform(10, 30)), (rng.uniform(1, 4), rng.uniform(10, 30))),
        dropout=float(rng.choice(DROPOUTS)), stamped=stamped, drops=0 if stamped else int(rng.integers(0, 4)),
    )  # fmt: skip


def measure(cell: Cell, pieces: list[Piece], sleepers: list[Piece]) -> dict:
    """What the clock of a cell is, and how far from the truth: a row of the table."""
    params, planted = load(), plant(cell, pieces, sleepers)
    raw, settings, likelihood = planted.raw, params.data, params.align_data.min_likelihood
    begun = time.perf_counter()
    points, _ = geometry.clean_body(raw.tracks.points, KEYPOINTS, settings.body_axis, likelihood)
    axes = motion.seen_axes(raw, settings.body_axis, settings.head_axis)
    clock, _ = timing.find_clock(raw, points, axes, params.align_data.min_clock_correlation)
    spent = time.perf_counter() - begun
    row = asdict(cell) | {"accepted": clock.accepted, "reason": clock.reason, "spent_s": round(spent, 2),
                          "shared_min": planted.shared.mean() * cell.minutes}  # fmt: skip
    if not clock.accepted or cell.kind != "moving":
        return row
    error = clock.camera_to_imu(raw.frame_s) - raw.frame_s - planted.lag_s
    sure = clock.sure(raw.frame_s) & planted.shared
    wrong = 1000 * np.abs(error[sure])
    knots = np.searchsorted(raw.frame_s, clock.knots_camera_s)
    off = np.abs(error[knots]) / clock.knots_se_s
    offset, drift = planted.line
    # before the first of several steps there may be next to nothing to tell the offset by
    offset_z = np.nan if cell.drops else (clock.offset_s - offset) / clock.offset_se_s
    return row | {
        "sure": float(sure.sum() / max(planted.shared.sum(), 1)),
        "median_ms": float(np.median(wrong)) if len(wrong) else np.nan,
        "worst_ms": float(wrong.max()) if len(wrong) else np.nan,
        "offset_z": offset_z, "offset_se_ms": 1000 * clock.offset_se_s,
        "drift_z": (clock.drift_ppm - 1e6 * drift) / clock.drift_se_ppm, "drift_se_ppm": clock.drift_se_ppm,
        "steps": len(clock.steps),
        "knots_inside": float((off[sure[knots]] <= MARGIN).mean()) if sure[knots].any() else np.nan,
    }


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each level of each factor, and for what matters most."""
    levels = rows[["factor", "level"]].drop_duplicates().itertuples(index=False)
    groups = {f"{name} {level}".strip(): rows[(rows.factor == name) & (rows.level == level)] for name, level in levels}
    moving = rows[rows.kind == "moving"]
    groups |= {
        "all moving": moving, "even seeds": moving[moving.seed % 2 == 0], "odd seeds": moving[moving.seed % 2 == 1],
        "≥ 10 min shared, dropout ≤ 20 %": moving[(moving.shared_min >= 9.99) & (moving.dropout <= 0.2)],
    }  # fmt: skip
    return pd.DataFrame({name: _line(group) for name, group in groups.items()}).T


def _line(rows: pd.DataFrame) -> dict:
    taken = rows[rows.accepted & (rows.kind == "moving")]
    line = {"cells": len(rows), "accepted": int(rows.accepted.sum())}
    if taken.empty:
        return line
    inside = {name: (taken[column].dropna().abs() <= MARGIN).mean() for name, column in
              (("offset in 95 %", "offset_z"), ("drift in 95 %", "drift_z"))}  # fmt: skip
    inside["lag in 95 %"] = taken.knots_inside.mean()
    return line | {
        "median ms": taken.median_ms.median(), "worst ms": taken.worst_ms.max(), "sure %": 100 * taken.sure.mean(),
        **{name: 100 * share for name, share in inside.items()}, "s": rows.spent_s.mean(),
    }  # fmt: skip


def markdown(table: pd.DataFrame) -> str:
    def cell(name: str, value: float) -> str:
        if pd.isna(value):
            return ""
        return f"{value:.1f}" if name in ("median ms", "worst ms", "s") else f"{value:.0f}"

    lines = ["| | " + " | ".join(table.columns) + " |", "|---" * (1 + len(table.columns)) + "|"]
    return "\n".join(lines + [
        f"| {name} | " + " | ".join(cell(c, v) for c, v in row.items()) + " |" for name, row in table.iterrows()
    ])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few cells only")
    parser.add_argument("--json", type=Path, help="every cell's figures")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    each, minutes = (2, 12.0) if given.quick else (4, 15.0)
    todo = cells(1, 4, 2, 0)[::4] if given.quick else cells(3, 100, 20, 2)
    pieces = [make_piece(f"{mount}{i}", mount, minutes) for mount in ("head", "back") for i in range(each)]
    sleepers = [make_piece(f"{mount} asleep", mount, minutes, asleep=True) for mount in ("head", "back")]
    one = partial(measure, pieces=pieces, sleepers=sleepers)
    if given.jobs > 1:
        with ProcessPoolExecutor(given.jobs, get_context("fork")) as pool:
            rows = list(pool.map(one, todo))
    else:
        rows = [one(cell) for cell in todo]
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(markdown(summarise(pd.DataFrame(rows))))


if __name__ == "__main__":
    main()
