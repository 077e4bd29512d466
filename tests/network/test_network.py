import pytest
import tiny
import torch
from tiny import EVERY_ENCODER

from rbc.features import imu_features, pose_features
from rbc.network.network import latent_mask
from rbc.signals import session_crop


def inputs(network, frames: int = 128) -> tuple[torch.Tensor, ...]:
    """Scaled features of both modalities, and validity of two crops."""
    crops = [session_crop(tiny.session(name, seed=i), 0, frames, tiny.RECIPE) for i, name in enumerate("AB")]
    pairs = [network.scale(imu_features(c, tiny.RECIPE), pose_features(c, tiny.RECIPE)) for c in crops]
    imu, pose = (torch.cat(column) for column in zip(*pairs, strict=True))
    return imu, pose, torch.cat([c.there for c in crops])


PATTERNS = {
    "as recorded": lambda imu, pose, valid: None,
    "no imu": lambda imu, pose, valid: (imu.fill_(torch.nan), valid[..., 0].fill_(False)),
    "no pose": lambda imu, pose, valid: (pose.fill_(torch.nan), valid[..., 1].fill_(False)),
    "nothing": lambda imu, pose, valid: (imu.fill_(torch.nan), pose.fill_(torch.nan), valid.fill_(False)),
    "NaN that says it is valid": lambda imu, pose, valid: (imu.fill_(torch.nan), valid.fill_(True)),
    "values that say they are not": lambda imu, pose, valid: valid.fill_(False),
    "a column": lambda imu, pose, valid: (imu[..., 3].fill_(torch.nan), pose[..., 0].fill_(torch.nan)),
    "one frame": lambda imu, pose, valid: (imu[:, 40].fill_(torch.nan), valid[:, 40].fill_(False)),
    "every other frame": lambda imu, pose, valid: (pose[:, ::2].fill_(torch.nan), valid[:, ::2, 1].fill_(False)),
}


@pytest.mark.parametrize("kind", EVERY_ENCODER)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_whatever_is_missing_latents_behaviours_and_gradients_are_finite(kind, pattern):
    network = tiny.model(encoder=kind).network
    imu, pose, valid = inputs(network)
    PATTERNS[pattern](imu, pose, valid)
    latents = network(imu, pose, valid)
    read = [*latents.three, latents.imu_foreseen, latents.pose_foreseen, network.heads(latents.three),
            network.prototypes.similarity(latents.fused)]
    assert all(x.isfinite().all() for x in read)
    sum(x.square().mean() for x in read).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("kind", EVERY_ENCODER)
def test_context_holds_all_that_decides_a_frame(kind):
    network = tiny.model(encoder=kind).network.eval()
    imu, pose, valid = inputs(network, frames=300)
    before = network(imu, pose, valid).three
    t = 127  # the last frame of a segment
    imu[:, t], pose[:, t], valid[:, t] = imu[:, t] + 3, 3 - pose[:, t], ~valid[:, t]
    for a, b in zip(network(imu, pose, valid).three, before, strict=True):
        moved = torch.nonzero((a - b).abs().amax((0, 2)) > 1e-6)[:, 0]
        assert len(moved) and int((moved - t).abs().max()) <= network.context


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 5, 63, 65])
def test_any_number_of_frames_goes_through(frames):
    network = tiny.model().network.eval()
    imu, pose, valid = inputs(network)
    latents = network(imu[:, :frames], pose[:, :frames], valid[:, :frames])
    assert all(z.shape == (2, frames, 8) and z.isfinite().all() for z in latents.three)


@pytest.mark.parametrize("kind", ["binomial", "continuous", "none"])
def test_masks_hide_the_share_they_are_asked_to(kind):
    mask = latent_mask(torch.zeros(50, 200, 3), 0.3, kind, torch.Generator().manual_seed(0))
    assert mask.shape == (50, 200, 1) and set(mask.unique().tolist()) <= {0.0, 1.0}
    hidden = mask[..., 0] == 0
    assert hidden.float().mean() == pytest.approx({"none": 0}.get(kind, 0.3), abs=0.02)
    if kind == "continuous":
        edge = torch.zeros(50, 1)
        assert (hidden.float().diff(dim=1, prepend=edge, append=edge) != 0).sum(1).tolist() == [2] * 50
