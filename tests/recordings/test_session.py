import json
import os
import resource
from dataclasses import replace

import numpy as np
import pytest

from rbc.recordings.errors import RecordingError
from rbc.recordings.session import ARRAYS, Session, load_sessions


@pytest.fixture
def session():
    frames, (k, c, a) = 7, (2, 3, 2)
    return Session(
        name="F1D1", animal="F1", setup="rig", rate_hz=50.0, behaviours=("walk", "still", "jump"),
        keypoints=("nose", "tail_base"), imu_names=("acc_x", "acc_y", "acc_z"), band_names=("acc_low",),
        ready_imu_names=(), ready_pose_names=("speed",), annotator_names=("A", "B"), body_length_px=80.0,
        time=np.arange(frames) / 50, imu=np.ones((frames, 3)), bands=np.zeros((frames, 1)),
        pose=np.full((frames, k, 3), np.nan), other=np.full((frames, 2, 3), np.nan),
        ready_imu=np.zeros((frames, 0)), ready_pose=np.ones((frames, 1)),
        valid=np.ones((frames, 2), bool), labels=np.eye(frames, c, dtype=np.int8) - 1,
        annotators=np.zeros((a, frames, c), np.int8), video_frame=np.arange(frames),
        report={"clock": {"offset_s": 0.1}},
    )  # fmt: skip


def test_what_is_saved_is_what_is_loaded(session, tmp_path):
    session.save(tmp_path / "F1D1")
    loaded = load_sessions(tmp_path)["F1D1"]
    for name, (dtype, _) in ARRAYS.items():
        array = getattr(loaded, name)
        np.testing.assert_array_equal(array, getattr(session, name))
        assert array.dtype == np.dtype(dtype)
    header = set(Session.__dataclass_fields__) - set(ARRAYS)
    assert all(getattr(loaded, name) == getattr(session, name) for name in header) and len(loaded) == 7


def test_loaded_arrays_are_read_only_memory_maps(session, tmp_path):
    session.save(tmp_path / "F1D1")
    loaded = Session.load(tmp_path / "F1D1")
    assert isinstance(loaded.imu, np.memmap) and loaded.ready_imu.shape == (7, 0)
    with pytest.raises(ValueError):
        loaded.imu[0] = 0


def test_more_sessions_are_loaded_than_the_usual_number_of_open_files_allows(session, tmp_path, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for i in range(4):
        session.save(tmp_path / f"F{i}D1")
    few = len(os.listdir("/dev/fd")) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        with monkeypatch.context() as patch, pytest.raises(RecordingError, match="4 sessions need up to 300 open"):
            patch.setattr(resource, "getrlimit", lambda _: (few, few))
            load_sessions(tmp_path)
        assert len(load_sessions(tmp_path)) == 4
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_same_session_same_bytes(session, tmp_path):
    for name in ("a", "b"):
        session.save(tmp_path / name)
    assert all((tmp_path / "a" / p.name).read_bytes() == p.read_bytes() for p in (tmp_path / "b").iterdir())
    assert json.loads((tmp_path / "a/session.json").read_text())["report"] == {"clock": {"offset_s": 0.1}}


def test_a_session_without_frames_of_a_modality(session, tmp_path):
    bare = replace(session, imu=np.zeros((7, 0)), imu_names=(), annotators=np.zeros((0, 7, 3)), annotator_names=())
    bare.save(tmp_path / "F1D1")
    assert Session.load(tmp_path / "F1D1").annotators.shape == (0, 7, 3)


def test_every_array_that_does_not_fit_is_named(session):
    bad = replace(session, imu=np.ones((6, 3)), pose=np.ones((7, 3, 3)), labels=np.full((7, 3), 2), time=np.zeros(7))
    with pytest.raises(RecordingError) as error:
        bad.validate()
    shape, columns, time, values = error.value.problems
    assert "F1D1: imu has shape (6, 3)" in shape and "pose has 3 columns; 2 are named" in columns
    assert "time does not increase" in time and "labels hold other values" in values


OF_MODALITY = {"imu": ("imu", "bands", "ready_imu"), "pose": ("pose", "ready_pose")}


@pytest.mark.parametrize(("lost", "kept", "valid"), [("pose", "imu", [True, False]), ("imu", "pose", [False, True])])
def test_without_a_modality_nothing_of_it_is_left_and_the_session_is_as_it_was(session, lost, kept, valid):
    session = replace(session, pose=np.ones((7, 2, 3)), ready_imu=np.ones((7, 2)), ready_imu_names=("a", "b"))
    other = session.without(lost)
    assert other.valid.tolist() == [valid] * 7 and session.valid.all()
    for name in OF_MODALITY[lost]:
        assert getattr(other, name).shape == getattr(session, name).shape
        assert np.isnan(getattr(other, name)).all() and np.isfinite(getattr(session, name)).all()
    assert all(getattr(other, name) is getattr(session, name) for name in OF_MODALITY[kept])


def test_a_session_without_a_modality_is_a_session(session, tmp_path):
    bare = session.without("imu").without("pose")
    bare.save(tmp_path / "F1D1")
    loaded = Session.load(tmp_path / "F1D1")
    assert np.isnan(loaded.imu).all() and loaded.imu.shape == (7, 3) and not loaded.valid.any()


def test_an_existing_folder_is_not_overwritten(session, tmp_path):
    session.save(tmp_path / "F1D1")
    with pytest.raises(FileExistsError):
        session.save(tmp_path / "F1D1")
