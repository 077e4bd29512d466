"""Damaged recordings end in a valid session or in a RecordingError that names session and file, and in nothing else.

RBC_FUZZ_CASES=2000 python -m pytest tests/recordings/test_fuzz.py tries other cases than the 200 of every run.
"""

import gzip
import io
import os
import signal
import tempfile
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbc.recordings.alignment import align
from rbc.recordings.checking import look
from rbc.recordings.errors import RecordingError
from rbc.recordings.geometry import unite_keypoints
from rbc.recordings.manifest import read_rows
from rbc.recordings.ontology import Ontology
from rbc.recordings.quality import describe
from rbc.recordings.raw import read_raw
from rbc.recordings.settings import Settings

CASES = int(os.environ.get("RBC_FUZZ_CASES", 200))
LONGEST_S = 20
KEYPOINTS = ("nose", "neck", "tail_base")
BEHAVIOURS = ("walk", "still")
HEADER = ("session,animal,pose,imu,labels,pose_rate_hz,imu_rate_hz,imu_units,individual,pose_times,span,scored,repairs,"
          "point_s,imu_mount,sync,sync_video,imu_offset_s,imu_drift_ppm")  # fmt: skip
WEIRD = ["", " ", "nan", "inf", "-inf", "0", "-1", "1e308", "-1e-300", "1e12", "99999999999999999999", "0x1F", "1,5",
         "1;5", "true", "None", "#N/A", "é", "\x00", '"', "'", "2024-05-13T10:00:00", "1_000", "٣", "x" * 300, "=1+1",
         "../x", "START", "POINT", "12:00", "walk", "acc_x", "time_s", "scorer", "x", "z", "likelihood", "\u2028"]  # fmt: skip


def worlds_files() -> set[str]:
    return {name for _, files in worlds().values() for name in files}


def lines(header: list[str], columns: list, form: str = "%.6g", mark: str = ",") -> bytes:
    """A CSV of header lines and columns, text as it is and numbers by `form`."""
    cells = zip(*([v if isinstance(v, str) else form % v for v in column] for column in columns), strict=True)
    rows = [mark.join(row) for row in cells]
    return ("\n".join([*header, *rows]) + "\n").encode()


