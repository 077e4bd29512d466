"""A method on a cell of the grid: it learns, predicts the held-out sessions and is scored, as rows of
metrics/accuracy.json.

rbc is judged by the decision (mix, Platt scaling, thresholds, decoder) that its saved model carries. Every peer gets one
of the same kind, fitted on its out-of-fold predictions of training animals and on the validation animals, with the
labels of the budget. Simulated worlds are scored against the truth in all frames of the held-out sessions, real ones
against their labels.
"""

import time
from collections.abc import Mapping

import numpy as np

from benchmarks.accuracy import ours
from benchmarks.accuracy.cells import Bench, labelled_minutes
from benchmarks.accuracy.methods import is_rbc
from benchmarks.accuracy.provenance import method_hash, revision
from benchmarks.accuracy.scores import scores
from benchmarks.peers.methods import METHODS, inputs
from benchmarks.peers.training_data import TrainingData
from rbc.experiment import Experiment
from rbc.recordings.session import MODALITIES, Session
from rbc.recordings.truth import read_truth
from rbc.scoring.decision import Decision, Predictions, Rules
from rbc.scoring.labels import scored_rows, with_slack
from rbc.scoring.metrics import Scored

Judged = dict[tuple[str, str], list[Scored]]
"""Held-out sessions with probabilities and decisions, by modalities and by what the method did with their signals."""


class CodeChanged(RuntimeError):
    """The code was edited while a method ran: nobody knows which of the two the row would be of."""


def rows(bench: Bench, method: str) -> list[dict]:
    """The method's rows on this cell: one, or several of a method that is scored with several modalities or modes."""
    key, made_by = method_hash(method, bench.dataset.params), revision()
    experiment = bench.experiment(method)
    held = {name: experiment.sessions[name] for name in experiment.labels("test")}
    start = time.monotonic()
    if is_rbc(method):
        found = ours.judged(bench.workspace(method, key), held)
        took = ours.seconds(bench.workspace(method, key))
    elif method in METHODS:
        found = _peer(method, experiment, held)
        took = time.monotonic() - start
    else:
        found, took = {("both", "inductive"): [_always_present(s) for s in held.values()]}, 0.0
    if method_hash(method, bench.dataset.params) != key:
        raise CodeChanged(f"{method} on {bench.cell}: code, settings or recordings changed while it ran; run it again")
    truth = read_truth(bench.dataset.truth_root, held)
    common = {"dataset": bench.cell.dataset, "method": method, "label_fraction": bench.cell.fraction,
              "labelled_minutes": labelled_minutes(experiment), "fold": bench.cell.fold, "draw": bench.cell.draw,
              "revision": made_by, "method_hash": key}
    return [common | {"modalities": modalities, "mode": mode, "train_minutes": took / 60}
            | scores(scored, truth, experiment.behaviours, experiment.rate_hz)
            for (modalities, mode), scored in found.items()]


def _peer(method: str, experiment: Experiment, held: Mapping[str, Session]) -> Judged:
    """A peer trained and decided with each choice of modalities that it is scored with."""
    validation = experiment.labels("validation")
    wanted = {n: s for n, s in experiment.sessions.items() if experiment.roles[n] == "train" or n in validation or n in held}
    read = {name: inputs(method, session, experiment.recipe) for name, session in wanted.items()}
    found = {}
    for name in next(iter(read.values())):
        column = MODALITIES.index(name) if name in MODALITIES else slice(None)
        if all(s.valid[:, column].any() for s in held.values()):  # else a session has nothing to say in it
            found[name, "inductive"] = _fitted(method, experiment, held, {n: of[name] for n, of in read.items()})
    return found


def _fitted(method: str, experiment: Experiment, held: Mapping[str, Session],
            features: Mapping[str, np.ndarray]) -> list[Scored]:
    params, validation = experiment.params, experiment.labels("validation")
    labels = {n: with_slack(y, *experiment.slack) for n, y in experiment.labels("train").items()}
    train = {n: x for n, x in features.items() if experiment.roles[n] == "train"}
    data = TrainingData(train, labels, experiment.animals, experiment.rate_hz, params.baselines.windows, params.seed)
    predicted, out_of_fold = METHODS[method](data, {n: x for n, x in features.items() if n not in train})
    own = {n: (_single(p), labels[n][scored_rows(labels[n])]) for n, p in out_of_fold.items()}
    rules = Rules(params.train_mlp.decoder, experiment.slack)
    decision = Decision.fit({n: _single(predicted[n]) for n in validation}, validation, rules, own)
    return [decision.score(n, s.animal, _single(predicted[n]), np.asarray(s.labels)) for n, s in held.items()]


def _single(probability: np.ndarray) -> Predictions:
    """Predictions (T, 1, C) of a single head that is always there."""
    return probability[:, None], np.ones((len(probability), 1), bool)


def _always_present(session: Session) -> Scored:
    labels = np.asarray(session.labels)
    return Scored(session.name, session.animal, labels, np.ones(labels.shape), np.ones(labels.shape, bool))
