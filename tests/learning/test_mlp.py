import numpy as np
import pytest
import torch
from tiny import same_bytes

from rbc.learning import mlp as mlp_module
from rbc.learning.frameset import FrameSet
from rbc.learning.mlp import (
    out_of_fold_probability,
    WindowMlp,
    head_inputs,
    odds_of_frames,
    step_of,
    train_mlp,
    window_statistics,
)
from rbc.learning.training import Chance
from rbc.scoring.splits import folds

WINDOWS = (4, 7)
D_MODEL, FEATURES = 5, (2, 3)


def reading(frames: int = 60, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the three heads read: a latent each, and the features of one modality, the other, and both."""
    rng = np.random.default_rng(seed)
    imu, pose = (rng.normal(size=(frames, width)).astype("f4") for width in FEATURES)
    return [(rng.normal(size=(frames, D_MODEL)).astype("f4"), x) for x in (imu, pose, np.hstack([imu, pose]))]


def mlp(members: int = 2, windows=WINDOWS, dropout: float = 0.3, causal: bool = False) -> WindowMlp:
    torch.manual_seed(0)
    return WindowMlp(D_MODEL, FEATURES, 3, windows, hidden_dim=8, members=members, dropout=dropout, causal=causal)


def left_out(groups: int, members: int) -> torch.Tensor:
    return torch.from_numpy(folds(groups, members))


@pytest.mark.parametrize(("window", "step"), [(1, 1), (7, 1), (8, 2), (16, 4), (31, 4), (64, 16), (128, 32)])
def test_places_of_a_window_lie_a_quarter_of_it_apart_or_less(window, step):
    assert step_of(window) == step


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("window", "start", "stop"), [(4, 0, 60), (9, 7, 50), (16, 21, 22), (64, 3, 60)])
def test_window_statistics_equal_a_loop(window, start, stop, causal):
    z, x = reading()[2]
    both, step = np.hstack([z, x]), step_of(window)
    got = window_statistics(torch.from_numpy(z), torch.from_numpy(x), window, start, stop, causal).numpy()
    places = range(start // step * step, stop - 1 + step, step)
    assert len(got) == len(places)
    for row, t in zip(got, places, strict=True):
        first = t - window + 1 if causal else t - window // 2
        frames = np.clip(np.arange(first, first + window), 0, 59)  # ends repeated
        wanted = np.concatenate([both[frames].mean(0), both[frames].std(0), z[frames].max(0)])
        np.testing.assert_allclose(row, wanted, atol=1e-5)


def test_statistics_of_something_constant_do_not_vary():
    got = window_statistics(torch.full((30, 2), 100.0), torch.zeros(30, 0), 8, 0, 30)
    assert (got[:, :2] == 100).all() and (got[:, 2:4] == 0).all() and (got[:, 4:] == 100).all()


def test_inputs_are_what_is_read_and_statistics_on_lines_between_their_places():
    z, x = reading()[0]
    both, inputs = np.hstack([z, x]), head_inputs(reading(), (16,), 0, 60)[0].numpy()
    np.testing.assert_array_equal(inputs[:, :7], both)
    places = window_statistics(torch.from_numpy(z), torch.from_numpy(x), 16, 0, 60).numpy()
    for column, wanted in zip(inputs[:, 7:].T, places.T, strict=True):
        np.testing.assert_allclose(column, np.interp(np.arange(60), np.arange(0, 61, 4), wanted), atol=1e-5)
    for start, stop in ((0, 7), (13, 14), (17, 60)):
        np.testing.assert_allclose(head_inputs(reading(), (16,), start, stop)[0], inputs[start:stop], atol=1e-6)


def test_causal_inputs_hold_the_statistics_of_the_last_place():
    z, x = reading()[0]
    inputs = head_inputs(reading(), (16,), 0, 60, causal=True)[0].numpy()
    places = window_statistics(torch.from_numpy(z), torch.from_numpy(x), 16, 0, 60, causal=True).numpy()
    np.testing.assert_array_equal(inputs[:, 7:], places[np.arange(60) // 4])


def test_what_lies_beyond_the_reach_does_not_count():
    net, cut = mlp(windows=(9, 16)), 8
    assert (net.step, net.reach) == (4, 12)
    part = [tuple(x[cut : 40 + net.reach] for x in pair) for pair in reading()]
    wanted = net.probability(reading())[cut + net.reach : 40]
    np.testing.assert_allclose(net.probability(part, net.reach, 40 - cut), wanted, atol=1e-6)


@pytest.mark.parametrize("windows", [WINDOWS, (), (1,), (128,), (16, 64, 9)])
def test_probability_does_not_depend_on_chunks(windows, monkeypatch):
    read, net = reading(), mlp(windows=windows)
    whole = net.probability(read)
    assert whole.shape == (60, 3, 3) and ((whole > 0) & (whole < 1)).all()
    for chunk in (1, 7, 59, 60):
        monkeypatch.setattr(WindowMlp, "CHUNK", chunk)
        np.testing.assert_allclose(net.probability(read), whole, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_members_are_averaged_and_heads_read_their_own_inputs(causal):
    read, net = reading(), mlp(causal=causal).eval()
    inputs = head_inputs(read, WINDOWS, 0, 60, causal)
    with torch.no_grad():
        logits = net(inputs)
        np.testing.assert_allclose(net.probability(read), torch.sigmoid(logits).mean(0), atol=1e-6)
        wide = mlp(windows=(64, 7, 16, 8), causal=causal).eval()
        logits_of_wide = wide(head_inputs(read, wide.windows, 5, 47, causal))
        np.testing.assert_allclose(wide.probability(read, 5, 47), torch.sigmoid(logits_of_wide).mean(0), atol=1e-6)
        inputs[1] = inputs[1] + 1
        changed = (net(inputs) != logits).any(-1).any(1).any(0)
    assert logits.shape == (2, 60, 3, 3) and changed.tolist() == [False, True, False]


def test_a_prior_is_what_members_say_of_nothing():
    net = mlp()
    net.set_prior(torch.tensor([0.0, 0.25, 1.0]))
    for head in net.heads:
        head[-1].weight.data.zero_()
    assert net(head_inputs(reading(), WINDOWS, 0, 60)).unique().numel() == 3  # every member and head says the same
    np.testing.assert_allclose(net.probability(reading())[0, 0], [0.001, 0.25, 0.999], atol=1e-6)


def test_members_lie_side_by_side_and_have_weights_of_their_own():
    net, inputs = mlp(members=3).eval(), head_inputs(reading(), WINDOWS, 0, 60)
    logits = net(inputs)
    for m, (head, x) in enumerate(zip(net.heads, inputs, strict=True)):
        first, last = head[0], head[-1]
        for e in range(3):
            own = slice(8 * e, 8 * e + 8)
            hidden = torch.nn.functional.gelu(x @ first.weight[own].T + first.bias[own])
            wanted = hidden @ last.weight[e] + last.bias[e]
            torch.testing.assert_close(logits[e, :, m], wanted, atol=1e-5, rtol=1e-4)
    logits[1].square().sum().backward()
    for head in net.heads:
        for layer in (head[0], head[-1]):
            moved = layer.weight.grad.reshape(3, -1).abs().amax(1) > 0
            assert moved.tolist() == [False, True, False]


@pytest.mark.parametrize("chunk", [16, 4096])
def test_a_frame_set_holds_the_frames_asked_for_and_whose_they_are(chunk, monkeypatch):
    monkeypatch.setattr(WindowMlp, "CHUNK", chunk)
    frames, there = FrameSet(WINDOWS, 36), np.random.default_rng(0).random((60, 3)) < 0.5
    rows = np.array([0, 3, 15, 16, 50, 59])  # none in the third chunk of 16
    frames.add(reading(), there, rows, 2)
    frames.add(reading(seed=1), there, rows[:0], 5)
    frames.add(reading(30, seed=2), np.ones((30, 3), bool), np.arange(30), 0)
    *inputs, got, group = frames.gather()
    wanted = zip(head_inputs(reading(), WINDOWS, 0, 60), head_inputs(reading(30, seed=2), WINDOWS, 0, 30), strict=True)
    for x, (first, last) in zip(inputs, wanted, strict=True):
        assert x.dtype == torch.half
        torch.testing.assert_close(x.float(), torch.cat([first[rows], last]), atol=2e-3, rtol=1e-3)
    np.testing.assert_array_equal(got, np.concatenate([there[rows], np.ones((30, 3), bool)]))
    assert group.tolist() == [2] * 6 + [0] * 30


@pytest.mark.parametrize(("members", "groups", "judges"), [
    (3, 3, [[0], [1], [2]]), (6, 3, [[0, 3], [1, 4], [2, 5]]), (2, 3, [[0], [1], [0]]),
    (1, 3, [[0]] * 3),  # who leaves nothing out judges all the same
])  # fmt: skip
def test_out_of_fold_predictions_are_those_of_the_members_that_left_the_group_out(members, groups, judges, monkeypatch):
    monkeypatch.setattr(WindowMlp, "CHUNK", 7)
    net, says = mlp(members), torch.linspace(0.1, 0.9, members * 3).reshape(members, 3)  # (E, C) whatever they read
    for head in net.heads:
        head[-1].weight.data.zero_()
        head[-1].bias.data.copy_(torch.logit(says)[:, None])
    frames = FrameSet(WINDOWS, 30)
    for group in (2, 0, 1):
        frames.add(reading(20, seed=group), np.ones((20, 3), bool), np.arange(0, 20, 2), group)
    opinion = out_of_fold_probability(net.train(), frames.gather(), left_out(groups, members))
    assert opinion.shape == (30, 3, 3)
    for i, group in enumerate((2, 0, 1)):
        wanted = np.broadcast_to(says[judges[group]].mean(0), (10, 3, 3))
        np.testing.assert_allclose(opinion[10 * i : 10 * i + 10], wanted, atol=1e-6)


def test_without_folds_they_are_the_probability():
    read, net, frames = reading(), mlp(), FrameSet(WINDOWS, 60)
    frames.add(read, np.ones((60, 3), bool), np.arange(60), 0)
    opinion = out_of_fold_probability(net, frames.gather(), left_out(1, 2))
    np.testing.assert_allclose(opinion, net.probability(read), atol=1e-3)  # inputs are kept in half precision


def two_groups() -> tuple[FrameSet, list, torch.Tensor]:
    """Two groups of 400 frames, what the first read, and signs of the first IMU feature, (N, C)."""
    frames, reads = FrameSet((), 800), [reading(400, seed=group) for group in (0, 1)]
    for group, read in enumerate(reads):
        frames.add(read, np.ones((400, 3), bool), np.arange(400), group)
    sign = np.concatenate([read[0][1][:, :1] > 0 for read in reads]).astype("f4")
    return frames, reads[0], torch.from_numpy(sign).repeat(1, 3)


TRAINING = dict(balance=0.0, batch_size=50, lr=0.03, weight_decay=0.0, name="mlp")


def trained(scratch, lost: int | None = None, epochs: int = 12):
    """MLP, history, what it read and the target: the signs of features that every head sees some of."""
    read, frames, there = reading(400), FrameSet((), 400), np.ones((400, 3), bool)
    target = np.stack([read[m][1][:, 0] > 0 for m in (0, 0, 0)], 1).astype("f4")
    if lost is not None:
        there[:, lost] = False
    frames.add(read, there, np.arange(400), 0)
    net, aims = mlp(windows=(), dropout=0.0), torch.from_numpy(target)
    teacher, history = train_mlp(net, frames.gather(), aims, torch.ones_like(aims), left_out(1, 2), epochs=epochs,
                                 chance=Chance(0), scratch=scratch, **TRAINING)
    return net, teacher, history, read, target


def test_what_can_be_told_apart_is_learnt_by_the_heads_that_see_it(tmp_path):
    _, teacher, history, read, target = trained(tmp_path)
    right = ((teacher.probability(read) > 0.5) == target[:, None]).mean((0, 2))
    assert right[0] > 0.9 and right[2] > 0.9 and right[1] < 0.75
    assert history[-1]["bce"] < history[0]["bce"] and [row["epoch"] for row in history] == list(range(1, 13))


def test_a_head_that_is_not_there_learns_nothing(tmp_path):
    net, *_ = trained(tmp_path, lost=0, epochs=1)
    fresh = mlp(windows=(), dropout=0.0)
    assert [same_bytes(*pair) for pair in zip(net.heads, fresh.heads, strict=True)] == [True, False, False]


def test_frames_are_drawn_by_their_rarest_behaviour():
    target = torch.zeros(1000, 2)
    target[:500, 0] = 1
    target[500:510, 1] = 1
    target[495:500, 1] = 0.5  # not sure, and a common one beside it
    weight = torch.ones_like(target)
    np.testing.assert_array_equal(odds_of_frames(target, weight, 0.0), np.ones(1000))
    odds = odds_of_frames(target, weight, 0.5)
    share = (10 + 5 * 0.5) / 1000
    np.testing.assert_allclose(odds[[0, 505, 999]], [2**0.5, share**-0.5, 1])
    np.testing.assert_allclose(odds[495], 0.5 * share**-0.5)
    weight[:, 1] = 0  # what has no weight is not there
    np.testing.assert_allclose(odds_of_frames(target, weight, 0.5)[[0, 505]], [2**0.5, 1])


def test_rare_frames_come_more_often_where_frames_are_balanced(tmp_path, monkeypatch):
    """Each frame's number is its only feature: what the network is shown tells which frames were drawn."""
    shown = []
    frames, target = FrameSet((), 1000), torch.zeros(1000, 3)
    target[:10, 0] = 1
    number = np.arange(1000, dtype="f4")[:, None]
    nothing = np.zeros((1000, D_MODEL), "f4")
    frames.add([(nothing, np.repeat(number, w, 1)) for w in (2, 3, 5)], np.ones((1000, 3), bool), np.arange(1000), 0)

    def draw(net, step, **_):
        net.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0][0][:, -1]))
        for i in range(40):
            step(i)
        return []

    monkeypatch.setattr(mlp_module, "fit", draw)
    gathered = frames.gather()
    for balance, expected in ((0.0, 0.01), (0.5, 0.1 / 1.09)):
        train_mlp(mlp(windows=(), dropout=0.0), gathered, target, torch.ones_like(target), left_out(1, 2),
                  epochs=1, chance=Chance(0), scratch=tmp_path, **{**TRAINING, "batch_size": 250, "balance": balance})
        assert abs((torch.cat(shown) < 10).float().mean() - expected) < 0.01
        shown.clear()


