"""What rbc is compared with, by name, and what each of them reads."""

from functools import wraps

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.peers.baselines import random_forest, validity_only
from benchmarks.peers.gradient_boosting import gradient_boosting
from benchmarks.peers.raw_channels import raw_channels
from benchmarks.peers.raw_trees import raw_trees
from benchmarks.peers.training_data import Method, Predictions, Tracks, TrainingData
from rbc.features import session_features
from rbc.recordings.session import Session
from rbc.signals import Recipe


def _threads_of_torch(method: Method) -> Method:
    """The method with as many threads of OpenMP and BLAS as torch takes: several may run side by side."""
    @wraps(method)
    def limited(data: TrainingData, held: Tracks) -> Predictions:
        with threadpool_limits(torch.get_num_threads()):
            return method(data, held)

    return limited


METHODS: dict[str, Method] = {method.__name__: _threads_of_torch(method) for method in (
    validity_only, raw_trees, random_forest, gradient_boosting,
)}


def inputs(method: str, session: Session, recipe: Recipe) -> dict[str, np.ndarray]:
    """What a method reads of a session, (T, F) f4, NaN where missing, by the modalities that it is scored with."""
    if method == "raw_trees":
        return raw_channels(session, recipe)
    return {"both": session_features(session, recipe)}
