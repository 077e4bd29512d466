from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recorded import FPS, KEYPOINTS, OFFSET_S, SETTINGS, raw, row

from rbc.recordings.alignment import align, sync_problems
from rbc.recordings.checking import check_all
from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import ACC
from rbc.recordings.ontology import Ontology
from rbc.recordings.pairs import Pairs
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions


def pairs(offset_s=OFFSET_S, drift_ppm=0.0) -> Pairs:
    camera_s = np.array([5.0, 110.0])
    return Pairs(camera_s, camera_s + offset_s, ("sync: pair a", "sync: pair b"), drift_ppm)


def asleep():
    """An animal that does not stir: nothing to tell the clocks by."""
    given = raw()
    values = np.random.default_rng(0).normal(0, 0.01, given.imu.values.shape) + [0, 0, 9.81, 0, 0, 0]
    points = np.array(given.tracks.points)
    points[..., :2] = points[:1, :, :2] + np.random.default_rng(1).normal(0, 0.3, (len(points), 3, 2))
    return replace(
        given, imu=replace(given.imu, values=values.astype(np.float32)), tracks=replace(given.tracks, points=points)
    )


def test_pairs_fix_the_clock_and_signals_confirm_it():
    out = align(raw(pairs=pairs(OFFSET_S + 0.01)), SETTINGS)
    clock = out.report["clock"]
    assert abs(clock["offset_s"] - OFFSET_S - 0.01) < 1e-9 and clock["drift_ppm"] == 0.0
    assert "clock of 2 pairs; the signals agree within 1" in clock["reason"] and clock["correlation"] > 0.9
    assert out.report["sync"] == {
        "camera_s": [5.0, 110.0], "imu_s": [12.51, 117.51], "residual_ms": [0.0, 0.0],
    }  # fmt: skip
    assert out.valid[:, 0].mean() > 0.95 and out.report["mounting"]["axes"] == "body"
    assert "sync" not in align(raw(), SETTINGS).report


def test_signals_that_contradict_the_pairs_stop_it():
    given = raw(pairs=pairs(OFFSET_S + 0.1))
    (problem,) = sync_problems(given, SETTINGS)
    assert problem.startswith("session F1D1_x: sync: 2 pairs: offset 7600 ± ") and "by the signals 750" in problem
    assert "ms apart at" in problem and "needs 40 ms at most" in problem
    with pytest.raises(RecordingError, match="session F1D1_x: sync: 2 pairs"):
        align(given, SETTINGS)


@pytest.mark.parametrize("mount", ["head", ""])
def test_a_sleeping_animals_clock_is_that_of_the_pairs(mount):
    given = replace(asleep(), pairs=pairs(), row=row(imu_mount=mount))
    assert sync_problems(given, SETTINGS) == []
    out = align(given, SETTINGS)
    assert out.report["clock"]["accepted"] and abs(out.report["clock"]["offset_s"] - OFFSET_S) < 1e-9
    assert "the signals cannot decide (turning agrees nowhere clearly" in out.report["clock"]["reason"]
    assert out.report["mount"] == mount and out.valid[:, 0].mean() > 0.95 and np.isfinite(out.imu).mean() > 0.95
    assert not align(replace(given, pairs=None), SETTINGS).report["clock"]["accepted"]


def test_without_a_gyroscope_the_pairs_alone_decide():
    given = raw(pairs=pairs())
    imu = replace(given.imu, names=ACC, values=given.imu.values[:, :3])
    out = align(replace(given, imu=imu), SETTINGS)
    assert out.report["clock"]["accepted"] and "no gyroscope" in out.report["clock"]["reason"]
    assert out.valid[:, 0].mean() > 0.95


def write(root, **cells):
    """A recording of the turning rat as files, and its manifest."""
    given = raw()
    frames = np.arange(len(given.frame_s))
    parts = "bodyparts" + "".join(f",{k}" * 3 for k in KEYPOINTS)
    head = ["scorer" + ",net" * 9, parts, "coords" + ",x,y,likelihood" * 3]
    body = np.column_stack([frames, given.tracks.points.reshape(len(frames), -1)])
    np.savetxt(root / "p.csv", body, "%.6g", ",", header="\n".join(head), comments="")
    imu = np.column_stack([given.imu.time_s, given.imu.values])
    np.savetxt(root / "i.csv", imu, "%.6g", ",", header="time_s," + ",".join(given.imu.names), comments="")
    line = {"session": "F1D1_x", "animal": "F1", "pose": "p.csv", "imu": "i.csv", "labels": "", "pose_rate_hz": FPS,
            "imu_rate_hz": 100, "imu_units": "m/s2,rad/s", "imu_mount": "head"}  # fmt: skip
    pd.DataFrame([line | cells]).to_csv(root / "sessions.csv", index=False)