def test_frames_and_behaviours_without_weight_teach_nothing(tmp_path):
    """The second half of the frames says the opposite and the last behaviour lies, both without a weight."""
    frames, read, target = two_groups()
    target[400:], target[:, 2] = 1 - target[400:], 1 - target[:, 2]
    weight = torch.zeros_like(target)
    weight[:400, :2] = 1
    net = mlp(windows=(), dropout=0.0)
    teacher, _ = train_mlp(net, frames.gather(), target, weight, left_out(1, 2).repeat(1, 2), epochs=12,
                           chance=Chance(0), scratch=tmp_path, **TRAINING)
    said = teacher.probability(read)[:, 0]
    assert ((said > 0.5) == target[:400].numpy())[:, :2].mean() > 0.9
    assert same_bytes_of_behaviour(net, mlp(windows=(), dropout=0.0), 2)


def same_bytes_of_behaviour(one: WindowMlp, other: WindowMlp, behaviour: int) -> bool:
    """Are the last weights of a behaviour the same in every member and head?"""
    return all(torch.equal(a[-1].weight[..., behaviour], b[-1].weight[..., behaviour])
               for a, b in zip(one.heads, other.heads, strict=True))


def test_each_member_learns_what_the_groups_say_that_it_does_not_leave_out(tmp_path):
    """The groups contradict each other: member 0 leaves out group 0 and says what group 1 does, and the reverse."""
    frames, read, target = two_groups()
    target[400:] = 1 - target[400:]
    gathered, out = frames.gather(), left_out(2, 2)
    teacher, _ = train_mlp(mlp(windows=(), dropout=0.0), gathered, target, torch.ones_like(target), out, epochs=12,
                           chance=Chance(0), scratch=tmp_path, **TRAINING)
    with torch.no_grad():
        says = teacher(head_inputs(read, (), 0, 400))[:, :, 0] > 0  # (E, N, C) of the IMU's head
    right = (says == target[:400].bool()).float().mean((1, 2))
    assert right[0] < 0.1 and right[1] > 0.9
    opinion = out_of_fold_probability(teacher, gathered, out)[:, 0]
    assert ((opinion > 0.5) == target.numpy()).mean() < 0.1  # each group is judged by who learnt from the other


def test_labels_of_a_group_do_not_move_the_members_that_leave_it_out(tmp_path, monkeypatch):
    frames, _, target = two_groups()
    gathered, grown = frames.gather(), []

    def one_step(net, step, **_):
        step(0)["bce"].backward()
        grown.append([p.grad.reshape(2, len(p.grad) // 2, -1) for p in net.parameters()])  # (E, ...) each
        return []

    monkeypatch.setattr(mlp_module, "fit", one_step)
    for group in (None, 0, 1):
        lying = target.clone()
        if group is not None:
            lying[400 * group : 400 * group + 400] = 1 - target[400 * group : 400 * group + 400]
        train_mlp(mlp(windows=(), dropout=0.0), gathered, lying, torch.ones_like(target), left_out(2, 2), epochs=1,
                  chance=Chance(0), scratch=tmp_path, **TRAINING)
    honest, *lies = grown
    for group, lie in enumerate(lies):
        for a, b in zip(honest, lie, strict=True):
            assert torch.equal(a[group], b[group]) and not torch.equal(a[1 - group], b[1 - group])
