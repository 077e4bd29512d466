import torch

from rbc.network.adapter import Adapter

FEATURES, D_MODEL = 5, 4
ROWS = torch.tensor([0, 1, 2, -1])


def adapter(rank: int = 2) -> Adapter:
    torch.manual_seed(0)
    made = Adapter(FEATURES, D_MODEL, setups=2, rank=rank)
    with torch.no_grad():
        for table in (made.shift, made.log_scale, made.down):
            table.copy_(torch.randn_like(table))
    return made


def features() -> torch.Tensor:
    x = torch.randn(4, 6, FEATURES, generator=torch.Generator().manual_seed(1))
    x[0, 2, 1], x[1, :, 3], x[3] = torch.nan, torch.nan, torch.nan
    return x


def test_scaling_is_in_deviations_of_the_training_animals_and_limited():
    made = Adapter(3, D_MODEL, setups=1, rank=1)
    made.set_scaling(torch.tensor([1.0, torch.nan, 2.0]), torch.tensor([2.0, torch.nan, 0.0]))
    scaled = made.scale(torch.tensor([[5.0, 0.5, 2.001], [1e9, torch.nan, -5.0]]))
    torch.testing.assert_close(scaled, torch.tensor([[2.0, 0.5, 0.1], [6.0, torch.nan, -6.0]]), equal_nan=True,
                               atol=1e-4, rtol=0)


def test_missing_values_never_reach_latents_or_gradients():
    made, x = adapter(), features().requires_grad_()
    z = made(x, ROWS)
    assert z.shape == (4, 6, D_MODEL) and z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in made.parameters())


def test_a_value_and_a_missing_one_differ_even_where_the_value_is_zero():
    made, x = adapter(), torch.zeros(1, 1, FEATURES)
    missing = x.clone()
    missing[0, 0, 2] = torch.nan
    assert not torch.allclose(made(x, torch.tensor([0])), made(missing, torch.tensor([0])))


def test_row_zero_is_the_shared_map_alone():
    made, x = adapter(), features().nan_to_num(0.0)
    plain = made.shared(torch.cat([x, torch.zeros_like(x)], -1))
    torch.testing.assert_close(made(x, torch.zeros(4, dtype=torch.long)), plain)


def test_a_setup_shifts_scales_and_adds_a_residual():
    made, x = adapter(), features().nan_to_num(0.0)[:1]
    own = (x - made.shift[2]) * torch.exp(-made.log_scale[2])
    wanted = made.shared(torch.cat([own, torch.zeros_like(own)], -1)) + own @ made.down[2] @ made.up[2]
    torch.testing.assert_close(made(x, torch.tensor([2])), wanted)


def test_setups_in_a_batch_do_not_mix():
    made, x = adapter(), features()
    whole = made(x, ROWS)
    for i, row in enumerate(ROWS):
        torch.testing.assert_close(whole[i : i + 1], made(x[i : i + 1], row[None]))


def test_a_visitor_that_shifts_by_its_own_offset_looks_like_the_shared_map():
    made, x = adapter(), features()
    offset = torch.randn(FEATURES)
    made.welcome(offset)
    seen = made(x + offset, torch.full((4,), Adapter.VISITOR))
    torch.testing.assert_close(seen, made(x, torch.zeros(4, dtype=torch.long)), atol=1e-5, rtol=1e-5)


def test_a_new_adapter_has_no_setup_part_and_deviation_measures_it():
    fresh = Adapter(FEATURES, D_MODEL, setups=2, rank=2)
    assert fresh.deviation() == 0
    x = features()
    torch.testing.assert_close(fresh(x, ROWS), fresh(x, torch.zeros_like(ROWS)))
    assert adapter().deviation() > 0


def test_rank_zero_and_no_features_at_all_work():
    assert adapter(rank=0)(features(), ROWS).isfinite().all()
    empty = Adapter(0, D_MODEL, setups=1, rank=2)
    assert torch.equal(empty(torch.zeros(2, 3, 0), torch.tensor([0, 1])), torch.zeros(2, 3, D_MODEL))
