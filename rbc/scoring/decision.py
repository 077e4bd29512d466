"""From the heads' probabilities to one probability and to yes or no, as fitted on labelled sessions.

T frames, M heads, C behaviours. Predictions are, by session, the pair of probabilities (T, M, C) and which heads are
available (T, M). Decisions are fitted on predictions for animals that the model did not train on: those of validation,
and those of training as far as some of its members left them out (`out_of_fold`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from rbc.rooms import each
from rbc.scoring.calibration import apply_platt, cross_fit, fit_mix, fit_platt, fit_thresholds, logit, mix
from rbc.scoring.certainty import USUAL_MARGIN, fit_margins
from rbc.scoring.decoder import fit_decoder, log_odds, viterbi
from rbc.scoring.out_of_fold import NONE_OUT_OF_FOLD, Predictions, OutOfFoldLabelled
from rbc.scoring.labels import with_slack
from rbc.scoring.metrics import Scored

MOST_DECODED, BLOCK = 75_000, 3_000  # frames: of more than the first the decoder is fitted to an even share of blocks
# A few animals say little about how to weigh heads or stretch probabilities: an even mix, left as it is, unless many do.
MIX_PRIOR_FRAMES = 20_000.0
PLATT_L2 = 0.1


@dataclass(frozen=True)
class Rules:
    """How decisions are fitted: the decoder's name, and the frames before and after annotated bouts that are not held
    against a prediction."""

    decoder: str = "none"
    slack: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Decision:
    """Weights of the heads (M, C), Platt scaling (C, 2), thresholds (C,), the decoder's settings (C,), and the margins
    (C,) below which a decision is uncertain."""

    rules: Rules
    weights: np.ndarray
    platt: np.ndarray
    thresholds: np.ndarray
    switch_cost: np.ndarray
    min_frames: np.ndarray
    margins: np.ndarray | float = USUAL_MARGIN
    """That of calibrated probabilities, where a model was saved without."""

    @classmethod
    def fit(cls, guesses: Mapping[str, Predictions], labels: Mapping[str, np.ndarray], rules: Rules,
            known: OutOfFoldLabelled = NONE_OUT_OF_FOLD) -> "Decision":
        """Everything fitted on the sessions in labels (T, C) 1, 0, -1, and on what is known of training animals."""
        guesses = dict(guesses) | {name: guess for name, (guess, _) in known.items()}
        labels = dict(labels) | {name: y for name, (_, y) in known.items()}
        tracks = {name: with_slack(y, *rules.slack) for name, y in labels.items()}
        pooled = np.concatenate(list(tracks.values()))
        probability = np.concatenate([guesses[n][0] for n in tracks]).transpose(1, 0, 2)  # (M, N, C)
        there = np.concatenate([guesses[n][1] for n in tracks]).T  # (M, N)
        width = pooled.shape[1]
        weights = np.ones((1, width))
        if len(probability) > 1:
            weights = fit_mix(probability, pooled, there, prior_frames=MIX_PRIOR_FRAMES)
        platt = fit_platt(logit(mix(probability, weights, there)), pooled, l2=PLATT_L2)
        decision = cls(rules, weights, platt, np.full(width, 0.5), np.zeros(width), np.ones(width, int))
        one = {name: decision.probability(*guesses[name]) for name in tracks}
        decision = replace(decision, thresholds=fit_thresholds(np.concatenate(list(one.values())), pooled))
        parts = _even_share({name: len(y) for name, y in tracks.items()})
        evidence = [log_odds(one[n][rows], decision.thresholds) for n, rows in parts]
        shown = [tracks[n][rows] for n, rows in parts]
        if rules.decoder == "viterbi":
            cost, least = fit_decoder(evidence, shown)
            decision = replace(decision, switch_cost=cost, min_frames=least)
        said = [decision._decoded(x) for x in evidence]
        lead = np.concatenate([_lead(x, d) for x, d in zip(evidence, said, strict=True)])
        return replace(decision, margins=fit_margins(lead, np.concatenate(said), np.concatenate(shown)))

    def probability(self, probability: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Calibrated probability (T, C); a missing head has no say."""
        return each(lambda p, h: apply_platt(logit(mix(p.transpose(1, 0, 2), self.weights, h.T)), self.platt),
                    probability, there)

    def decide(self, probability: np.ndarray) -> np.ndarray:
        """(T, C) bool of the calibrated probability (T, C)."""
        return self._decoded(self._evidence(probability))

    def margin(self, probability: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """(T, C) log odds by which the decision (T, C) on the calibrated probability (T, C) is surer than it must be to
        be certain; below 0 it is uncertain."""
        return each(lambda x, d: _lead(x, d) - self.margins, self._evidence(probability), decision)

    def uncertain(self, probability: np.ndarray, decision: np.ndarray) -> np.ndarray:
        """(T, C) bool, of what `margin` takes."""
        return each(lambda x: x < 0, self.margin(probability, decision))

    def _evidence(self, probability: np.ndarray) -> np.ndarray:
        return each(lambda p: log_odds(p, self.thresholds), probability)

    def _decoded(self, evidence: np.ndarray) -> np.ndarray:
        if self.rules.decoder == "viterbi":
            return viterbi(evidence, self.switch_cost, self.min_frames)
        return each(lambda x: x >= 0, evidence)

    def score(self, name: str, animal: str, guess: Predictions, labels: np.ndarray) -> Scored:
        """The session with this decision applied, ready to be judged."""
        probability = self.probability(*guess)
        decided = self.decide(probability)
        return Scored(name, animal, labels, probability, decided, self.margin(probability, decided))

    def as_dict(self) -> dict:
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict) -> "Decision":
        rules = Rules(**{**values["rules"], "slack": tuple(values["rules"]["slack"])})
        return cls(rules, **{k: np.asarray(v) for k, v in values.items() if k != "rules"})