def run(root):
    return align_all(
        root, root / "out", behaviours=("walk",), animal_pattern="^..", body_axis=SETTINGS.body_axis,
        head_axis=SETTINGS.head_axis, rate_hz=50.0, min_likelihood=0.6, max_gap_s=0.2, min_clock_correlation=0.3,
        progress=False,
    )  # fmt: skip


def test_from_the_manifest_to_the_table(tmp_path):
    (tmp_path / "sync.csv").write_text("video_frame,imu_sample\n60,950\n3300,11750\n")
    stamps = np.arange(3600) + np.arange(3600) // 1800  # the camera dropped a frame
    lines = "".join(f"{n},{k / FPS:.6f}\n" for k, n in enumerate(stamps))
    (tmp_path / "times.csv").write_text("frame,time_s\n" + lines)
    write(tmp_path, sync="sync.csv", pose_times="times.csv")
    note = run(tmp_path)["note"][0]
    assert "clock of 2 pairs; the signals agree within" in note
    assert "times.csv: 3600 time stamps numbered over 3601 frames, 3600 rows of pose, 3600 video frames: 1 f" in note
    (session,) = load_sessions(tmp_path / "out").values()
    assert abs(session.report["clock"]["offset_s"] - 7.5) < 1e-4 and "sync.csv" in session.report["sources"]
    assert note.split("; ")[-1] == session.report["notes"][0]


@pytest.mark.parametrize(
    "cells, message",
    [
        ({"sync": "5=12.6;100=107.6"}, "F1D1_x: sync: 2 pairs: offset 7600 .* by the signals 750"),
        ({"imu_offset_s": "-7.5", "imu_drift_ppm": "0"}, "imu_offset_s -7.5: offset -7500 ± 10 ms, drift 0 ± 0 ppm"),
        ({"sync": "5=12.5;50=57.9;100=107.5"}, "sync: pair 50=57.9 lies 400 ms off the line of 2 of 3 pairs"),
        ({"sync": "5=500"}, "sync: pair 5=500: imu_s 500 is outside the IMU's recording"),
    ],
)  # fmt: skip
def test_a_wrong_clock_stops_before_anything_is_written(tmp_path, cells, message):
    write(tmp_path, **cells)
    with pytest.raises(RecordingError, match=message):
        run(tmp_path)
    assert not (tmp_path / "out").exists()


def test_pulses_from_the_manifest_to_the_clock(tmp_path):
    at = np.cumsum(np.random.default_rng(2).uniform(2.0, 6.0, 25))
    write(tmp_path, sync="imu:TTL", sync_video="led.csv")
    (tmp_path / "led.csv").write_text("time_s\n" + "".join(f"{t:.4f}\n" for t in at))
    head, *rows = (tmp_path / "i.csv").read_text().splitlines()
    line = ((float(row.split(",")[0]) - OFFSET_S - at) % 1e9 < 0.1 for row in rows)
    (tmp_path / "i.csv").write_text("\n".join([head + ",TTL", *(f"{r},{int(on.any())}" for r, on in zip(rows, line))]))
    assert "clock of 25 pairs; the signals agree within" in run(tmp_path)["note"][0]
    (session,) = load_sessions(tmp_path / "out").values()
    assert abs(session.report["clock"]["offset_s"] - OFFSET_S) < 0.006 and "led.csv" in session.report["sources"]


def test_pulses_need_a_table_of_the_imu(tmp_path):
    write(tmp_path, sync="imu:TTL", sync_video="i.csv")
    with pytest.raises(RecordingError, match="i.csv: missing column 'TTL'"):
        run(tmp_path)


def test_pairs_are_checked_although_no_axis_is_known(tmp_path):
    write(tmp_path, sync="5=12.6;50=57.9;100=107.5")
    blind = replace(SETTINGS, body_axis=(), head_axis=(), behaviours=())
    with pytest.raises(RecordingError, match="pair 50=57.9 lies"):
        check_all(tmp_path, blind, animal_pattern="^..", ontology=Ontology(), progress=False)


def test_pairs_of_one_modality_are_not_used_and_that_is_said(tmp_path):
    write(tmp_path, sync="5=12.5", pose="")
    assert "sync is not used: needs pose and IMU on two clocks" in run(tmp_path)["note"][0]
