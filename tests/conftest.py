"""How tests are shared out among workers: a file to one worker, all that run DVC to another, started first."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They share what has run once, and take longest."""
    items.sort(key=_runs_dvc, reverse=True)
    for item in items:
        item.add_marker(pytest.mark.xdist_group("dvc" if _runs_dvc(item) else str(item.path)))


def _runs_dvc(item: pytest.Item) -> bool:
    return item.get_closest_marker("pipeline") is not None
