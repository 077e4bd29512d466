"""A first manifest for a folder of recordings that has none, drafted from the files found in it.

What a file is, is told from its content; which session it belongs to, from the name that files of one session share. A
cell that files cannot fill for certain is left empty, and listed.
"""

import re
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.annotations import recognise
from rbc.recordings.arrays import is_arrays
from rbc.recordings.cells import ANNOTATOR
from rbc.recordings.deeplabcut import READERS, UNIQUE
from rbc.recordings.errors import RecordingError
from rbc.recordings.layouts import find_layout
from rbc.recordings.manifest import NAME
from rbc.recordings.names import alike, few, plain
from rbc.recordings.tables import TIME_UNITS, read_head, read_lines, separator

COLUMNS = ("session", "animal", "day", "arena", "pose", "imu", "labels", "scored", "pose_rate_hz", "imu_rate_hz",
           "individual", "pose_times", "imu_mount", "imu_units", "span")  # fmt: skip
SLOTS = ("imu", "pose", "labels")
ROLES = ("imu", "pose", "dlc", "labels", "label", "annotations", "annotation", "annot", "boris", "events", "times",
         "time", "timestamps", "filtered", "tracking", "tracks", "el", "sk", "bx", "samples", "sup")  # fmt: skip
SEPARATORS = r"[\s_.-]+"
NEEDS = {
    "animal": "the rat's name, or data.animal_pattern finds it in the session's",
    "pose_rate_hz": "the video's nominal frames per second",
    "imu_units": "of acc and gyro, such as 'g,deg/s'",
    "individual": "which of the tracked animals wears the IMU",
    "span": "the stretch watched, start-stop in s (BORIS exports may state it; frame-by-frame labels need none)",
}


@dataclass(frozen=True)
class File:
    path: str
    """Below the folder, with /."""
    slots: tuple[str, ...]
    """imu, pose, labels or pose_times."""
    key: str
    """Its name without what tools and roles add."""


def draft_manifest(root: Path, animal_pattern: str) -> str:
    """Write root/sessions.csv and return, in words, what it holds, what looks odd and what is to be filled in.

    Raises RecordingError, with nothing written: a manifest is there, no recordings are, or a session has two candidates
    for one cell.
    """
    root = Path(root)
    target = root / NAME
    if not root.is_dir():
        raise RecordingError(f"{root}: no such folder; needs the folder of the recordings")
    if target.exists():
        raise RecordingError(f"{target}: exists already and is not overwritten; needs another name or folder first")
    rows, unused, problems, warnings = find_layout(root), [], [], []
    if not rows:
        files, unused = find_files(root)
        rows, problems, warnings = pair(files)
    if not rows and not problems:
        problems = [f"{root}: no recordings found; needs pose, IMU or label files below it"]
    if problems:
        raise RecordingError(problems)
    for row in rows:
        match = re.search(animal_pattern, row["session"])
        row["animal"] = (match[1] if match.re.groups else match[0]) if match else ""
    warnings += alike("animals", dict.fromkeys(row["animal"] for row in rows if row["animal"]))
    columns = [*COLUMNS, *(["setup"] if "setup" in rows[0] else [])]
    table = pd.DataFrame([[row.get(column, "") for column in columns] for row in rows], columns=columns)
    fill = to_fill(root, table)
    table.to_csv(target, index=False, lineterminator="\n")
    found = ", ".join(f"{(table[slot] != '').sum()} with {slot}" for slot in ("pose", "imu", "labels", "pose_times"))
    lines = [f"{target}: {len(table)} sessions, {found}", *(f"odd: {warning}" for warning in warnings)]
    lines += [f"not used: {few(unused)}"] if unused else []
    lines += [f"to fill: {column} ({NEEDS[column]}): {few(sessions)}" for column, sessions in fill.items()]
    return "\n".join([*lines, "then: python -m rbc.check " + str(root)])


def find_files(root: Path) -> tuple[list[File], list[str]]:
    """Files below `root` that are recordings, and the others; hidden ones are passed over."""
    files, unused = [], []
    for path in sorted(p for p in Path(root).rglob("*") if p.is_file()):
        name = path.relative_to(root)
        if any(part.startswith(".") for part in name.parts):
            continue
        slots = tell(path)
        if slots:
            files.append(File(name.as_posix(), slots, key_of(name)))
        else:
            unused.append(name.as_posix())
    return files, unused


