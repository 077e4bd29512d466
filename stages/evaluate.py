"""evaluate: scores of the saved model, with the decisions that it carries, on animals that no stage has learnt from."""

from pathlib import Path

import numpy as np
import pandas as pd

from rbc.classifier import Classifier, read_recipe
from rbc.evaluation import (
    Judge,
    before_and_after,
    decide,
    ethogram_tracks,
    log_look,
    metrics_of,
    precision_recall_rows,
    read_predictions,
    rows_of,
    rung_rows,
    variants,
)
from rbc.experiment import ALIGNED, Experiment
from rbc.figures.ethogram import ethogram_page
from rbc.figures.trust import trust_page
from rbc.inference import halo
from rbc.outputs import write_json, write_table, write_text, writing
from rbc.params import load
from rbc.recordings.origin import load_origin
from rbc.recordings.session import MODALITIES
from rbc.recordings.truth import load_truth
from rbc.scoring.certainty import risk_rows
from rbc.scoring.out_of_fold import OUT_OF_FOLD, NONE_OUT_OF_FOLD, read_out_of_fold
from rbc.scoring.metrics import Scored
from rbc.scoring.reliability import WHOLE, calibration_rows
from rbc.scoring.splits import RUNGS, Ledger, SplitError, check_no_leak, rungs

MODEL, BASELINES = Path("data/train_mlp"), Path("data/baselines")
METHODS = ("rbc", "random_forest", "imu", "pose", "zero_shot", "validity_only", "always_present")
PAGES = {"validation": "metrics/evaluate.json", "test": "metrics/test.json"}


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    classifier = Classifier.load(MODEL)
    roles = ("validation", "test") if params.evaluate.final else ("validation",)
    scorable = {role: labels for role in roles if (labels := experiment.labels(role))}
    if not scorable:
        raise SplitError(f"nothing to score: no {' or '.join(roles)} animal has labels "
                         f"(split.validation: {list(params.split.validation)}, evaluate.final: {params.evaluate.final}). "
                         "For a model alone, `dvc repro train_mlp` is enough")
    held = scorable.get("validation", {})
    headline = "adapted" if params.evaluate.adapt else "zero_shot"
    context = halo(classifier.model.network, classifier.model.recipe) + max(classifier.mlp.windows, default=0)
    with writing(Path("data/evaluate")) as out:
        if not held:
            write_json(Path(PAGES["validation"]), {})
        for role, scored in scorable.items():
            shipped = role == "test"
            check_no_leak(Ledger.load(MODEL / "trained_on.json"), {n: [(0, len(y))] for n, y in scored.items()},
                          roles=experiment.roles, context=context, cross_fitted=not shipped,
                          mode="transductive" if params.pretrain.sessions == "all" else "inductive")
            sessions = {n: experiment.sessions[n] for n in scored}
            predictions = variants(classifier, sessions, params.evaluate.adapt)
            judge = Judge(held, scored, experiment.animals, experiment.behaviours, experiment.rate_hz,
                          params.evaluate.collar_s, classifier.decision.rules)
            decided = {name: decide(classifier, p, scored, experiment.animals, shipped=shipped)
                       for name, p in predictions.items()}
            decided |= {"rbc": decided[headline], "always_present": judge.constant()} | decide_baselines(judge)
            truth = load_truth(ALIGNED, scored)
            truth = truth if truth.keys() == scored.keys() else {}
            split = {"by": params.split.by, "role": role, "mode": "transductive" if params.evaluate.adapt else "inductive",
                     "animals": len({experiment.animals[n] for n in scored}),
                     "labelled_minutes": read_recipe(MODEL)["labelled_minutes"],
                     "decision": "shipped" if shipped else "cross-fitted"}
            write_scores(experiment, judge, decided, truth, split)
            write_calibration({name: before_and_after(decided[how], predictions[how]) for name, how in
                               {WHOLE: headline, **{m: m for m in MODALITIES}}.items()}, decided["rbc"], experiment, role)
            for s in decided["rbc"]:
                np.savez(out / f"{s.name}.npz", probability=s.probability.astype(np.float32), decision=s.decision,
                         uncertain=s.margin < 0)
            tracks = ethogram_tracks(decided["rbc"], sessions, role, truth, experiment.behaviours)
            page = ethogram_page(tracks, experiment.behaviours, title=f"Ethogram on {role} animals",
                                 definitions=params.data.ontology.definitions)
            write_text(Path("plots/evaluate_ethogram.html"), page)
    if params.evaluate.final:
        log_look(Path("metrics/test_looks.csv"), params.model_dump(mode="json"))


def decide_baselines(judge: Judge) -> dict[str, list[Scored]]:
    """The baselines' decisions by method, fitted here: to training animals too where rbc's were (out of fold)."""
    out_of_fold = read_out_of_fold(BASELINES / OUT_OF_FOLD) if (MODEL / OUT_OF_FOLD).exists() else {}
    predictions = read_predictions(BASELINES, {**judge.held, **judge.scored})
    return {name: judge.decide(p, out_of_fold.get(name, NONE_OUT_OF_FOLD)) for name, p in predictions.items()}


def write_scores(experiment: Experiment, judge: Judge, decided: dict[str, list[Scored]], truth: dict[str, np.ndarray],
                 split: dict) -> None:
    """Metrics of the role, and rows by behaviour, animal, session and rung."""
    boards = {name: judge.board(d) for name, d in decided.items()}
    exact = {name: judge.board(d, truth) for name, d in decided.items()} if truth else {}
    days = {name: session.day for name, session in experiment.sessions.items()}
    new = rungs(judge.scored, experiment.of("train"), experiment.animals, days)
    by_rung = rung_rows(decided, new, judge, ("rbc", "random_forest"))
    f1_of_rung = by_rung[by_rung["method"] == "rbc"].set_index("rung")["f1_macro"]
    write_json(Path(PAGES[split["role"]]), metrics_of(
        boards, exact, decided["rbc"], annotator=judge.annotator_f1(truth) if truth else None,
        rungs={rung: f1_of_rung.get(rung) for rung in RUNGS}, data=load_origin(ALIGNED), split=split,
    ))
    for kind in ("behaviour", "animal", "session"):
        write_table(Path(f"plots/evaluate_{kind}s.csv"), rows_of(boards, kind, METHODS))
    write_table(Path("plots/evaluate_rungs.csv"), by_rung)
    write_table(Path("plots/evaluate_pr.csv"), precision_recall_rows(decided["rbc"], experiment.behaviours))


def write_calibration(conditions: dict, scored: list[Scored], experiment: Experiment, role: str) -> None:
    """How far probabilities and certainty can be trusted: two tables and a page."""
    rows, bins = calibration_rows(conditions, experiment.behaviours)
    risk = risk_rows(scored, experiment.behaviours)
    write_table(Path("plots/evaluate_calibration.csv"), pd.DataFrame(rows))
    write_table(Path("plots/evaluate_risk.csv"), pd.DataFrame(risk))
    write_text(Path("plots/evaluate_trust.html"), trust_page(rows, bins, risk, role=role))


if __name__ == "__main__":
    main()
