import math

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf

from rbc.learning import losses


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loop_instance(z1, z2) -> float:
    """TS2Vec, equation 1, one term at a time."""
    total, (batch, frames) = 0.0, z1.shape[:2]
    for t in range(frames):
        views = [*z1[:, t], *z2[:, t]]
        for i in range(2 * batch):
            score = {j: float(views[i] @ views[j]) for j in range(2 * batch) if j != i}
            total += np.logaddexp.reduce(list(score.values())) - score[(i + batch) % (2 * batch)]
    return total / (2 * batch * frames)


def loop_temporal(z1, z2, exclusion: int) -> float:
    """TS2Vec, equation 2, without the neighbours as negatives."""
    total, (batch, frames) = 0.0, z1.shape[:2]
    for b in range(batch):
        views = [*z1[b], *z2[b]]
        for i in range(2 * frames):
            score = {j: float(views[i] @ views[j]) for j in range(2 * frames)
                     if j != i and not 0 < abs(i % frames - j % frames) <= exclusion}
            total += np.logaddexp.reduce(list(score.values())) - score[(i + frames) % (2 * frames)]
    return total / (2 * batch * frames)


@pytest.mark.parametrize("exclusion", [0, 1, 3])
def test_contrasts_equal_loops(exclusion):
    z1, z2 = noise(3, 6, 4), noise(3, 6, 4, seed=1)
    assert losses.instance_contrast(z1, z2) == pytest.approx(loop_instance(z1, z2), rel=1e-5)
    assert losses.temporal_contrast(z1, z2, exclusion) == pytest.approx(loop_temporal(z1, z2, exclusion), rel=1e-5)


@pytest.mark.parametrize(("alpha", "unit", "exclusion"), [(0.5, 0, 0), (0.3, 1, 2), (1.0, 0, 0), (0.0, 2, 4)])
def test_the_hierarchical_contrast_equals_a_loop_over_levels(alpha, unit, exclusion):
    z1, z2 = noise(2, 8, 4), noise(2, 8, 4, seed=1)
    a, b, wanted = z1, z2, 0.0
    for level in range(4):  # 8, 4, 2, 1 frames
        wanted += alpha * loop_instance(a, b)
        if level >= unit and a.shape[1] > 1:
            wanted += (1 - alpha) * loop_temporal(a, b, exclusion // 2**level)
        a, b = (z.unflatten(1, (-1, 2)).amax(2) if z.shape[1] > 1 else z for z in (a, b))
    assert losses.hierarchical_contrastive_loss(z1, z2, alpha, unit, exclusion) == pytest.approx(wanted / 4, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 5, 4), (3, 1, 4), (2, 7, 4)])
def test_contrasts_of_a_single_crop_or_frame_are_finite(shape):
    z1, z2 = noise(*shape).requires_grad_(), noise(*shape, seed=1)
    loss = losses.hierarchical_contrastive_loss(z1, z2, 0.5, 0, exclusion=100)
    assert loss.isfinite()
    if loss.requires_grad:
        loss.backward()
        assert z1.grad.isfinite().all()


def test_views_that_agree_contrast_less_than_views_that_do_not():
    z = 3 * noise(4, 16, 8)
    agree = losses.hierarchical_contrastive_loss(z, z, 0.5, 0, 0)
    assert agree < 0.5 * losses.hierarchical_contrastive_loss(z, z.flip(0, 1), 0.5, 0, 0)


def test_masked_mean_counts_what_the_mask_holds():
    assert losses.masked_mean(torch.tensor([1.0, 2, 4]), torch.tensor([True, False, True])) == 2.5
    assert losses.masked_mean(torch.tensor([1.0]), torch.tensor([False])) == 0


def test_foresight_is_a_cosine_and_teaches_only_the_prediction():
    predicted = torch.tensor([[[1.0, 0], [0, 2], [1, 1]]], requires_grad=True)
    target = torch.tensor([[[3.0, 0], [0, -1], [9, 0]]], requires_grad=True)
    there = torch.tensor([[True, True, False]])
    loss = losses.foresight_loss(predicted, target, there)
    assert loss.item() == pytest.approx((0 + 2) / 2)
    loss.backward()
    assert target.grad is None and (predicted.grad[0, 2] == 0).all()


def test_reconstruction_counts_hidden_values_that_are_there():
    target = torch.tensor([[[1.0, torch.nan], [2.0, 0.5]]])
    predicted = torch.tensor([[[4.0, 7.0], [9.0, 9.0]]], requires_grad=True)
    loss = losses.reconstruction_loss(predicted, target, torch.tensor([[True, False]]))
    assert loss.item() == pytest.approx(3 - 0.5)  # Huber
    loss.backward()
    assert predicted.grad.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]
    assert losses.reconstruction_loss(predicted, target * torch.nan, torch.ones(1, 2, dtype=torch.bool)) == 0


def test_cross_entropy_is_weighted():
    logits, target, weight = 3 * noise(5, 4, 3), noise(5, 4, 3, seed=1).sigmoid(), noise(5, 4, 3, seed=2).abs()
    each = -(target * logits.sigmoid().log() + (1 - target) * (1 - logits.sigmoid()).log())
    torch.testing.assert_close(losses.binary_cross_entropy(logits, target, weight), (each * weight).sum() / weight.sum())


