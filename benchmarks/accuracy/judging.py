"""A method on a cell of the grid: what it learns, says and scores, as rows of metrics/accuracy.json.

Decisions (mix, Platt scaling, thresholds, decoder) are fitted the same way for every method: on what its members say of
training animals that they left out, and on the validation animals, both with the labels of the budget. Simulated worlds
are scored against the truth in all frames of the held-out sessions, real ones against their labels.
"""

import time
from collections.abc import Mapping

import numpy as np

from benchmarks.accuracy import ours
from benchmarks.accuracy.cells import Bench, labelled_minutes
from benchmarks.peers.methods import METHODS
from rbc.evaluation import Judge
from rbc.experiment import Experiment
from rbc.recordings.truth import read_truth
from rbc.scoring.decision import Guess, Rules
from rbc.scoring.known import Known
from rbc.scoring.labels import scored_rows
from rbc.scoring.metrics import Scored

ALWAYS = "always_present"


def rows(bench: Bench, method: str) -> list[dict]:
    """The method's rows on this cell: one, or several of a method that is scored in several modes."""
    experiment = bench.experiment()
    start = time.monotonic()
    if method == ours.WHOLE or method in ours.VARIANTS:
        found = ours.said(bench, method, experiment)
        took = sum(ours.seconds(bench.folder, ours.workspace(bench, method)).values())
    else:
        found = {} if method == ALWAYS else {("both", "inductive"): _peer(bench, method, experiment)}
        took = time.monotonic() - start
    judge = Judge(experiment.labels("validation"), experiment.labels("test"), experiment.animals, experiment.behaviours,
                  experiment.rate_hz, experiment.params.evaluate.collar_s,
                  Rules(experiment.params.train_mlp.decoder, experiment.params.train_mlp.smooth_window, experiment.slack))
    decided = {how: judge.decide(*guesses) for how, guesses in found.items()}
    if method == ALWAYS:
        decided["both", "inductive"] = judge.constant()
    truth = read_truth(bench.dataset.truth_root, {n: experiment.sessions[n] for n in judge.scored})
    common = {"dataset": bench.cell.dataset, "method": method, "label_fraction": bench.cell.fraction,
              "labelled_minutes": labelled_minutes(experiment), "fold": bench.cell.fold, "draw": bench.cell.draw}
    return [common | {"modalities": modalities, "mode": mode} | _scores(judge, scored, truth) | {"train_minutes": took / 60}
            for (modalities, mode), scored in decided.items()]


def _peer(bench: Bench, method: str, experiment: Experiment) -> tuple[dict[str, Guess], Known]:
    lesson, asked = bench.lesson(experiment)
    said, known = METHODS[method](lesson, asked)
    own = {n: (_alone(p), lesson.labels[n][scored_rows(lesson.labels[n])]) for n, p in known.items()}
    return {n: _alone(p) for n, p in said.items()}, own


def _alone(probability: np.ndarray) -> Guess:
    """The guess of a single head that is always there."""
    return probability[:, None], np.ones((len(probability), 1), bool)


def _scores(judge: Judge, scored: list[Scored], truth: Mapping[str, np.ndarray]) -> dict:
    labels = {s.name: truth.get(s.name, s.labels) for s in scored}
    board = judge.board(scored, labels)
    precision = [row["ap"] for row in board["rows"]["behaviour"] if row["averaged"] and row["ap"] is not None]
    return {
        "macro_f1": board["f1"]["macro"], "predicted_bout_f1": board["bouts"]["predicted_f1"],
        "annotated_bout_f1": board["bouts"]["annotated_f1"], "mean_average_precision": float(np.mean(precision)),
        "brier": board["calibration"]["brier"],
        "macro_f1_annotators": judge.board(scored)["f1"]["macro"] if truth else None,
        "behaviours": {name: of["f1"] for name, of in board["behaviours"].items()},
        "animals": {row["animal"]: row["f1_macro"] for row in board["rows"]["animal"]},
    }
