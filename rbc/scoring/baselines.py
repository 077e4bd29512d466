"""What every score stands beside: predictions of a random forest, and of one that reads only which samples are missing.

T frames, F features, C behaviours, M modalities. Labels are 1, 0, -1.
"""

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rbc.scoring.forest import THREADS, Forest
from rbc.scoring.labels import scored_rows


def random_forest(train: Sequence[tuple[np.ndarray, np.ndarray]], test: Sequence[np.ndarray],
                  animals: Sequence[Hashable], *, windows: Sequence[int], seed: int, trees: int = 100,
                  max_frames: int = 30_000) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Probabilities (T, C) for each test session's x (T, F), by a `Forest`; and for the scored frames (N, C) of each
    training session, by the trees that did not learn from its animal: an empty list with a single animal.

    train: (x (T, F), labels (T, C)) per session, of the animals named.
    """
    forest = Forest.grow(train, animals, windows=windows, seed=seed, trees=trees, max_frames=max_frames)
    own = [(x, np.flatnonzero(scored_rows(y)), animal) for (x, y), animal in zip(train, animals, strict=True)]
    with ThreadPoolExecutor(THREADS) as threads:
        said = threads.map(forest.probability, test)
        known = threads.map(forest.probability, *zip(*own, strict=True)) if forest.left_out.any() else ()
        return list(said), list(known)


def validity_only(train: Sequence[tuple[np.ndarray, np.ndarray]], test: Sequence[np.ndarray],
                  animals: Sequence[Hashable], *, windows: Sequence[int], seed: int, trees: int = 50,
                  max_frames: int = 20_000) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What missing samples give away: the same forest, fed with nothing but which samples are there.

    train: (validity (T, M) bool, labels (T, C)) per session; test: validity (T, M).
    """
    return random_forest([(valid.astype(np.float32), y) for valid, y in train],
                         [valid.astype(np.float32) for valid in test], animals,
                         windows=windows, seed=seed, trees=trees, max_frames=max_frames)
