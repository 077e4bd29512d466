"""What every score stands beside: constant, chance, shifted, missingness-only and random-forest predictions.

T frames, F features, C behaviours, M modalities. Labels are 1, 0, -1.
"""

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rbc.scoring.forest import THREADS, Forest
from rbc.scoring.labels import NOT_SCORED, PRESENT, prevalence, scored_rows


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


def always_present(labels: np.ndarray) -> np.ndarray:
    """Decision (T, C) bool that every behaviour of the labels (T, C) is present in every frame."""
    return np.ones(labels.shape, bool)


def prevalence_random(train: Sequence[np.ndarray], test: Sequence[np.ndarray],
                      seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probability (T, C) and decision (T, C) for each test session's labels: coins with the training prevalence."""
    rng, share = np.random.default_rng(seed), prevalence(dict(enumerate(train)))
    return [(np.broadcast_to(share, y.shape).copy(), rng.random(y.shape) < share) for y in test]


def circular_shift(labels: np.ndarray, seed: int) -> np.ndarray:
    """Decision (T, C) bool: each behaviour's own scored frames, moved round by a quarter to three quarters of them.

    Bouts and prevalence are exactly right and their places are wrong: what a method gets for statistics alone.
    """
    rng = np.random.default_rng(seed)
    decision = np.zeros(labels.shape, bool)
    for c in range(labels.shape[1]):
        scored = np.flatnonzero(labels[:, c] != NOT_SCORED)
        shift = int(rng.uniform(0.25, 0.75) * len(scored))
        decision[scored, c] = np.roll(labels[scored, c] == PRESENT, shift)
    return decision
