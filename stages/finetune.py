"""finetune: the network learns behaviours from the training animals' labels; labels that are likely errors are listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.artifacts import Model, load_model, save_labels, save_network
from rbc.experiment import ALIGNED, Experiment
from rbc.features import session_features
from rbc.inference import encode
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.finetuning import finetune
from rbc.learning.label_errors import error_table, likely_errors, out_of_fold_predictions, without_errors
from rbc.learning.pseudo import teacher_probability
from rbc.learning.ranks import leads, together
from rbc.learning.training import Chance, history_rows
from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.scoring.labels import with_slack
from rbc.scoring.splits import Ledger
from rbc.scoring.summary import macro_scores

SECTIONS = ("data", "split", "model", "align_data", "augment", "pretrain", "finetune")
ALIGNED_SESSIONS = Path("data/align_sessions")


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    settings = params.finetune
    with writing(Path("data/finetune")) as out, together():
        model = load_model(ALIGNED_SESSIONS)
        ledger = Ledger.load(ALIGNED_SESSIONS / "trained_on.json")
        labels, errors = training_labels(experiment)
        labelled = Corpus(experiment.of("train"), model.recipe, ledger, experiment.roles, labels)
        everything = Corpus(experiment.seen, model.recipe, ledger, experiment.roles)
        network, history = finetune(
            model.network, labelled, everything, **settings.learning, chance=Chance(params.seed),
            augmentation=Augmentation(**params.augment.model_dump()),
            scratch=experiment.scratch("finetune", SECTIONS, [ALIGNED, ALIGNED_SESSIONS]),
        )
        if not leads():
            return
        model = replace(model, network=network)
        save_network(model, out)
        save_labels(labels, out)
        write_table(out / "label_errors.csv", errors)
        ledger.save(out / "trained_on.json")
        write_json(Path("metrics/finetune.json"), {"validation": validation_scores(model, experiment)})
        write_table(Path("plots/finetune.tsv"), pd.DataFrame(history_rows(history)))


def training_labels(experiment: Experiment) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Labels (T, C) that training uses, by session, and the table of those that are likely errors."""
    params, rate_hz = experiment.params, experiment.rate_hz
    labels = {name: with_slack(y, *experiment.slack) for name, y in experiment.labels("train").items()}
    predictions = {}
    if params.finetune.label_error_trees:
        features = {name: session_features(experiment.sessions[name], experiment.recipe) for name in labels}
        predictions = out_of_fold_predictions(features, labels, rate_hz=rate_hz, trees=params.finetune.label_error_trees,
                                              seed=params.seed)
    errors = likely_errors(labels, predictions)
    table = error_table(errors, experiment.behaviours, {n: experiment.sessions[n].time for n in errors}, rate_hz)
    return without_errors(labels, errors) if params.finetune.mask_label_errors else labels, table


def validation_scores(model: Model, experiment: Experiment) -> dict | None:
    """Scores of the network's heads on the validation animals; None where these have no labels."""
    held = experiment.labels("validation")
    if not held:
        return None
    encoded = {name: encode(model.network, experiment.sessions[name], model.recipe) for name in held}
    return macro_scores({n: teacher_probability(e.probability, e.there) for n, e in encoded.items()}, held)


if __name__ == "__main__":
    main()
