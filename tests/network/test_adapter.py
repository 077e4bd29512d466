import torch

from rbc.network.adapter import Adapter

FEATURES, D_MODEL = 5, 4


def adapter() -> Adapter:
    torch.manual_seed(0)
    return Adapter(FEATURES, D_MODEL)


def features() -> torch.Tensor:
    x = torch.randn(4, 6, FEATURES, generator=torch.Generator().manual_seed(1))
    x[0, 2, 1], x[1, :, 3], x[3] = torch.nan, torch.nan, torch.nan
    return x


def test_scaling_is_in_deviations_of_the_training_animals_and_limited():
    made = Adapter(3, D_MODEL)
    made.set_scaling(torch.tensor([1.0, torch.nan, 2.0]), torch.tensor([2.0, torch.nan, 0.0]))
    scaled = made.scale(torch.tensor([[5.0, 0.5, 2.001], [1e9, torch.nan, -5.0]]))
    torch.testing.assert_close(scaled, torch.tensor([[2.0, 0.5, 0.1], [6.0, torch.nan, -6.0]]), equal_nan=True,
                               atol=1e-4, rtol=0)


def test_missing_values_never_reach_latents_or_gradients():
    made, x, shift = adapter(), features().requires_grad_(), torch.ones(FEATURES, requires_grad=True)
    z = made(x, shift)
    assert z.shape == (4, 6, D_MODEL) and z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in (*made.parameters(), x, shift))


def test_a_value_and_a_missing_one_differ_even_where_the_value_is_zero():
    made, x = adapter(), torch.zeros(1, 1, FEATURES)
    missing = x.clone()
    missing[0, 0, 2] = torch.nan
    assert not torch.allclose(made(x), made(missing))


def test_a_session_that_lies_higher_by_its_shift_has_the_latents_of_one_that_does_not():
    made, x, shift = adapter(), features(), torch.randn(FEATURES)
    torch.testing.assert_close(made(x + shift, shift), made(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(made(x, torch.zeros(FEATURES)), made(x), atol=0, rtol=0)


def test_each_crop_may_have_the_shift_of_its_own_session():
    made, x, shifts = adapter(), features(), torch.randn(4, FEATURES)
    whole = made(x, shifts)
    for i, shift in enumerate(shifts):
        torch.testing.assert_close(whole[i : i + 1], made(x[i : i + 1], shift))


def test_no_features_at_all_work():
    assert torch.equal(Adapter(0, D_MODEL)(torch.zeros(2, 3, 0), torch.zeros(0)), torch.zeros(2, 3, D_MODEL))
