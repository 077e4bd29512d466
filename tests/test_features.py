from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from rbc.features import (
    GRAVITY,
    imu_features,
    imu_width,
    part_features,
    pose_features,
    pose_width,
    programmed_targets,
    session_features,
)
from rbc.rooms import pieces
from rbc.running import difference, running_mean
from rbc.signals import IMU_CHANNELS, Crop, Recipe, empty_crop, session_crop

RECIPE = tiny.RECIPE
FRAMES, MARGIN = 200, 60


def crop_of(points=None, imu=None) -> Crop:
    """A crop (1, T) of keypoints (T, K, 2) in px and inertial signals (T, 6), bands 0."""
    pose = np.full((FRAMES, 4, 3), np.nan) if points is None else np.concatenate([points, np.ones((FRAMES, 4, 1))], -1)
    imu = np.full((FRAMES, 6), np.nan) if imu is None else imu
    return Crop(torch.tensor(imu, dtype=torch.float32)[None], torch.zeros(1, FRAMES, 2),
                torch.tensor(pose, dtype=torch.float32)[None], torch.zeros(1, FRAMES, 0, 3),
                torch.zeros(1, FRAMES, 0), torch.zeros(1, FRAMES, 0),
                torch.ones(1, FRAMES, 2, dtype=torch.bool), torch.tensor([80.0]))


def turned(angle) -> np.ndarray:
    """Matrices (T, 2, 2) that turn by the angles (T,) from x towards y."""
    return np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)


def wandering_points() -> np.ndarray:
    """Keypoints (T, K, 2) of a rat that walks in a wobbling curve and nods."""
    t = np.arange(FRAMES) / RECIPE.rate_hz
    nod = np.stack([np.sin(6 * t), np.cos(7 * t)], -1)[:, None] * np.array([3.0, 2.0, 1.0, 0.0])[:, None]
    points = tiny.BODY_PX + nod
    walked = np.stack([90 * t, 20 * np.sin(t)], -1)
    return points @ turned(0.8 * np.sin(2 * t)).transpose(0, 2, 1) + walked[:, None]


def inner(features: torch.Tensor) -> np.ndarray:
    return features[0, MARGIN:-MARGIN].numpy()


def constant_columns(features: torch.Tensor, value: float) -> np.ndarray:
    """Columns that have one value throughout, edges aside."""
    return np.flatnonzero(np.isclose(inner(features), value, atol=1e-4).all(0))


@pytest.mark.parametrize("rate", [1.3, -1.3])
def test_a_rat_that_turns_at_a_constant_rate_has_that_yaw_rate_with_its_sign(rate):
    angle = rate * np.arange(FRAMES) / RECIPE.rate_hz
    crop = crop_of(tiny.BODY_PX @ turned(angle).transpose(0, 2, 1))
    _, target = programmed_targets(crop, RECIPE)
    np.testing.assert_allclose(inner(target)[:, 1], rate / 3, atol=1e-4)
    features = pose_features(crop, RECIPE)
    assert len(constant_columns(features, rate / 3)) == 4  # trunk and head, now and over half a second
    assert len(constant_columns(features, -rate / 3)) == 0


def test_a_rat_that_walks_straight_moves_along_its_trunk_and_does_not_turn():
    speed = 2.0  # body lengths a second
    walked = np.arange(FRAMES)[:, None, None] * np.array([speed * 80 / RECIPE.rate_hz, 0.0])
    for angle in (0.0, 2.1):
        crop = crop_of((tiny.BODY_PX + walked) @ turned(np.full(FRAMES, angle)).transpose(0, 2, 1))
        features = pose_features(crop, RECIPE)
        assert len(constant_columns(features, speed)) == 2  # travel, now and over a second
        assert len(constant_columns(features, speed / 3)) == 4  # the four keypoints
        np.testing.assert_allclose(inner(programmed_targets(crop, RECIPE)[1])[:, 1], 0, atol=1e-5)


