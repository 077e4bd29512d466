"""Which recordings there are: sessions.csv, or one of the two older layouts, as checked rows.

The clocks of camera and IMU are found from the signals, unless a row fixes them: `sync` holds moments seen on both,
`video_s=imu_s;video_s=imu_s`, the path of a CSV (see pairs), or `imu:<column>` for a TTL line in the IMU's file whose
pulses an LED shows, in the table `sync_video`; `imu_offset_s` states the offset, `imu_drift_ppm` the drift of either.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from rbc.recordings.arrays import is_arrays
from rbc.recordings.cells import file_problem, parse_labels, parse_span
from rbc.recordings.clock import WIDEST_RATE
from rbc.recordings.errors import RecordingError
from rbc.recordings.layouts import find_layout
from rbc.recordings.pairs import parse_pairs
from rbc.recordings.stamps import RATES_HZ, REPAIRS
from rbc.recordings.tables import near, read_table, require_columns

NAME = "sessions.csv"
REQUIRED = ("session", "animal", "pose", "imu", "labels", "pose_rate_hz", "imu_rate_hz")
OPTIONAL = ("day", "arena", "scored", "individual", "setup", "pose_times", "imu_mount", "imu_units", "px_per_cm",
            "span", "exclude", "repairs", "subject", "point_s", "sync", "sync_video", "imu_offset_s",
            "imu_drift_ppm")  # fmt: skip
CARRIED = ("video", "arena_corners", "sex", "condition")
LABELLING = ("labels", "scored", "span")
MOUNTS = ("", "head", "back")
WIDEST_PPM = 1e6 * WIDEST_RATE


@dataclass(frozen=True)
class Row:
    """One session as the manifest describes it; paths are checked to exist below the root."""

    session: str
    animal: str
    day: str
    arena: str
    pose: tuple[Path, ...]
    """Chapters in order; empty = no pose."""
    imu: tuple[Path, ...]
    labels: tuple[tuple[str, Path], ...]
    """(annotator, file)."""
    scored: tuple[str, ...] | None
    """Behaviours that were looked for; None = all in the file."""
    pose_rate_hz: float
    """NaN where empty, as every number here."""
    imu_rate_hz: float
    individual: str
    """Of several tracked animals, the one that wears the IMU; empty = told by its turning."""
    setup: str
    pose_times: Path | None
    imu_mount: str
    imu_units: str
    px_per_cm: float
    span: tuple[tuple[float, float], ...]
    """Annotated stretches in s of video time."""
    exclude: str
    """Reason to leave the session out; its files are not looked at."""
    extra: dict[str, str]
    """Every other column, as text."""
    repairs: tuple[str, ...] = ()
    """What may be done to the IMU's rows, of stamps.REPAIRS."""
    subject: str = ""
    """Whose events count where BORIS scored several subjects; empty = `individual`."""
    point_s: float = float("nan")
    """How long a POINT event of BORIS lasts."""
    sync: tuple[tuple[float, float], ...] = ()
    """(video_s, imu_s) of moments seen on both clocks."""
    sync_file: Path | None = None
    """A table of more of them."""
    sync_channel: str = ""
    """Column of the IMU's file with a TTL line …"""
    sync_video: Path | None = None
    """… and the table of the LED that it drove."""
    imu_offset_s: float = float("nan")
    """Stated: IMU time minus camera time at camera time 0."""
    imu_drift_ppm: float = float("nan")


