"""Finding bouts whose label is likely wrong, by confident learning on out-of-fold predictions (arXiv 1911.00068).

A random forest predicts each stretch of the labelled recordings from the other stretches only. A bout counts as a
likely error where the forest's mean probability over it is no higher than over frames labelled absent; a frame labelled
absent where it is as high as over frames labelled present. Thresholds are per behaviour, so that rare ones keep theirs.
T frames, F features, C behaviours, G folds.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rbc.inference import side_by_side
from rbc.scoring.bouts import find_bouts
from rbc.scoring.forest import DRAWS, Forest
from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, bouts, scored_rows

STRETCH_S = 5.0  # least length of a stretch: neighbouring frames are nearly the same example
TREES = 100
WINDOWS_S = (0.32, 1.28, 2.56)  # of the statistics that the forest reads
COLUMNS = ("session", "behaviour", "start_s", "stop_s", "labelled", "mean_probability")


def out_of_fold_predictions(features: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], *, rate_hz: float,
                            seed: int, trees: int = TREES) -> dict[str, np.ndarray]:
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


def likely_errors(labels: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(T, C) bool of each session in predictions: labels (T, C) that the out-of-fold predictions (T, C) contradict."""
    if not predictions:
        return {}
    present, absent = (_mean_probability(labels, predictions, state) for state in (PRESENT, ABSENT))  # (C,)
    found = {}
    for name, p in predictions.items():
        y = labels[name]
        found[name] = (y == ABSENT) & (p >= present)  # NaN is neither high nor low
        for c, start, stop in bouts(y):
            found[name][start:stop, c] = np.mean(p[start:stop, c], dtype=float) <= absent[c]
    return found


def clean_labels(labels: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels (T, C) with likely errors (T, C) not scored."""
    return {name: np.where(errors[name], np.int8(NOT_SCORED), y) if name in errors else y for name, y in labels.items()}


def error_table(labels: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray],
                behaviours: tuple[str, ...], times: Mapping[str, np.ndarray], rate_hz: float) -> pd.DataFrame:
    """A row in COLUMNS per run of likely errors, the most certain first: a list for a person to review.

    times: seconds (T,) of each session's frames.
    """
    rows = []
    for name, wrong in errors.items():
        for c, behaviour in enumerate(behaviours):
            for state, word in ((PRESENT, "present"), (ABSENT, "absent")):
                for start, stop in find_bouts(wrong[:, c] & (labels[name][:, c] == state)):
                    mean = float(np.mean(predictions[name][start:stop, c], dtype=float))
                    rows.append((name, behaviour, times[name][start], times[name][stop - 1] + 1 / rate_hz, word, mean))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    doubt = np.where(table["labelled"] == "present", 1 - table["mean_probability"], table["mean_probability"])
    return table.iloc[np.argsort(-doubt.astype(float), kind="stable")].reset_index(drop=True)


def _mean_probability(labels: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray], state: int) -> np.ndarray:
    """(C,) mean prediction over all frames labelled so; NaN, which no comparison reaches, where there are none."""
    p = np.concatenate(list(predictions.values())).astype(float)
    use = (np.concatenate([labels[n] for n in predictions]) == state) & ~np.isnan(p)
    return np.where(use.any(0), np.where(use, p, 0).sum(0) / np.maximum(use.sum(0), 1), np.nan)
