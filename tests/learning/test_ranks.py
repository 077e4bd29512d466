import socket

import pytest
import ranked
import torch

WORLD = 2
each_training = pytest.mark.parametrize("name", ranked.TRAININGS)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return ranked.results(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """What each of two processes came to, and came to again."""
    folder = tmp_path_factory.mktemp("group")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(ranked.work, (WORLD, port, folder), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(WORLD)]


@each_training
def test_gradients_of_the_first_step_are_those_of_one_process(alone, group, name):
    """At the same global batch and without dropout, which every process draws for itself."""
    wanted, found = alone[name]["steps"][0], group[0][0][name]["steps"][0]
    rounding = 1e-9 * torch.stack([gradient.norm() for gradient in wanted]).norm()  # a key's bias cannot matter
    for one, two in zip(wanted, found, strict=True):
        assert (one - two).norm() <= 1e-5 * one.norm() + rounding


@each_training
def test_losses_and_what_was_served_are_those_of_one_process(alone, group, name):
    for first, _ in group:
        assert first[name]["served"] == alone[name]["served"]
        for one, two in zip(alone[name]["history"], first[name]["history"], strict=True):
            assert two == pytest.approx(one, rel=1e-3)


@each_training
def test_all_processes_end_alike_and_one_saves_it(group, name):
    one, two = (first[name] for first, _ in group)
    assert one["history"] == two["history"] and one["drawn_next"] == two["drawn_next"]
    assert all(torch.equal(x, two["state"][k]) for k, x in one["state"].items())
    assert (one["files"], two["files"]) == (["checkpoint.pt"], [])


@each_training
def test_all_go_on_from_the_checkpoint_of_one(group, name):
    for first, again in group:
        assert not again[name]["steps"] and again[name]["history"] == first[name]["history"]
        assert all(torch.equal(x, again[name]["state"][k]) for k, x in first[name]["state"].items())
