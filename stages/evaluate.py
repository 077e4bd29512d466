"""evaluate: scores on animals that no stage has learnt from, beside baselines and ceilings."""

from pathlib import Path

import numpy as np
import pandas as pd

from rbc.classifier import Classifier, read_recipe
from rbc.evaluation import (
    Judge,
    before_and_after,
    ceiling_of,
    ethogram_tracks,
    log_look,
    metrics_of,
    precision_recall_rows,
    read_guesses,
    rows_of,
    variants,
)
from rbc.experiment import Experiment
from rbc.figures.ethogram import ethogram_page
from rbc.figures.trust import trust_page
from rbc.inference import halo
from rbc.outputs import write_json, write_table, write_text, writing
from rbc.params import load
from rbc.recordings.session import MODALITIES
from rbc.scoring.certainty import risk_rows
from rbc.scoring.decision import Rules
from rbc.scoring.known import KNOWN, NOTHING, of_head, read_known
from rbc.scoring.reliability import WHOLE, calibration_rows
from rbc.scoring.splits import Ledger, SplitError, check_no_leak

MODEL, BASELINES, CEILING = Path("data/train_mlp"), Path("data/baselines"), Path("data/ceiling")
METHODS = ("rbc", "random_forest", "imu", "pose", "zero_shot", "validity_only", "always_present")
PAGES = {"validation": "metrics/evaluate.json", "test": "metrics/test.json"}


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    classifier = Classifier.load(MODEL)
    model, labelled_minutes = classifier.model, read_recipe(MODEL)["labelled_minutes"]
    ledger = Ledger.load(MODEL / "trained_on.json")
    roles = ("validation", "test") if params.evaluate.final else ("validation",)
    scorable = {role: labels for role in roles if (labels := experiment.labels(role))}
    if not scorable:
        raise SplitError(f"nothing to score: no {' or '.join(roles)} animal has labels "
                         f"(split.validation: {list(params.split.validation)}, evaluate.final: {params.evaluate.final}). "
                         "For a model alone, `dvc repro train_mlp` is enough")
    held = scorable.get("validation", {})
    rules = Rules(params.train_mlp.decoder, params.train_mlp.smooth_window, experiment.slack)
    own = read_known(MODEL / KNOWN).get("rbc", NOTHING)
    known = {"zero_shot": own, "adapted": own, **{m: of_head(own, head) for head, m in enumerate(MODALITIES)}}
    known |= read_known(BASELINES / KNOWN) if own else {}
    headline = "adapted" if params.evaluate.adapt else "zero_shot"
    with writing(Path("data/evaluate")) as out:
        if not held:
            write_json(Path(PAGES["validation"]), {})
        for role, scored in scorable.items():
            check_no_leak(ledger, {n: [(0, len(y))] for n, y in scored.items()}, roles=experiment.roles,
                          context=halo(model.network, model.recipe) + max(classifier.mlp.windows, default=0),
                          cross_fitted=role == "validation",
                          mode="transductive" if params.pretrain.sessions == "all" else "inductive")
            sessions = {n: experiment.sessions[n] for n in {**held, **scored}}
            said = variants(classifier, sessions, params.evaluate.adapt) | read_guesses(BASELINES, sessions)
            judge = Judge(held, scored, experiment.animals, experiment.behaviours, experiment.rate_hz,
                          params.evaluate.collar_s, rules)
            decided = {name: judge.decide(guesses, known.get(name, NOTHING)) for name, guesses in said.items()}
            decided |= {"rbc": decided[headline], "always_present": judge.constant()}
            boards = {name: judge.board(d) for name, d in decided.items()}
            ceiling, truth = ceiling_of(judge, CEILING, sessions)
            exact = {name: judge.board(d, truth) for name, d in decided.items()} if truth else {}
            split = {"by": params.split.by, "role": role, "mode": "transductive" if params.evaluate.adapt else "inductive",
                     "animals": len({experiment.animals[n] for n in scored}), "labelled_minutes": labelled_minutes}
            write_json(Path(PAGES[role]), metrics_of(boards, exact, ceiling, split, decided["rbc"]))
            for kind in ("behaviour", "animal", "session"):
                write_table(Path(f"plots/evaluate_{kind}s.csv"), rows_of(boards, kind, METHODS))
            write_table(Path("plots/evaluate_pr.csv"), precision_recall_rows(decided["rbc"], experiment.behaviours))
            told = {name: before_and_after(decided[how], said[how])
                    for name, how in {WHOLE: headline, **{m: m for m in MODALITIES}}.items()}
            rows, bins = calibration_rows(told, experiment.behaviours)
            risk = risk_rows(decided["rbc"], experiment.behaviours)
            write_table(Path("plots/evaluate_calibration.csv"), pd.DataFrame(rows))
            write_table(Path("plots/evaluate_risk.csv"), pd.DataFrame(risk))
            write_text(Path("plots/evaluate_trust.html"), trust_page(rows, bins, risk, role=role))
            for s in decided["rbc"]:
                np.savez(out / f"{s.name}.npz", probability=s.probability.astype(np.float32), decision=s.decision,
                         uncertain=s.spare < 0)
            tracks = ethogram_tracks(decided["rbc"], sessions, role, truth, experiment.behaviours)
            page = ethogram_page(tracks, experiment.behaviours, title=f"Ethogram on {role} animals",
                                 definitions=params.data.ontology.definitions)
            write_text(Path("plots/evaluate_ethogram.html"), page)
    if params.evaluate.final:
        log_look(Path("metrics/test_looks.csv"), params.model_dump(mode="json"))


if __name__ == "__main__":
    main()
