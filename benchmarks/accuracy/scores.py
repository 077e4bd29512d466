"""Scores of a method on the held-out sessions of a cell, as columns of a row."""

from collections.abc import Mapping, Sequence

import numpy as np

from rbc.scoring.metrics import Scored, scoreboard


def scores(scored: Sequence[Scored], truth: Mapping[str, np.ndarray], behaviours: Sequence[str], rate_hz: float) -> dict:
    """Macro F1, mean average precision and what else a row holds: against the truth (T, C) of sessions that have one,
    for simulated worlds, else against their labels. The means are of behaviours with five annotated bouts or more."""
    exact = [Scored(s.name, s.animal, truth.get(s.name, s.labels), s.probability, s.decision) for s in scored]
    board = scoreboard(exact, behaviours, rate_hz=rate_hz)
    precision = [row["ap"] for row in board["rows"]["behaviour"] if row["averaged"] and row["ap"] is not None]
    return {
        "macro_f1": board["f1"]["macro"], "mean_average_precision": float(np.mean(precision)) if precision else None,
        "predicted_bout_f1": board["bouts"]["predicted_f1"], "annotated_bout_f1": board["bouts"]["annotated_f1"],
        "brier": board["calibration"]["brier"],
        "macro_f1_annotators": scoreboard(scored, behaviours, rate_hz=rate_hz)["f1"]["macro"] if truth else None,
        "behaviours": {name: of["f1"] for name, of in board["behaviours"].items()},
        "animals": {row["animal"]: row["f1_macro"] for row in board["rows"]["animal"]},
    }
