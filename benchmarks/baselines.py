"""baselines: what a random forest on the same features, and one on validity alone, say of held-out animals.

Cached by their own inputs: the network may change without these being trained again.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from rbc.experiment import Experiment
from rbc.features import session_features
from rbc.outputs import writing
from rbc.params import load
from rbc.scoring.baselines import random_forest, validity_only
from rbc.scoring.out_of_fold import OUT_OF_FOLD, write_out_of_fold
from rbc.scoring.labels import scored_rows, with_slack

VALIDITY_TREES = 20  # what is there or not is told by a few


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    settings = params.baselines
    views = {n: with_slack(y, *experiment.slack) for n, y in experiment.labels("train").items()}
    held = experiment.of("validation", "test")
    with writing(Path("data/baselines")) as out:
        wanted = tqdm([*views, *held], desc="features", unit="session")
        features = {n: session_features(experiment.sessions[n], experiment.recipe) for n in wanted}
        valid = {n: np.asarray(experiment.sessions[n].valid) for n in features}
        inputs = {"random_forest": (random_forest, features, settings.trees),
                  "validity_only": (validity_only, valid, VALIDITY_TREES)}
        animals = [experiment.animals[n] for n in views]
        said, known = {}, {}
        for name, (method, x, trees) in inputs.items():
            train = [(x[n], y) for n, y in views.items()]
            said[name], known[name] = method(train, [x[n] for n in held], animals, windows=settings.windows,
                                             seed=params.seed, trees=trees, max_frames=settings.max_frames)
        for i, session in enumerate(held):
            np.savez(out / f"{session}.npz", **{name: p[i].astype(np.float32) for name, p in said.items()})
        for i, (session, labels) in enumerate(views.items() if known["random_forest"] else ()):
            write_out_of_fold(out / OUT_OF_FOLD / f"{session}.npz", labels[scored_rows(labels)],
                        **{name: p[i].astype(np.float32) for name, p in known.items()})


if __name__ == "__main__":
    main()
