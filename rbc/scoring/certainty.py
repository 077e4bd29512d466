"""Which decisions are certain: how far a probability lies beyond its threshold, and how far it must.

N frames, C behaviours. Lead (N, C) is in log odds on the side of the decision: below 0 where the decoder overruled the
threshold. A decision is uncertain where its lead is below the behaviour's margin.
"""

from collections.abc import Sequence

import numpy as np

from rbc.scoring.bouts import find_bouts
from rbc.scoring.metrics import Scored, average, f1_scores, frame_counts

PRESENT, NOT_SCORED = 1, -1
COST = 1 / 3  # of an uncertain decision, where a wrong one costs 1
USUAL_MARGIN = float(np.log(2))  # of honest probabilities and a threshold of a half: a third is wrong there
MARGINS = np.linspace(0, 4, 81)
LEFT_OUT = np.append(0, np.geomspace(1e-3, 0.5, 19))


def best_margin(lead: np.ndarray, wrong: np.ndarray) -> float:
    """The margin for decisions (N,) with the least cost in all: at its edge a third of them are wrong.

    Chow, On optimum recognition error and reject tradeoff, IEEE Trans. Inf. Theory 16:41 (1970).
    """
    order = np.argsort(lead)
    saved = np.append(0, np.cumsum(wrong[order] - COST))
    return float(MARGINS[np.argmax(saved[np.searchsorted(lead[order], MARGINS)])])


def fit_margins(lead: np.ndarray, decision: np.ndarray, labels: np.ndarray, *, prior_bouts: float = 5.0) -> np.ndarray:
    """Margins (C,) of lead and decision (N, C) against labels (N, C) 1, 0, -1; of few bouts drawn to USUAL_MARGIN."""
    margins = np.empty(labels.shape[1])
    for c in range(labels.shape[1]):
        scored = labels[:, c] != NOT_SCORED
        own = best_margin(lead[scored, c], (decision[:, c] != (labels[:, c] == PRESENT))[scored])
        bouts = len(find_bouts(labels[:, c] == PRESENT))
        margins[c] = (bouts * own + prior_bouts * USUAL_MARGIN) / (bouts + prior_bouts)
    return margins


def certain_scores(scored: Sequence[Scored], averaged: np.ndarray) -> dict[str, float]:
    """Macro F1 over the averaged (C,) behaviours on certain frames, and what share of the scored decisions is certain:
    of all, and of those that say present."""
    labels, decision, certain = _joined(scored)
    here = labels != NOT_SCORED
    counts = frame_counts(np.where(certain, labels, NOT_SCORED), decision)
    return {"macro": average(f1_scores(counts), averaged), "coverage": _share(certain, here),
            "coverage_present": _share(certain, here & decision)}


def risk_rows(scored: Sequence[Scored], behaviours: Sequence[str]) -> list[dict]:
    """Rows for each behaviour that was scored: coverage, the share of the decisions kept, risk, what share of these is
    wrong, and their F1, while ever more of the least certain are left out (LEFT_OUT); then the `chosen` row, without
    just the uncertain ones."""
    rows = []
    for c, name in enumerate(behaviours):
        labels, decision, spare = (np.concatenate([x[:, c] for x in part]) for part in
                                   zip(*((s.labels, s.decision, s.margin) for s in scored), strict=True))
        here = labels != NOT_SCORED
        present, said, spare = labels[here] == PRESENT, decision[here].astype(bool), spare[here]
        if not len(present):
            continue
        order = np.argsort(-spare, kind="stable")
        hits, calls = (np.append(0, np.cumsum(x[order])) for x in (present & said, present.astype(int) + said))
        wrong = np.append(0, np.cumsum((present != said)[order]))
        kept = np.round((1 - LEFT_OUT) * len(order)).astype(int)
        for n, chosen in [*((n, 0) for n in kept), (int((spare >= 0).sum()), 1)]:
            rows.append({"behaviour": name, "coverage": n / len(order), "risk": wrong[n] / max(n, 1),
                         "f1": 2 * hits[n] / calls[n] if present.any() and calls[n] else np.nan, "chosen": chosen})
    return rows


def _joined(scored: Sequence[Scored]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = ((s.labels, s.decision.astype(bool), s.margin >= 0) for s in scored)
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _share(chosen: np.ndarray, among: np.ndarray) -> float:
    return float(chosen[among].mean()) if among.any() else float("nan")
