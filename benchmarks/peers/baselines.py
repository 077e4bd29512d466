"""The forests of `rbc.scoring.baselines` as peers."""

import numpy as np

from benchmarks.peers.lesson import Lesson, Said, Tracks
from rbc.scoring import baselines
from rbc.scoring.labels import scored_rows


def random_forest(lesson: Lesson, held: Tracks) -> Said:
    """A random forest per behaviour on window statistics."""
    return _forest(baselines.random_forest, lesson, lesson.features, held, trees=100, max_frames=30_000)


def validity_only(lesson: Lesson, held: Tracks) -> Said:
    """The same forest, fed with nothing but which features are there; those that come and go together count once."""
    missing = np.concatenate([np.isnan(x) for x in lesson.features.values()])  # (all T, F)
    _, first = np.unique(np.packbits(missing, axis=0), axis=1, return_index=True)
    first.sort()
    read, held = ({name: np.isfinite(x[:, first]) for name, x in of.items()} for of in (lesson.features, held))
    return _forest(baselines.validity_only, lesson, read, held, trees=20, max_frames=30_000)


def _forest(method, lesson: Lesson, read: Tracks, held: Tracks, **settings) -> Said:
    train = [(read[name], y) for name, y in lesson.labels.items()]
    animals = [lesson.animals[name] for name in lesson.labels]
    said, known = method(train, list(held.values()), animals, windows=lesson.windows, seed=lesson.seed, **settings)
    named = lambda names, of: {name: p.astype(np.float32) for name, p in zip(names, of, strict=True)}  # noqa: E731
    return named(held, said), named(lesson.labels if known else (), known)
