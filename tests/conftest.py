"""How tests are shared out between workers (a file to one worker): what runs DVC takes longest and comes first."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("pipeline") is None)
