from dataclasses import replace

import numpy as np
import pytest
from recorded import SETTINGS, raw

from rbc.recordings.deeplabcut import Tracks
from rbc.recordings.physics import at_rest, turning_problems, unit_problems


def scaled(acc: float = 1.0, gyro: float = 1.0, **cells):
    """The turning rat of test_alignment, its IMU's numbers wrong by two factors."""
    given = raw()
    values = (given.imu.values * np.repeat([acc, gyro], 3)).astype(np.float32)
    return replace(given, imu=replace(given.imu, values=values), row=replace(given.row, **cells))


def mirrored():
    given = raw()
    points = np.array(given.tracks.points)
    points[..., 0] = 640 - points[..., 0]
    return replace(given, tracks=Tracks(given.tracks.keypoints, points, {}))


def test_a_rat_at_rest_feels_gravity_and_does_not_turn():
    given = raw()
    given.imu.values[2000:4000, 3:] = np.deg2rad(2.0)
    rest = at_rest(given)
    assert abs(rest.acc_g - 1) < 0.01 and abs(rest.turn_deg_s - 2 * np.sqrt(3)) < 0.2 and abs(rest.length_s - 130) < 1
    assert unit_problems(rest, "m/s2,rad/s") == [] and rest.note == ""


def test_a_biased_logger_and_a_restless_rat_are_odd_but_not_refused():
    rest = at_rest(scaled(acc=1.15))
    assert rest.note == "|acceleration| at rest is 1.15 g; the gyroscope shows 62 °/s at rest"
    assert unit_problems(rest, "m/s2,rad/s") == []


G = 9.80665


@pytest.mark.parametrize("stated, factor, likely", [
    ("g,rad/s", G, "m/s2"), ("m/s2,rad/s", 1 / G, "g"), ("mg,rad/s", 1e-3, "g"), ("g,rad/s", 1e3, "mg"),
    ("g,rad/s", 16384, "lsb/16384 g"), ("m/s2,rad/s", 2048 / G, "lsb/2048 g"),
])  # fmt: skip
def test_a_wrong_unit_of_acceleration_is_named(stated, factor, likely):
    (problem,) = unit_problems(at_rest(scaled(acc=factor)), stated)
    assert f"imu_units '{stated}': at rest |acceleration| is" in problem and "needs 1 g within 25 %" in problem
    assert problem.endswith(f"it looks like {likely}")


def test_acceleration_without_gravity_is_refused():
    given = raw()
    given.imu.values[:, 2] -= 9.81
    (problem,) = unit_problems(at_rest(given), "m/s2,rad/s")
    assert problem.endswith("wrong unit, or gravity was taken out")


@pytest.mark.parametrize("stated, factor, likely", [
    ("m/s2,rad/s", 180 / np.pi, "deg/s"), ("m/s2,deg/s", 1e3, "mdps"), ("m/s2,deg/s", 131, "lsb/131 deg/s"),
])  # fmt: skip
def test_a_wrong_unit_of_rotation_is_named(stated, factor, likely):
    given = scaled(gyro=factor)
    given.imu.values[2000:4000, 3:] = np.deg2rad(4.0) * factor  # bias while it keeps still
    (problem,) = unit_problems(at_rest(given), stated)
    assert "the gyroscope shows" in problem and problem.endswith(f"it looks like {likely}")


def test_a_gyroscope_far_too_small_is_told_by_the_camera():
    (problem,) = turning_problems(scaled(gyro=np.pi / 180, imu_units="m/s2,deg/s"), SETTINGS)
    assert "57" in problem and problem.endswith("needs about 1: rad/s taken for deg/s?")


def test_camera_and_gyroscope_that_turn_alike_are_no_problem():
    assert turning_problems(raw(), SETTINGS) == []


@pytest.mark.parametrize("imu_mount", ["head", ""])
def test_a_mirrored_video_is_refused(imu_mount):
    given = mirrored()
    (problem,) = turning_problems(replace(given, row=replace(given.row, imu_mount=imu_mount)), SETTINGS)
    assert "turn against the gyroscope" in problem and "left and right would swap" in problem


def test_a_foreign_imu_is_left_to_the_clock():
    given = raw()
    values = np.array(given.imu.values)
    values[:, 5] = np.roll(values[::-1, 5], 3000)
    assert turning_problems(replace(given, imu=replace(given.imu, values=values)), SETTINGS) == []


def test_nothing_is_compared_where_nothing_can_be():
    assert turning_problems(raw(imu=None), SETTINGS) == []
    assert turning_problems(raw(tracks=None), SETTINGS) == []
    assert np.isnan(at_rest(raw(imu=None)).acc_g) and unit_problems(at_rest(raw(imu=None)), "") == []
