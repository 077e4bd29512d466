from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded import KEYPOINTS, OFFSET_S, SETTINGS, raw, row, turning, write_arrays

from rbc.recordings import slip
from rbc.recordings.alignment import align
from rbc.recordings.annotations import Annotation
from rbc.recordings.deeplabcut import Tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.labelling import majority, playback
from rbc.recordings.ontology import Ontology
from rbc.recordings.physics import at_rest
from rbc.recordings.preparation import align_all, table_row
from rbc.recordings.session import load_sessions

@pytest.fixture(scope="module")
def session():
    given = raw()
    given.tracks.points[600:603, 1, 2] = 0.1  # 0.1 s
    given.tracks.points[900:960, 1, 2] = 0.1  # 2 s
    return align(given, SETTINGS)


def test_align_puts_both_on_one_clock(session):
    session.validate()
    rate = (turning(session.time + 1e-4) - turning(session.time - 1e-4)) / 2e-4
    assert abs(session.report["clock"]["offset_s"] - OFFSET_S) < 0.005
    good = np.isfinite(session.imu[:, 5])
    assert np.abs(session.imu[:, 5] - rate)[good].max() < 0.15 and good.mean() > 0.95
    assert np.allclose(session.time * 50, np.round(session.time * 50))
    assert abs(session.body_length_px - 100) < 1


def test_align_says_what_was_measured_and_what_is_interpolated(session):
    neck, valid = session.pose[:, 1], session.valid[:, 1]
    short = (session.time > 20.02) & (session.time < 20.08)
    long = (session.time > 30.02) & (session.time < 31.94)
    assert np.isfinite(neck[short, 0]).all() and (neck[short, 2] == 0).all() and not valid[short].any()
    assert np.isnan(neck[long, :2]).all() and not valid[long].any()
    assert valid[(session.time > 1) & (session.time < 19)].all()
    assert np.isnan(session.pose[:, 3, :2]).all()  # a keypoint of another session
    assert session.keypoints == SETTINGS.keypoints
    assert np.array_equal(session.video_frame[:6], [0, 1, 1, 2, 2, 3])


def test_align_refuses_a_foreign_imu_but_keeps_the_pose():
    given = raw()
    values = np.array(given.imu.values)
    values[:, 5] = np.roll(values[::-1, 5], 3000)
    out = align(replace(given, imu=replace(given.imu, values=values)), SETTINGS)
    assert not out.report["clock"]["accepted"] and "agrees nowhere" in out.report["clock"]["reason"]
    assert not out.valid[:, 0].any() and np.isnan(out.imu).all() and np.isnan(out.bands).all()
    assert out.valid[:, 1].all()


def test_align_tells_the_mount_from_the_signals():
    given = raw(row=row(imu_mount=""))
    frames = given.frame_s
    points = np.array(given.tracks.points)
    points[:, 2, :2] = points[:, 1, :2] + [-100.0, 0.0] + 8 * np.sin(3 * frames)[:, None]  # the trunk hardly turns
    assert align(replace(given, tracks=Tracks(KEYPOINTS, points, {})), SETTINGS).report["mount"] == "head"


def test_align_without_pose_keeps_the_clock_of_the_imu():
    out = align(raw(frame_s=np.zeros(0), tracks=None, one_clock=True), SETTINGS)
    assert (out.video_frame == -1).all() and out.valid[:, 0].mean() > 0.99 and not out.valid[:, 1].any()
    assert out.report["mounting"] == {"axes": "sensor"} and out.keypoints == ()


def test_align_without_imu_has_no_columns_for_it():
    out = align(raw(imu=None, one_clock=False), SETTINGS)
    assert out.imu.shape[1] == 0 and not out.valid[:, 0].any() and out.valid[:, 1].all()