@cache
def worlds() -> dict[str, tuple[str, dict[str, bytes]]]:
    """(row of the manifest, files) of one session in each of several sets of formats, 8 s long."""
    rng = np.random.default_rng(0)
    frames, samples = 200, 400  # 25 and 50 Hz
    frame, i = np.arange(frames), np.arange(samples)
    points = np.cumsum(rng.normal(size=(frames, 3, 2)), 0) + [[300, 300], [330, 300], [400, 310]]
    sure = rng.uniform(0.7, 1, (frames, 3))
    acc, gyro = rng.normal(0, 0.1, (samples, 3)) + [0, 0, 1], rng.normal(0, 20, (samples, 3))
    head = ["scorer" + ",net" * 9, "bodyparts" + "".join(f",{k}" * 3 for k in KEYPOINTS)]
    flat = [column for k in range(3) for column in (points[:, k, 0], points[:, k, 1], sure[:, k])]
    single = lines([*head, "coords" + ",x,y,likelihood" * 3], [frame, *flat])
    deep = [column for k in range(3) for column in (points[:, k, 0], points[:, k, 1], 50 * sure[:, k])]
    three = lines([*head, "coords" + ",x,y,z" * 3], [frame, *deep])
    multi = lines(["scorer" + ",net" * 18, "individuals" + ",rat1" * 9 + ",rat2" * 9, head[1] + head[1][9:],
                   "coords" + ",x,y,likelihood" * 6], [frame, *flat, *flat])  # fmt: skip
    names = "acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
    plain = lines([f"time_us,{names}"], [20_000 * i, *acc.T, *gyro.T], "%.9g")
    wrapping = lines([f"time_us,{names}"], [(20_000 * i + 2**32 - 3_000_000) % 2**32, *acc.T, *gyro.T], "%.10g")
    comma = lines(["logger;7", "Time (ms);AccX (g);AccY (g);AccZ (g)"], [20 * i, *acc.T], mark=";").replace(b".", b",")
    dates = [f"2024-05-13T10:00:{t // 1000:02}.{t % 1000:03}Z" for t in (20 * i).tolist()]
    iso = lines(["datetime,ax,ay,az,gx,gy,gz"], [dates, *acc.T, *gyro.T])
    counter = lines(["sample,acc_x,acc_y,acc_z"], [i % 256, *(16384 * acc).T], "%.0f")
    boris = ("Observation id,Time offset (s),FPS (frame/s),Subject,Behavior,Modifier #1,Behavior type,Time,"
             "Media file name\n" + "".join(f"o,0,25,F1,{b},,{kind},{t},a.mp4\n" for b, kind, t in (
                 ("walk", "START", 1), ("still", "START", 1.5), ("walk", "STOP", 2), ("still", "STOP", 3),
                 ("walk", "POINT", 5)))).encode()  # fmt: skip
    aggregated = (b"Observation id,FPS,Subject,Behavior,Modifiers,Behavior type,Start (s),Stop (s),Duration (s)\n"
                  b"o,25,F1,walk,,STATE,1,2,1\no,25,F1,still,,STATE,2,4,2\n")  # fmt: skip
    caltech = (b"Caltech Behavior Annotator - Annotation File\r\n\r\nConfiguration file:\r\nbase\tz\r\nwalk\tw\r\n\r\n"
               b"S1:\tstart\tend\ttype\r\n-----\r\n  1\t30\tbase\r\n  31\t60\twalk\r\n")  # fmt: skip
    per_frame = lines(["Index,walk,still,unknown"], [frame, frame % 7 == 0, frame % 5 == 0, 0 * frame], "%d")
    times = lines(["frame,time_s"], [frame, frame / 25 + 0.5])
    on = np.isin(frame, [20, 45, 110, 130, 180])
    pulsing = lines([f"time_us,{names},TTL"], [20_000 * i, *acc.T, *gyro.T, np.isin(i, [40, 90, 220, 260, 360])], "%.9g")
    light, moments = lines(["frame,brightness"], [frame, 30 + 99 * on]), b"video_frame,imu_s\n20,0.8\n110,4.4\n"
    arrays = io.BytesIO()
    signals, tracked = np.hstack([acc, gyro])[::2], [f"{k}_{c}" for k in KEYPOINTS for c in ("x", "y", "likelihood")]
    np.savez(arrays, imu=signals, imu_names=np.array(names.split(",")), pose=np.column_stack(flat),
             pose_names=np.array(tracked), labels=rng.integers(-1, 2, (frames, 2)), label_names=np.array(BEHAVIOURS),
             rate_hz=25.0)  # fmt: skip
    rows = {}
    for name, array in {"p.npy": np.column_stack(flat), "i.npy": signals, "l.npy": np.eye(2)[frame % 2]}.items():
        np.save(out := io.BytesIO(), array)
        rows[name] = out.getvalue()
    h5 = gzip.decompress((Path(__file__).parent / "files/multi.h5.gz").read_bytes())
    return {
        "csv": ("p.csv,i.csv,l.csv,25,50,'g,deg/s',,t.csv,0-8,walk;still,,0.2,head",
                {"p.csv": single, "i.csv": plain, "l.csv": boris, "t.csv": times}),
        "commas": ("p.csv,i.csv,l.csv,25,50,g,rat2,,0-8,,,,",
                   {"p.csv": multi, "i.csv": comma, "l.csv": aggregated}),
        "three": ("p.csv,i.csv,l.txt,25,50,'g,deg/s',,,0-8,,,,",
                  {"p.csv": three, "i.csv": iso, "l.txt": caltech}),
        "synced": ("p.csv,i.csv,l.csv,25,50,'g,deg/s',,t.csv,0-8,,,0.2,head,s.csv,,,20",
                   {"p.csv": single, "i.csv": plain, "l.csv": boris, "t.csv": times, "s.csv": moments}),
        "inline": ("p.csv,i.csv,,25,50,'g,deg/s',,,,,,,,1=1.02;3.5=3.51;7=7,,,", {"p.csv": single, "i.csv": plain}),
        "stated": ("p.csv,i.csv,,25,50,g,rat1,,,,,,,,,-0.5,12", {"p.csv": multi, "i.csv": comma}),
        "pulsed": ("p.csv,i.csv,,25,50,'g,deg/s',,,,,,,,imu:TTL,led.csv,,",
                   {"p.csv": single, "i.csv": pulsing, "led.csv": light}),
        "repairs": (",i.csv,l.csv,25,50,'g,deg/s',,,,,unwrap_counter;drop_duplicate_samples;spread_packets,,",
                    {"i.csv": wrapping, "l.csv": per_frame}),
        "counter": ("p.csv,i.csv,l.csv,25,50,'lsb/16384 g',,,,,unwrap_counter,,",
                    {"p.csv": single, "i.csv": counter, "l.csv": per_frame}),
        "arrays": ("a.npz,a.npz,a.npz,25,25,'g,deg/s',,,,,,,", {"a.npz": arrays.getvalue()}),
        "npy": ("p.npy,i.npy,l.npy,25,25,,,,,,,,", rows),
        "h5": ("p.h5,,l.csv,1,,,rat1,,0-5,,,,", {"p.h5": h5, "l.csv": aggregated.replace(b"25", b"1")}),
    }  # fmt: skip


