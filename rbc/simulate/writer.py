"""The files of a simulated recording folder, in the formats of the tools that a lab uses; same seed, same bytes."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from rbc.simulate.annotator import Marked
from rbc.simulate.decimals import write_rows
from rbc.simulate.world import GRAVITY, KEYPOINTS

SCORER = "DLC_resnet50_rbc"
COLUMNS = (
    "session", "animal", "day", "arena", "pose", "imu", "labels", "scored", "pose_rate_hz", "imu_rate_hz", "individual",
    "setup", "pose_times", "imu_mount", "imu_units", "px_per_cm", "span", "exclude", "sex",
)
UNITS = {"g,deg/s": (GRAVITY, np.pi / 180), "m/s2,rad/s": (1.0, 1.0)}
BORIS = (
    "Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)",
    "Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject",
    "Observation duration by subject by observation", "Behavior", "Behavioral category", "Behavior type", "Time",
    "Media file name", "Image index", "Image file path", "Comment",
)
FOLDERS = ("pose", "imu", "labels", "truth")


def write_pose(root: Path, session: str, tracks: np.ndarray) -> str:
    """Path below `root` of a DeepLabCut CSV of the tracks (F, K, 3)."""
    header = [["scorer"] + [SCORER] * (3 * len(KEYPOINTS))]
    header.append(["bodyparts"] + [name for name in KEYPOINTS for _ in range(3)])
    header.append(["coords"] + ["x", "y", "likelihood"] * len(KEYPOINTS))
    columns = np.column_stack([np.arange(len(tracks)), tracks.reshape(len(tracks), -1)])
    name = f"pose/{session}{SCORER}.csv"
    lines = "".join(",".join(line) + "\n" for line in header)
    write_rows(root / name, lines, columns, [0] + [3] * (columns.shape[1] - 1))
    return name


def write_times(root: Path, session: str, stamps_s: np.ndarray) -> str:
    """Path below `root` of the camera's stamps (F,)."""
    name = f"pose/{session}_times.csv"
    write_rows(root / name, "frame,time_s\n", np.column_stack([np.arange(len(stamps_s)), stamps_s]), [0, 6])
    return name


def write_imu(root: Path, session: str, time_s: np.ndarray, values: np.ndarray, units: str) -> str:
    """Path below `root` of the logger's rows: stamps (M,) and values (M, 6) m/s², rad/s, written in `units`."""
    acc, gyro = UNITS[units]
    name = f"imu/{session}.csv"
    columns = np.column_stack([time_s, values[:, :3] / acc, values[:, 3:] / gyro])
    write_rows(root / name, "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n", columns, [6] + [5] * 6)
    return name


def write_labels(
    root: Path, session: str, annotator: str, marked: list[Marked], animal: str, rate_hz: float, frames: int
) -> str:
    """Path below `root` of a BORIS tabular export of the marked bouts (behaviour, start s, stop s)."""
    length = f"{frames / rate_hz:.3f}"
    events = [(start, "START", name) for name, start, _ in marked] + [(stop, "STOP", name) for name, _, stop in marked]
    # a stop before a start of the same moment, as BORIS sorts what it paired
    events.sort(key=lambda event: (event[0], event[1] == "START", event[2]))
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(BORIS)
    for time_s, kind, behaviour in events:
        row = dict.fromkeys(BORIS, "") | {
            "Observation id": session, "Observation date": "2024-05-13 10:00:00", "Observation type": "Media file",
            "Source": f"player #1:{session}.mp4", "Time offset (s)": "0.000", "Coding duration": length,
            "Media duration (s)": length, "FPS (frame/s)": f"{rate_hz:g}", "Subject": animal,
            "Observation duration by subject by observation": length, "Behavior": behaviour, "Behavior type": kind,
            "Time": f"{time_s:.3f}", "Media file name": f"{session}.mp4", "Image index": str(round(time_s * rate_hz)),
        }
        out.writerow(row.values())
    name = f"labels/{session}_{annotator}.csv" if annotator else f"labels/{session}.csv"
    (root / name).write_text(text.getvalue())
    return name


def write_truth(root: Path, session: str, **arrays) -> None:
    """truth/<session>.npz; np.savez writes no dates, so same arrays mean same bytes."""
    np.savez_compressed(root / "truth" / f"{session}.npz", **arrays)


def write_manifest(root: Path, rows: list[dict]) -> None:
    """sessions.csv, one row a session."""
    with open(root / "sessions.csv", "w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def write_origin(root: Path, **origin) -> None:
    """truth/world.json: world, size, seed and hash of the table."""
    (root / "truth" / "world.json").write_text(json.dumps(origin, indent=1, sort_keys=True) + "\n")
