import pytest
import torch
from tiny import EVERY_ENCODER

from rbc.network.encoder import ENCODERS

D_MODEL, FRAMES = 8, 256


def encoder(kind: str, blocks: int, causal: bool = False):
    torch.manual_seed(0)
    return ENCODERS[kind](D_MODEL, blocks=blocks, nhead=2, dropout=0.0, causal=causal).eval()


def noise(batch: int, frames: int) -> torch.Tensor:
    return torch.randn(batch, frames, D_MODEL, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", EVERY_ENCODER)
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (3, 7), (2, 64), (1, 100)])
def test_as_many_frames_come_out_as_go_in(kind, batch, frames):
    x = noise(batch, frames).requires_grad_()
    z = encoder(kind, 3)(x)
    assert z.shape == x.shape and z.isfinite().all()
    z.square().sum().backward()
    assert x.grad.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("kind", EVERY_ENCODER)
@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5])
def test_a_frame_is_decided_within_its_context(kind, blocks):
    net, x = encoder(kind, blocks), noise(1, FRAMES)
    before = net(x)
    reach = 0
    for t in range(112, 145):  # every place in a window of the grid
        other = x.clone()
        other[0, t] += 3 * torch.randn(D_MODEL, generator=torch.Generator().manual_seed(t))
        moved = torch.nonzero((net(other) - before).abs().amax(-1)[0] > 0)[:, 0]
        reach = max(reach, int((moved - t).abs().max()))
    assert reach <= net.context
    assert reach > net.context - 33  # and the contract is not idle


@torch.no_grad()
@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_reach_exactly_their_context(causal):
    for blocks in (1, 3, 5):
        net, x = encoder("conv", blocks, causal), noise(1, FRAMES)
        other = x.clone()
        other[0, 128] += torch.arange(D_MODEL)
        moved = torch.nonzero((net(other) - net(x)).abs().amax(-1)[0] > 0)[:, 0]
        assert (int(moved[0]), int(moved[-1])) == (128 - net.context * (not causal), 128 + net.context)


@torch.no_grad()
@pytest.mark.parametrize("kind", EVERY_ENCODER)
def test_crops_of_a_batch_do_not_see_each_other(kind):
    net, x = encoder(kind, 3), noise(3, 64)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]), atol=1e-5, rtol=0)
