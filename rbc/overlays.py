"""Nested settings over others, and as the `-S` arguments that `dvc exp run` takes."""

from collections.abc import Mapping


def merged(base: Mapping, overlay: Mapping) -> dict:
    """The nested settings of `base`, those of the overlay in their places."""
    both = {key: merged(base[key], value) for key, value in overlay.items()
            if isinstance(value, Mapping) and isinstance(base.get(key), Mapping)}
    return {**base, **overlay, **both}


def as_arguments(overlay: dict, prefix: str = "") -> list[str]:
    """`-S key=value` pairs of a nested overlay; strings are quoted for Hydra, which parses the values."""
    arguments = []
    for key, value in overlay.items():
        if isinstance(value, dict) and value:
            arguments += as_arguments(value, f"{prefix}{key}.")
        else:
            arguments += ["-S", f"{prefix}{key}={_as_hydra(value)}"]
    return arguments


def _as_hydra(value) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_as_hydra, value)) + "]"
    return f"'{value}'" if isinstance(value, str) else "null" if value is None else str(value).lower()
