from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from rbc.learning.augment import (
    add_noise,
    drop_keypoints,
    drop_modality,
    move_camera,
    rotation_matrix,
    turn_mounting,
)
from rbc.signals import Crop, session_crop


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def crop() -> Crop:
    parts = [session_crop(tiny.session(seed=i), 60, 160, tiny.RECIPE) for i in range(6)]
    return Crop(*(torch.cat([getattr(p, name) for p in parts]) for name in vars(parts[0])))


def unchanged(one: Crop, other: Crop, *names: str) -> None:
    for name in names or vars(one):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), equal_nan=True, rtol=0, atol=0)


OTHERS = ("bands", "ready_imu", "ready_pose", "there", "body_length_px")


def test_rotations_are_rotations_about_the_vector_by_its_length():
    vectors = torch.randn(10, 3, generator=generator())
    matrices = rotation_matrix(vectors)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(10, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(10), atol=1e-5, rtol=0)
    torch.testing.assert_close((matrices @ vectors[..., None])[..., 0], vectors, atol=1e-5, rtol=0)
    quarter = rotation_matrix(torch.tensor([[0.0, 0.0, torch.pi / 2]]))[0]
    torch.testing.assert_close(quarter @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


def test_another_mounting_turns_both_sensors_alike_and_keeps_lengths(crop):
    turned = turn_mounting(crop, 40, generator())
    unchanged(turned, crop, "pose", *OTHERS)
    before, after = (c.imu.unflatten(-1, (2, 3)).double() for c in (crop, turned))
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), equal_nan=True, atol=1e-4, rtol=1e-4)
    products = [(x[..., 0, :] * x[..., 1, :]).sum(-1) for x in (before, after)]
    torch.testing.assert_close(*products, equal_nan=True, atol=1e-3, rtol=1e-3)
    assert (after - before).abs().nan_to_num().amax((1, 2, 3)).min() > 0.1  # every crop has its own


def test_a_mounting_of_no_degrees_is_as_it_was(crop):
    torch.testing.assert_close(turn_mounting(crop, 0, generator()).imu, crop.imu, equal_nan=True)


def test_the_mounting_angle_has_the_deviation_asked_for():
    still = torch.tensor([0.0, 0, 9.81, 0, 0, 0]).expand(4000, 1, 6)
    nothing = torch.zeros(4000, 1, 0)
    nobody, there = torch.zeros(4000, 1, 0, 3), torch.ones(4000, 1, 2, dtype=torch.bool)
    crop = Crop(still, nothing, nobody, nobody, nothing, nothing, there,
                torch.ones(4000))
    turned = turn_mounting(crop, 10, generator()).imu[:, 0]
    tilt = torch.rad2deg(torch.atan2(turned[:, :2].norm(dim=-1), turned[:, 2]))
    assert tilt.square().mean().sqrt() == pytest.approx(10 * (2 / 3) ** 0.5, rel=0.05)  # two of three axes tilt


def test_another_camera_is_one_linear_map_per_crop(crop):
    moved = move_camera(crop, 0.2, 0.1, generator())
    unchanged(moved, crop, "imu", *OTHERS)
    torch.testing.assert_close(moved.pose[..., 2], crop.pose[..., 2], equal_nan=True, rtol=0, atol=0)
    for before, after in zip(crop.pose, moved.pose, strict=True):
        known = ~before[..., 0].isnan()
        assert torch.equal(known, ~after[..., 0].isnan())
        x, y = before[known][:, :2].double(), after[known][:, :2].double()
        linear = torch.linalg.lstsq(x, y).solution
        torch.testing.assert_close(x @ linear, y, atol=1e-2, rtol=0)
        assert 0.8 * 0.9 - 1e-6 <= linear[0, 0] <= 1.2 * 1.1 and abs(linear[0, 1]) <= 0.1 + 1e-6
    torch.testing.assert_close(move_camera(crop, 0, 0, generator()).pose, crop.pose, equal_nan=True)


def test_the_other_animal_is_seen_by_the_same_camera_with_noise_and_stretches_of_its_own(crop):
    met = replace(crop, other=crop.pose[:, :, [1, 3]])
    moved = move_camera(met, 0.2, 0.1, generator())
    unchanged(moved, replace(moved, other=moved.pose[:, :, [1, 3]]))
    jitter = (add_noise(met, 0.5, generator()).other - met.other)[..., :2]
    assert jitter[~jitter.isnan()].std() == pytest.approx(0.5 / 5 * 80, rel=0.1)
    hidden = drop_keypoints(met, 1.0, generator()).other.isnan().all(-1) & ~met.other.isnan().all(-1)
    assert 0 < hidden.sum(1).min() <= hidden.sum(1).max() == 25


