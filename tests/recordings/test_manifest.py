import math

import numpy as np
import pytest
from real_data import folder
from recorded import read_manifest

from rbc.recordings.errors import RecordingError
from rbc.recordings.manifest import parse_span

PATTERN = r"^[A-Z]+\d+?(?=D\d)"
HEADER = ("session,animal,day,arena,pose,imu,labels,scored,pose_rate_hz,imu_rate_hz,individual,setup,pose_times,"
          "imu_mount,imu_units,px_per_cm,span,exclude,sex,repairs,subject,point_s,sync,sync_video,"
          "imu_offset_s,imu_drift_ppm")  # fmt: skip
ROW = {"session": "F3D5_outdoor", "pose": "pose/a.csv", "imu": "imu/a.csv", "labels": "labels/a.csv",
       "pose_rate_hz": "30", "imu_rate_hz": "100", "imu_units": '"g,deg/s"', "span": "0-300"}  # fmt: skip


def line(header=HEADER, **cells):
    cells = ROW | cells
    return ",".join(cells.get(name, "") for name in header.split(","))


@pytest.fixture
def root(tmp_path):
    for name in ("pose/a.csv", "pose/b.csv", "imu/a.csv", "labels/a.csv", "labels/b.csv", "pose/times.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n")
    return tmp_path


def write(root, *lines, header=HEADER, end="\n"):
    (root / "sessions.csv").write_bytes((end.join([header, *lines]) + end).encode())
    return root


def test_a_row_with_everything(root):
    cells = dict(animal="rat", day="5", arena="outdoor", pose="pose/a.csv; pose/b.csv", scored="walk; still",
                 individual="i1", labels="A=labels/a.csv;B=labels/b.csv", setup="rig", imu_mount="Head",
                 pose_times="pose/times.csv", px_per_cm="7.5", span="1-2.5;10 - 20", sex="F", subject="F3",
                 point_s="0.2", repairs="drop_duplicate_samples; unwrap_counter")  # fmt: skip
    (row,) = read_manifest(write(root, line(**cells)), PATTERN)
    assert (row.session, row.animal, row.day, row.arena, row.setup) == ("F3D5_outdoor", "rat", "5", "outdoor", "rig")
    assert row.pose == (root / "pose/a.csv", root / "pose/b.csv") and row.imu == (root / "imu/a.csv",)
    assert row.labels == (("A", root / "labels/a.csv"), ("B", root / "labels/b.csv"))
    assert row.scored == ("walk", "still") and row.span == ((1.0, 2.5), (10.0, 20.0))
    assert (row.pose_rate_hz, row.imu_rate_hz, row.px_per_cm) == (30.0, 100.0, 7.5)
    assert (row.imu_mount, row.imu_units, row.pose_times) == ("head", "g,deg/s", root / "pose/times.csv")
    assert row.repairs == ("drop_duplicate_samples", "unwrap_counter")
    assert (row.subject, row.point_s) == ("F3", 0.2)
    assert row.extra == {"sex": "F"} and row.exclude == "" and row.individual == "i1"


def test_what_fixes_the_clocks(root):
    one = line(sync="12.5=-3; 301 = 290.25", imu_drift_ppm="-20.5")
    two, three = line(session="M12D1", sync="imu/a.csv"), line(session="M12D2", imu_offset_s="-7.5")
    four = line(session="M12D3", sync="imu: TTL in", sync_video="pose/b.csv")
    pairs, table, stated, ttl = read_manifest(write(root, one, two, three, four), PATTERN)
    assert (ttl.sync_channel, ttl.sync_video, ttl.sync_file) == ("TTL in", root / "pose/b.csv", None)
    assert pairs.sync == ((12.5, -3.0), (301.0, 290.25)) and pairs.imu_drift_ppm == -20.5 and not pairs.sync_file
    assert table.sync == () and table.sync_file == root / "imu/a.csv" and math.isnan(table.imu_offset_s)
    assert stated.imu_offset_s == -7.5 and math.isnan(stated.imu_drift_ppm) and "sync" not in stated.extra


