from dataclasses import replace

import numpy as np
import pytest
from recorded import SETTINGS, raw

from rbc.recordings.alignment import align
from rbc.recordings.quality import LEVELS, describe, distances


@pytest.fixture(scope="module")
def session():
    return align(raw(), replace(SETTINGS, keypoints=("nose", "neck", "tail_base")))


def told(session, **changes):
    return describe(replace(session, **changes))


def test_signals_are_described_in_their_units(session):
    found = describe(session)
    assert abs(np.median(found["acceleration"]["|acc|"]) - 9.81) < 0.05
    assert np.allclose(found["gravity"]["up"], 1, atol=0.05) and np.allclose(found["gravity"]["left"], 0, atol=0.05)
    assert abs(found["shape"]["nose"].mean() - 0.3) < 0.02  # 80 px ahead of the middle, the median point 50
    assert all(len(quantiles) == len(LEVELS) for signals in found.values() for quantiles in signals.values())
    assert np.allclose(found["likelihood"]["nose"], 1) and set(found) == {
        "acceleration", "rotation", "gravity", "bands", "speed", "shape", "likelihood"}


def test_what_was_not_measured_is_not_described(session):
    found = told(session, valid=np.zeros_like(session.valid))
    assert set(found) == {"likelihood"}  # which says itself that nothing was seen


def test_the_distance_is_wassersteins_in_usual_spreads():
    levels = np.linspace(-1, 1, 19)  # quartiles 1 apart or so
    usual = {"bands": {"acc": levels, "gyro": levels}}
    far = distances({"a": usual, "b": usual, "c": usual, "d": {"bands": {"acc": levels + 5, "gyro": levels}}})
    spread = levels[14] - levels[4]
    assert far["d"]["bands"] == (pytest.approx(5 / spread), "acc") and far["a"]["bands"][0] == 0


def test_two_sessions_do_not_say_which_is_odd(session):
    assert distances({"a": describe(session), "b": describe(session)}) == {"a": {}, "b": {}}


def test_a_spoilt_session_lies_far_from_the_others(session):
    turned = np.array(session.imu)
    turned[:, :3] = turned[:, [2, 0, 1]]
    spread = np.array(session.pose)
    spread[:, 0, :2] += 60
    far = distances({
        "a": describe(session), "b": describe(session), "c": describe(session), "imu": told(session, imu=turned),
        "pose": told(session, pose=spread),
    })  # fmt: skip
    assert far["imu"]["gravity"][0] > 5 and far["imu"]["gravity"][1] in ("forward", "up")
    assert far["pose"]["shape"][0] > 3 and far["pose"]["shape"][1] == "nose"
    assert max(distance for distance, _ in far["a"].values()) < 1e-6


def test_features_without_units_are_judged_by_their_own_deviation():
    flag, other = {"features": {"seen": np.zeros(19)}}, {"features": {"seen": np.ones(19)}}
    far = distances({"a": flag, "b": flag, "c": flag, "d": other})
    assert far["d"]["features"][0] == pytest.approx(1 / np.std([0, 0, 0, 1])) and far["a"]["features"][0] == 0
