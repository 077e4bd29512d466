"""The forests of `rbc.scoring.baselines` as peers."""

import numpy as np

from benchmarks.peers.training_data import Predictions, Tracks, TrainingData
from rbc.scoring import baselines


def random_forest(data: TrainingData, held: Tracks) -> Predictions:
    """A random forest per behaviour on window statistics."""
    return _forest(baselines.random_forest, data, data.features, held, trees=100, max_frames=30_000)


def validity_only(data: TrainingData, held: Tracks) -> Predictions:
    """The same forest, fed with nothing but which features are there; those that come and go together count once."""
    missing = np.concatenate([np.isnan(x) for x in data.features.values()])  # (all T, F)
    _, first = np.unique(np.packbits(missing, axis=0), axis=1, return_index=True)
    first.sort()
    read, held = ({name: np.isfinite(x[:, first]) for name, x in of.items()} for of in (data.features, held))
    return _forest(baselines.validity_only, data, read, held, trees=20, max_frames=30_000)


def _forest(method, data: TrainingData, read: Tracks, held: Tracks, **settings) -> Predictions:
    train = [(read[name], y) for name, y in data.labels.items()]
    animals = [data.animals[name] for name in data.labels]
    predicted, out_of_fold = method(train, list(held.values()), animals, windows=data.windows, seed=data.seed, **settings)
    named = lambda names, of: {name: p.astype(np.float32) for name, p in zip(names, of, strict=True)}  # noqa: E731
    return named(held, predicted), named(data.labels if out_of_fold else (), out_of_fold)
