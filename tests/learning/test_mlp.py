import numpy as np
import pytest
import torch
from tiny import same_bytes

from rbc.learning.mlp import BLOCK_FRAMES, FrameSet, WindowMlp, head_inputs, train_mlp, window_statistics
from rbc.learning.training import Chance

WINDOWS = (4, 7)
D_MODEL, FEATURES = 5, (2, 3)


def reading(frames: int = 60, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the three heads read: a latent each, and the features of one modality, the other, and both."""
    rng = np.random.default_rng(seed)
    imu, pose = (rng.normal(size=(frames, width)).astype("f4") for width in FEATURES)
    return [(rng.normal(size=(frames, D_MODEL)).astype("f4"), x) for x in (imu, pose, np.hstack([imu, pose]))]


def mlp(members: int = 2, windows=WINDOWS, dropout: float = 0.3) -> WindowMlp:
    torch.manual_seed(0)
    return WindowMlp(D_MODEL, FEATURES, 3, windows, hidden_dim=8, members=members, dropout=dropout)


def test_window_statistics_equal_a_loop():
    z, x = reading()[2]
    both = np.hstack([z, x])
    got = window_statistics(torch.from_numpy(z), torch.from_numpy(x), WINDOWS).numpy()
    size = 2 * both.shape[1] + D_MODEL
    assert got.shape == (60, both.shape[1] + len(WINDOWS) * size)
    np.testing.assert_array_equal(got[:, : both.shape[1]], both)
    for i, window in enumerate(WINDOWS):
        first = both.shape[1] + i * size
        for t in range(60):
            places = np.clip(np.arange(t - window // 2, t - window // 2 + window), 0, 59)  # ends repeated
            wanted = np.concatenate([both[places].mean(0), both[places].std(0), z[places].max(0)])
            np.testing.assert_allclose(got[t, first : first + size], wanted, atol=1e-4)


def test_statistics_of_something_constant_do_not_vary():
    got = window_statistics(torch.full((30, 2), 100.0), torch.zeros(30, 0), (8,))
    assert (got[:, :4] == 100).all() and (got[:, 4:6] < 0.2).all() and (got[:, 6:] == 100).all()


@pytest.mark.parametrize("windows", [WINDOWS, (), (1,), (128,)])
def test_probability_does_not_depend_on_chunks(windows, monkeypatch):
    read, net = reading(), mlp(windows=windows)
    whole = net.probability(read)
    assert whole.shape == (60, 3, 3) and ((whole > 0) & (whole < 1)).all()
    for chunk in (1, 7, 59, 60):
        monkeypatch.setattr(WindowMlp, "CHUNK", chunk)
        np.testing.assert_allclose(net.probability(read), whole, atol=1e-5)


def test_members_are_averaged_and_heads_read_their_own_inputs():
    read, net = reading(), mlp().eval()
    inputs = head_inputs(read, WINDOWS, 0, 60)
    with torch.no_grad():
        logits = net(inputs)
        np.testing.assert_allclose(net.probability(read), torch.sigmoid(logits).mean(0), atol=1e-6)
        inputs[1] = inputs[1] + 1
        changed = (net(inputs) != logits).any(-1).any(1).any(0)
    assert logits.shape == (2, 60, 3, 3) and changed.tolist() == [False, True, False]


def test_a_prior_is_what_members_say_of_nothing():
    net = mlp()
    net.set_prior(torch.tensor([0.0, 0.25, 1.0]))
    for member in net.members:
        for head in member:
            head[-1].weight.data.zero_()
    np.testing.assert_allclose(net.probability(reading())[0, 0], [0.001, 0.25, 0.999], atol=1e-6)


def test_a_frame_set_holds_frames_with_weight_and_blocks_of_one_session():
    frames, there = FrameSet(WINDOWS), np.ones((60, 3), bool)
    target, weight = np.eye(3, dtype="f4")[np.arange(60) % 3], np.zeros((60, 3), "f4")
    weight[10:20, 1] = 0.5
    frames.add(reading(), there, target, weight)
    frames.add(reading(seed=1), there, target, 0 * weight)
    frames.add(reading(250), np.ones((250, 3), bool), np.zeros((250, 3), "f4"), np.ones((250, 3), "f4"))
    *inputs, there, target, weight, block = frames.gather()
    for x, whole in zip(inputs, head_inputs(reading(), WINDOWS, 0, 60), strict=True):
        assert len(x) == 260
        torch.testing.assert_close(x[:10].float(), whole[10:20], atol=2e-3, rtol=1e-3)
    assert target.shape == weight.shape == (260, 3) and there.shape == (260, 3)
    assert (weight[:10] == torch.tensor([0, 0.5, 0])).all() and (weight[10:] == 1).all()
    assert block[:10].tolist() == [0] * 10
    assert torch.bincount(block[10:]).tolist() == [0, BLOCK_FRAMES, BLOCK_FRAMES, 50]


def trained(scratch, lost: int | None = None, epochs: int = 12):
    """MLP, history, what it read and the target: the signs of features that every head sees some of."""
    read, frames, there = reading(400), FrameSet(()), np.ones((400, 3), bool)
    target = np.stack([read[m][1][:, 0] > 0 for m in (0, 0, 0)], 1).astype("f4")
    if lost is not None:
        there[:, lost] = False
    frames.add(read, there, target, np.ones_like(target))
    chance, net = Chance(0), mlp(windows=(), dropout=0.0)
    teacher, history = train_mlp(net, frames, epochs=epochs, batch_size=50, lr=0.03, weight_decay=0.0,
                                 negative_focus=0.0, chance=chance, scratch=scratch, name="mlp")
    return net, teacher, history, read, target


def test_what_can_be_told_apart_is_learnt_by_the_heads_that_see_it(tmp_path):
    _, teacher, history, read, target = trained(tmp_path)
    right = ((teacher.probability(read) > 0.5) == target[:, None]).mean((0, 2))
    assert right[0] > 0.9 and right[2] > 0.9 and right[1] < 0.75
    assert history[-1]["bce"] < history[0]["bce"] and [row["epoch"] for row in history] == list(range(1, 13))


def test_a_head_that_is_not_there_learns_nothing(tmp_path):
    net, *_ = trained(tmp_path, lost=0, epochs=1)
    fresh = mlp(windows=(), dropout=0.0)
    assert [same_bytes(*pair) for pair in zip(net.members[0], fresh.members[0], strict=True)] == [True, False, False]
