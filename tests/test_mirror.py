from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from rbc.features import imu_features, pose_features
from rbc.inference import encode
from rbc.mirror import NO_ONE, counterparts, has_mirror, mirrored, mirrored_track, mirrored_name, with_mirrored
from rbc.signals import session_crop

RECIPE = tiny.RECIPE
EARS = replace(RECIPE, keypoints=(*tiny.KEYPOINTS, "ear_left", "ear_right", "paw_left"))


def crop(**changes):
    return session_crop(tiny.session(**changes), 0, 200, RECIPE)


def with_ears():
    """The tiny rat with ears beside its neck and one paw that has no counterpart."""
    one = crop()
    neck = one.pose[:, :, 1:2]
    ears = torch.cat([neck + torch.tensor([0.0, side, 0.0]) for side in (-9.0, 9.0, 20.0)], 2)
    return replace(one, pose=torch.cat([one.pose, ears], 2))


@pytest.mark.parametrize(("names", "expected"), [
    (("turn_left", "walk", "turn_right"), [2, 1, 0]),
    (("LeftEar", "RightEar", "leftPaw", "rightPaw"), [1, 0, 3, 2]),
    (("earL", "earR", "L_paw", "R_paw", "l hip", "r hip"), [1, 0, 3, 2, 5, 4]),
    (("turnleft", "turnright", "uprightposture", "bright"), [1, 0, 2, 3]),
    (("ear_left", "nose", "EAR_RIGHT"), [NO_ONE, 1, NO_ONE]),
    (("rearing", "lateralthreat", "local_search", "tail_l"), [0, 1, 2, NO_ONE]),
])
def test_each_name_finds_its_other_side(names, expected):
    assert counterparts(names) == expected


def test_two_mirrors_show_the_rat_itself():
    there = with_ears()
    back = mirrored(mirrored(there, EARS), EARS)
    there.pose[:, :, -1, :2] = torch.nan
    for one, other in zip(vars(back).values(), vars(there).values(), strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)


def test_the_left_ear_is_the_right_one_and_a_paw_alone_is_missing():
    there = with_ears()
    shown = mirrored(there, EARS)
    torch.testing.assert_close(shown.pose[..., 4, 0], -there.pose[..., 5, 0], equal_nan=True)
    torch.testing.assert_close(shown.pose[..., 5, 1], there.pose[..., 4, 1], equal_nan=True)
    assert shown.pose[..., 6, :2].isnan().all()
    assert there.pose[..., 6, :2].isfinite().any()  # the crop handed in stays as it is


def test_a_turn_to_the_left_is_felt_and_seen_as_one_to_the_right():
    turning = np.linspace(0, 6, 200)  # rad
    points = np.stack([tiny.BODY_PX @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in turning])
    back = np.stack([tiny.BODY_PX @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in -turning])
    rng = np.random.default_rng(0)
    imu = rng.normal(0, 1, (200, 6))
    pose = lambda x: np.concatenate([x, np.ones((200, 4, 1))], -1).astype("f4")  # noqa: E731
    left, right = (tiny.session(frames=200, gaps=False, pose=pose(x), imu=y.astype("f4"))
                   for x, y in ((points, imu), (back, imu * [1, -1, 1, -1, 1, -1])))
    shown, wanted = mirrored(session_crop(left, 0, 200, RECIPE), RECIPE), session_crop(right, 0, 200, RECIPE)
    for features in (imu_features, pose_features):
        torch.testing.assert_close(features(shown, RECIPE), features(wanted, RECIPE), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(pose_features(shown, RECIPE), pose_features(session_crop(left, 0, 200, RECIPE), RECIPE))


def test_labels_change_sides_and_what_has_no_counterpart_is_unknown():
    labels = np.array([[1, 0, -1, 1], [0, 1, 1, 0]], np.int8)
    shown = mirrored_track(labels, ("turn_left", "turn_right", "walk", "look_left"), -1)
    assert shown.tolist() == [[0, 1, -1, -1], [1, 0, 1, -1]] and shown.dtype == labels.dtype
    several = mirrored_track(np.stack([labels, labels]), ("turn_left", "turn_right", "walk", "look_left"), -1)
    assert several.shape == (2, 2, 4) and (several[1] == shown).all()


def test_twins_stand_beside_the_sessions():
    soft = {"F1D1": np.array([[0.2, 0.7]])}
    both = with_mirrored(soft, ("left", "right"), np.nan)
    assert list(both) == ["F1D1", mirrored_name("F1D1")]
    assert both[mirrored_name("F1D1")].tolist() == [[0.7, 0.2]] and both["F1D1"] is soft["F1D1"]


def test_ready_made_features_have_no_mirror():
    assert has_mirror(RECIPE)
    assert not has_mirror(replace(RECIPE, ready_pose_names=("box_width",)))


def test_the_corpus_serves_crops_and_labels_of_the_same_side():
    behaviours = ("turn_left", "turn_right", "still")
    made = tiny.corpus({"F1D1": tiny.session(behaviours=behaviours)}, labelled=True)
    picks, flip, rng = [("F1D1", 20), ("F1D1", 20)], np.array([True, False]), np.random.default_rng(0)
    shown, labels = made.batch(picks, 64, 1.1, flip), made.labels_of(picks, 64, 1.1, flip)
    torch.testing.assert_close(shown.imu[0, :, 5], -shown.imu[1, :, 5], equal_nan=True)
    torch.testing.assert_close(shown.imu[1], made.batch(picks, 64, 1.1).imu[1], equal_nan=True, rtol=0, atol=0)
    assert (labels[0] == labels[1][:, [1, 0, 2]]).all()


def test_a_session_is_encoded_as_the_mirror_shows_it():
    session = tiny.session(gaps=False)
    model = tiny.model()
    flipped = replace(session, imu=session.imu * np.float32([1, -1, 1, -1, 1, -1]),
                      pose=session.pose * np.float32([-1, 1, 1]))
    shown, wanted = encode(model.network, session, RECIPE, mirror=True), encode(model.network, flipped, RECIPE)
    np.testing.assert_allclose(shown.latents, wanted.latents, atol=1e-5)
    np.testing.assert_allclose(shown.features[1], wanted.features[1], atol=1e-5)
