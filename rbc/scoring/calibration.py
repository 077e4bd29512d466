"""Turning probabilities into honest ones and into decisions: Platt scaling, mixing the heads, thresholds.

N frames (sessions one after the other), C behaviours, M heads. Labels are 1, 0, -1; frames of -1 are not fitted to.
What is fitted here is fitted on groups that it is not applied to: see `cross_fit`.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np

from rbc.scoring.bouts import find_bouts

PRESENT, NOT_SCORED = 1, -1
EDGE = 1e-6  # probabilities are kept this far from 0 and 1
COMMON_GRID = np.linspace(0.02, 0.98, 97)

Data, Fit, Applied = TypeVar("Data"), TypeVar("Fit"), TypeVar("Applied")


def logit(probability: np.ndarray) -> np.ndarray:
    """Log odds (...) f8 of the probability (...), finite at 0 and 1."""
    clipped = np.clip(np.asarray(probability, float), EDGE, 1 - EDGE)
    return np.log(clipped) - np.log1p(-clipped)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probability (...) f8 of the log odds (...)."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(log_odds, float)))


def best_threshold(probability: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Threshold and F1 of `probability >= threshold` for one behaviour (N,), best over every cut between two scores.

    Halfway between the two scores; the highest of several best ones. NaN, NaN where nothing is present.
    """
    scored = labels != NOT_SCORED
    truth, score = labels[scored] == PRESENT, np.asarray(probability, float)[scored]
    if not truth.any():
        return float("nan"), float("nan")
    order = np.argsort(-score, kind="stable")
    truth, score = truth[order], score[order]
    cut = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # a cut cannot part equal scores
    f1 = 2 * np.cumsum(truth)[cut] / (cut + 1 + truth.sum())
    best = int(np.argmax(f1))
    above = score[cut[best]]
    below = score[cut[best] + 1] if best + 1 < len(cut) else 0.0
    middle = (above + below) / 2
    return float(middle if middle > below else above), float(f1[best])


def common_threshold(probability: np.ndarray, labels: np.ndarray) -> float:
    """The one threshold whose macro F1 over the behaviours (N, C) is best on a grid; 0.5 where nothing is present."""
    curves = []
    for c in np.flatnonzero((labels == PRESENT).any(0)):
        scored = labels[:, c] != NOT_SCORED
        truth, score = labels[scored, c] == PRESENT, np.asarray(probability, float)[scored, c]
        called = len(score) - np.searchsorted(np.sort(score), COMMON_GRID)
        hits = truth.sum() - np.searchsorted(np.sort(score[truth]), COMMON_GRID)
        curves.append(2 * hits / (called + truth.sum()))
    return float(COMMON_GRID[np.argmax(np.mean(curves, axis=0))]) if curves else 0.5


def share_threshold(probability: np.ndarray, labels: np.ndarray) -> float:
    """The threshold that calls one behaviour (N,) present in as many scored frames as carry it."""
    scored = labels != NOT_SCORED
    score = np.sort(np.asarray(probability, float)[scored])[::-1]
    count = int((labels[scored] == PRESENT).sum())
    return float(score[max(count - 1, 0) : count + 1].mean())


def fit_thresholds(probability: np.ndarray, labels: np.ndarray, *, prior_bouts: float = 5.0) -> np.ndarray:
    """Thresholds (C,) for `probability (N, C) >= threshold` that maximise F1, rare behaviours drawn to the common one,
    or to the one that calls as many frames as carry the behaviour where that is lower: what was learnt from few bouts
    is seldom told with confidence.

    In log odds, (n own + prior_bouts prior) / (n + prior_bouts) with n annotated bouts: a threshold of three bouts is
    mostly luck. Prevalence differs between behaviours, so own thresholds may differ widely: many bouts prevail.
    """
    common = logit(common_threshold(probability, labels))
    thresholds = np.full(labels.shape[1], common)
    for c in range(labels.shape[1]):
        bouts = len(find_bouts(labels[:, c] == PRESENT))
        if bouts:
            own = logit(best_threshold(probability[:, c], labels[:, c])[0])
            prior = min(common, logit(share_threshold(probability[:, c], labels[:, c])))
            thresholds[c] = (bouts * own + prior_bouts * prior) / (bouts + prior_bouts)
    return sigmoid(thresholds)


