from types import SimpleNamespace

import numpy as np
import tiny

from rbc.recordings.session import Session
from rbc.recordings.truth import TRUTH, load_truth, read_truth, save_truth


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


def test_a_behaviour_that_is_not_simulated_is_not_scored(tmp_path):
    write(tmp_path, "F1D1", np.arange(3.0), [[0], [1], [0]], ("walk",))
    session = SimpleNamespace(time=np.arange(3.0), behaviours=("sniff", "walk"))
    assert read_truth(tmp_path, {"F1D1": session})["F1D1"].tolist() == [[-1, 0], [-1, 1], [-1, 0]]


def test_truth_is_a_file_beside_a_session_which_never_holds_it(tmp_path):
    sessions = {name: tiny.session(name, 60) for name in ("F1D1", "F2D1")}
    for name, session in sessions.items():
        session.save(tmp_path / "aligned" / name)
    truth = np.random.default_rng(0).integers(0, 2, (60, 3))
    write(tmp_path, "F1D1", sessions["F1D1"].time, truth, tiny.BEHAVIOURS)
    save_truth(tmp_path, sessions, tmp_path / "aligned")
    loaded = load_truth(tmp_path / "aligned", sessions)
    assert list(loaded) == ["F1D1"]
    np.testing.assert_array_equal(loaded["F1D1"], truth)
    session = Session.load(tmp_path / "aligned/F1D1")
    assert not any("truth" in field for field in vars(session))
    np.testing.assert_array_equal(session.labels, sessions["F1D1"].labels)
