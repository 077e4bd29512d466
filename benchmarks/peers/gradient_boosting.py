"""Gradient boosted trees on window statistics, one classifier per behaviour: what JABS and winners of challenges use.

T frames, N drawn frames, F' window features, C behaviours.
"""

from dataclasses import replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.peers.lesson import Lesson, Said, Speaker, Tracks, ensemble
from rbc.scoring.baselines import drawn_frames, window_features
from rbc.scoring.labels import PRESENT, scored_rows

WINDOWS = 16, 64, 128
MAX_FRAMES = 3000  # of a behaviour and member, as of a group of trees of the forest
COLUMNS = 200  # of window features, the ones that a small forest splits by most: all of them take ten times as long
TREES = 100


def gradient_boosting(lesson: Lesson, held: Tracks) -> Said:
    """Probabilities by an ensemble of gradient boosting on `rbc.scoring.baselines.window_features`, from frames drawn as
    for the forest, classes balanced. A behaviour of one class in training gets that class."""
    rows = {name: np.flatnonzero(scored_rows(y)) for name, y in lesson.labels.items()}
    tables = {name: window_features(lesson.features[name], WINDOWS, rows[name]) for name in rows}  # (N, F')
    cut = replace(lesson, labels={name: y[rows[name]] for name, y in lesson.labels.items()})
    return ensemble(cut, tables, ((name, window_features(x, WINDOWS)) for name, x in held.items()),
                    lambda part: _trees(part, tables))


def _trees(lesson: Lesson, tables: Tracks) -> Speaker:
    rng = np.random.default_rng(lesson.seed)
    table = np.concatenate([tables[name] for name in lesson.labels])  # (N, F')
    labels = np.concatenate(list(lesson.labels.values()))
    models = []
    for column in labels.T:
        frames = drawn_frames(column, MAX_FRAMES, rng)
        present = column[frames] == PRESENT
        several = present.any() and not present.all()
        models.append(_boosting(int(rng.integers(2**31))).fit(table[frames], present) if several else present[0])

    def speak(x: np.ndarray) -> np.ndarray:
        return np.stack([model.predict_proba(x)[:, 1] if isinstance(model, Pipeline) else np.full(len(x), model)
                         for model in models], axis=1)

    return speak


def _boosting(seed: int) -> Pipeline:
    forest = RandomForestClassifier(30, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    trees = HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=15, max_bins=63, early_stopping=False,
                                           class_weight="balanced", random_state=seed)
    return make_pipeline(SelectFromModel(forest, max_features=COLUMNS, threshold=-np.inf), trees)