def _lead(evidence: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Evidence (T, C) on the side of the decision (T, C)."""
    return np.where(decision, evidence, -evidence)


def _even_share(frames: Mapping[str, int]) -> list[tuple[str, slice]]:
    """Whole sessions while they are few, else every so many-th block of them."""
    total = sum(frames.values())
    step = -(-total // MOST_DECODED)
    if step <= 1:
        return [(name, slice(None)) for name in frames]
    return [(n, slice(a, a + BLOCK)) for n, length in frames.items() for a in range(0, length, BLOCK)][::step]


def cross_fitted_decisions(predictions: Mapping[str, Predictions], labels: Mapping[str, np.ndarray],
                           animals: Mapping[str, str], rules: Rules, known: OutOfFoldLabelled = NONE_OUT_OF_FOLD) -> dict[str, Decision]:
    """A decision for each animal in labels (T, C), fitted on the other animals' labels and on out-of-fold predictions
    of training animals (`out_of_fold`), by animal.

    With a single animal and nothing out of fold its sessions take turns, by session; with a single session its halves,
    by the session's name and which half: the best that such data allow.
    """
    by_animal, by_session, by_half = _groupings(labels, animals)
    groups = by_animal if known or len(by_animal) > 1 else by_session if len(by_session) > 1 else by_half

    def fit(others: list[list[tuple[str, slice]]]) -> Decision:
        parts = {f"{n} {rows}": (n, rows) for other in others for n, rows in other}
        cut = {k: tuple(x[rows] for x in predictions[n]) for k, (n, rows) in parts.items()}
        return Decision.fit(cut, {k: labels[n][rows] for k, (n, rows) in parts.items()}, rules, known)

    return cross_fit(groups, fit, lambda decision, _: decision, least=1 if known else 2)


def decide_cross_fitted(decisions: Mapping[str, Decision], predictions: Mapping[str, Predictions],
                        labels: Mapping[str, np.ndarray], animals: Mapping[str, str]) -> list[Scored]:
    """Every session in labels (T, C) with the decision applied that was fitted without its animal (session, half).

    decisions: as `cross_fitted_decisions` returns them for sessions of the same animals; ValueError for other ones.
    """
    groups = next((g for g in _groupings(labels, animals) if g.keys() == decisions.keys()), None)
    if groups is None:
        raise ValueError(f"decisions are there that were fitted without {', '.join(decisions) or 'nobody'}; needs them for "
                         f"animals {', '.join(sorted({animals[name] for name in labels}))}")
    scored: dict[str, list[Scored]] = {name: [] for name in labels}
    for group, parts in groups.items():
        for name, rows in parts:
            cut = tuple(x[rows] for x in predictions[name])
            scored[name].append(decisions[group].score(name, animals[name], cut, labels[name][rows]))
    return [_joined(parts) for parts in scored.values()]


def cross_fitted(predictions: Mapping[str, Predictions], labels: Mapping[str, np.ndarray], animals: Mapping[str, str],
                 rules: Rules, known: OutOfFoldLabelled = NONE_OUT_OF_FOLD) -> list[Scored]:
    """Every session decided by settings that were fitted without its animal, as `cross_fitted_decisions`."""
    decisions = cross_fitted_decisions(predictions, labels, animals, rules, known)
    return decide_cross_fitted(decisions, predictions, labels, animals)


def _groupings(labels: Mapping[str, np.ndarray],
               animals: Mapping[str, str]) -> tuple[dict[str, list[tuple[str, slice]]], ...]:
    """Sessions and their frames by animal, by session, and by half of a session."""
    everything, by_animal = slice(None), {}
    for name in labels:
        by_animal.setdefault(animals[name], []).append((name, everything))
    halves = {name: len(y) // 2 for name, y in labels.items()}
    by_half = {f"{name}, {which} half": [(name, rows)] for name, half in halves.items()
               for which, rows in (("first", slice(None, half)), ("second", slice(half, None)))}
    return by_animal, {name: [(name, everything)] for name in labels}, by_half


def _joined(pieces: list[Scored]) -> Scored:
    if len(pieces) == 1:
        return pieces[0]
    join = lambda field: np.concatenate([getattr(p, field) for p in pieces])  # noqa: E731
    return Scored(pieces[0].name, pieces[0].animal, join("labels"), join("probability"), join("decision"),
                  join("margin"))