@pytest.mark.parametrize("change", ["moved", "turned", "zoomed"])
def test_where_the_arena_is_how_it_lies_and_how_near_the_camera_is_does_not_matter(change):
    points = wandering_points()
    crop = crop_of(points)
    if change == "moved":
        other = crop_of(points + [123.0, -45.0])
    elif change == "turned":
        other = crop_of(points @ turned(np.full(FRAMES, 2.3)).transpose(0, 2, 1))
    else:
        other = replace(crop_of(1.7 * points), body_length_px=torch.tensor([1.7 * 80.0]))
    torch.testing.assert_close(pose_features(other, RECIPE), pose_features(crop, RECIPE), atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(programmed_targets(other, RECIPE)[1], programmed_targets(crop, RECIPE)[1],
                               atol=2e-3, rtol=1e-3)


def test_at_rest_gravity_is_one_and_all_else_is_nothing():
    imu = np.tile([0.0, 0.0, GRAVITY, 0.0, 0.0, 0.0], (FRAMES, 1))
    features = imu_features(crop_of(imu=imu), RECIPE)[0]
    assert (features - features[0]).abs().max() < 1e-5  # at the edges too
    values, count = np.unique(features[FRAMES // 2].numpy().round(4), return_counts=True)
    assert dict(zip(values.tolist(), count.tolist(), strict=True)) == {-4.0: 6, 0.0: 16, 1.0: 2}


def test_a_constant_rotation_is_read_in_rad_per_second_whatever_gravity_does():
    imu = np.tile([GRAVITY, 0.0, 0.0, 0.0, 0.0, -2.0], (FRAMES, 1))
    features = imu_features(crop_of(imu=imu), RECIPE)
    assert len(constant_columns(features, -2.0 / 5)) == 2 and len(constant_columns(features, 1.0)) == 2
    np.testing.assert_allclose(inner(programmed_targets(crop_of(imu=imu), RECIPE)[0])[:, :3],
                               np.tile([-4, 1, -2 / 3], (FRAMES - 2 * MARGIN, 1)), atol=1e-4)


def test_future_targets_are_the_targets_half_a_second_later():
    imu = np.zeros((FRAMES, 6))
    imu[:, 5] = np.arange(FRAMES) / 50
    target, _ = programmed_targets(crop_of(imu=imu), RECIPE)
    np.testing.assert_allclose(inner(target)[:, 5] - inner(target)[:, 2], 25 / 50 / 3, atol=1e-4)


def test_running_mean_is_the_mean_of_what_is_there():
    x = torch.randn(2, 30, 3, 2, generator=torch.Generator().manual_seed(0))
    x[0, 4:12, 1] = torch.nan
    mean = running_mean(x, 5)
    for t in (0, 1, 3, 7, 13, 28, 29):
        torch.testing.assert_close(mean[:, t], x[:, max(t - 2, 0) : t + 3].nanmean(1), equal_nan=True)
    assert mean[0, 6:10, 1].isnan().all() and mean.isnan().sum() == 4 * 2


def test_difference_is_the_change_over_twice_the_step_and_keeps_the_shape():
    ramp = torch.arange(20.0)[None, :, None, None].expand(2, 20, 3, 2)
    change = difference(ramp, 2)
    assert change.shape == ramp.shape and (change[:, 2:-2] == 4).all()
    assert change[0, :, 0, 0].tolist()[:2] == [2, 3] and torch.equal(difference(ramp[..., 0], 2), change[..., 0])


def test_a_crop_holds_the_sessions_frames_and_nothing_beyond_its_ends():
    session = tiny.session(frames=100, gaps=False)
    crop = session_crop(session, -7, 110, RECIPE)
    assert crop.imu.shape == (1, 117, 6) and crop.body_length_px.tolist() == [80]
    np.testing.assert_array_equal(crop.imu[0, 7:107], session.imu)
    np.testing.assert_array_equal(crop.pose[0, 7:107], session.pose)
    outside = [*range(7), *range(107, 117)]
    assert crop.imu[0, outside].isnan().all() and crop.pose[0, outside].isnan().all()
    assert not crop.there[0, outside].any() and crop.there[0, 7:107].all()


def test_there_is_something_to_read_wherever_a_number_is_whatever_validity_says():
    session = tiny.session()
    felt, seen = np.isfinite(session.imu).any(1), np.isfinite(session.pose[:, [1, 3], 0]).all(1)
    for valid in (session.valid, np.zeros_like(session.valid), np.ones_like(session.valid)):
        crop = session_crop(replace(session, valid=valid), 0, 300, RECIPE)
        np.testing.assert_array_equal(crop.there[0], np.stack([felt, seen], 1))
        np.testing.assert_array_equal(crop.imu[0], session.imu)
        np.testing.assert_array_equal(crop.pose[0], session.pose)
    assert (felt.sum(), seen.sum()) == (280, 270)


def test_a_bridged_gap_is_there_and_has_features():
    session = tiny.session(gaps=False)
    bridged = np.ones((300, 2), bool)
    bridged[100:110], bridged[200:210, 1] = False, False
    crop = session_crop(replace(session, valid=bridged), 0, 300, RECIPE)
    assert crop.there.all()
    features, whole = (session_features(s, RECIPE) for s in (replace(session, valid=bridged), session))
    np.testing.assert_array_equal(features, whole)
    assert np.isfinite(features[100:110]).any(1).all()


def test_one_channel_is_something_but_no_pose_is_without_the_bodys_axis():
    session = tiny.session(frames=60, gaps=False)
    imu, pose = np.array(session.imu), np.array(session.pose)
    imu[:10, 1:], imu[10:20] = np.nan, np.nan
    pose[20:30, [0, 2]], pose[30:40, 1], pose[40:50, 3, :2] = np.nan, np.nan, np.nan  # nose and back, neck, tail base
    there = session_crop(replace(session, imu=imu, pose=pose), 0, 60, RECIPE).there[0].numpy()
    np.testing.assert_array_equal(np.flatnonzero(~there[:, 0]), np.arange(10, 20))
    np.testing.assert_array_equal(np.flatnonzero(~there[:, 1]), np.arange(30, 50))
    tailless = replace(session, keypoints=("nose", "neck", "back"), pose=session.pose[:, :3])
    assert not session_crop(tailless, 0, 60, RECIPE).there[..., 1].any()


def test_ready_made_features_are_something_to_read_on_their_own():
    recipe = Recipe(50.0, (), ("neck", "tail_base"), ("nose", "neck"), (), (), ("x", "y"), ("z",))
    ready_imu, ready_pose = np.ones((60, 2), "f4"), np.ones((60, 1), "f4")
    ready_imu[:10, 0], ready_imu[10:20], ready_pose[30:40] = np.nan, np.nan, np.nan
    session = tiny.session(frames=60, ready_imu=ready_imu, ready_imu_names=("x", "y"), ready_pose=ready_pose,
                           ready_pose_names=("z",)).without("imu")
    there = session_crop(replace(session, ready_imu=ready_imu), 0, 60, recipe).there[0].numpy()
    np.testing.assert_array_equal(np.flatnonzero(~there[:, 0]), np.arange(10, 20))
    np.testing.assert_array_equal(np.flatnonzero(~there[:, 1]), np.arange(30, 40))
    assert not session_crop(session, 0, 60, recipe).there[..., 0].any()


@pytest.mark.parametrize("lost", ["imu", "pose"])
def test_a_lost_modality_is_nowhere_there(lost):
    there = session_crop(tiny.session(gaps=False).without(lost), 0, 300, RECIPE).there[0]
    assert there.all(0).tolist() == [lost != "imu", lost != "pose"] and there.any(0).tolist() == there.all(0).tolist()


@pytest.mark.parametrize(("start", "stop"), [(-50, -10), (-10, 0), (100, 130), (120, 320), (-30, 400)])
def test_a_crop_may_lie_beyond_the_session(start, stop):
    crop = session_crop(tiny.session(frames=100), start, stop, RECIPE)
    assert crop.imu.shape[1] == stop - start
    inside = torch.arange(start, stop).clamp(0, 99) == torch.arange(start, stop)
    assert not crop.there[0, ~inside].any()
    assert crop.imu[0, ~inside].isnan().all() and crop.pose[0, ~inside].isnan().all()


def test_columns_come_in_the_recipes_order_and_missing_ones_are_nan():
    session = tiny.session(frames=50, gaps=False)
    mixed = replace(session, keypoints=("tail_base", "nose"), pose=session.pose[:, [3, 0]], band_names=("band_high",),
                    bands=session.bands[:, 1:], imu_names=("gyro_z", "acc_x"), imu=session.imu[:, [5, 0]])
    crop = session_crop(mixed, 0, 50, RECIPE)
    np.testing.assert_array_equal(crop.pose[0, :, [0, 3]], session.pose[:, [0, 3]])
    assert crop.pose[0, :, 1:3].isnan().all() and crop.bands[0, :, 0].isnan().all()
    np.testing.assert_array_equal(crop.imu[0, :, [0, 5]], session.imu[:, [0, 5]])
    assert crop.imu[0, :, 1:5].isnan().all()


def test_three_dimensional_keypoints_lose_their_height():
    session = tiny.session(frames=50, gaps=False)
    raised = np.insert(session.pose, 2, 7.0, axis=2)
    crop = session_crop(replace(session, pose=raised), 0, 50, RECIPE)
    np.testing.assert_array_equal(crop.pose[0], session.pose)


def test_widths_are_those_of_the_features_and_nothing_else_is_needed():
    crop = session_crop(tiny.session(), 0, 300, RECIPE)
    assert imu_features(crop, RECIPE).shape == (1, 300, imu_width(RECIPE))
    assert pose_features(crop, RECIPE).shape == (1, 300, pose_width(RECIPE))
    bare = Recipe(50.0, (), ("a", "b"), ("a", "b"), (), (), ("x", "y"), ("z",))
    assert (imu_width(bare), pose_width(bare)) == (2, 1)
    assert [t.shape[-1] for t in programmed_targets(empty_crop(bare, 64), bare)] == [4, 2]


@pytest.mark.parametrize("chunk", [37, 128])
def test_features_do_not_depend_on_chunks(chunk):
    session = tiny.session(frames=400)
    whole = [x.numpy() for x in part_features(session, RECIPE, slice(0, 400))]
    parts = [part_features(session, RECIPE, part) for part in pieces(400, chunk)]
    for a, b in zip(whole, (torch.cat(x) for x in zip(*parts, strict=True)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_array_equal(session_features(session, RECIPE), np.concatenate(whole, 1))
    for features, valid in zip(whole, session.valid.T, strict=True):
        assert np.isnan(features[~valid]).all() and not np.isnan(features[valid]).all(1).any()


OTHERS = replace(RECIPE, others=True)


def beside(points, ends) -> Crop:
    """A crop of keypoints (T, K, 2) and of the other animal's front and rear (T, 2, 2), px."""
    other = np.concatenate([ends, np.ones((FRAMES, 2, 1))], -1)
    return replace(crop_of(points), other=torch.tensor(other, dtype=torch.float32)[None])


@pytest.mark.parametrize("change", ["", "turned", "zoomed"])
def test_another_animal_is_seen_from_the_own_trunk(change):
    left = 160.0 - 80.0 * 0.5 * np.arange(FRAMES) / RECIPE.rate_hz  # it comes nearer by half a body length a second
    ends = np.stack([np.stack([np.full(FRAMES, x), left], -1) for x in (-40.0, 40.0)], 1)  # and looks the other way
    points = np.tile(tiny.BODY_PX, (FRAMES, 1, 1))
    crop = beside(points, ends)
    if change == "turned":
        turn = turned(np.full(FRAMES, 2.3)).transpose(0, 2, 1)
        crop = beside(points @ turn + 7.0, ends @ turn + 7.0)
    elif change == "zoomed":
        crop = replace(beside(1.7 * points, 1.7 * ends), body_length_px=torch.tensor([1.7 * 80.0]))
    far, constant = left / 80, np.ones(FRAMES)
    expected = np.stack([far, np.hypot(0.25, far), far, 0.5 * constant, 0 * constant, constant, -constant,
                         *np.zeros((3, FRAMES))], -1)
    features = pose_features(crop, OTHERS)
    np.testing.assert_allclose(inner(features)[:, -10:], expected[MARGIN:-MARGIN], atol=1e-3)
    np.testing.assert_array_equal(features[..., :-10], pose_features(crop, RECIPE))


def test_who_has_nobody_beside_it_has_features_of_the_other_missing_or_none_at_all():
    alone = tiny.session(frames=100, gaps=False)
    met = replace(alone, other=np.array(alone.pose[:, [1, 3]] + np.float32([90, 0, 0])))
    assert pose_width(OTHERS) == pose_width(RECIPE) + 10
    np.testing.assert_array_equal(session_features(met, RECIPE), session_features(alone, RECIPE))
    features = session_features(alone, OTHERS)[:, -10:]
    assert np.isnan(features[:, :-2]).all() and (features[:, -2:] == 1).all()
    half = np.array(met.other)
    half[40:60, 1] = np.nan  # its rear is not seen
    features = session_features(replace(met, other=half), OTHERS)[:, -10:]
    assert np.isnan(features[45:55, [0, 1]]).all() and np.isfinite(features[:, 2]).all()
    assert (features[40:60, -2:] == [0, 1]).all() and np.isfinite(features[np.r_[:20, 80:100]]).all()


def test_features_leave_the_crop_as_it_was():
    crop = session_crop(tiny.session(), 0, 200, RECIPE)
    before = crop.map(torch.clone)
    imu_features(crop, RECIPE), pose_features(crop, RECIPE), programmed_targets(crop, RECIPE)
    for name in vars(crop):
        torch.testing.assert_close(getattr(crop, name), getattr(before, name), equal_nan=True, rtol=0, atol=0)


def test_imu_channels_are_three_of_each():
    assert IMU_CHANNELS == tuple(f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz")
