import numpy as np
import pytest
from real_data import folder
from recorded import read_manifest

from rbc.recordings.annotations import read_annotations, to_frames
from rbc.recordings.arrays import is_arrays, read_arrays
from rbc.recordings.errors import RecordingError

SIGNALS = ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
POSE = ["nose_x", "nose_y", "nose_likelihood", "box_x", "box_y"]


def save(path, **arrays):
    n = 6
    contents = dict(imu=np.ones((n, 6)), imu_names=SIGNALS, pose=np.tile([1, 2, 0.9, 7, 8], (n, 1)), pose_names=POSE,
                    labels=np.eye(n, 2, dtype=np.int8), label_names=["walk", "still"], rate_hz=20.0)  # fmt: skip
    contents = {name: value for name, value in (contents | arrays).items() if value is not None}
    np.savez(path, **contents)
    return path


def test_columns_named_as_signals_are_signals(tmp_path):
    path = save(tmp_path / "a.npz", imu=np.ones((6, 7)), imu_names=[*SIGNALS, "temperature"])
    imu = read_arrays((path,), "imu", units="g,deg/s")
    assert imu.imu.names == tuple(SIGNALS) and imu.ready_names == ("temperature",) and imu.rate_hz == 20
    np.testing.assert_allclose(imu.imu.values[0], [9.80665] * 3 + [np.pi / 180] * 3, rtol=1e-6)
    np.testing.assert_allclose(imu.imu.time_s, np.arange(6) / 20)
    pose = read_arrays((path,), "pose")
    assert pose.tracks.keypoints == ("nose",) and pose.tracks.points.shape == (6, 1, 3)
    assert pose.ready_names == ("box_x", "box_y") and pose.ready.shape == (6, 2)
    lone = read_arrays((save(path, imu=np.ones((6, 2)), imu_names=["acc_x", "acc_norm"]),), "imu")
    assert lone.imu is None and lone.ready_names == ("acc_x", "acc_norm")  # one axis is no accelerometer
    save(path)
    with pytest.raises(RecordingError, match="a.npz: imu_units: '' names no unit for acc"):
        read_arrays((path,), "imu")


def test_labels_and_annotators(tmp_path):
    own = np.full((6, 2), -1)
    labels = read_arrays((save(tmp_path / "a.npz", labels_annotator_9=own),), "labels")
    assert labels.labels.behaviours == ("walk", "still") and list(labels.annotators) == ["9"]
    frames = to_frames(labels.labels, np.arange(8) / 20, ("still", "walk", "jump"), None)
    assert frames[:, 0].tolist() == [0, 1, 0, 0, 0, 0, -1, -1] and (frames[:, 2] == -1).all()
    assert (to_frames(labels.annotators["9"], np.arange(6) / 20, ("walk", "still"), None) == -1).all()


def test_a_slot_that_is_nan_throughout_is_a_missing_modality(tmp_path):
    path = save(tmp_path / "a.npz", imu=np.full((6, 6), np.nan), pose=np.full((6, 5), np.nan))
    imu, pose = read_arrays((path,), "imu", units="g,deg/s"), read_arrays((path,), "pose")
    assert imu.imu is None and imu.ready.size == 0 and imu.frames == 6
    assert pose.tracks is None and pose.ready.size == 0
    half = np.ones((6, 6))
    half[:, 2] = np.nan
    with pytest.raises(RecordingError, match="all-NaN column acc_z"):
        read_arrays((save(path, imu=half),), "imu", units="g,deg/s")


def test_chapters_follow_each_other(tmp_path):
    first, second = save(tmp_path / "a.npz"), save(tmp_path / "b.npz")
    assert read_arrays((first, second), "pose").frames == 12
    with pytest.raises(RecordingError, match="b.npz: imu columns differ"):
        read_arrays((first, save(second, imu_names=SIGNALS[::-1])), "imu", units="g,deg/s")
    with pytest.raises(RecordingError, match="rate_hz of the chapters: 20, 10"):
        read_arrays((first, save(second, rate_hz=10.0)), "pose")


