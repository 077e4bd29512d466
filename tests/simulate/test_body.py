import numpy as np
import pytest

from rbc.simulate import body
from rbc.simulate.behaviour import Bout
from rbc.simulate.imu import angular_rate, specific_force
from rbc.simulate.rat import POSTURE, Rat
from rbc.simulate.world import BODY, GRAVITY, KEYPOINTS, SIM_RATE_HZ, WORLDS

WORLD = WORLDS["first"]


def moved(*bouts, seconds=6.0):
    return body.move(list(bouts), (0.0, 0.0, 0.0), 0.0, seconds, Rat(1.0, 1.0, np.random.default_rng(0)), WORLD)


def test_a_resting_mount_feels_one_g_upwards_and_does_not_turn():
    tilt = body.rotation(np.full(50, 0.7), np.full(50, 0.4), np.full(50, -0.3))
    felt = specific_force(np.zeros((50, 3)), tilt)
    np.testing.assert_allclose(felt, np.tile(GRAVITY * tilt[0].T @ [0, 0, 1], (50, 1)), atol=1e-12)
    np.testing.assert_allclose(angular_rate(tilt), 0, atol=1e-9)


def test_a_mount_on_a_circle_feels_the_centripetal_force():
    rate, radius, time = 6.0, 0.04, np.arange(400) / SIM_RATE_HZ
    turned = body.rotation(rate * time, 0 * time, 0 * time)
    place = turned @ np.array([radius, 0.0, 0.0])
    np.testing.assert_allclose(angular_rate(turned), np.tile([0, 0, rate], (400, 1)), atol=1e-6)
    expected = np.tile([-radius * rate**2, 0, GRAVITY], (398, 1))
    np.testing.assert_allclose(specific_force(place, turned)[1:-1], expected, atol=2e-3)


def test_pitch_is_nose_up_and_yaw_to_the_left():
    up = body.rotation(np.zeros(1), np.array([0.5]), np.zeros(1))[0] @ [1, 0, 0]
    left = body.rotation(np.array([0.5]), np.zeros(1), np.zeros(1))[0] @ [1, 0, 0]
    assert up[2] > 0 and left[1] > 0


def test_a_turn_ends_at_its_angle_and_a_walk_at_its_place():
    p = moved(Bout("turn_left", 1.0, 1.6, turn=1.2), Bout("walk", 2.0, 4.0, shift=(0.2, -0.1), speed=0.11))
    assert p["heading"][-1] == pytest.approx(1.2, abs=1e-3)
    assert (p["x"][-1], p["y"][-1]) == pytest.approx((0.2, -0.1), abs=1e-6)


def test_a_jump_flies_free_of_gravity_and_lands():
    p = moved(Bout("jump", 2.0, 2.5), seconds=4.0)
    force = specific_force(np.stack([p["x"], p["y"], p["lift"]], 1), np.tile(np.eye(3), (len(p["x"]), 1, 1)))
    assert np.abs(force[int(2.25 * SIM_RATE_HZ), 2]) < 0.5
    assert p["lift"][-1] == pytest.approx(0.0, abs=1e-9) and p["lift"].max() > 0.03


def test_rearing_raises_the_head():
    p = body.at(moved(Bout("rearing", 2.0, 4.0)), np.array([1.0, 3.0]))
    nose = body.keypoints(p, 1.0)[:, KEYPOINTS.index("nose"), 2]
    assert nose[1] > nose[0] + 0.05


def test_keypoints_keep_the_bodys_lengths():
    p = moved(Bout("grooming", 1.0, 4.0), Bout("walk", 4.0, 5.5, shift=(0.1, 0.0), speed=0.07))
    points = dict(zip(KEYPOINTS, body.keypoints(p, 1.0).transpose(1, 0, 2)))
    bob = np.abs(p["bob"]).max()
    head = np.linalg.norm(points["nose"] - points["neck"], axis=1)
    np.testing.assert_allclose(head, BODY["head"], atol=bob + 1e-3)
    assert np.isfinite(np.concatenate(list(points.values()))).all()


def test_no_movement_changes_more_than_its_own_time():
    quiet, busy = moved(seconds=8.0), moved(Bout("scratch", 4.0, 5.0), seconds=8.0)
    early = slice(0, int(3.4 * SIM_RATE_HZ))
    still = ("leg_left", "leg_right", "leg_shake", "held", "stroke")
    assert all(np.array_equal(quiet[name][early], busy[name][early]) for name in still)
    assert set(POSTURE) - {"vx", "vy", "yaw"} <= set(busy)
