from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rbc.recordings.drafting import draft_manifest, key_of, pair
from rbc.recordings.errors import RecordingError

PATTERN = r"^[A-Z]+\d+?(?=D\d)"
POSE = "scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,1,1\n"
PAIR = "scorer,net,net\nindividuals,rat1,rat2\nbodyparts,nose,nose\ncoords,x,x\n0,1,1\n"
IMU = "time_s,acc_x,acc_y,acc_z\n0,0,0,1\n"
TIMES = "frame,time_s\n0,0.1\n"
BORIS = "Observation id,Time,Behavior,Behavior type\no,1.0,walk,START\no,2.0,walk,STOP\n"
PER_FRAME = "Index,walk\n0,1\n"


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def drafted(root: Path) -> dict[str, dict]:
    table = pd.read_csv(root / "sessions.csv", dtype=str, keep_default_na=False)
    return {row["session"]: row for row in table.to_dict("records")}


def test_files_are_paired_by_the_name_they_share(tmp_path):
    root = folder(tmp_path, {
        "pose/F1D1_indoorDLC_resnet50.csv": POSE, "pose/F1D1_indoor_times.csv": TIMES, "imu/F1D1_indoor_imu.csv": IMU,
        "labels/F1D1_indoor_Ann.csv": BORIS, "labels/F1D1_indoor_Bob.csv": BORIS, "F2D3/dlc.csv": PAIR,
        "F2D3/labels.csv": PER_FRAME, "F1D1/tracking.csv": POSE, "notes.csv": "what,when\nrain,noon\n", "video.mp4": "",
    })  # fmt: skip
    said = draft_manifest(root, PATTERN)
    rows = drafted(root)
    assert list(rows) == ["F1D1", "F1D1_indoor", "F2D3"]
    one = rows["F1D1_indoor"]
    assert (one["animal"], one["pose"], one["imu"]) == (
        "F1", "pose/F1D1_indoorDLC_resnet50.csv", "imu/F1D1_indoor_imu.csv")
    assert one["pose_times"] == "pose/F1D1_indoor_times.csv"
    assert one["labels"] == "Ann=labels/F1D1_indoor_Ann.csv;Bob=labels/F1D1_indoor_Bob.csv"
    assert rows["F2D3"]["labels"] == "F2D3/labels.csv" and rows["F2D3"]["imu"] == ""
    assert one["pose_rate_hz"] == one["imu_units"] == one["span"] == ""
    for part in ("3 sessions, 3 with pose, 1 with imu, 2 with labels, 1 with pose_times",
                 "not used: notes.csv, video.mp4",
                 "to fill: imu_units (of acc and gyro, such as 'g,deg/s'): F1D1_indoor",
                 "to fill: individual (which of the tracked animals wears the IMU): F2D3",
                 "stop in s (BORIS exports may state it; frame-by-frame labels need none)): F1D1_indoor",
                 "nominal frames per second): F1D1, F1D1_indoor, F2D3"):
        assert part in said, said


def test_names_that_differ_in_case_or_padding_are_one_session_and_odd(tmp_path):
    root = folder(tmp_path, {"F03D1DLC.csv": POSE, "f3d1_imu.csv": IMU, "F3D2DLC.csv": POSE, "X100D1DLC.csv": POSE})
    said = draft_manifest(root, PATTERN)
    assert drafted(root)["F03D1"]["imu"] == "f3d1_imu.csv" and set(drafted(root)) == {"F03D1", "F3D2", "X100D1"}
    assert "odd: names F03D1, f3d1 differ only in case or zero-padding" in said
    assert "odd: animals F03, F3 differ only in case or zero-padding" in said


def test_arrays_and_older_layouts_fill_what_they_hold(tmp_path):
    root = folder(tmp_path / "arrays", {})
    root.mkdir()
    np.savez(root / "F1D1.npz", imu=np.zeros((3, 1)), labels=np.zeros((3, 1)), rate_hz=50.0)
    draft_manifest(root, PATTERN)
    assert drafted(root)["F1D1"] | {"imu": "F1D1.npz", "labels": "F1D1.npz", "pose": ""} == drafted(root)["F1D1"]
    old = folder(tmp_path / "old", {"IMU/samples_F1D1.npy": "", "DLC/samples_F1D1.npy": ""})
    assert "1 sessions, 1 with pose, 1 with imu" in draft_manifest(old, PATTERN)
    assert drafted(old)["F1D1"]["pose_rate_hz"] == "50"


def test_two_candidates_for_one_session_are_both_listed(tmp_path):
    root = folder(tmp_path, {"F1D1DLC_net.csv": POSE, "F1D1DLC_net_filtered.csv": POSE, "F1D1.csv": IMU})
    with pytest.raises(RecordingError) as error:
        draft_manifest(root, PATTERN)
    assert "session F1D1: pose: two candidates or more: F1D1DLC_net.csv, F1D1DLC_net_filtered.csv" in str(error.value)
    assert not (root / "sessions.csv").exists()


def test_an_existing_manifest_stays(tmp_path):
    folder(tmp_path, {"sessions.csv": "mine", "F1D1DLC.csv": POSE})
    with pytest.raises(RecordingError, match="exists already and is not overwritten"):
        draft_manifest(tmp_path, PATTERN)
    assert (tmp_path / "sessions.csv").read_text() == "mine"


def test_a_folder_without_recordings_gets_no_manifest(tmp_path):
    with pytest.raises(RecordingError, match="no recordings found"):
        draft_manifest(folder(tmp_path, {"readme.txt": "hello"}), PATTERN)
    with pytest.raises(RecordingError, match="no such folder"):
        draft_manifest(tmp_path / "gone", PATTERN)


def test_labels_of_no_session_are_odd(tmp_path):
    root = folder(tmp_path, {"F1D1DLC.csv": POSE, "labels/G7.csv": BORIS})
    assert "odd: labels/G7.csv: no pose or IMU file shares its name" in draft_manifest(root, PATTERN)


def test_halves_of_a_session_are_odd(tmp_path):
    root = folder(tmp_path, {"F1D1DLC.csv": POSE, "imu/F1D1_2024-05-13.csv": IMU, "F2D1DLC.csv": POSE})
    said = draft_manifest(root, PATTERN)
    assert "odd: F1D1 has pose alone, F1D1_2024-05-13 imu alone: are they one?" in said and "F2D1 has" not in said


def test_the_key_of_a_file_is_what_its_tools_did_not_add():
    names = {"pose/F3D5DLC_net_filtered.csv": "F3D5", "F3D5/imu.csv": "F3D5",
             "a/F3D5 outdoor_labels.csv": "F3D5 outdoor", "IMU/labels.csv": "", "r01_annot.txt": "r01"}  # fmt: skip
    assert {name: key_of(Path(name)) for name in names} == names
    assert pair([]) == ([], [], [])