def fit_platt(log_odds: np.ndarray, labels: np.ndarray, *, l2: float = 1e-3, steps: int = 50) -> np.ndarray:
    """Scale and offset (C, 2) such that sigmoid(scale * log_odds + offset) minimises the mean log loss.

    L2 draws to (1, 0), which behaviours that are never present keep. The scale is 1 / temperature, never below 0.05, so that
    the order of frames stays. Newton's method with halved steps. Platt, Advances in Large Margin Classifiers (1999).
    """
    fitted = np.tile((1.0, 0.0), (labels.shape[1], 1))
    for c in range(labels.shape[1]):
        scored = labels[:, c] != NOT_SCORED
        if not (labels[:, c] == PRESENT).any():
            continue
        x, y = np.asarray(log_odds, float)[scored, c], labels[scored, c] == PRESENT

        def loss(ab: np.ndarray, x=x, y=y) -> float:
            z = ab[0] * x + ab[1]
            return float(np.mean(np.logaddexp(0, z) - y * z) + l2 / 2 * np.sum((ab - (1, 0)) ** 2))

        ab = fitted[c].copy()
        for _ in range(steps):
            p = sigmoid(ab[0] * x + ab[1])
            w = p * (1 - p)
            slope = np.array([np.mean((p - y) * x), np.mean(p - y)]) + l2 * (ab - (1, 0))
            bend = np.array([[np.mean(w * x * x), np.mean(w * x)], [np.mean(w * x), np.mean(w)]]) + l2 * np.eye(2)
            step, now = np.linalg.solve(bend, slope), loss(ab)
            while loss(ab - step) > now and np.abs(step).max() > 1e-9:
                step = step / 2
            ab = ab - step
            if np.abs(step).max() < 1e-7:
                break
        fitted[c] = max(ab[0], 0.05), ab[1]
    return fitted


def apply_platt(log_odds: np.ndarray, platt: np.ndarray) -> np.ndarray:
    """Calibrated probability (N, C) of the log odds (N, C)."""
    return sigmoid(log_odds * platt[:, 0] + platt[:, 1])


def mix(probabilities: np.ndarray, weights: np.ndarray, available: np.ndarray | None = None) -> np.ndarray:
    """Convex mix (N, C) of the heads' probabilities (M, N, C), weights (M, C) renormalised over available heads (M, N).

    What an unavailable head says, NaN included, does not count; where no head is available all of them do.
    """
    if available is None:
        available = np.ones(probabilities.shape[:2], bool)
    usable = (available | ~available.any(0))[:, :, None]  # (M, N, 1)
    share = usable * (weights[:, None, :] + 1e-12)  # a head of weight 0 still speaks where it is the only one
    return (np.where(usable, probabilities, 0) * share).sum(0) / share.sum(0)


def mean_of_heads(probability: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T, C) even mix of the heads' probabilities (T, M, C) over those that are there (T, M)."""
    heads = probability.shape[1]
    return mix(probability.transpose(1, 0, 2), np.full((heads, probability.shape[2]), 1 / heads), there.T)


def fit_mix(probabilities: np.ndarray, labels: np.ndarray, available: np.ndarray | None = None, *,
            prior_frames: float = 50.0, max_frames: int = 100_000, steps: int = 200) -> np.ndarray:
    """Weights (M, C), summing to 1 per behaviour, whose `mix` of probabilities (M, N, C) has the least log loss.

    Where every head is available this is EM for the weights of a mixture of fixed components; renormalising over
    available (M, N) heads divides each update by that head's share in the normaliser (an MM step: Hunter, Ann. Stat.
    32:384, 2004), so the loss never rises. prior_frames frames in favour of an even mix; of more than max_frames
    frames an even subset is used.
    """
    heads, _, width = probabilities.shape
    if available is None:
        available = np.ones(probabilities.shape[:2], bool)
    weights = np.full((heads, width), 1 / heads)
    for c in range(width):
        frames = np.flatnonzero((labels[:, c] != NOT_SCORED) & available.any(0))
        frames = frames[:: max(len(frames) // max_frames, 1)]
        here = available[:, frames].astype(float)  # (M, n)
        p = np.clip(np.where(here > 0, probabilities[:, frames, c], 0.5), EDGE, 1 - EDGE)
        likely = np.where(labels[frames, c] == PRESENT, p, 1 - p) * here  # (M, n)
        w = weights[:, c]
        for _ in range(steps):
            gain, cost = likely @ (1 / (w @ likely)), here @ (1 / (w @ here))  # (M,)
            new = (w * gain + prior_frames / heads) / (cost + prior_frames)
            new /= new.sum()
            moved, w = np.abs(new - w).max(), new
            if moved < 1e-5:
                break
        weights[:, c] = w
    return weights


def cross_fit(groups: Mapping[Hashable, Data], fit: Callable[[list[Data]], Fit],
              apply: Callable[[Fit, Data], Applied], least: int = 2) -> dict[Hashable, Applied]:
    """What `apply` makes of each group with a fit on all the others, {group: result}; no group meets its own fit.

    A group is an animal (all its sessions). Raises ValueError with fewer than `least` groups: 1 where the fit has
    something else to rest on.
    """
    if len(groups) < least:
        raise ValueError(f"cross-fitting needs at least two groups; there is {', '.join(map(str, groups)) or 'none'}")
    return {name: apply(fit([other for key, other in groups.items() if key != name]), data)
            for name, data in groups.items()}
