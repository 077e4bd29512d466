"""What rbc is compared with, by name."""

from functools import wraps

import torch
from threadpoolctl import threadpool_limits

from benchmarks.peers.baselines import random_forest, validity_only
from benchmarks.peers.cebra import cebra
from benchmarks.peers.clusters import clusters
from benchmarks.peers.gradient_boosting import gradient_boosting
from benchmarks.peers.training_data import TrainingData, Method, Predictions, Tracks
from benchmarks.peers.tcn import tcn
from benchmarks.peers.ts2vec import ts2vec


def _threads_of_torch(method: Method) -> Method:
    """The method with as many threads of OpenMP and BLAS as torch takes: several may run side by side."""
    @wraps(method)
    def limited(data: TrainingData, held: Tracks) -> Predictions:
        with threadpool_limits(torch.get_num_threads()):
            return method(data, held)

    return limited


METHODS: dict[str, Method] = {method.__name__: _threads_of_torch(method) for method in (
    validity_only, random_forest, gradient_boosting, tcn, ts2vec, clusters, cebra,
)}
