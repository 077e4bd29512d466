import pytest
from checkout import Checkout


@pytest.fixture(scope="session")
def origin(tmp_path_factory) -> Checkout:
    """A checkout in which the whole pipeline has run on the tiny world, committed. Tests change clones, not this."""
    checkout = Checkout.of_working_tree(tmp_path_factory.mktemp("pipeline") / "origin")
    checkout.dvc("repro")
    checkout.commit("the tiny world")
    return checkout
