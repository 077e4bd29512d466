"""Which groups (animals, or sessions where animals are not named) a fold holds out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rbc.folds import leave_out

FOLDS = 3
REST_PER_VALIDATION = 4  # of so many groups that are not held out one is for validation


@dataclass(frozen=True)
class Fold:
    """Groups by their part in the split; the rest is for training."""

    held: tuple[str, ...]
    validation: tuple[str, ...]


def draw_folds(labelled: Iterable[str], count: int = FOLDS) -> list[Fold]:
    """Folds in which every labelled group is held out once."""
    labelled, found = sorted(labelled), []
    for held in leave_out(labelled, count, seed=0).values():
        rest = [group for group in labelled if group not in held]
        drawn = np.random.default_rng(len(found)).permutation(rest)[: max(len(rest) // REST_PER_VALIDATION, 1)]
        found.append(Fold(tuple(held), tuple(sorted(map(str, drawn)))))
    return found