def tell(path: Path) -> tuple[str, ...]:
    """Which cells of the manifest a file may fill, told from its content; none for a file that is no recording."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz" and is_arrays(path):
            with np.load(path, allow_pickle=False) as arrays:
                return tuple(slot for slot in SLOTS if slot in arrays.files)
        if suffix in READERS and suffix != ".csv":
            return ("pose",)
        if suffix not in (".csv", ".txt", ".tsv"):
            return ()
        lines = read_lines(path)
        head = {cell.strip('" ').lower() for cell in lines[0].split(separator(lines[0]))} if lines else set()
        if "scorer" in head:
            return ("pose",)
        if any(cell.startswith(("acc", "gyr")) for cell in head):
            return ("imu",)
        if head & set(TIME_UNITS) and head <= {*TIME_UNITS, "frame"}:
            return ("pose_times",)
        recognise(path, lines)
    except (RecordingError, OSError, ValueError):
        return ()
    return ("labels",)


def key_of(name: Path) -> str:
    """The session's part of a file's name, of its folder's where the file's says only its role: F3D5/imu.csv."""
    for part in (name.stem, *(folder.name for folder in name.parents)):
        words = re.split(f"({SEPARATORS})", re.sub(r"DLC.*$", "", part))
        while words and (words[-1].lower() in ROLES or re.fullmatch(SEPARATORS, words[-1]) or not words[-1]):
            words.pop()
        while words and (words[0].lower() in ROLES or re.fullmatch(SEPARATORS, words[0]) or not words[0]):
            words.pop(0)
        if words:
            return "".join(words)
    return ""


def pair(files: list[File]) -> tuple[list[dict[str, str]], list[str], list[str]]:
    """Manifest cells of each session, what is wrong (two candidates for one cell), and what looks odd.

    Files of one session share its name; what a label file adds to it names the annotator.
    """
    sessions: dict[str, str] = {}
    for file in sorted(files, key=lambda file: "pose" not in file.slots):  # spelt as the pose files spell it
        if {"pose", "imu"} & set(file.slots) and file.key:
            sessions.setdefault(plain(file.key), file.key)
    candidates: dict[str, dict[str, dict[str, list[str]]]] = {name: {} for name in sessions.values()}
    warnings = alike("names", dict.fromkeys(file.key for file in files))
    for file in files:
        own = plain(file.key)
        homes = [name for name in sessions if own == name or re.match(re.escape(name) + SEPARATORS, own)]
        home = max(homes, key=len, default="")
        if not home:
            warnings.append(f"{file.path}: no pose or IMU file shares its name")
            continue
        more = len(re.findall(r"[^\s_.-]+", own[len(home) :]))
        rest = "_".join(re.split(SEPARATORS, file.key)[-more:]) if more else ""
        for slot in file.slots:
            who = (rest or ANNOTATOR) if slot == "labels" else ""
            candidates[sessions[home]].setdefault(slot, {}).setdefault(who, []).append(file.path)
    rows, problems = [], []
    for session, slots in sorted(candidates.items()):
        row = {"session": session}
        for slot, by in slots.items():
            problems += [
                f"session {session}: {slot}: two candidates or more: {', '.join(paths)}; needs one in {NAME} (chapters "
                "of one recording joined with ';'): move the others away, or write this row yourself"
                for paths in by.values() if len(paths) > 1
            ]
            alone = len(by) == 1 and ANNOTATOR in by
            named = slot == "labels" and not alone
            row[slot] = ";".join(f"{who}={paths[0]}" if named else paths[0] for who, paths in by.items())
        rows.append(row)
    return rows, problems, warnings + halves(rows)


def halves(rows: list[dict[str, str]]) -> list[str]:
    """Warnings of sessions of which one lacks what the other has alone, where one's name begins with the other's."""
    single = [(row["session"], *set(row) & {"pose", "imu"}) for row in rows if len(set(row) & {"pose", "imu"}) == 1]
    return [f"{one} has {has} alone, {other} {others} alone: are they one?"
            for (one, has), (other, others) in permutations(single, 2)
            if has != others and plain(other).startswith(plain(one))]  # fmt: skip


def to_fill(root: Path, table: pd.DataFrame) -> dict[str, list[str]]:
    """Sessions by the column that somebody has to fill for them."""
    fill: dict[str, list[str]] = {column: [] for column in NEEDS}
    for cells in table.to_dict("records"):
        pose, imu, labels = (cells[slot].split(";")[0].split("=")[-1] for slot in ("pose", "imu", "labels"))
        signals = imu and (not is_arrays(Path(imu)) or imu.endswith(".npz"))
        video = pose and not is_arrays(Path(pose))
        needs = {
            "animal": not cells["animal"], "pose_rate_hz": video and not cells["pose_rate_hz"],
            "imu_units": signals, "individual": len(individuals(root / pose)) > 1 if pose else False,
            "span": labels and not is_arrays(Path(labels)) and recognise(root / labels, read_lines(root / labels))[0]
            != "per_frame",
        }  # fmt: skip
        for column, needed in needs.items():
            if needed:
                fill[column].append(cells["session"])
    return {column: sessions for column, sessions in fill.items() if sessions}


def individuals(path: Path) -> list[str]:
    """Animals that a DeepLabCut CSV tracks; none named in other files."""
    rows = read_head(path, 2) if path.suffix.lower() == ".csv" else []
    named = rows[1][1:] if len(rows) > 1 and rows[1] and rows[1][0].lower() == "individuals" else []
    return [name for name in dict.fromkeys(named) if name != UNIQUE]