def test_noise_is_a_share_of_each_channels_deviation_and_fills_no_gap(crop):
    noisy = add_noise(crop, 0.5, generator())
    unchanged(noisy, crop, "there", "body_length_px", "ready_imu", "ready_pose")
    for name in ("imu", "bands"):
        before, after = getattr(crop, name).flatten(0, 1), getattr(noisy, name).flatten(0, 1)
        assert torch.equal(before.isnan(), after.isnan())
        known = ~before.isnan().any(1)
        torch.testing.assert_close((after - before)[known].std(0), 0.5 * before[known].std(0), rtol=0.15, atol=0)
    jitter = (noisy.pose - crop.pose)[..., :2]
    assert jitter[~jitter.isnan()].std() == pytest.approx(0.5 / 5 * 80, rel=0.05)
    torch.testing.assert_close(crop.pose[..., 2], noisy.pose[..., 2], equal_nan=True, rtol=0, atol=0)
    unchanged(add_noise(crop, 0, generator()), crop)


def test_noise_on_a_channel_that_nobody_has_stays_missing(crop):
    gone = Crop(**{**vars(crop), "imu": torch.full_like(crop.imu, torch.nan)})
    assert add_noise(gone, 0.5, generator()).imu.isnan().all()


def test_dropped_keypoints_are_missing_for_a_quarter_and_all_else_is_as_it_was(crop):
    dropped = drop_keypoints(crop, 0.6, generator())
    unchanged(dropped, crop, "imu", *OTHERS)
    kept = ~dropped.pose.isnan()
    assert torch.equal(dropped.pose[kept], crop.pose[kept])
    new = dropped.pose.isnan().all(-1) & ~crop.pose.isnan().all(-1)  # (B, T, K)
    length = new.sum(1)
    assert 0 < (length > 0).float().mean() < 1 and length.max() <= 25
    unchanged(drop_keypoints(crop, 0, generator()), crop)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_one_modality_at_most_is_dropped_and_never_the_only_one(crop, share):
    there = torch.ones(600, 10, 2, dtype=torch.bool)
    there[:200, :, 0], there[200:400, :, 1], there[400:500, 3:, 1] = False, False, False
    wide = Crop(**{k: v[:1].expand(600, *v.shape[1:]) for k, v in vars(crop).items() if k != "there"}, there=there)
    dropped = drop_modality(wide, share, generator())
    unchanged(dropped, wide, *(k for k in vars(wide) if k != "there"))
    assert not (dropped.there & ~there).any()
    assert torch.equal(dropped.there[:400], there[:400])
    lost = (there & ~dropped.there).any(1)[400:]  # (B, 2)
    assert not lost.all(1).any() and dropped.there.flatten(1).any(1).all()
    assert lost.any(1).float().mean() == pytest.approx(share, abs=0.08)
    if share:
        assert lost.float().mean(0).min() > share / 2 - 0.1  # either one


def test_augmenting_is_repeatable_changes_no_input_and_invents_nothing(crop):
    before = crop.map(torch.clone)
    one, two = (tiny.AUGMENTATION.changed(crop, generator(3)) for _ in range(2))
    unchanged(one, two)
    unchanged(crop, before)
    for name in ("imu", "bands", "pose"):
        assert (getattr(one, name).isnan() | ~getattr(crop, name).isnan()).all()
    torch.testing.assert_close(tiny.NO_AUGMENTATION.changed(crop, generator()).pose, crop.pose, equal_nan=True)


def test_a_share_of_the_crops_is_flipped_and_a_batch_is_played_faster_or_slower():
    rng = np.random.default_rng(0)
    some = replace(tiny.AUGMENTATION, mirror=0.3)
    assert some.flips(1000, tiny.RECIPE, rng).mean() == pytest.approx(0.3, abs=0.05)
    assert not some.flips(1000, replace(tiny.RECIPE, ready_pose_names=("box_width",)), rng).any()  # has no mirror
    assert not tiny.NO_AUGMENTATION.flips(1000, tiny.RECIPE, rng).any()
    speeds = [some.warp(rng) for _ in range(200)]
    assert 0.9 <= min(speeds) < 0.92 and 1.08 < max(speeds) <= 1.1 and tiny.NO_AUGMENTATION.warp(rng) == 1
