"""F1 and average precision of probabilities, for stages that report how training goes; evaluate does the scoring."""

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from rbc.scoring.labels import NOT_SCORED, PRESENT


def macro_scores(probability: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray],
                 threshold: float = 0.5) -> dict[str, float]:
    """{"macro_f1", "macro_ap"}: means over the behaviours that occur of F1 at a threshold and of average precision.

    probability, labels: (T, C) by session, pooled over the sessions in labels; frames of -1 do not count. NaN where no
    behaviour occurs.
    """
    p, y = (np.concatenate([of[name] for name in labels]) for of in (probability, labels))
    found = []
    for c in np.flatnonzero((y == PRESENT).any(0)):
        scored = y[:, c] != NOT_SCORED
        truth, score = y[scored, c] == PRESENT, p[scored, c]
        found.append((f1_score(truth, score >= threshold), average_precision_score(truth, score)))
    f1, ap = np.mean(found, axis=0) if found else (np.nan, np.nan)
    return {"macro_f1": float(f1), "macro_ap": float(ap)}
