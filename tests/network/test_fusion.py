import pytest
import torch

from rbc.network.fusion import AlignmentHead, CrossAttention, Fusion

D_MODEL, FRAMES = 8, 256
SEGMENT, BURN_IN = AlignmentHead.SEGMENT, AlignmentHead.BURN_IN


def seeded(kind, *arguments):
    torch.manual_seed(0)
    return kind(*arguments).eval()


def latents(seed: int, frames: int = FRAMES) -> torch.Tensor:
    return torch.randn(1, frames, D_MODEL, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_foresight_of_a_segment_knows_its_burn_in_and_no_more():
    head, z = seeded(AlignmentHead, D_MODEL), latents(1)
    whole = head(z)
    alone = head(torch.cat([torch.zeros(1, SEGMENT - BURN_IN, D_MODEL), z[:, SEGMENT - BURN_IN : 2 * SEGMENT]], 1))
    torch.testing.assert_close(alone[:, SEGMENT:], whole[:, SEGMENT : 2 * SEGMENT], atol=1e-5, rtol=0)
    torch.testing.assert_close(head(z[:, SEGMENT:])[:, SEGMENT:], whole[:, 2 * SEGMENT :], atol=1e-5, rtol=0)


@torch.no_grad()
def test_attention_equals_a_loop_over_frames_and_offsets():
    attention, z, other = seeded(CrossAttention, D_MODEL, 2), latents(1, 40), latents(2, 40)
    attention.place.copy_(torch.randn_like(attention.place))
    valid = torch.rand(1, 40, generator=torch.Generator().manual_seed(3)) > 0.4
    valid[0, :20] = False  # frames 0 to 3 find nobody to ask
    got = attention(z, other, valid)
    for t in (0, 3, 10, 21, 39):
        places = [t + o for o in attention.offsets]
        open_ = [i for i, p in enumerate(places) if 0 <= p < 40 and valid[0, p]]
        answer = torch.zeros(2, 4)
        if open_:
            query = attention.query(z[0, t]).reshape(2, 4)
            keys = torch.stack([attention.key(other[0, places[i]]).reshape(2, 4) for i in open_])
            values = torch.stack([attention.value(other[0, places[i]]).reshape(2, 4) for i in open_])
            share = torch.softmax((query * keys).sum(-1) / 2 + attention.place[:, open_].T, 0)  # (O, H)
            answer = (share[..., None] * values).sum(0)
        answer = attention.out(answer.flatten())
        wanted = z[0, t] + torch.sigmoid(attention.gate(torch.cat([z[0, t], answer]))) * answer
        torch.testing.assert_close(got[0, t], wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("lost", [0, 1])
def test_what_an_invalid_modality_says_does_not_count(lost):
    fusion, pair = seeded(Fusion, D_MODEL, 2), [latents(1), latents(2)]
    valid = torch.ones(1, FRAMES, 2, dtype=torch.bool)
    valid[..., lost] = False
    fused = fusion(*pair, valid)[0]
    pair[lost] = latents(9)
    torch.testing.assert_close(fusion(*pair, valid)[0], fused, atol=1e-6, rtol=0)
    valid[..., lost] = True
    assert not torch.allclose(fusion(*pair, valid)[0], fused)


@torch.no_grad()
def test_context_holds_all_that_decides_a_frame():
    fusion, pair = seeded(Fusion, D_MODEL, 2), [latents(1), latents(2)]
    valid = torch.rand(1, FRAMES, 2, generator=torch.Generator().manual_seed(3)) > 0.3
    before = fusion(*pair, valid)
    for m in (0, 1):
        for t in (100, 127, 128, 160):
            other = [z.clone() for z in pair]
            other[m][0, t] += 3
            flipped = valid.clone()
            flipped[0, t, m] = ~flipped[0, t, m]
            change = sum((a - b).abs() for a, b in zip(fusion(*other, flipped), before, strict=True))
            moved = torch.nonzero(change.amax(-1)[0] > 1e-6)[:, 0]
            assert len(moved) and int((moved - t).abs().max()) <= fusion.context


def test_frames_without_anything_valid_stay_finite():
    fusion, pair = seeded(Fusion, D_MODEL, 2), [latents(1).requires_grad_(), latents(2).requires_grad_()]
    out = fusion(*pair, torch.zeros(1, FRAMES, 2, dtype=torch.bool))
    assert all(x.isfinite().all() for x in out)
    sum(x.sum() for x in out).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in (*fusion.parameters(), *pair))


@torch.no_grad()
def test_what_is_foreseen_where_it_is_wanted_is_what_is_foreseen_everywhere():
    head, z = seeded(AlignmentHead, D_MODEL), latents(1, 5 * SEGMENT - 3)
    wanted = torch.zeros(1, z.shape[1], dtype=torch.bool)
    wanted[0, [SEGMENT + 5, 4 * SEGMENT + 1]] = True
    whole, some = head(z), head(z, wanted)
    for segment in range(5):
        here = slice(segment * SEGMENT, (segment + 1) * SEGMENT)
        expected = whole[:, here] if segment in (1, 4) else torch.zeros_like(whole[:, here])
        torch.testing.assert_close(some[:, here], expected, atol=1e-6, rtol=0)
    assert not head(z, torch.zeros_like(wanted)).any()


@torch.no_grad()
def test_the_fused_latent_needs_no_foresight_where_both_are_there():
    fusion, pair = seeded(Fusion, D_MODEL, 2), [latents(1), latents(2)]
    valid = torch.rand(1, FRAMES, 2, generator=torch.Generator().manual_seed(3)) > 0.02
    # some segments lack something, some nothing
    assert not valid.all() and valid.unflatten(1, (-1, SEGMENT)).all((2, 3)).any()
    torch.testing.assert_close(fusion(*pair, valid)[0], fusion(*pair, valid, everywhere=True)[0], atol=1e-6, rtol=0)
