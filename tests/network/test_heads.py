import pytest
import torch

from rbc.network.heads import HEADS, BehaviourHeads, Prototypes

D_MODEL, BEHAVIOURS = 6, 3


def latents(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, D_MODEL, generator=torch.Generator().manual_seed(1))


def prototypes() -> Prototypes:
    torch.manual_seed(0)
    return Prototypes(D_MODEL, BEHAVIOURS, dimensions=4)


def test_each_latent_has_a_head_of_its_own():
    torch.manual_seed(0)
    heads = BehaviourHeads(D_MODEL, BEHAVIOURS, dropout=0.0)
    three = [latents(2, 5)] * 3
    logits = heads(three)
    assert logits.shape == (2, 5, len(HEADS), BEHAVIOURS)
    three[1] = three[1] + 1
    changed = (heads(three) != logits).any(-1).any(0).any(0)
    assert changed.tolist() == [False, True, False]


def test_a_prior_is_what_heads_say_of_nothing():
    heads = BehaviourHeads(D_MODEL, BEHAVIOURS, dropout=0.0)
    heads.set_prior(torch.tensor([0.0, 0.2, 1.0]))
    for read in heads.read:
        read[-1].weight.data.zero_()
    said = torch.sigmoid(heads([latents(1, 4)] * 3))
    torch.testing.assert_close(said[0, 0, 0], torch.tensor([0.001, 0.2, 0.999]))


def test_similarity_is_a_cosine_and_nothing_before_a_behaviour_was_seen():
    made, z = prototypes(), latents(50)
    assert (made.similarity(z) == 0).all()
    labels = torch.zeros(50, BEHAVIOURS, dtype=torch.int8)
    labels[:10, 0], labels[5:20, 1], labels[:, 2] = 1, 1, -1
    made.update(z, labels, momentum=0.9)
    norm = made.direction.norm(dim=-1)
    torch.testing.assert_close(norm, torch.tensor([1.0, 1.0, 0.0]))
    assert (made.similarity(z).abs() <= 1 + 1e-6).all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_first_update_is_the_mean_direction_and_later_ones_lean_on_it(momentum):
    made, z = prototypes(), latents(20)
    first = torch.zeros(20, BEHAVIOURS, dtype=torch.int8)
    first[:8, 0] = 1
    made.update(z, first, momentum)
    mean = torch.nn.functional.normalize(made(z)[:8, 0].sum(0), dim=0)
    torch.testing.assert_close(made.direction[0], mean)
    second = torch.zeros(20, BEHAVIOURS, dtype=torch.int8)
    second[8:, 0] = 1
    made.update(z, second, momentum)
    new = torch.nn.functional.normalize(made(z)[8:, 0].sum(0), dim=0)
    wanted = torch.nn.functional.normalize(momentum * mean + (1 - momentum) * new, dim=0)
    torch.testing.assert_close(made.direction[0], wanted)


def test_one_frame_can_be_near_to_two_prototypes():
    made, z = prototypes(), latents(1)
    made.update(z, torch.ones(1, BEHAVIOURS, dtype=torch.int8), momentum=0.5)
    torch.testing.assert_close(made.similarity(z), torch.ones(1, BEHAVIOURS))
