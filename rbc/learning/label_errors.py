"""Finding bouts whose label is likely wrong, by confident learning on out-of-fold predictions (arXiv 1911.00068).

A random forest predicts each stretch of the labelled recordings from the other stretches only. A labelled bout is likely
wrong where the forest's mean probability over it is no higher than over frames labelled absent; a bout was likely missed
where frames labelled absent look as present ones do on average. Thresholds are per behaviour, so that rare ones keep
theirs.
T frames, F features, C behaviours, G folds.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from rbc.inference import side_by_side
from rbc.scoring.forest import DRAWS, Forest
from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, bouts, scored_rows

STRETCH_S = 5.0  # least length of a stretch: neighbouring frames are nearly the same example
WINDOWS_S = (0.32, 1.28, 2.56)  # of the statistics that the forest reads
COLUMNS = ("session", "behaviour", "start_s", "stop_s", "labelled", "mean_probability")


class Error(NamedTuple):
    """A bout whose label is likely wrong: frames [start, stop) of a behaviour that is labelled PRESENT or ABSENT."""

    behaviour: int
    start: int
    stop: int
    labelled: int
    mean_probability: float


def out_of_fold_predictions(features: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], *, rate_hz: float,
                            trees: int, seed: int) -> dict[str, np.ndarray]:
    """Probabilities (T, C) f2 of each session's features (T, F) by trees that did not train on the frame's stretch.

    NaN in frames that nobody scored, and for behaviours that no other fold of stretches contains. Empty where there is
    a single stretch. labels (T, C) 1, 0, -1.
    """
    folds, count = {}, 0
    for name, y in labels.items():
        numbers = count + stretches(y, round(STRETCH_S * rate_hz))
        folds[name], count = numbers % DRAWS, numbers[-1] + 1
    forest = Forest.grow([(features[n], y) for n, y in labels.items()], list(folds.values()),
                         windows=[round(s * rate_hz) for s in WINDOWS_S], seed=seed, trees=trees)
    if not forest.left_out.any():
        return {}
    present = np.array([np.any([(y[folds[n] == g] == PRESENT).any(0) for n, y in labels.items()], axis=0)
                        for g in range(DRAWS)])  # (G, C)
    learnable = present.sum(0) - present > 0

    def predict(name: str) -> np.ndarray:
        out = np.full(labels[name].shape, np.nan, np.float16)
        rows = np.flatnonzero(scored_rows(labels[name]))
        fold = folds[name][rows]
        out[rows] = np.where(learnable[fold], forest.probability(features[name], rows, fold), np.nan)
        return out

    return dict(zip(labels, side_by_side(predict, labels), strict=True))


def stretches(labels: np.ndarray, least: int) -> np.ndarray:
    """(T,) number, from 0, of each frame's stretch: at least `least` scored frames of labels (T, C) each, as far as there
    are so many, and cut where no bout is cut."""
    within = np.zeros(len(labels), bool)
    for _, start, stop in bouts(labels):
        within[start + 1:stop] = True
    scored, cuts, reached = np.cumsum(scored_rows(labels)), np.zeros(len(labels), int), 0
    for t in np.flatnonzero(~within[1:]) + 1:
        if scored[t - 1] - reached >= least:
            cuts[t], reached = 1, scored[t - 1]
    return cuts.cumsum()


def likely_errors(labels: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray]) -> dict[str, list[Error]]:
    """Bouts of each session in predictions that the out-of-fold predictions (T, C) contradict: wrong ones of the labels
    (T, C), and missed ones, which are as long as the shortest labelled bout of the behaviour at least."""
    if not predictions:
        return {}
    present, absent = (_mean_probability(labels, predictions, state) for state in (PRESENT, ABSENT))  # (C,)
    shortest: dict[int, int] = {}
    for c, start, stop in (bout for y in labels.values() for bout in bouts(y)):
        shortest[c] = min(stop - start, shortest.get(c, stop - start))
    found = {}
    for name, p in predictions.items():
        y = labels[name]
        looks_present = np.where((y == ABSENT) & (p >= present), PRESENT, ABSENT)  # NaN is neither high nor low
        candidates = [(PRESENT, *bout) for bout in bouts(y)]
        candidates += [(ABSENT, c, a, b) for c, a, b in bouts(looks_present) if b - a >= shortest.get(c, len(y))]
        errors = [Error(c, a, b, state, float(np.mean(p[a:b, c], dtype=float))) for state, c, a, b in candidates]
        found[name] = [e for e in errors if e.labelled == ABSENT or e.mean_probability <= absent[e.behaviour]]
    return found


def without_errors(labels: Mapping[str, np.ndarray], errors: Mapping[str, list[Error]]) -> dict[str, np.ndarray]:
    """The labels (T, C) with bouts that are likely errors not scored."""
    out = {name: y.copy() for name, y in labels.items()}
    for name, c, start, stop in ((n, e.behaviour, e.start, e.stop) for n, found in errors.items() for e in found):
        out[name][start:stop, c] = NOT_SCORED
    return out


def error_table(errors: Mapping[str, list[Error]], behaviours: tuple[str, ...], times: Mapping[str, np.ndarray],
                rate_hz: float) -> pd.DataFrame:
    """A row in COLUMNS per likely error, the most certain first: a list for a person to review.

    times: seconds (T,) of each session's frames.
    """
    rows = [(name, behaviours[e.behaviour], times[name][e.start], times[name][e.stop - 1] + 1 / rate_hz,
             "present" if e.labelled == PRESENT else "absent", e.mean_probability)
            for name, found in errors.items() for e in found]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    doubt = np.where(table["labelled"] == "present", 1 - table["mean_probability"], table["mean_probability"])
    return table.iloc[np.argsort(-doubt.astype(float), kind="stable")].reset_index(drop=True)


def _mean_probability(labels: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray], state: int) -> np.ndarray:
    """(C,) mean prediction over all frames labelled so; NaN, which no comparison reaches, where there are none."""
    p = np.concatenate(list(predictions.values())).astype(float)
    use = (np.concatenate([labels[n] for n in predictions]) == state) & ~np.isnan(p)
    return np.where(use.any(0), np.where(use, p, 0).sum(0) / np.maximum(use.sum(0), 1), np.nan)
