"""Predictions of a saved model for sessions that it did not train on, decided as it decides, and their scores.

T frames, M heads, C behaviours. Predictions are, by session, probabilities (T, M, C) and available heads (T, M).
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from rbc.classifier import Classifier
from rbc.figures.tracks import EthogramTrack
from rbc.recordings.session import MODALITIES, NOT_SCORED, PRESENT, Session, activity
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.certainty import certain_scores
from rbc.scoring.decision import Decision, Predictions, Rules, cross_fitted, decide_cross_fitted
from rbc.scoring.out_of_fold import NONE_OUT_OF_FOLD, OutOfFoldLabelled
from rbc.scoring.metrics import Scored, f1_scores, frame_counts, scoreboard
from rbc.scoring.splits import RUNGS

CURVE_POINTS = 100


def variants(classifier: Classifier, sessions: Mapping[str, Session], adapt: bool) -> dict[str, dict[str, Predictions]]:
    """Predictions by name: zero_shot, adapted, and the headline (whichever of the two `adapt` says) with one modality."""
    found = {"zero_shot": classifier.guess(sessions)}
    found["adapted"] = classifier.adapted(sessions, found["zero_shot"])
    for kept, lost in zip(MODALITIES, reversed(MODALITIES), strict=True):
        found[kept] = classifier.headline({n: s.without(lost) for n, s in sessions.items()}, adapt)
    return found


def decide(classifier: Classifier, predictions: Mapping[str, Predictions], labels: Mapping[str, np.ndarray],
           animals: Mapping[str, str], *, shipped: bool) -> list[Scored]:
    """Every session in labels (T, C) with a decision applied that was saved with the model; nothing is fitted.

    shipped: the decision that `predict` uses. Else each validation session meets the one that was fitted without its
    animal, for the one that ships was fitted on their labels.
    """
    if shipped:
        return [classifier.decision.score(n, animals[n], predictions[n], y) for n, y in labels.items()]
    return decide_cross_fitted(classifier.cross_fitted, predictions, labels, animals)


@dataclass(frozen=True)
class Judge:
    """Scores the sessions of one role. For methods that ship no decision it fits one: on out-of-fold predictions of
    training animals and on validation animals, cross-fitted between these where they are scored."""

    held: dict[str, np.ndarray]
    """Labels (T, C) of the validation sessions."""
    scored: dict[str, np.ndarray]
    """Labels (T, C) of the sessions to score; the same as `held` in everyday use."""
    animals: dict[str, str]
    behaviours: tuple[str, ...]
    rate_hz: float
    collar_s: float
    rules: Rules

    def decide(self, predictions: Mapping[str, Predictions], known: OutOfFoldLabelled = NONE_OUT_OF_FOLD) -> list[Scored]:
        """Every scored session with a decision applied that is fitted here; `known` are out-of-fold predictions."""
        if self.scored.keys() == self.held.keys():
            return cross_fitted(predictions, self.held, self.animals, self.rules, known)
        decision = Decision.fit(predictions, self.held, self.rules, known)
        return [decision.score(name, self.animals[name], predictions[name], y) for name, y in self.scored.items()]

    def constant(self) -> list[Scored]:
        """Every behaviour present in every frame."""
        return [Scored(n, self.animals[n], y, np.ones(y.shape), np.ones(y.shape, bool)) for n, y in self.scored.items()]

    def board(self, scored: list[Scored], labels: Mapping[str, np.ndarray] | None = None) -> dict:
        """Scoreboard of decisions, against other labels than their own where given."""
        if labels is not None:
            scored = [Scored(s.name, s.animal, labels[s.name], s.probability, s.decision) for s in scored]
        return scoreboard(scored, self.behaviours, rate_hz=self.rate_hz, collar_s=self.collar_s)

    def annotator_f1(self, truth: Mapping[str, np.ndarray]) -> float | None:
        """Macro F1 of the annotators' own labels against the truth (T, C), in the frames that they scored."""
        own = [Scored(n, self.animals[n], np.where(y == NOT_SCORED, NOT_SCORED, truth[n]), (y == PRESENT).astype(float),
                      y == PRESENT) for n, y in self.scored.items()]
        return self.board(own)["f1"]["macro"]


