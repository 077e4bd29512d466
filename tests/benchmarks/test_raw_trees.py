from dataclasses import replace

import numpy as np
import pytest
import tiny

from benchmarks.peers.raw_channels import keypoint_channels, pair_channels, raw_channels
from benchmarks.peers.raw_trees import window_table

RNG = np.random.default_rng(0)


def test_keypoints_are_seen_from_their_mean_whose_speed_is_per_second():
    t = np.arange(50) / 10
    points = np.stack([np.stack([3 * t, 4 * t, t * 0], 1), np.stack([3 * t + 2, 4 * t, t * 0], 1)], 1)  # (T, 2, 3) in 2D
    found = keypoint_channels(points, rate_hz=10.0)
    np.testing.assert_allclose(found, np.tile([-1, 0, 1, 0, 5], (50, 1)), atol=1e-9)


def test_heights_of_3d_keypoints_are_kept_and_a_missing_one_moves_no_centre():
    points = np.ones((20, 3, 4)) * np.array([1.0, 2.0, 5.0, 1.0])
    points[4, 1, :3] = np.nan
    found = keypoint_channels(points, rate_hz=10.0)
    assert found.shape == (20, 9 + 1 + 3)
    np.testing.assert_array_equal(found[:, -3:], points[..., 2])
    np.testing.assert_array_equal(found[:, [0, 1, 2, 6, 7, 8, 9]], 0)
    assert np.isnan(found[4, 3:6]).all() and (found[5, 3:6] == 0).all()


def test_a_pair_has_no_roles():
    one, other = RNG.normal(size=(2, 30, 2, 2))
    other[7, 1] = np.nan
    found = pair_channels(one, other, rate_hz=10.0)
    assert found.shape == (30, 11)
    np.testing.assert_array_equal(found, pair_channels(other, one, rate_hz=10.0))
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])  # nor axes
    np.testing.assert_allclose(found, pair_channels(one @ turned, other @ turned, rate_hz=10.0))


def test_distances_of_a_pair_that_stands_still():
    square = pair_channels(np.tile([[0.0, 0], [0, 1]], (9, 1, 1)), np.tile([[3.0, 0], [3, 1]], (9, 1, 1)), rate_hz=10.0)
    wanted = [3, 3, 10**0.5, 10**0.5, 3, 0, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(square, np.tile(wanted, (9, 1)), atol=1e-12)


def test_channels_come_by_modality_and_in_the_recipes_order():
    session, recipe = tiny.session(frames=120), tiny.RECIPE
    found = raw_channels(session, recipe)
    assert set(found) == {"imu", "pose", "both"} and all(x.dtype == np.float32 for x in found.values())
    np.testing.assert_array_equal(found["imu"][:, : len(recipe.imu_names)], session.imu)
    np.testing.assert_array_equal(found["both"], np.concatenate([found["imu"], found["pose"]], 1))
    bare = replace(session, imu=session.imu[:, :0], imu_names=())
    assert np.isnan(raw_channels(bare, recipe)["imu"][:, : len(recipe.imu_names)]).all()


def test_windows_know_mean_deviation_and_difference_of_a_ramp_and_skip_what_is_missing():
    x = np.stack([np.arange(40.0), np.full(40, 2.0)], 1)
    x[20, 1] = np.nan
    x[30:38, 0] = np.nan
    table = window_table(x, [3], np.array([10, 20, 34]))
    np.testing.assert_allclose(table[0], [10, 2, 10, 2, 2.0, 0, 3, 0], rtol=1e-6)  # ahead 11.5, behind 8.5
    np.testing.assert_allclose(table[1], [20, np.nan, 20, 2, 2.0, 0, 3, 0], rtol=1e-6, atol=1e-6)
    assert np.isnan(table[2, [0, 2, 4, 6]]).all()
    np.testing.assert_array_equal(window_table(x, [3])[[10, 20, 34]], table)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_session_has_a_table(frames):
    assert window_table(np.zeros((frames, 2)), [3, 9]).shape == (frames, 14)
