"""A classifier per behaviour of scikit-learn as a member of an ensemble. N frames, I inputs, C behaviours."""

from collections.abc import Callable

import numpy as np
from sklearn.base import ClassifierMixin

from benchmarks.peers.training_data import Predictor, Tracks, TrainingData
from rbc.scoring.forest import drawn_frames
from rbc.scoring.labels import PRESENT

MAX_FRAMES = 3000  # of a behaviour and member, as of a group of trees of the forest


def classifiers(data: TrainingData, tables: Tracks, make: Callable[[int], ClassifierMixin]) -> Predictor:
    """Probabilities by classifiers that `make` gives for a seed, learnt from frames of tables (N, I) that are drawn as
    for the forest, half of them present where there are as many. A behaviour of one class gets that class."""
    rng = np.random.default_rng(data.seed)
    labels = np.concatenate(list(data.labels.values()))  # (N, C)
    table = np.concatenate([tables[name] for name in data.labels])  # (N, I)
    models = []
    for column in labels.T:
        frames = drawn_frames(column, MAX_FRAMES, rng)
        present, model = column[frames] == PRESENT, make(int(rng.integers(2**31)))
        one_class = present.all() or not present.any()
        models.append(bool(present[0]) if one_class else model.fit(table[frames], present))

    def predict(x: np.ndarray) -> np.ndarray:
        return np.stack([np.full(len(x), float(model)) if isinstance(model, bool) else model.predict_proba(x)[:, 1]
                         for model in models], axis=1)

    return predict