def text_table(draw, content: bytes) -> bytes:
    """A table with a cell, row or column changed."""
    rows = content.decode("utf-8", "replace").split("\n")
    mark = max(",;\t", key=content.decode("utf-8", "replace").count)
    cells = [row.split(mark) for row in rows]
    at = draw(st.integers(0, min(len(rows) - 1, 8)) | st.integers(0, len(rows) - 1))
    to = draw(st.integers(0, len(rows) - 1))
    column = draw(st.integers(0, max(map(len, cells)) - 1))
    what = draw(st.sampled_from(["cell", "cell", "header", "drop", "repeat", "swap", "block", "column", "columns",
                                 "fill", "shift", "cut", "mark", "number"]))  # fmt: skip
    weird = draw(st.sampled_from(WEIRD))
    if what == "cell":
        cells[at][min(column, len(cells[at]) - 1)] = weird
    elif what == "header":
        cells[draw(st.integers(0, min(3, len(cells) - 1)))] = [weird] * draw(st.integers(0, 9))
    elif what == "drop":
        del cells[at : at + draw(st.sampled_from([1, 2, 50]))]
    elif what == "repeat":
        cells[at:at] = cells[at : at + draw(st.sampled_from([1, 10]))]
    elif what == "swap":
        cells[at], cells[to] = cells[to], cells[at]
    elif what == "block":
        cells = cells[:at] + cells[at:][::-1]
    elif what == "column":
        cells = [row[:column] + row[column + 1 :] for row in cells]
    elif what == "columns":
        cells = [row[column:] + row[:column] for row in cells]
    elif what == "fill":
        for row in cells[4:]:
            row[column : column + 1] = [weird] * len(row[column : column + 1])
    elif what == "shift":
        cells = [row if r < at else [weird, *row] for r, row in enumerate(cells)]
    elif what == "cut":
        cells = cells[:at]
    elif what == "mark":
        mark = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    else:
        factor = draw(st.sampled_from([0, 1000, 1e-3, -1, 1e9, 1e20]))
        for row in cells[4:]:
            if column < len(row):
                try:
                    row[column] = f"{float(row[column]) * factor:.9g}"
                except ValueError:
                    pass
    return "\n".join(mark.join(row) for row in cells).encode()


