"""What a cell of the manifest says: the path of a file, annotators with theirs, spans of time."""

import re
from pathlib import Path, PurePosixPath

from rbc.recordings.tables import near

ANNOTATOR = "annotator"


def file_problem(root: Path, name: str) -> str:
    """What is wrong with a path of the manifest, '' if nothing.

    Judged by its words, not by where links lead: a data cache may well link a file of the folder to elsewhere.
    """
    posix = PurePosixPath(name.replace("\\", "/"))
    depth = 0
    for part in posix.parts:
        depth += -1 if part == ".." else 1
        if posix.is_absolute() or re.match(r"[A-Za-z]:", name) or depth < 0:
            return f"path {name!r} leaves the folder {root}; needs a path below it"
    if "\0" in name or max(map(len, posix.parts)) > 200 or not (root / posix).is_file():
        plain = "\0" not in name and ".." not in posix.parts and len(name) < 200
        folder = posix.parent if plain else PurePosixPath()
        names = [(folder / p.name).as_posix() for p in (root / folder).iterdir()] if (root / folder).is_dir() else []
        return f"missing file {name!r}{near(name, names)}; needs a file below {root}"
    return ""


def parse_labels(cell: str, files) -> tuple[tuple[tuple[str, Path], ...], list[str]]:
    """((annotator, file), …) of a cell 'path' or 'name=path;name=path', and what is wrong with it."""
    parts = [part.strip() for part in cell.split(";") if part.strip()]
    named = [part.partition("=") for part in parts]
    problems, labels = [], []
    if len(parts) > 1 and any(not equals for _, equals, _ in named):
        problems.append(f"labels: {cell!r}: several annotators need names: name=path;name=path")
    names = [name.strip() if equals else ANNOTATOR for name, equals, _ in named]
    if len(set(names)) < len(names) and not problems:
        problems.append(f"labels: {cell!r} names an annotator twice")
    for name, (before, equals, after) in zip(names, named, strict=True):
        labels += [(name, path) for path in files("labels", after if equals else before)]
    return tuple(labels), problems


def parse_span(cell: str) -> tuple[tuple[tuple[float, float], ...], list[str]]:
    """((start_s, stop_s), …) of a cell '12.5-300;400-520.4', and what is wrong with it."""
    spans, problems = [], []
    for part in filter(None, (part.strip() for part in cell.split(";"))):
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*[-–]\s*(\d+\.?\d*|\.\d+)", part)
        if match and float(match[1]) < float(match[2]):
            spans.append((float(match[1]), float(match[2])))
        else:
            problems.append(f"span: {part!r}; needs start-stop in s of video time, start before stop")
    return tuple(sorted(spans)), problems