def read_rows(root: Path, animal_pattern: str, *, labels: bool = True) -> list[tuple[Row, list[str]]]:
    """(row, what is wrong with it) of root/sessions.csv in order, or of an older layout where there is none.

    `animal_pattern` is searched in the session's name where the animal's cell is empty (its first group, if any).
    Without `labels` what the folder says of labels is neither needed nor looked at.
    Raises RecordingError for what is wrong with the table as a whole.
    """
    root = Path(root)
    path = root / NAME
    try:
        pattern = re.compile(animal_pattern)
    except re.error as error:
        raise RecordingError(f"data.animal_pattern: {animal_pattern!r} is not a regular expression: {error}") from None
    if not root.is_dir():
        raise RecordingError(f"{root}: no such folder; needs recordings with a {NAME}")
    if path.exists():
        numbered = _table_rows(path, () if labels else LABELLING)
    else:
        numbered = [(f"{root}: {cells['session']}", cells) for cells in find_layout(root)]
    if not numbered:
        raise RecordingError(f"{path}: no sessions; needs a row each, or IMU/, DLC/ and labels/ of an older layout")
    if not labels:
        numbered = [(where, cells | dict.fromkeys(LABELLING, "")) for where, cells in numbered]
    judged, seen = [], {}
    for where, cells in numbered:
        row, found = _row(root, where, cells, pattern)
        if row.session in seen:
            found.append(f"{where}: duplicated session {row.session!r}; first at {seen[row.session]}")
        elif row.session:
            seen[row.session] = where.removeprefix(f"{path}: ")
        judged.append((row, found))
    return judged