def raw_bytes(draw, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    what = draw(st.sampled_from(["flip", "flip", "cut", "insert", "remove", "empty", "zeros", "utf16", "latin1", "bom",
                                 "crlf", "cr"]))  # fmt: skip
    if what == "flip":
        changed = bytearray(content)
        first = draw(st.sampled_from([0, min(100, len(content) - 1)]))
        for _ in range(draw(st.integers(1, 20))):
            changed[draw(st.integers(first, len(content) - 1))] = draw(st.integers(0, 255))
        return bytes(changed)
    text = content.decode("latin-1")
    return {
        "cut": content[:at], "insert": content[:at] + draw(st.binary(max_size=40)) + content[at:],
        "remove": content[:at] + content[at + draw(st.integers(1, 500)) :], "empty": b"",
        "zeros": content[:at] + bytes(200) + content[at + 200 :], "utf16": text.encode("utf-16"),
        "latin1": text.replace("acc", "acç").encode("latin-1"), "bom": b"\xef\xbb\xbf" + content,
        "crlf": content.replace(b"\n", b"\r\n"), "cr": content.replace(b"\n", b"\r"),
    }[what]  # fmt: skip


def arrays_file(draw, content: bytes) -> bytes:
    try:
        loaded = dict(np.load(io.BytesIO(content)))
    except Exception:  # it is damaged already
        return content
    name = draw(st.sampled_from(sorted(loaded)))
    array = loaded.pop(name)
    change = draw(st.sampled_from(["gone", "zeros", "nan", "text", "object", "short", "deep", "huge", "scalar",
                                   "complex"]))  # fmt: skip
    if change != "gone":
        loaded[name] = {
            "zeros": lambda: np.zeros_like(array), "nan": lambda: np.full(array.shape, np.nan),
            "text": lambda: array.astype(str), "object": lambda: array.astype(object),
            "short": lambda: array[: array.size // 9], "deep": lambda: array[None],
            "huge": lambda: np.full(array.shape, 1e300), "scalar": lambda: np.array(3),
            "complex": lambda: np.ones(array.shape, complex),
        }[change if array.ndim or change != "short" else "scalar"]()  # fmt: skip
    out = io.BytesIO()
    np.savez(out, **loaded)
    return out.getvalue()


def hdf_file(draw, content: bytes) -> bytes:
    """An HDF5 file with an attribute or the values changed."""
    out = io.BytesIO(content)
    try:
        with h5py.File(out, "a") as file:
            group = file["df_with_missing"]
            place = group if draw(st.booleans()) else group["table"]
            name = draw(st.sampled_from(sorted(place.attrs)))
            change = draw(st.sampled_from(["gone", "text", "number", "names", "values", "index", "group", "rows"]))
            if change == "gone":
                del place.attrs[name]
            elif change in ("text", "number"):
                place.attrs[name] = np.bytes_(draw(st.binary(min_size=1, max_size=60))) if change == "text" else 7
            elif change == "names":
                for place, key in ((group, "non_index_axes"), (group["table"], "values_block_0_kind")):
                    text = bytes(place.attrs[key]).replace(b"likelihood", b"z").replace(b"Vx", b"Vw")
                    place.attrs[key] = np.bytes_(text)
            elif change == "group":
                file.move("df_with_missing", "keypoints")
            else:
                rows = group["table"][()]
                at, value = draw(st.integers(0, 14)), draw(st.sampled_from([np.nan, np.inf, 0, -1, 1e300]))
                if change == "index":
                    rows["index"] = draw(st.sampled_from([-1, 3, 2**60]))
                else:
                    rows["values_block_0"][:, at:] = value
                group["table"][...] = rows
                if change == "rows":
                    group["table"].resize(draw(st.sampled_from([0, 1, 2**20, 2**45])), axis=0)
    except Exception:  # it is damaged already
        return content
    return out.getvalue()


def mutated(draw, name: str, content: bytes) -> bytes:
    ways = {".npz": [raw_bytes, arrays_file], ".h5": [raw_bytes, hdf_file]}.get(Path(name).suffix)
    return draw(st.sampled_from(ways or [raw_bytes, text_table, text_table, text_table]))(draw, content)


@st.composite
def damaged(draw) -> dict[str, bytes]:
    """Files of a folder with one session, of which one or two are damaged, or one is gone."""
    kind = draw(st.sampled_from(sorted(worlds())))
    row, files = worlds()[kind]
    folder = {"sessions.csv": f"{HEADER}\n{kind}_1,a1,".encode() + row.replace("'", '"').encode() + b"\n"} | files
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*sorted(files), *sorted(files), "sessions.csv"]).filter(folder.__contains__))
        if draw(st.integers(0, 30)) == 0 and name != "sessions.csv":
            del folder[name]
            break
        if folder[name]:
            folder[name] = mutated(draw, name, folder[name])
    return folder


