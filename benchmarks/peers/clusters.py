"""Clusters that are named afterwards: the way of B-SOiD (Hsu & Yttri, Nature Communications 12:5188, 2021), with
principal components and a Gaussian mixture where it has UMAP and HDBSCAN.

T frames, P places of 100 ms, F features, K clusters, C behaviours.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.mixture import GaussianMixture

from benchmarks.peers.training_data import Predictions, Predictor, Tracks, TrainingData, ensemble
from benchmarks.peers.scaling import fit_scaling
from rbc.scoring.labels import NOT_SCORED, PRESENT, prevalence

PLACE_S = 0.1
COMPONENTS, CLUSTERS = 12, 60
MAX_PLACES = 20_000  # that clusters are found in, and that the forest copies
PRIOR_FRAMES = 20.0  # in favour of the prevalence, in each cluster


def clusters(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by which clusters a forest says a frame to be of, and the share of their labelled frames in which a
    behaviour is present. Labels shape nothing but these shares, which the members of the ensemble count."""
    scaled, step = fit_scaling(data.features), max(round(PLACE_S * data.rate_hz), 1)
    rng = np.random.default_rng(data.seed)
    places = np.concatenate([_pooled(scaled(x), step) for x in data.features.values()])  # (P, F + 1)
    places = places[np.sort(rng.permutation(len(places))[:MAX_PLACES])]
    reduced = PCA(min(COMPONENTS, *places.shape), random_state=data.seed).fit_transform(places)
    mixture = GaussianMixture(min(CLUSTERS, len(places) // 10), reg_covar=1e-3, random_state=data.seed)
    forest = RandomForestClassifier(100, min_samples_leaf=3, random_state=data.seed)
    forest.fit(places, mixture.fit_predict(reduced))

    def member(x: np.ndarray) -> np.ndarray:
        shares = forest.predict_proba(_pooled(scaled(x), step))
        return np.repeat(shares, step, axis=0)[: len(x)]  # (T, K)

    tables = {name: member(data.features[name]) for name in data.labels}
    return ensemble(data, tables, ((name, member(x)) for name, x in held.items()),
                    lambda part: _named(part, tables))


def _pooled(x: np.ndarray, step: int) -> np.ndarray:
    """(P, F) means of every `step` frames (T, F), and of the fewer that are left."""
    starts = np.arange(0, len(x), step)
    return np.add.reduceat(x, starts) / np.diff(starts, append=len(x))[:, None].astype(np.float32)


def _named(data: TrainingData, tables: Tracks) -> Predictor:
    weight = np.concatenate([tables[name] for name in data.labels]).T  # (K, N)
    labels = np.concatenate(list(data.labels.values()))
    present = weight @ (labels == PRESENT) + PRIOR_FRAMES * prevalence(data.labels)
    share = present / (weight @ (labels != NOT_SCORED) + PRIOR_FRAMES)  # (K, C)
    return lambda x: x @ share