def before_and_after(scored: list[Scored],
                     predictions: Mapping[str, Predictions]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (T, C) of all sessions, the mean probability of the heads, and the calibrated probability."""
    parts = [(s.labels, mean_of_heads(*predictions[s.name]), s.probability) for s in scored]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def metrics_of(boards: Mapping[str, dict], exact: Mapping[str, dict], scored: list[Scored], *, annotator: float | None,
               rungs: Mapping[str, float | None], data: Mapping[str, str], split: Mapping) -> dict:
    """metrics/evaluate.json: boards by method against annotators, `exact` against the simulated truth (may be empty),
    `scored` by rbc, F1 by rung. `ceiling.all_labels` is null: benchmarks/ceiling.py prints it."""
    macro = {name: board["f1"]["macro"] for name, board in boards.items()}
    best = boards["rbc"]
    report = {"data": dict(data)} | {key: best[key] for key in ("f1", "ap", "interval", "behaviours", "bouts")}
    report |= {
        "modalities": {"both": macro["rbc"], "imu": macro["imu"], "pose": macro["pose"]},
        "adaptation": {"zero_shot": macro["zero_shot"], "adapted": macro["adapted"]},
        "rungs": dict(rungs),
        "calibration": best["calibration"],
        "certain": certain_scores(scored, np.isin(list(best["behaviours"]), best["averaged"])),
        "baselines": {k: macro[k] for k in ("always_present", "validity_only", "random_forest")},
        "ceiling": {"annotator": annotator, "all_labels": None},
        "split": dict(split),
    }
    if exact:
        against = {name: board["f1"]["macro"] for name, board in exact.items()}
        report["truth"] = {"macro": against["rbc"], "ap": exact["rbc"]["ap"]["macro"],
                           "interval": exact["rbc"]["interval"], "imu": against["imu"], "pose": against["pose"],
                           "random_forest": against["random_forest"],
                           "predicted_bouts": exact["rbc"]["bouts"]["predicted_f1"]}
    return report


def rung_rows(decided: Mapping[str, list[Scored]], rungs: Mapping[str, str], judge: Judge,
              methods: tuple[str, ...]) -> pd.DataFrame:
    """Scores of the methods on the sessions of each rung, as of `splits.rungs`; a rung without sessions has no row."""
    rows = []
    for method in methods:
        for rung in RUNGS:
            own = [s for s in decided[method] if rungs[s.name] == rung]
            if not own:
                continue
            board = judge.board(own)
            rows.append({"method": method, "rung": rung, "sessions": len(own), "animals": len({s.animal for s in own}),
                         "scored_minutes": sum(row["scored_minutes"] for row in board["rows"]["session"]),
                         "f1_macro": board["f1"]["macro"], "ap_macro": board["ap"]["macro"]})
    return pd.DataFrame(rows)


def rows_of(boards: Mapping[str, dict], kind: str, methods: tuple[str, ...]) -> pd.DataFrame:
    """Rows of one kind (behaviour, animal, session) of several methods, a column naming the method."""
    rows = [{"method": m, **row} for m in methods if m in boards for row in boards[m]["rows"][kind]]
    return pd.DataFrame(rows)


def precision_recall_rows(scored: list[Scored], behaviours: tuple[str, ...]) -> pd.DataFrame:
    """Points of each behaviour's precision-recall curve, at most 100."""
    labels = np.concatenate([s.labels for s in scored])
    probability = np.concatenate([s.probability for s in scored])
    parts = []
    for c, name in enumerate(behaviours):
        known = labels[:, c] != NOT_SCORED
        if not (labels[known, c] == PRESENT).any():
            continue
        curve = precision_recall_curve(labels[known, c] == PRESENT, probability[known, c], drop_intermediate=True)
        precision, recall, threshold = (x[: len(curve[2])] for x in curve)
        few = np.unique(np.linspace(0, len(threshold) - 1, CURVE_POINTS).round().astype(int))
        parts.append(pd.DataFrame({"behaviour": name, "recall": recall[few], "precision": precision[few],
                                   "threshold": threshold[few]}))
    if not parts:
        return pd.DataFrame(columns=["behaviour", "recall", "precision", "threshold"])
    return pd.concat(parts, ignore_index=True)


def read_predictions(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Predictions]]:
    """Predictions of the baselines for the sessions, by method, each with a single head that is always available."""
    found: dict[str, dict[str, Predictions]] = {}
    for name in names:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            for method, probability in file.items():
                found.setdefault(method, {})[name] = probability[:, None], np.ones((len(probability), 1), bool)
    return found


def ethogram_tracks(scored: list[Scored], sessions: Mapping[str, Session], role: str, truth: Mapping[str, np.ndarray],
                    behaviours: tuple[str, ...]) -> list[EthogramTrack]:
    """What the ethogram page draws: decisions, labels and truth, with activity of the IMU and speed below."""
    tracks = []
    for s in scored:
        session = sessions[s.name]
        f1 = f1_scores(frame_counts(s.labels, s.decision))
        tracks.append(EthogramTrack(
            s.name, s.animal, role, np.asarray(session.time), s.labels, s.decision, s.probability, truth.get(s.name),
            *activity(session), {b: float(f1[c]) for c, b in enumerate(behaviours)},
        ))
    return tracks


def log_look(path: Path, settings: dict) -> None:
    """Add a line to the file that counts looks at the test animals: git revision and a hash of all settings."""
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    head = "" if path.exists() else "revision,params\n"
    with path.open("a") as file:
        file.write(f"{head}{revision.stdout.strip() or 'none'},{digest}\n")