def test_empty_cells_mean_missing(root):
    few = line(session="M12D1", imu="", labels="", imu_rate_hz="", span="")
    row, bare = read_manifest(write(root, line(), few), PATTERN)
    assert row.animal == "F3" and row.setup == "F3D5_outdoor" and row.scored is None
    assert row.labels == (("annotator", root / "labels/a.csv"),)
    assert bare.animal == "M12" and bare.imu == bare.labels == bare.span == () and math.isnan(bare.imu_rate_hz)
    assert bare.pose_times is None and math.isnan(bare.px_per_cm)


def test_byte_order_mark_crlf_and_empty_rows(root):
    empty = "," * HEADER.count(",")
    rows = read_manifest(write(root, line(), empty, "", header="\ufeff" + HEADER, end="\r\n"), PATTERN)
    assert [row.session for row in rows] == ["F3D5_outdoor"]


@pytest.mark.parametrize(
    "cells, message",
    [
        ({"pose": "pose/c.csv"}, r"pose: missing file 'pose/c.csv' \(did you mean 'pose/"),
        ({"pose": "pose"}, "pose: missing file 'pose'"),
        ({"imu": "../imu/a.csv"}, "imu: path '../imu/a.csv' leaves the folder"),
        ({"imu": "imu/../../x"}, "leaves the folder"),
        ({"labels": "/etc/passwd"}, "labels: path '/etc/passwd' leaves the folder"),
        ({"pose_times": "C:\\\\x.csv"}, "leaves the folder"),
        ({"session": "one"}, r"no animal matched: the cell is empty and data.animal_pattern '\^\[A-Z\]"),
        ({"session": ""}, "session: ''; needs a name"),
        ({"session": "../up"}, "session: '../up'; needs a name"),
        ({"pose_rate_hz": "fast"}, "pose_rate_hz: 'fast'; needs a number above 0"),
        ({"pose_rate_hz": "-30"}, "pose_rate_hz: '-30'"),
        ({"imu_rate_hz": "inf"}, "imu_rate_hz: 'inf'"),
        ({"pose_rate_hz": ""}, "pose_rate_hz is empty"),
        ({"imu_mount": "tail"}, "imu_mount: 'tail'; needs head or back"),
        ({"span": "300-0"}, "span: '300-0'; needs start-stop"),
        ({"span": "all"}, "span: 'all'"),
        ({"repairs": "unwrap_time"}, r"repairs: 'unwrap_time' is not known \(did you mean 'unwrap_counter'\?\)"),
        ({"point_s": "short"}, "point_s: 'short'; needs a number above 0"),
        ({"sync": "1=2;3"}, "sync: '3'; needs video_s=imu_s, both in s, or the path of a CSV"),
        ({"sync": "imu:ttl"}, "sync 'imu:ttl' with sync_video ''; needs imu:<column> of the IMU's file and one table"),
        ({"sync": "1=2", "sync_video": "imu/a.csv"}, "sync '1=2' with sync_video 'imu/a.csv'; needs imu:<column>"),
        ({"sync": "imu:", "sync_video": "imu/a.csv"}, "sync 'imu:' with sync_video"),
        ({"sync": "sync.csv"}, "sync: missing file 'sync.csv'"),
        ({"sync": "imu/a.csv;pose/a.csv"}, "sync: 2 files; needs one, or video_s=imu_s;video_s=imu_s"),
        ({"sync": "1=2", "imu_offset_s": "1"}, "sync and imu_offset_s both fix the clocks; needs one of them"),
        ({"imu_offset_s": "late"}, "imu_offset_s: 'late'; needs seconds to add to camera time for IMU time"),
        ({"imu_offset_s": "nan"}, "imu_offset_s: 'nan'; needs seconds"),
        ({"imu_drift_ppm": "60000", "sync": "1=2"}, "imu_drift_ppm: '60000'; needs parts per million between -51000"),
        ({"imu_drift_ppm": "50"}, "imu_drift_ppm alone fixes no clock; needs imu_offset_s or sync beside it"),
        ({"labels": "labels/a.csv;labels/b.csv"}, "several annotators need names"),
        ({"labels": "A=labels/a.csv;A=labels/b.csv"}, "names an annotator twice"),
        ({"pose": "", "imu": ""}, "pose and imu are both empty"),
    ],
)
def test_what_is_refused(root, cells, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_manifest(write(root, line(**cells)), PATTERN)
    assert all("sessions.csv: line 2: session" in problem for problem in error.value.problems)


def test_duplicated_session(root):
    with pytest.raises(RecordingError, match="line 3: session F3D5_outdoor: duplicated session.*first at line 2"):
        read_manifest(write(root, line(), line()), PATTERN)


@pytest.mark.parametrize("name", ["session", "animal", "pose", "imu", "labels", "pose_rate_hz", "imu_rate_hz"])
def test_missing_column(root, name):
    header = ",".join(column for column in HEADER.split(",") if column != name)
    with pytest.raises(RecordingError, match=f"sessions.csv: missing column '{name}'"):
        read_manifest(write(root, line(header), header=header), PATTERN)


def test_a_misspelt_column_is_not_carried_along(root):
    with pytest.raises(RecordingError, match=r"column 'spans' is not known \(did you mean 'span'\?\)"):
        read_manifest(write(root, line(), header=HEADER.replace("span", "spans")), PATTERN)


def test_every_problem_is_in_one_message(root):
    with pytest.raises(RecordingError) as error:
        read_manifest(write(root, line(pose="x", span="y"), line(session="one", imu="z")), PATTERN)
    assert len(error.value.problems) == 4 and str(error.value).startswith("4 problems")


def test_an_excluded_session_is_not_looked_at(root):
    (row,) = read_manifest(write(root, line(session="one", pose="gone.csv", exclude="camera fell")), PATTERN)
    assert row.exclude == "camera fell"


def test_no_folder_no_manifest_and_a_bad_pattern(root):
    with pytest.raises(RecordingError, match="no such folder"):
        read_manifest(root / "none", PATTERN)
    with pytest.raises(RecordingError, match="sessions.csv: no sessions"):
        read_manifest(root, PATTERN)
    with pytest.raises(RecordingError, match="data.animal_pattern"):
        read_manifest(write(root, line()), "(")
    for content in (b"", b"\xff\xfe", b'session,"animal\n'):
        (root / "sessions.csv").write_bytes(content)
        with pytest.raises(RecordingError, match="sessions.csv"):
            read_manifest(root, PATTERN)


def test_spans():
    assert parse_span("21.40-501.40") == (((21.4, 501.4),), [])
    assert parse_span("") == ((), [])
    assert parse_span("5-6; 1-2 ;")[0] == ((1, 2), (5, 6))


def test_older_layout_of_arrays(tmp_path):
    for name in ("IMU/samples_F3D5_out", "DLC/samples_F3D5_out", "sup_IMU/sup_IMU_F3D5_out", "sup_DLC/sup_DLC_F3D5_out",
                 "sup_labels/sup_labels_F3D5_out", "sup_IMU/sup_IMU_M1D2", "sup_labels/sup_labels_M1D2"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", np.zeros((4, 3)))
    rows = {row.session: row for row in read_manifest(tmp_path, PATTERN)}
    assert list(rows) == ["F3D5_out", "F3D5_out_sup", "M1D2"]
    assert not rows["F3D5_out"].labels and rows["F3D5_out_sup"].labels
    assert rows["F3D5_out_sup"].setup == "F3D5_out" and rows["F3D5_out_sup"].animal == "F3"
    assert rows["M1D2"].pose == () and rows["M1D2"].imu_rate_hz == 50


def test_older_layout_of_tables(tmp_path):
    for name in ("IMU/F3D5/F3D5_IMU_features_madnorm", "DLC/F3D5/final_filtered_F3D5_50hz_madnorm",
                 "labels/F3D5/label_F3D5"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / f"{name}.csv").write_text("Index,a\n0,1\n")
    (row,) = read_manifest(tmp_path, PATTERN)
    assert (row.session, row.animal, row.pose_rate_hz) == ("F3D5", "F3", 50)
    assert row.pose and row.imu and row.labels
    with pytest.raises(RecordingError, match="no animal matched"):
        read_manifest(tmp_path, "^Z")


@pytest.mark.parametrize("name, sessions, animals", [("home", 882, 11), ("watch_phone", 223, 23), ("rats", 40, 40)])
def test_real_manifests(name, sessions, animals):
    rows = read_manifest(folder(name), "^unused")
    assert len(rows) == sessions
    assert len({row.animal for row in rows}) == animals
