"""train_mlp: the model that ships. An MLP learns on real and soft labels; decisions are fitted on animals that it, or
some of its members, have not learnt from."""

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
from rbc.mirror import has_mirror, twin, with_twins
from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.decision import Decision, Rules, cross_fitted_decisions, decide_cross_fitted
from rbc.scoring.known import KNOWN, NOTHING, Known, write_known
from rbc.scoring.labels import NOT_SCORED, minutes, scored_rows
from rbc.scoring.metrics import scoreboard
from rbc.scoring.splits import CALIBRATION, Ledger, SplitError, folds

SECTIONS = ("data", "split", "model", "align_data", "augment", "finetune", "train_mlp", "evaluate")
FINETUNED, PSEUDO = Path("data/finetune"), Path("data/pseudo_label")
RANGE_STRIDE = 10  # neighbouring frames say the same of the features' range


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    model, settings = load_model(FINETUNED), params.train_mlp
    rules = Rules(settings.decoder, experiment.slack)
    own, views, held = experiment.of("train"), experiment.labels("train"), experiment.labels("validation")
    judged = folds(len(experiment.taught), settings.members).any()
    if not held and not judged:  # validation animals are named, so that nothing was said before
        raise SplitError(f"none of split.validation {list(params.split.validation)} has labels, and no member of the MLP leaves "
                         f"an animal out (train_mlp.members: {settings.members}): thresholds need one or the other")
    ledger = Ledger.load(FINETUNED / "trained_on.json")
    taught = load_labels(FINETUNED)
    stride = stride_of(sum(map(len, own.values())))
    looked = {n: frames_of(taught.get(n), len(s), stride) for n, s in own.items()}
    lessons = {n: y[looked[n]] for n, y in taught.items()}
    soft = {n: read_soft_labels(n)[rows] for n, rows in looked.items()} if settings.pseudo_weight else {}
    animals, sides = experiment.animals, (False,)
    if params.augment.mirror and has_mirror(model.recipe):
        sides = (False, True)
        lessons = with_twins(lessons, experiment.behaviours, NOT_SCORED)
        soft = with_twins(soft, experiment.behaviours, np.nan)
        animals = animals | {twin(n): animals[n] for n in own}
        looked |= {twin(n): looked[n] for n in own}
    encoded = ((twin(n) if mirror else n, encode(model.network, s, model.recipe, mirror=mirror))
               for mirror in sides for n, s in own.items())
    with writing(Path("data/train_mlp")) as out, together():
        mlp, said, history = train_ensemble(
            encoded, looked, lessons, soft, animals, **settings.model_dump(exclude={"decoder"}),
            hidden_dim=params.model.hidden_dim, causal=model.recipe.causal, chance=Chance(params.seed),
            scratch=experiment.scratch("train_mlp", SECTIONS, [ALIGNED, FINETUNED, PSEUDO]),
        )
        if not leads():
            return
        looked_at, now_and_then = [], []
        for name, session in own.items():
            features = scaled_features(model.network, session, model.recipe)
            looked_at.append(tuple(x[said[name].rows] for x in features))
            now_and_then.append(tuple(x[:: max(RANGE_STRIDE, stride)].clone() for x in features))
        mixture = [mean_of_heads(said[name].probability, said[name].available) for name in own]
        mounts = tuple(sorted({own[name].mount for name in views if own[name].valid[:, 0].any()}))
        classifier = Classifier(model, mlp, fit_class_map(looked_at, mixture), mounts=mounts)
        known = known_of(said, taught) if judged else NOTHING
        for name, ((probability, there), labels) in known.items():
            write_known(out / KNOWN / f"{name}.npz", labels, rbc=probability, there=there)
        sessions = {name: experiment.sessions[name] for name in held}
        predictions = {"zero_shot": classifier.guess(sessions)}
        predictions["adapted"] = classifier.adapted(sessions, predictions["zero_shot"])
        headline = predictions["adapted" if params.evaluate.adapt else "zero_shot"]
        classifier = replace(
            classifier, decision=Decision.fit(headline, held, rules, known),
            cross_fitted=cross_fitted_decisions(headline, held, animals, rules, known) if held else {},
        )
        classifier.save(out, {
            "labelled_minutes": minutes(views, experiment.rate_hz), "adapt": params.evaluate.adapt,
            "alignment": params.align_data.model_dump(), "feature_range": feature_range(now_and_then),
        })
        for name, session in own.items():
            ledger.record(name, 0, len(session), "signals", "train")
        for name, labels in held.items():
            ledger.record(name, 0, len(labels), "labels", CALIBRATION)
        ledger.save(out / "trained_on.json")
        saved = Classifier.load(out).cross_fitted  # scores are of what the file holds, with its decimals
        scores = {how: scoreboard(decide_cross_fitted(saved, p, held, animals), experiment.behaviours,
                                  rate_hz=experiment.rate_hz)["f1"] for how, p in predictions.items()} if held else None
        write_json(Path("metrics/train_mlp.json"), {"validation": scores})
        write_table(Path("plots/train_mlp.tsv"), pd.DataFrame(history_rows(history)))


def known_of(said: dict[str, OutOfFold], labels: dict[str, np.ndarray]) -> Known:
    """The scored frames of the labelled sessions, as far as they were looked at."""
    found = {name: said[name].of(scored_rows(y)) for name, y in labels.items()}
    return {name: (guess, labels[name][rows]) for name, (rows, guess) in found.items()}


def read_soft_labels(name: str) -> np.ndarray:
    """Soft labels (T, C) of a session, from pseudo_label; NaN in frames without one."""
    with np.load(PSEUDO / f"{name}.npz", allow_pickle=False) as file:
        return file["soft_labels"]


if __name__ == "__main__":
    main()
