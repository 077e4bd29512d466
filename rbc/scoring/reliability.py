"""Whether probabilities can be trusted: reliability, calibration error, and squared error beside that of a constant.

T frames, C behaviours. Labels are 1, 0, -1; frames of -1 count nowhere.
"""

from collections.abc import Mapping, Sequence

import numpy as np

PRESENT, NOT_SCORED = 1, -1
BINS = 10
EDGE = 1e-12  # masses are at least this, to be divided by
WHOLE = "both"
SHIFTS = {"share halved": 0.5, "share doubled": 2.0}
"""Conditions in which a behaviour is as many times as common as it was."""
Told = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Labels, and probabilities before and after calibration, (T, C) each."""


def reliability(labels: np.ndarray, probability: np.ndarray, bins: int = BINS, *, weight: np.ndarray | None = None,
                mass: np.ndarray | None = None) -> np.ndarray:
    """Rows (<= bins, 3) mean probability, share present, weight, of bins of one behaviour's (T,) frames, which hold
    equally much of the mass (T,): the weight (T,) unless given, 1 a frame unless given."""
    scored = labels != NOT_SCORED
    order = np.flatnonzero(scored)[np.argsort(probability[scored], kind="stable")]
    weight = np.ones(len(labels)) if weight is None else weight
    held = (weight if mass is None else mass)[order]
    place = ((np.cumsum(held) - held) * bins / max(held.sum(), EDGE)).astype(int)
    total, said, present = (np.bincount(place, weight[order] * x, bins)
                            for x in (1.0, probability[order], labels[order] == PRESENT))
    full = total > 0
    return np.stack([said[full] / total[full], present[full] / total[full], total[full]], 1)


def calibration_error(rows: np.ndarray) -> float:
    """Mean distance of probability and share present over the mass of `reliability` rows; NaN without any."""
    return float(np.average(np.abs(rows[:, 0] - rows[:, 1]), weights=rows[:, 2])) if len(rows) else float("nan")


def shifted(labels: np.ndarray, times: float) -> np.ndarray:
    """Weights (T,) under which one behaviour's share of its scored frames is `times` as large, though never more than
    halfway to all of them."""
    present = labels == PRESENT
    share = present.sum() / max((labels != NOT_SCORED).sum(), 1)
    wanted = min(times * share, (1 + share) / 2)
    return np.where(present, wanted / max(share, EDGE), (1 - wanted) / max(1 - share, EDGE))


def conditions(told: Mapping[str, Told], c: int) -> dict[str, tuple]:
    """Labels, probabilities before and after, weights (T,) of behaviour c by condition: by what was there, and as rare
    and as common as SHIFTS says where everything was (WHOLE)."""
    labels, before, after = (x[:, c] for x in told[WHOLE])
    return {name: (*(x[:, c] for x in parts), np.ones(len(parts[0]))) for name, parts in told.items()} | {
        name: (labels, before, after, shifted(labels, times)) for name, times in SHIFTS.items()}


def calibration_rows(told: Mapping[str, Told], behaviours: Sequence[str]) -> tuple[list[dict], list[dict]]:
    """A row per behaviour that was scored and condition: prevalence, and before and after calibration the mean
    probability, the Brier score (beside that of the prevalence as a constant) and the calibration error. And to draw, a
    row for each of BINS that should hold equally much of the behaviour: equal shares of all frames say little of a rare
    one.
    """
    rows, bins = [], []
    for c, name in enumerate(behaviours):
        for condition, (labels, before, after, weight) in conditions(told, c).items():
            scored = labels != NOT_SCORED
            present, mass = labels[scored] == PRESENT, weight[scored]
            if not len(present):
                continue
            key, share = {"behaviour": name, "condition": condition}, np.average(present, weights=mass)
            row = {**key, "frames": int(scored.sum()), "prevalence": share}
            for when, p in (("before", before), ("after", after)):
                drawn = reliability(labels, p, weight=weight, mass=weight * p)
                bins += [{**key, "calibration": when, "probability": x, "share": y} for x, y, _ in drawn]
                row |= {f"mean_{when}": np.average(p[scored], weights=mass),
                        f"brier_{when}": np.average((p[scored] - present) ** 2, weights=mass),
                        f"error_{when}": calibration_error(reliability(labels, p, weight=weight))}
            rows.append(row | {"brier_constant": share * (1 - share)})
    return rows, bins
