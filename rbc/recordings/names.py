"""Names of animals and sessions that people spell in more than one way."""

import re
from collections.abc import Iterable, Sequence

SHOWN = 12


def plain(name: str) -> str:
    """A name without case and zero-padding: F03 and f3 become f3."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.lower())


def few(names: Sequence[str]) -> str:
    """The first few names, and how many there are in all."""
    return ", ".join(names[:SHOWN]) + (f" … ({len(names)} in all)" if len(names) > SHOWN else "")


def alike(what: str, names: Iterable[str]) -> list[str]:
    """Warnings of names that differ only in case or zero-padding."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(plain(name), []).append(name)
    return [f"{what} {', '.join(group)} differ only in case or zero-padding: are they one?" for group in groups.values()
            if len(group) > 1]  # fmt: skip