def test_the_nearest_other_animal_is_part_of_the_session():
    given = raw(imu=None, row=row(individual="a"))
    points, frames = given.tracks.points, given.frame_s
    before = (frames < 60)[:, None, None]
    others = {"b": points + np.float32([200, 0, 0]), "c": points + np.where(before, 300.0, -100.0) * [1, 0, 0],
              "d": points * np.nan}  # fmt: skip
    others = {name: np.float32(other) for name, other in others.items()}
    others["b"][300:360, 1, 2], points[600:660, 1:, 2] = 0.1, 0.1
    out = align(replace(given, tracks=replace(given.tracks, others=others)), SETTINGS)
    assert out.other.shape == (len(out), 2, 3) and out.report["others"] == ["b", "c", "d"]
    away = out.other[..., :2] - out.pose[:, 1:3, :2]
    at = {s: away[np.abs(out.time - s).argmin()].ravel() for s in (5, 11, 21, 50, 70)}
    for s, x in {5: 200, 50: 200, 70: -100}.items():
        np.testing.assert_allclose(at[s], [x, 0, x, 0], atol=1e-2)
    assert np.isnan(at[11]).tolist() == [True, True, False, False] and np.isnan(at[21]).all()
    assert (out.other[out.time == 5, :, 2] == 1).all() and (out.other[out.time == 21, :, 2] == 0).all()
    for nobody in ({}, {"d": points * np.nan}):
        out = align(replace(given, tracks=replace(given.tracks, others=nobody)), SETTINGS)
        assert out.other.shape == (len(out), 0, 3)


def test_labels_follow_the_frames_although_stamps_skip():
    stamps = np.delete(np.arange(310) / 10.0 + 0.05, slice(100, 110))  # ten frames were dropped after frame 99
    given = raw(frame_s=stamps, tracks=None, imu=None, label_rate_hz=10.0)
    assert np.allclose(playback(given, stamps[[0, 99, 100]], False), [0.0, 9.9, 10.0])
    assert np.isnan(playback(given, np.array([0.0, 99.0]), False)).all()
    assert np.allclose(playback(given, np.array([0.09, 0.11]), True), [0.0, 0.1])


def test_labels_of_annotators_are_united_by_majority():
    bouts = {"a": ("walk", 10.0, 20.0), "b": ("walk", 15.0, 25.0)}
    files = {n: Annotation(Path(n), ("walk",), (bout,), (1,), ((0.0, 50.0),)) for n, bout in bouts.items()}
    out = align(raw(annotators=files, imu=None), SETTINGS)
    at = lambda s: int(np.searchsorted(out.time, s))  # noqa: E731
    assert out.annotator_names == ("a", "b") and out.annotators.shape[0] == 2
    assert [out.labels[at(s), 0] for s in (5, 12, 17, 22, 30, 60)] == [0, -1, 1, -1, 0, -1]
    assert (out.labels[:, 1] == -1).all()  # nobody looked for it
    votes = np.array([1, 1, 0, -1, 0, -1])[:, None, None].astype(np.int8)
    assert majority(votes)[0, 0] == -1 and majority(votes[:3])[0, 0] == 1 and majority(votes[3:4])[0, 0] == -1


def run(root: Path, out: Path, **changes) -> pd.DataFrame:
    settings = dict(
        behaviours=("walk",), animal_pattern="^..", body_axis=("neck", "tail_base"), head_axis=("nose", "neck"),
        rate_hz=50.0, min_likelihood=0.6, max_gap_s=0.2, min_clock_correlation=0.3, progress=False,
    )  # fmt: skip
    return align_all(root, out, **(settings | changes))


def test_align_all_passes_arrays_of_one_clock_through(tmp_path):
    rows = [write_arrays(tmp_path, "aa1"), write_arrays(tmp_path, "bb1") | {"exclude": "camera fell"}]
    pd.DataFrame(rows).to_csv(tmp_path / "sessions.csv", index=False)
    table = run(tmp_path, tmp_path / "out")
    given, (session,) = np.load(tmp_path / "aa1.npz"), load_sessions(tmp_path / "out").values()
    assert np.abs(session.imu - given["imu"]).max() < 1e-5
    assert np.abs(session.ready_pose - given["pose"]).max() < 1e-6 and session.ready_pose_names == ("box", "seen")
    assert np.array_equal(session.labels, given["labels"])
    assert session.valid.all() and session.band_names[0] == "acc_0.5_2"
    assert table["clock"].tolist()[0] == "shared" and "camera fell" in table["note"][1]


def test_align_all_brings_slower_arrays_to_its_rate(tmp_path):
    ramp = np.arange(200.0)[:, None] / 20
    row = write_arrays(tmp_path, "aa1", pose=np.hstack([ramp, ramp]), rate_hz=20.0)
    row |= {"pose_rate_hz": 20, "imu_rate_hz": 20}
    pd.DataFrame([row]).to_csv(tmp_path / "sessions.csv", index=False)
    run(tmp_path, tmp_path / "out")
    (session,) = load_sessions(tmp_path / "out").values()
    assert len(session) == 498 and np.allclose(session.ready_pose[:, 0], session.time, atol=1e-5)


