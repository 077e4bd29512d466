"""CEBRA (Schneider, Lee & Mathis, Nature 617:360, 2023) from PyPI, with nearest neighbours: `pip install cebra`.

Written from its documentation (https://cebra.ai/docs); run with version 0.6.1.
T frames, N labelled frames, F features.
"""

from functools import partial

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.peers.classifiers import classifiers
from benchmarks.peers.training_data import Predictions, Predictor, Tracks, TrainingData, ensemble
from benchmarks.peers.scaling import fit_scaling
from rbc.scoring.labels import PRESENT, scored_rows

SETTINGS = {"model_architecture": "offset10-model", "output_dimension": 32, "batch_size": 512, "max_iterations": 2000,
            "learning_rate": 3e-4, "num_hidden_units": 64, "device": "cpu"}
NEIGHBOURS = 25


def cebra(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by an ensemble of nearest neighbours in CEBRA's embedding, whose positive pairs show the same
    behaviours. Raises ImportError, with what to install, where the package is not there."""
    try:
        from cebra import CEBRA  # an extra: nothing else needs it
    except ImportError:
        raise ImportError("the peer `cebra` needs the package of that name: pip install cebra") from None
    scaled = fit_scaling(data.features)
    tables = {name: scaled(data.features[name]) for name in data.labels}
    return ensemble(data, tables, ((name, scaled(x)) for name, x in held.items()),
                    lambda part: _neighbours(part, tables, partial(CEBRA, **SETTINGS)))


def _neighbours(data: TrainingData, tables: Tracks, make) -> Predictor:
    rows = {name: np.flatnonzero(scored_rows(y)) for name, y in data.labels.items()}
    x = np.concatenate([tables[name][rows[name]] for name in rows])  # (N, F + 1)
    present = np.concatenate([data.labels[name][rows[name]] == PRESENT for name in rows])
    _, together = np.unique(present, axis=0, return_inverse=True)  # CEBRA takes one discrete label a frame
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.seed)
        embedding = make().fit(x, together.ravel().astype(int))
    embedded = {name: embedding.transform(tables[name]) for name in rows}
    predict = classifiers(data, embedded, lambda seed: KNeighborsClassifier(NEIGHBOURS, weights="distance"))
    return lambda x: predict(embedding.transform(x))
