"""What a model says of sessions it has never learnt from, and how good that is.

T frames, M heads, C behaviours.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from rbc.classifier import Classifier
from rbc.figures.tracks import EthogramTrack
from rbc.recordings.session import MODALITIES, NOT_SCORED, PRESENT, Session, activity
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.certainty import certain_scores
from rbc.scoring.decision import Decision, Guess, Rules, cross_fitted
from rbc.scoring.known import KNOWN, NOTHING, Known, read_known
from rbc.scoring.metrics import Scored, f1_scores, frame_counts, scoreboard

CURVE_POINTS = 100


def variants(classifier: Classifier, sessions: Mapping[str, Session], adapt: bool) -> dict[str, dict[str, Guess]]:
    """Guesses by name: zero_shot, adapted, and the headline (whichever of the two `adapt` says) with one modality."""
    found = {"zero_shot": classifier.guess(sessions)}
    found["adapted"] = classifier.adapted(sessions, found["zero_shot"])
    for kept, lost in zip(MODALITIES, reversed(MODALITIES), strict=True):
        found[kept] = classifier.headline({n: s.without(lost) for n, s in sessions.items()}, adapt)
    return found


@dataclass(frozen=True)
class Judge:
    """Scores the sessions of one role. Settings are fitted on what is known of training animals and on validation
    animals: cross-fitted between these where they are scored, on all of them where test animals are."""

    held: dict[str, np.ndarray]
    """Labels (T, C) of the validation sessions."""
    scored: dict[str, np.ndarray]
    """Labels (T, C) of the sessions to score; the same as `held` in everyday use."""
    animals: dict[str, str]
    behaviours: tuple[str, ...]
    rate_hz: float
    collar_s: float
    rules: Rules

    def decide(self, guesses: Mapping[str, Guess], known: Known = NOTHING) -> list[Scored]:
        """Every scored session decided from its guess."""
        if self.scored.keys() == self.held.keys():
            return cross_fitted(guesses, self.held, self.animals, self.rules, known)
        decision = Decision.fit(guesses, self.held, self.rules, known)
        return [decision.score(name, self.animals[name], guesses[name], y) for name, y in self.scored.items()]

    def constant(self) -> list[Scored]:
        """Every behaviour present in every frame."""
        return [Scored(n, self.animals[n], y, np.ones(y.shape), np.ones(y.shape, bool)) for n, y in self.scored.items()]

    def board(self, scored: list[Scored], labels: Mapping[str, np.ndarray] | None = None) -> dict:
        """Scoreboard of decisions, against other labels than their own where given."""
        if labels is not None:
            scored = [Scored(s.name, s.animal, labels[s.name], s.probability, s.decision) for s in scored]
        return scoreboard(scored, self.behaviours, rate_hz=self.rate_hz, collar_s=self.collar_s)


def before_and_after(scored: list[Scored], guesses: Mapping[str, Guess]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (T, C) of all sessions, the mean of what the heads said of them, and what the decision made of it."""
    parts = [(s.labels, mean_of_heads(*guesses[s.name]), s.probability) for s in scored]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def metrics_of(boards: Mapping[str, dict], exact: Mapping[str, dict], ceiling: dict, split: dict,
               scored: list[Scored]) -> dict:
    """metrics/evaluate.json: boards by method against annotators, `exact` against the simulated truth (may be empty),
    `scored` by rbc."""
    macro = {name: board["f1"]["macro"] for name, board in boards.items()}
    best = boards["rbc"]
    report = {key: best[key] for key in ("f1", "behaviours", "bouts")}
    report |= {
        "modalities": {"both": macro["rbc"], "imu": macro["imu"], "pose": macro["pose"]},
        "adaptation": {"zero_shot": macro["zero_shot"], "adapted": macro["adapted"]},
        "calibration": best["calibration"],
        "certain": certain_scores(scored, np.isin(list(best["behaviours"]), best["averaged"])),
        "baselines": {k: macro[k] for k in ("always_present", "validity_only", "random_forest")},
        "ceiling": ceiling,
        "split": split,
    }
    if exact:
        against = {name: board["f1"]["macro"] for name, board in exact.items()}
        report["truth"] = {"macro": against["rbc"], "imu": against["imu"], "pose": against["pose"],
                           "random_forest": against["random_forest"],
                           "predicted_bouts": exact["rbc"]["bouts"]["predicted_f1"]}
    return report


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


def read_guesses(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Guess]]:
    """What the baselines said of the sessions, by method, as guesses of a single head that is always there."""
    found: dict[str, dict[str, Guess]] = {}
    for name in names:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            for method, probability in file.items():
                found.setdefault(method, {})[name] = probability[:, None], np.ones((len(probability), 1), bool)
    return found


def ceiling_of(judge: Judge, folder: Path, names: Iterable[str]) -> tuple[dict, dict[str, np.ndarray]]:
    """Ceilings of macro F1 against the truth, and the truth (T, C); None and empty where the world is real.

    annotator: how well the annotators' own labels match it; all_labels: the same network, taught the truth of every
    frame, with settings fitted to the truth as well.
    """
    truth, said = {}, {}
    for name in names:
        if not (folder / f"{name}.npz").exists():
            return {"annotator": None, "all_labels": None}, {}
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            truth[name], said[name] = file["truth"], (file["probability"], file["there"])
    known = read_known(folder / KNOWN).get("all_labels", NOTHING)
    exact = replace(judge, held={n: truth[n] for n in judge.held}, scored={n: truth[n] for n in judge.scored},
                    rules=replace(judge.rules, slack=(0, 0)))
    own = [Scored(n, judge.animals[n], np.where(y == NOT_SCORED, NOT_SCORED, truth[n]), (y == PRESENT).astype(float),
                  y == PRESENT) for n, y in judge.scored.items()]
    return {"annotator": judge.board(own)["f1"]["macro"],
            "all_labels": exact.board(exact.decide(said, known))["f1"]["macro"]}, truth


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