class TooLong(BaseException):
    """No Exception, so that nothing swallows it."""


def stop(*_):
    raise TooLong(f"longer than {LONGEST_S} s")


def run(root: Path) -> None:
    """Read and align every session of a folder as align_all does, and check what comes out."""
    judged = [(row, found) for row, found in read_rows(root, "^..") if not row.exclude]
    problems = [problem for _, found in judged for problem in found]
    axes = {"body_axis": ("neck", "tail_base"), "head_axis": ("nose", "neck")}
    told = Settings(BEHAVIOURS, (), rate_hz=50.0, min_likelihood=0.0, max_gap_s=0.2, min_clock_correlation=0.3, **axes)
    looks = {row.session: look((row, not found), told, Ontology()) for row, found in judged}
    if any(set(seen.keypoints) == {"nose", "tail"} for seen in looks.values()):  # of the H5 file
        told = replace(told, body_axis=("nose", "tail"), head_axis=("nose", "tail"))
    problems += [problem for seen in looks.values() for problem in seen.problems]
    try:
        keypoints = unite_keypoints({name: seen.keypoints for name, seen in looks.items()}, told.body_axis)
    except RecordingError as error:
        problems += error.problems
    if problems:
        raise RecordingError(problems)
    for row, _ in judged:
        raw = read_raw(row, BEHAVIOURS)
        session = align(raw, replace(told, keypoints=keypoints))
        describe(session)
        session.validate()
        session.save(root / "out" / session.name)
        signals = [raw.imu.values[:, :3] if raw.imu else None, raw.tracks.points[..., :2] if raw.tracks else None]
        signals += [a.ready for a in (raw.ready_imu, raw.ready_pose) if a and a.ready_names]
        for values in (v for v in signals if v is not None):
            seen = values[np.isfinite(values)]
            assert len(seen) and seen.any(), f"{session.name}: nothing but zeros, and nothing said"


def test_the_folders_are_sound_before_they_are_damaged(tmp_path):
    for kind, (row, files) in worlds().items():
        (tmp_path / kind).mkdir()
        for name, content in files.items():
            (tmp_path / kind / name).write_bytes(content)
        (tmp_path / kind / "sessions.csv").write_text(f"{HEADER}\n{kind}_1,a1,{row}\n".replace("'", '"'))
        run(tmp_path / kind)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer to end a case that hangs")
@settings(max_examples=CASES, deadline=None, derandomize=CASES == 200, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(damaged())
def test_damaged_recordings_end_in_a_session_or_an_error_that_names_them(folder):
    before = signal.signal(signal.SIGALRM, stop)
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in folder.items():
            (Path(root) / name).write_bytes(content)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
        try:
            run(Path(root))
        except RecordingError as error:
            for problem in error.problems:
                file = any(f"/{name}" in problem for name in (*worlds_files(), "sessions.csv"))
                axis = "of data.body_axis is missing" in problem
                clock = "session " in problem and ("sync" in problem or "imu_offset_s" in problem)
                assert axis or clock or file and ("session " in problem or "sessions.csv" in problem), problem
                assert len(problem) < 2000, problem
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