def _table_rows(path: Path, spared: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """(place for messages, cells by column) of each row that is not empty; the columns `spared` may be missing."""
    table = read_table(path, text=True)
    known = REQUIRED + OPTIONAL + CARRIED
    table.columns = [name.lower() if name.lower() in known else name for name in table.columns]
    require_columns(path, table, [name for name in REQUIRED if name not in spared])
    problems = []
    for name in table.columns:
        guess = near(name, set(known) - {*table.columns, *spared}, cutoff=0.85) if name not in known else ""
        if guess:
            problems.append(f"{path}: column {name!r} is not known{guess}")
    if problems:
        raise RecordingError(problems)
    names = [str(name) for name in table.columns]
    rows = []
    for line, values in zip(table.index, table.to_numpy(str), strict=True):
        cells = {name: value.strip() for name, value in zip(names, values, strict=True)}
        if any(cells.values()):
            rows.append((f"{path}: line {line}: session {cells['session'] or '(empty)'}", cells))
    return rows


def _row(root: Path, where: str, cells: dict[str, str], pattern: re.Pattern) -> tuple[Row, list[str]]:
    """A row of cells by column, and what is wrong with it."""
    problems: list[str] = []

    def text(column: str) -> str:
        return cells.get(column, "")

    def number(column: str, low: float = 0.0, high: float = float("inf"), needs: str = "a number above 0") -> float:
        try:
            value = float(text(column) or "nan")
        except ValueError:
            value = low
        if text(column) and not low < value < high:
            problems.append(f"{where}: {column}: {text(column)!r}; needs {needs}")
            return float("nan")
        if column.endswith("_hz") and not (not text(column) or RATES_HZ[0] <= value <= RATES_HZ[1]):
            problems.append(f"{where}: {column}: {text(column)!r}; needs a rate per second, {RATES_HZ[0]:g} to "
                            f"{RATES_HZ[1]:g}")  # fmt: skip
        return value

    def files(column: str, cell: str) -> tuple[Path, ...]:
        found = []
        for name in filter(None, (part.strip() for part in cell.split(";"))):
            problem = "" if text("exclude") else file_problem(root, name)
            if problem:
                problems.append(f"{where}: {column}: {problem}")
            else:
                found.append(root / name.replace("\\", "/"))
        return tuple(found)

    session, animal = text("session"), text("animal")
    if not re.fullmatch(r"\w[\w .+-]{0,99}", session):
        problems.append(f"{where}: session: {session!r}; needs a name of letters, digits, '_', '-', '.', at most 100")
    if not animal:
        match = pattern.search(session)
        animal = (match.group(1) if pattern.groups else match.group(0)) if match else ""
        if not animal and not text("exclude"):
            problems.append(f"{where}: no animal matched: the cell is empty and data.animal_pattern "
                            f"{pattern.pattern!r} finds none in {session!r}")  # fmt: skip
    if text("imu_mount").lower() not in MOUNTS:
        problems.append(f"{where}: imu_mount: {text('imu_mount')!r}; needs head or back")
    pose, imu, times = files("pose", text("pose")), files("imu", text("imu")), files("pose_times", text("pose_times"))
    if not (text("pose") or text("imu") or text("exclude")):
        problems.append(f"{where}: pose and imu are both empty; needs at least one")
    if len(times) > 1:
        problems.append(f"{where}: pose_times: {len(times)} files; needs one")
    rate = number("pose_rate_hz")
    if pose and not text("pose_rate_hz") and not all(map(is_arrays, pose)):
        problems.append(f"{where}: pose_rate_hz is empty; needs the video's frames per second")
    inline = "=" in text("sync")
    sync, found = parse_pairs(text("sync") if inline else "")
    problems += [f"{where}: {problem}" for problem in found]
    channel = re.match(r"imu:\s*(.*)", text("sync"), flags=re.IGNORECASE | re.DOTALL)
    sync_files = files("sync", "" if inline or channel else text("sync"))
    lights = files("sync_video", text("sync_video"))
    if len(sync_files) > 1:
        problems.append(f"{where}: sync: {len(sync_files)} files; needs one, or video_s=imu_s;video_s=imu_s")
    if bool(channel and channel[1]) != bool(text("sync_video")) or len(lights) > 1:
        problems.append(f"{where}: sync {text('sync')!r} with sync_video {text('sync_video')!r}; needs imu:<column> of "
                        "the IMU's file and one table of the LED's brightness, or neither")  # fmt: skip
    offset_s = number("imu_offset_s", -1e8, 1e8, "seconds to add to camera time for IMU time")
    drift_ppm = number("imu_drift_ppm", -WIDEST_PPM, WIDEST_PPM,
                       f"parts per million between -{WIDEST_PPM:.0f} and {WIDEST_PPM:.0f}")  # fmt: skip
    if text("sync") and text("imu_offset_s"):
        problems.append(f"{where}: sync and imu_offset_s both fix the clocks; needs one of them")
    if text("imu_drift_ppm") and not (text("sync") or text("imu_offset_s")):
        problems.append(f"{where}: imu_drift_ppm alone fixes no clock; needs imu_offset_s or sync beside it")
    labels, found = parse_labels(text("labels"), files)
    problems += [f"{where}: {problem}" for problem in found]
    span, found = parse_span(text("span"))
    problems += [f"{where}: {problem}" for problem in found]
    repairs = tuple(dict.fromkeys(filter(None, (name.strip() for name in re.split("[;,]", text("repairs"))))))
    problems += [f"{where}: repairs: {name!r} is not known{near(name, REPAIRS)}; needs one of {', '.join(REPAIRS)}"
                 for name in repairs if name not in REPAIRS]  # fmt: skip
    scored = tuple(dict.fromkeys(filter(None, (name.strip() for name in text("scored").split(";"))))) or None
    row = Row(
        session=session, animal=animal, day=text("day"), arena=text("arena"), pose=pose, imu=imu, labels=labels,
        scored=scored, pose_rate_hz=rate, imu_rate_hz=number("imu_rate_hz"), individual=text("individual"),
        setup=text("setup") or session, pose_times=times[0] if times else None, imu_mount=text("imu_mount").lower(),
        imu_units=text("imu_units"), px_per_cm=number("px_per_cm"), span=span, exclude=text("exclude"),
        extra={name: value for name, value in cells.items() if name not in REQUIRED + OPTIONAL},
        repairs=repairs, subject=text("subject"), point_s=number("point_s"), sync=sync,
        sync_file=sync_files[0] if sync_files else None, sync_channel=channel[1] if channel else "",
        sync_video=lights[0] if lights else None, imu_offset_s=offset_s, imu_drift_ppm=drift_ppm,
    )  # fmt: skip
    return row, problems
