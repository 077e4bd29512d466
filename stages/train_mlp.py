"""train_mlp: the model that ships. An MLP ensemble trains on real and soft labels; decisions are fitted on out-of-fold
predictions and on validation animals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.artifacts import load_labels, load_model
from rbc.classifier import Classifier
from rbc.experiment import ALIGNED, Experiment
from rbc.inference import encode, feature_range, fit_class_map, scaled_features
from rbc.learning.ensemble import OutOfFold, train_ensemble
from rbc.learning.pseudo import frames_of, stride_of
from rbc.learning.ranks import leads, together
from rbc.learning.training import Chance, history_rows
from rbc.mirror import has_mirror, mirrored_name, with_mirrored
from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.decision import Decision, Rules, cross_fitted_decisions, decide_cross_fitted
from rbc.scoring.out_of_fold import OUT_OF_FOLD, NONE_OUT_OF_FOLD, OutOfFoldLabelled, write_out_of_fold
from rbc.scoring.labels import NOT_SCORED, minutes, scored_rows
from rbc.scoring.metrics import scoreboard
from rbc.scoring.splits import CALIBRATION, Ledger, SplitError, folds

SECTIONS = ("data", "split", "model", "align_data", "augment", "finetune", "train_mlp", "evaluate")
FINETUNED, PSEUDO = Path("data/finetune"), Path("data/pseudo_label")
RANGE_STRIDE = 10  # every so many-th frame is enough for the features' range


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    model, settings = load_model(FINETUNED), params.train_mlp
    rules = Rules(settings.decoder, experiment.slack)
    own, given, held = experiment.of("train"), experiment.labels("train"), experiment.labels("validation")
    some_left_out = folds(len(experiment.labelled_animals), settings.members).any()
    if not held and not some_left_out:
        raise SplitError(f"none of split.validation {list(params.split.validation)} has labels, and no member of the MLP leaves "
                         f"an animal out (train_mlp.members: {settings.members}): thresholds need one or the other")
    ledger = Ledger.load(FINETUNED / "trained_on.json")
    scored = load_labels(FINETUNED)
    stride = stride_of(sum(map(len, own.values())))
    rows = {n: frames_of(scored.get(n), len(s), stride) for n, s in own.items()}
    labels = {n: y[rows[n]] for n, y in scored.items()}
    soft = {n: read_soft_labels(n)[frames] for n, frames in rows.items()} if settings.pseudo_weight else {}
    animals, sides = experiment.animals, (False,)
    if params.augment.mirror and has_mirror(model.recipe):
        sides = (False, True)
        labels = with_mirrored(labels, experiment.behaviours, NOT_SCORED)
        soft = with_mirrored(soft, experiment.behaviours, np.nan)
        animals = animals | {mirrored_name(n): animals[n] for n in own}
        rows |= {mirrored_name(n): rows[n] for n in own}
    encoded = ((mirrored_name(n) if mirror else n, encode(model.network, s, model.recipe, mirror=mirror))
               for mirror in sides for n, s in own.items())
    with writing(Path("data/train_mlp")) as out, together():
        mlp, out_of_fold, history = train_ensemble(
            encoded, rows, labels, soft, animals, **settings.model_dump(exclude={"decoder"}),
            hidden_dim=params.model.hidden_dim, causal=model.recipe.causal, chance=Chance(params.seed),
            scratch=experiment.scratch("train_mlp", SECTIONS, [ALIGNED, FINETUNED, PSEUDO]),
        )
        if not leads():
            return
        used, sampled = [], []
        for name, session in own.items():
            features = scaled_features(model.network, session, model.recipe)
            used.append(tuple(x[out_of_fold[name].rows] for x in features))
            sampled.append(tuple(x[:: max(RANGE_STRIDE, stride)].clone() for x in features))
        mixture = [mean_of_heads(out_of_fold[name].probability, out_of_fold[name].available) for name in own]
        mounts = tuple(sorted({own[name].mount for name in given if own[name].valid[:, 0].any()}))
        classifier = Classifier(model, mlp, fit_class_map(used, mixture), mounts=mounts)
        known = labelled_part(out_of_fold, scored) if some_left_out else NONE_OUT_OF_FOLD
        for name, ((probability, available), y) in known.items():
            write_out_of_fold(out / OUT_OF_FOLD / f"{name}.npz", y, rbc=probability, there=available)
        sessions = {name: experiment.sessions[name] for name in held}
        predictions = {"zero_shot": classifier.guess(sessions)}
        predictions["adapted"] = classifier.adapted(sessions, predictions["zero_shot"])
        headline = predictions["adapted" if params.evaluate.adapt else "zero_shot"]
        classifier = replace(
            classifier, decision=Decision.fit(headline, held, rules, known),
            cross_fitted=cross_fitted_decisions(headline, held, animals, rules, known) if held else {},
        )
        classifier.save(out, {
            "labelled_minutes": minutes(given, experiment.rate_hz), "adapt": params.evaluate.adapt,
            "alignment": params.align_data.model_dump(), "feature_range": feature_range(sampled),
        })
        for name, session in own.items():
            ledger.record(name, 0, len(session), "signals", "train")
        for name, y in held.items():
            ledger.record(name, 0, len(y), "labels", CALIBRATION)
        ledger.save(out / "trained_on.json")
        saved = Classifier.load(out).cross_fitted  # scores are of what the file holds, with its decimals
        scores = {how: scoreboard(decide_cross_fitted(saved, p, held, animals), experiment.behaviours,
                                  rate_hz=experiment.rate_hz)["f1"] for how, p in predictions.items()} if held else None
        write_json(Path("metrics/train_mlp.json"), {"validation": scores})
        write_table(Path("plots/train_mlp.tsv"), pd.DataFrame(history_rows(history)))


def labelled_part(predictions: dict[str, OutOfFold], labels: dict[str, np.ndarray]) -> OutOfFoldLabelled:
    """Out-of-fold predictions and labels (N, C) of the scored frames of the labelled sessions."""
    found = {name: predictions[name].of(scored_rows(y)) for name, y in labels.items()}
    return {name: (prediction, labels[name][rows]) for name, (rows, prediction) in found.items()}


def read_soft_labels(name: str) -> np.ndarray:
    """Soft labels (T, C) of a session, from pseudo_label; NaN in frames without one."""
    with np.load(PSEUDO / f"{name}.npz", allow_pickle=False) as file:
        return file["soft_labels"]


if __name__ == "__main__":
    main()
