from types import SimpleNamespace

import numpy as np

from rbc.recordings.truth import TRUTH, read_truth


def write(root, name, time, labels, behaviours=("walk", "jump", "still")):
    (root / TRUTH).mkdir(exist_ok=True)
    np.savez(root / TRUTH / f"{name}.npz", time=time, labels=np.asarray(labels, "i1"), behaviours=np.array(behaviours))


def test_truth_is_read_at_the_sessions_frames_in_its_order_of_behaviours(tmp_path):
    time = np.arange(100) * 0.02
    labels = np.stack([np.arange(100) >= 50, np.arange(100) == 7, np.arange(100) < 50], 1)
    write(tmp_path, "F1D1", time, labels)
    session = SimpleNamespace(time=time[10:90:2] + 0.009, behaviours=("still", "walk"))
    got = read_truth(tmp_path, {"F1D1": session})["F1D1"]
    assert got.dtype == np.int8
    np.testing.assert_array_equal(got, labels[10:90:2][:, [2, 0]])


def test_the_nearest_frame_counts_and_the_ends_go_on(tmp_path):
    write(tmp_path, "F1D1", np.array([0.0, 1.0, 2.0]), [[0], [1], [0]], ("walk",))
    session = SimpleNamespace(time=np.array([-5.0, 0.4, 0.6, 1.4, 1.6, 9.0]), behaviours=("walk",))
    assert read_truth(tmp_path, {"F1D1": session})["F1D1"][:, 0].tolist() == [0, 0, 1, 1, 0, 0]


def test_a_real_world_has_no_truth(tmp_path):
    assert read_truth(tmp_path, {"F1D1": SimpleNamespace(time=np.arange(3.0), behaviours=())}) == {}