@pytest.mark.parametrize(
    "arrays, slot, message",
    [
        ({"imu": None}, "imu", "missing array 'imu'; the arrays are "),
        ({"imu": np.ones(6)}, "imu", r"imu has shape \(6,\)"),
        ({"imu": np.full((6, 6), "a")}, "imu", "needs numbers"),
        ({"imu": np.full((6, 6), {})}, "imu", "cannot be read as an array file"),
        ({"imu": np.full((6, 6), np.inf)}, "imu", "imu: row 0, column 0 is inf; needs a number"),
        ({"imu_names": SIGNALS[:5]}, "imu", "imu: 6 columns, 5 different names"),
        ({"imu_names": SIGNALS[:5] + ["acc_x"]}, "imu", "imu: 6 columns, 5 different names"),
        ({"rate_hz": 0.0}, "pose", "rate_hz is 0.0; needs one number"),
        ({"rate_hz": "x"}, "pose", "rate_hz is x"),
        ({"rate_hz": None}, "pose", "rate_hz is nan"),
        ({"labels": np.full((6, 2), 2)}, "labels", "labels: row 0, column 'walk': 2; needs 1, 0 or -1"),
        ({"labels": np.ones((7, 2))}, "labels", "labels has 7 rows, imu has 6: labels beyond the recording"),
        ({"labels_annotator_a": np.ones((5, 2))}, "labels", r"labels_annotator_a has shape \(5, 2\)"),
    ],
)
def test_what_is_refused(tmp_path, arrays, slot, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_arrays((save(tmp_path / "a.npz", **arrays),), slot, units="g,deg/s")
    assert "a.npz" in str(error.value)


def test_the_stated_rate_must_agree(tmp_path):
    path = save(tmp_path / "a.npz")
    assert read_arrays((path,), "pose", rate_hz=20).rate_hz == 20
    with pytest.raises(RecordingError, match="rate_hz is 20; the manifest says 50"):
        read_arrays((path,), "pose", rate_hz=50)
    assert read_arrays((save(path, rate_hz=None),), "pose", rate_hz=50).rate_hz == 50


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"\x93NUMPY\x01\x00", b"text", b"\x80\x04K\x01."])
def test_files_that_are_no_arrays(tmp_path, content):
    for name in ("a.npz", "a.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecordingError, match=f"{name}: cannot be read as an array file"):
            read_arrays((tmp_path / name,), "imu")
    with pytest.raises(RecordingError, match="no such file"):
        read_arrays((tmp_path / "none.npz",), "imu")


def older(tmp_path, imu, labels):
    for folder_, name, array in (("sup_IMU", "sup_IMU_F1D1", imu), ("sup_labels", "sup_labels_F1D1", labels)):
        (tmp_path / folder_).mkdir()
        np.save(tmp_path / folder_ / f"{name}.npy", array)
    (row,) = read_manifest(tmp_path, r"^[A-Z]+\d+?(?=D\d)")
    assert is_arrays(row.imu[0])
    return row


def test_older_arrays_of_rank_two(tmp_path):
    row = older(tmp_path, np.arange(12.0).reshape(6, 2), np.eye(6, 2))
    imu = read_arrays(row.imu, "imu")
    assert imu.imu is None and imu.ready.shape == (6, 2) and imu.rate_hz == 50
    labels = read_arrays([row.labels[0][1]], "labels", behaviours=("walk", "still")).labels
    assert labels.behaviours == ("walk", "still") and labels.frames.shape == (6, 2)
    assert read_arrays([row.labels[0][1]], "labels").labels.behaviours == ("behaviour_0", "behaviour_1")
    with pytest.raises(RecordingError, match="2 label columns without names; data.behaviours names 3"):
        read_arrays([row.labels[0][1]], "labels", behaviours=("a", "b", "c"))


@pytest.mark.parametrize("per_clip", [True, False])
def test_older_clips_stand_apart(tmp_path, per_clip):
    """Three clips of 10 frames: between them 2.5 s at 50 Hz in which nothing was measured or scored."""
    labels = np.eye(3, 2) if per_clip else np.repeat(np.eye(3, 2)[:, None], 10, axis=1)
    row = older(tmp_path, np.ones((3, 10, 4)), labels)
    imu, annotation = read_arrays(row.imu, "imu"), read_arrays([row.labels[0][1]], "labels").labels
    assert imu.frames == len(annotation.frames) == 30 + 2 * 125
    measured = np.isfinite(imu.ready[:, 0])
    assert measured.sum() == 30 and measured[135:145].all()
    assert ((annotation.frames != -1).all(axis=1) == measured).all()
    assert (annotation.frames[135:145] == [0, 1]).all()


def test_older_tables(tmp_path):
    imu = tmp_path / "IMU/F1D1/F1D1_IMU_features_madnorm.csv"
    labels = tmp_path / "labels/F1D1/label_F1D1.csv"
    for path, text in ((imu, ",acc,rot\n0,1,2\n1,3,\n"), (labels, "Index,walk,unknown\n0,1,0\n1,1,1\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (row,) = read_manifest(tmp_path, r"^[A-Z]+\d+?(?=D\d)")
    features = read_arrays(row.imu, "imu", rate_hz=row.imu_rate_hz)
    assert features.ready_names == ("acc", "rot") and np.isnan(features.ready[1, 1]) and features.rate_hz == 50
    annotation = read_annotations(row.labels[0][1], row.span, row.pose_rate_hz)
    assert to_frames(annotation, np.arange(2) / 50, ("walk",), None).ravel().tolist() == [1, -1]
    imu.write_text(",acc,rot\n0,1,two\n")
    with pytest.raises(RecordingError, match="line 2: column 'rot': 'two' is not a number"):
        read_arrays(row.imu, "imu")


def test_real_home():
    rows = read_manifest(folder("home"), "")
    labelled = [row for row in rows if row.labels]
    steps = {"labelled": 0, "fragments": 0}
    for row in rows:
        imu = read_arrays(row.imu, "imu", units=row.imu_units, rate_hz=row.imu_rate_hz)
        steps["labelled" if row.labels else "fragments"] += imu.frames
        if imu.imu:
            assert imu.imu.names == ("acc_x", "acc_y", "acc_z") and not imu.ready_names
    assert (len(labelled), len(rows) - len(labelled)) == (10, 872)
    assert steps == {"labelled": 332_128, "fragments": 333_780}
    first = labelled[0]
    pose, labels = read_arrays(first.pose, "pose"), read_arrays((first.labels[0][1],), "labels")
    assert pose.tracks is None and len(pose.ready_names) == 48 and pose.rate_hz == 20
    assert len(labels.labels.behaviours) == 20 and len(labels.annotators) == 2
    gravity = np.nanmedian(np.linalg.norm(read_arrays(first.imu, "imu", units="g").imu.values, axis=1))
    assert 9 < gravity < 11


def test_real_watch_phone():
    rows = read_manifest(folder("watch_phone"), "")
    steps, unscored = 0, 0
    for row in rows:
        imu = read_arrays(row.imu, "imu", units=row.imu_units, rate_hz=row.imu_rate_hz)
        labels = read_arrays((row.labels[0][1],), "labels").labels
        assert len(imu.imu.names) == 6 and len(labels.behaviours) == 5
        steps += imu.frames
        unscored += (labels.frames == -1).any(axis=1).sum()
    pose = read_arrays(rows[0].pose, "pose")
    assert pose.tracks is None and len(pose.ready_names) == 6
    assert steps == 125_618 and 0.003 < unscored / steps < 0.005


@pytest.mark.parametrize("slot, width", [("imu", 6), ("pose", 5)])
def test_nothing_but_zeros_is_no_measurement(tmp_path, slot, width):
    path = save(tmp_path / "a.npz", **{slot: np.zeros((6, width)), f"{slot}_names": [f"f{i}" for i in range(width)]})
    with pytest.raises(RecordingError, match=f"a.npz: {slot} is 0 in all 6 rows; needs what was measured, or NaN"):
        read_arrays((path,), slot)
    flag = np.hstack([np.full((6, width - 1), np.nan), np.zeros((6, 1))])  # a box that was never seen, and says so
    assert len(read_arrays((save(path, **{slot: flag, f"{slot}_names": list("abcdef"[:width])}),), slot).ready) == 6
