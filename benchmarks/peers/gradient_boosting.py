"""Gradient boosted trees on window statistics, one classifier per behaviour: what JABS and winners of challenges use.

T frames, N scored frames, F' window features.
"""

from dataclasses import replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFromModel, VarianceThreshold
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.peers.classifiers import classifiers
from benchmarks.peers.training_data import Predictions, Tracks, TrainingData, ensemble
from rbc.scoring.forest import window_features
from rbc.scoring.labels import scored_rows

COLUMNS = 120  # of window features, the ones that a small forest splits by most: all of them take ten times as long
TREES = 100


def gradient_boosting(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by an ensemble of boosted trees on `rbc.scoring.forest.window_features`. Classes are balanced by
    the frames that are drawn, without weights, with which scikit-learn takes five times as long."""
    rows = {name: np.flatnonzero(scored_rows(y)) for name, y in data.labels.items()}
    tables = {name: window_features(data.features[name], data.windows, rows[name]) for name in rows}  # (N, F')
    cut = replace(data, labels={name: y[rows[name]] for name, y in data.labels.items()})
    return ensemble(cut, tables, ((name, window_features(x, data.windows)) for name, x in held.items()),
                    lambda part: classifiers(part, tables, _boosting))


def _boosting(seed: int) -> Pipeline:
    forest = RandomForestClassifier(20, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    trees = HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=15, max_bins=63, early_stopping=False,
                                           random_state=seed)
    chosen = SelectFromModel(forest, max_features=COLUMNS, threshold=-np.inf)
    return make_pipeline(chosen, VarianceThreshold(), trees)  # boosting refuses columns that are missing throughout
