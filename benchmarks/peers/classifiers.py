"""A classifier per behaviour of scikit-learn as a member of an ensemble. N frames, I inputs, C behaviours."""

from collections.abc import Callable

import numpy as np
from sklearn.base import ClassifierMixin

from benchmarks.peers.lesson import Lesson, Speaker, Tracks
from rbc.scoring.forest import drawn_frames
from rbc.scoring.labels import PRESENT

MAX_FRAMES = 3000  # of a behaviour and member, as of a group of trees of the forest


def classifiers(lesson: Lesson, tables: Tracks, make: Callable[[int], ClassifierMixin]) -> Speaker:
    """Probabilities by classifiers that `make` gives for a seed, learnt from frames of tables (N, I) that are drawn as
    for the forest, half of them present where there are as many. A behaviour of one class gets that class."""
    rng = np.random.default_rng(lesson.seed)
    labels = np.concatenate(list(lesson.labels.values()))  # (N, C)
    table = np.concatenate([tables[name] for name in lesson.labels])  # (N, I)
    learnt = []
    for column in labels.T:
        frames = drawn_frames(column, MAX_FRAMES, rng)
        present, model = column[frames] == PRESENT, make(int(rng.integers(2**31)))
        one_class = present.all() or not present.any()
        learnt.append(bool(present[0]) if one_class else model.fit(table[frames], present))

    def speak(x: np.ndarray) -> np.ndarray:
        return np.stack([np.full(len(x), float(model)) if isinstance(model, bool) else model.predict_proba(x)[:, 1]
                         for model in learnt], axis=1)

    return speak
