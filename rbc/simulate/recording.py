"""One simulated session: rat, movement, sensors, annotators, truth, written below a folder."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rbc.simulate import body, writer
from rbc.simulate.annotator import annotate, draw_annotator
from rbc.simulate.behaviour import AS_USUAL, draw_bouts, draw_habits
from rbc.simulate.camera import draw_camera, draw_frames
from rbc.simulate.chance import inside, stream
from rbc.simulate.imu import draw_clock, record
from rbc.simulate.rat import Rat
from rbc.simulate.sizes import SIZES, Plan
from rbc.simulate.tracker import track
from rbc.simulate.world import BEHAVIOURS, TRUTH_RATE_HZ, WORLDS

TAIL_S = 3.0
"""The logger runs on after the video."""


def write_session(
    root: Path, plan: Plan, world_name: str, size_name: str, seed: int, factors: Mapping[str, float] = AS_USUAL
) -> dict[str, object]:
    """Manifest row of a session whose files now lie below `root`, in the folders of writer.FOLDERS; `factors` as of
    draw_habits."""
    world, size = WORLDS[world_name], SIZES[size_name]
    animal, arena, mount = plan.animal, plan.name.split("_")[1], "back" if plan.animal in world.back_animals else "head"

    def chance(*names):
        return stream(seed, world_name, *names)

    # the animal, on its day
    build = chance(animal)
    scale = float(np.exp(np.clip(world.size_sd * build.standard_normal(), -0.077, 0.077)))
    tempo = build.uniform(*world.tempo) * world.tempo_factor
    habits = draw_habits(world, build, chance(plan.name, "day"), factors)
    # what happens
    rng = chance(plan.name, "movement")
    half_m, stop_s = world.arena_half_m[arena], 60 * plan.minutes
    lead_s = float(np.exp(rng.uniform(*np.log([world.lead_s[0], min(world.lead_s[1], size.longest_lead_s)]))))
    bouts, place = draw_bouts(world, size, habits, half_m, -lead_s, stop_s + TAIL_S, rng)
    posture = body.move(bouts, place, -lead_s, stop_s + TAIL_S, Rat(scale, tempo, rng), world)
    # what the logger and the camera make of it
    rng = chance(plan.name, "imu")
    clock = draw_clock(world, -lead_s, rng)
    recorded = record(posture, bouts, mount, scale, world, clock, rng)
    units = list(writer.UNITS)[rng.integers(2)]
    rng = chance(plan.name, "camera")
    leaves = bool(rng.random() < world.leaves_frame)
    camera, frames = draw_camera(world, half_m, leaves, rng), draw_frames(world, stop_s, plan.stamps, rng)
    then = body.at(posture, frames.true_s)
    tracks = track(camera.project(body.keypoints(then, scale)), then, bouts, camera, frames, world, rng)
    row = {
        "session": plan.name, "animal": animal, "day": re.search(r"D(\d+)", plan.name)[1], "arena": arena,
        "pose": writer.write_pose(root, plan.name, tracks),
        "imu": writer.write_imu(root, plan.name, recorded.time_s, recorded.values, units),
        "pose_rate_hz": f"{frames.rate_hz:g}", "imu_rate_hz": f"{recorded.rate_hz:g}", "imu_mount": mount,
        "imu_units": units, "px_per_cm": f"{camera.px_per_cm:.2f}" if rng.random() < 0.67 else "", "sex": animal[0],
    }
    if frames.stamps_s is not None:
        row["pose_times"] = writer.write_times(root, plan.name, frames.stamps_s)
    row |= _annotation(root, plan, bouts, frames, world, size, chance)
    _truth(root, plan.name, bouts, frames, clock, recorded)
    return row


def _annotation(root, plan, bouts, frames, world, size, chance) -> dict[str, str]:
    """labels, scored and span of the manifest row."""
    if plan.labelled == "none":
        return {}
    rng = chance(plan.name, "labels")
    count, rate = len(frames.true_s), frames.rate_hz
    length = np.floor(1000 * count / rate) / 1000
    spans = [(0.0, length)]
    if plan.labelled == "spans":
        # a long session is annotated in several places
        parts = max(1, round(length / 800))
        spans = [_span(length / parts * i, length / parts, size.span_min, rate, rng) for i in range(parts)]
    scored = tuple(name for name in BEHAVIOURS if name not in plan.unscored)
    seen = [
        (bout.behaviour, *frames.playback(np.array([bout.start, bout.stop])).tolist())
        for bout in bouts if bout.stop > 0 and bout.start < frames.true_s[-1]
    ]
    paths = {}
    for name in "AB"[: plan.annotators]:
        who = draw_annotator(world, chance("annotator", name))
        marked = annotate(seen, spans, scored, who, world, rate, chance(plan.name, "annotator", name))
        file_name = name if plan.annotators > 1 else ""
        paths[name] = writer.write_labels(root, plan.name, file_name, marked, plan.animal, rate, count)
    labels = ";".join(f"{name}={path}" for name, path in paths.items()) if len(paths) > 1 else paths["A"]
    return {
        "labels": labels, "scored": ";".join(scored), "span": ";".join(f"{a:.3f}-{b:.3f}" for a, b in spans),
    }


def _span(
    begin: float, length: float, minutes: tuple[float, float], rate: float, rng: np.random.Generator
) -> tuple[float, float]:
    """A span of some minutes within `length` seconds from `begin`, on whole frames."""
    wanted = min(60 * rng.uniform(*minutes), length)
    first = begin + rng.uniform(0, length - wanted)
    return round(first * rate) / rate, np.floor((first + wanted) * rate) / rate


def _truth(root, session, bouts, frames, clock, recorded) -> None:
    first, last = np.ceil(frames.camera_s[0] * TRUTH_RATE_HZ), np.floor(frames.camera_s[-1] * TRUTH_RATE_HZ)
    time_s = np.arange(first, last + 1) / TRUTH_RATE_HZ
    true_s = frames.true(time_s)
    # the filter shows a motion `delay_s` after it happened
    imu_time = clock.reading(true_s + recorded.delay_s)
    labels = np.stack([inside([b for b in bouts if b.behaviour == name], true_s) for name in BEHAVIOURS], axis=1)
    slope, level = np.polyfit(true_s - true_s[0], imu_time - true_s, 1)
    # offset_s is the line's value at camera time 0
    at_zero = frames.camera_s[0] - frames.true_s[0]
    offset = level + slope * (-at_zero - true_s[0]) - at_zero
    writer.write_truth(
        root, session, time=time_s, labels=labels.astype("i1"), behaviours=np.array(BEHAVIOURS), imu_time=imu_time,
        mounting=recorded.mounting, drift_ppm=np.float64(slope * 1e6), offset_s=np.float64(offset),
    )
