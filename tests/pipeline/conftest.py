import pytest
from checkout import Checkout


@pytest.fixture(scope="session")
def origin(tmp_path_factory) -> Checkout:
    """A checkout in which the whole pipeline has run on the tiny world, committed. Tests change clones, not this."""
    checkout = Checkout.of_working_tree(tmp_path_factory.mktemp("pipeline") / "origin")
    checkout.dvc("repro")
    checkout.commit("the tiny world")
    return checkout


@pytest.fixture(scope="session")
def tour(origin, tmp_path_factory) -> Checkout:
    """A clone to try experiments in, with all that has run in origin at hand."""
    return origin.clone(tmp_path_factory.mktemp("tour") / "clone", shared_cache=True)


@pytest.fixture(scope="session")
def masked(tour) -> str:
    """What dvc says while an experiment that masks likely label errors runs in the workspace of the tour."""
    return tour.dvc("exp", "run", "--name", "masked", "--set-param", "finetune.mask_label_errors=true")