def test_align_all_lists_every_problem_and_writes_nothing(tmp_path):
    rows = [
        write_arrays(tmp_path, "aa1"), write_arrays(tmp_path, "bb1", label_names=np.array(["fly"])),
        write_arrays(tmp_path, "cc1", labels=np.full((200, 1), 7)),
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "sessions.csv", index=False)
    with pytest.raises(RecordingError) as error:
        run(tmp_path, tmp_path / "out")
    text = "\n".join(error.value.problems)
    assert "session bb1" in text and "fly" in text and "session cc1" in text and "aa1" not in text
    assert not (tmp_path / "out").exists()


def test_repairs_are_counted_in_the_table(tmp_path):
    time_s = np.arange(300) // 3 * 3 / 50
    cells = "".join(f"{t:.2f},0.{i:03},0,1\n" for i, t in enumerate(time_s))
    (tmp_path / "a.csv").write_text("time_s,acc_x,acc_y,acc_z\n" + cells)
    row = {"session": "aa1", "animal": "aa", "pose": "", "imu": "a.csv", "labels": "", "pose_rate_hz": "",
           "imu_rate_hz": 50, "imu_units": "g", "repairs": "spread_packets"}  # fmt: skip
    pd.DataFrame([row]).to_csv(tmp_path / "sessions.csv", index=False)
    table = run(tmp_path, tmp_path / "out")
    notes = ["spread_packets: 300 samples shared a stamp", "acc_y is 0 in all rows"]
    assert "; ".join(notes) in table["note"][0]
    assert load_sessions(tmp_path / "out")["aa1"].report["notes"] == notes


def test_problems_of_rows_and_of_files_are_one_list(tmp_path):
    rows = [
        write_arrays(tmp_path, "aa1") | {"pose_rate_hz": "fast", "pose": "gone.npz"}, write_arrays(tmp_path, "bb1"),
        write_arrays(tmp_path, "cc1", labels=np.full((200, 1), 7)), write_arrays(tmp_path, "dd1") | {"imu": "x.csv"},
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "sessions.csv", index=False)
    with pytest.raises(RecordingError) as error:
        run(tmp_path, tmp_path / "out")
    places = [problem.split(": ")[0 if problem.startswith("session") else 2] for problem in error.value.problems]
    assert places[:3] == ["session aa1", "session aa1", "session dd1"] and set(places[3:]) == {"session cc1"}
    assert not (tmp_path / "out").exists()


def test_align_all_takes_the_behaviours_of_the_files_where_none_are_named(tmp_path):
    rows = [write_arrays(tmp_path, "aa1"), write_arrays(tmp_path, "bb1", label_names=np.array(["fly"]))]
    pd.DataFrame(rows).to_csv(tmp_path / "sessions.csv", index=False)
    run(tmp_path, tmp_path / "out", behaviours=())
    sessions = load_sessions(tmp_path / "out")
    assert all(s.behaviours == ("walk", "fly") for s in sessions.values())
    assert (sessions["aa1"].labels[:, 1] == -1).all()


def test_roll_of_the_harness_is_taken_back_and_told(monkeypatch):
    given = raw()
    held = align(given, SETTINGS)
    assert "slips" not in held.report["mounting"]
    at = OFFSET_S + 60.0  # by the IMU's clock
    rolled = slip.Roll(np.array([at, at + 1e-6]), np.array([0.0, np.pi / 2]), ((at, np.pi / 2),), 0.01)
    monkeypatch.setattr(slip, "HEADING_SE_DEG", np.inf)
    monkeypatch.setattr(slip, "find_roll", lambda *_: rolled)
    session = align(given, SETTINGS)
    late = session.time > 60.1
    np.testing.assert_array_equal(session.imu[~late][:-10], held.imu[~late][:-10])
    back = session.imu[late][:, [0, 2, 1, 3, 5, 4]] * [1, 1, -1, 1, 1, -1]
    np.testing.assert_allclose(back, held.imu[late], atol=1e-5)
    assert session.report["mounting"]["slips"] == [{"time_s": 60.0, "deg": 90.0}]
    row, before = (table_row(one, at_rest(given), Ontology()) for one in (session, held))
    assert "sensor slipped by 90° at 60 s (± 1°); taken back" in row["note"]
    assert [(r["slips"], r["roll_deg"]) for r in (row, before)] == [(1, pytest.approx(90)), (0, 0.0)]
    assert np.isnan([row["swaps"], row["swapped"]]).all()