def test_what_nobody_scored_does_not_teach():
    logits, target = noise(4, 3).requires_grad_(), torch.ones(4, 3)
    weight = torch.ones(4, 3)
    weight[2] = 0
    losses.binary_cross_entropy(logits, target, weight).backward()
    assert (logits.grad[2] == 0).all() and (logits.grad[0] != 0).all()
    assert losses.binary_cross_entropy(logits, target, 0 * weight) == 0
    assert losses.binary_cross_entropy(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 1.0]), torch.ones(2)).isfinite()


def test_the_supervised_contrast_equals_a_loop():
    z, session = nnf.normalize(noise(7, 4), dim=1), torch.tensor([0, 0, 1, 1, 2, 2, 2])
    labels = torch.tensor([[1, 0, 0], [1, 1, 0], [1, 0, -1], [0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    sets = [{c for c in range(3) if row[c] == 1} for row in labels]
    terms = []
    for i in range(7):
        denominator = np.logaddexp.reduce([float(z[i] @ z[k]) / 0.5 for k in range(7) if k != i])
        others = [j for j in range(7) if session[j] != session[i]]
        pull = [len(sets[i] & sets[j]) / max(len(sets[i] | sets[j]), 1) for j in others]
        cost = [denominator - float(z[i] @ z[j]) / 0.5 for j in others]
        if sum(pull):
            terms.append(np.dot(pull, cost) / sum(pull))
    got = losses.supervised_contrastive_loss(3 * z, labels, session, temperature=0.5)
    assert len(terms) == 6 and got == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.parametrize("case", ["one session", "no label", "one frame", "same frames"])
def test_the_supervised_contrast_without_positives_is_zero_and_its_gradient_finite(case):
    z = {"one frame": torch.ones(1, 4), "same frames": torch.ones(5, 4)}.get(case, noise(5, 4)).requires_grad_()
    labels = torch.ones(len(z), 3) * (case != "no label")
    session = torch.zeros(len(z)) if case == "one session" else torch.arange(len(z))
    loss = losses.supervised_contrastive_loss(z, labels, session, 0.1)
    assert loss.isfinite() and (loss == 0) == (case != "same frames")
    loss.backward()
    assert z.grad.isfinite().all()


def test_prototypes_pull_what_is_present_and_push_what_is_absent():
    similarity = torch.tensor([[0.9, 0.5, 0.0], [0.7, 0.1, 0.0], [0.8, -0.5, 1.0], [0.2, 1.0, 1.0]], requires_grad=True)
    labels = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0], [-1, -1, -1]])
    wanted = ((0.1 + 0.3) / 2 + 0.5 + 0.9 + 0.2 / 2) / 2  # the third behaviour is nowhere present
    loss = losses.prototype_loss(similarity, labels, margin=0.3)
    assert loss.item() == pytest.approx(wanted)
    loss.backward()
    assert (similarity.grad[3] == 0).all() and (similarity.grad[:, 2] == 0).all()
    assert losses.prototype_loss(similarity, -torch.ones(4, 3)) == 0


def test_class_alignment_is_the_angle_of_behaviour_means():
    z = torch.cat([torch.tensor([[1.0, 0.0]]).expand(10, 2), torch.tensor([[0.0, 2.0]]).expand(10, 2)])
    soft = torch.zeros(20, 4)
    soft[:10, 0], soft[10:, 1], soft[:3, 2], soft[:, 3] = 1, 1, 1, 1
    centre = torch.tensor([[5.0, 0.0], [1.0, 1.0], [0.0, -1.0], [0.0, 0.0]])  # third: hardly seen; last: has none
    assert losses.class_alignment_loss(z, soft, centre) == pytest.approx((0 + 1 - math.sqrt(0.5)) / 2, abs=1e-6)
    assert losses.class_alignment_loss(z, 0 * soft, centre) == 0


def test_only_sure_frames_teach_consistency():
    probability = torch.tensor([0.97, 0.6, 0.4, 0.6, 0.03, 0.5])
    similarity = torch.tensor([0.0, 0.96, 0.99, 0.5, 0.0, 0.0])
    target, weight = losses.consistency_targets(probability, similarity, 0.95)
    assert target.tolist() == [1, 1, 0, 0, 0, 0] and weight.tolist() == [1, 1, 0, 0, 1, 0]


def test_dynamic_weights_favour_losses_that_fall_slowly_and_keep_their_sum():
    weights = losses.dynamic_weights({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}, temperature=2.0)
    share = math.exp(1 / 2) / (math.exp(1 / 2) + math.exp(0.5 / 2))
    assert weights == pytest.approx({"a": 2 * share, "b": 2 * (1 - share)})
    assert losses.dynamic_weights({"a": 3.0, "b": 5.0}, {"a": 3.0, "b": 5.0}, 1.0) == pytest.approx({"a": 1, "b": 1})
    assert all(map(math.isfinite, losses.dynamic_weights({"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 1.0}, 2.0).values()))
