"""Scores of frames, and the scoreboard of one method. T frames, C behaviours, S sessions, G animals.

Labels are 1 present, 0 absent, -1 not scored; a frame of -1 counts nowhere. Counts (..., 3) are true positives, false
positives, false negatives: they add up, so that pooling and resampling animals is a sum. NaN means not defined (a
behaviour that never occurs has no F1) and becomes None in what `scoreboard` returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rbc.scoring.bouts import bout_counts, bout_f1, bout_sides, find_bouts, onset_errors, scored_bouts

PRESENT, NOT_SCORED = 1, -1
IOUS = (0.1, 0.25, 0.5)
MIN_BOUTS = 5  # behaviours with fewer annotated bouts are reported, not averaged
RESAMPLES = 1000


@dataclass(frozen=True)
class Scored:
    """One session, ready to be judged."""

    name: str
    animal: str
    labels: np.ndarray
    """(T, C) 1, 0, -1."""
    probability: np.ndarray
    """(T, C) in [0, 1]."""
    decision: np.ndarray
    """(T, C) bool or 0/1."""
    margin: np.ndarray | None = None
    """(T, C) log odds by which a decision is surer than it must be to be certain; below 0 it is uncertain."""


def frame_counts(labels: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Counts (C, 3) of labels (T, C) and decision (T, C) over the scored frames."""
    decision = np.asarray(decision, bool)
    present, absent = labels == PRESENT, labels == 0
    return np.stack([(present & decision).sum(0), (absent & decision).sum(0), (present & ~decision).sum(0)], axis=-1)


def f1_scores(counts: np.ndarray) -> np.ndarray:
    """F1 (...) of counts (..., 3); NaN where nothing is present."""
    hit, false, missed = np.moveaxis(np.asarray(counts, float), -1, 0)
    return np.where(hit + missed > 0, 2 * hit / np.maximum(2 * hit + false + missed, 1), np.nan)


def precision_recall(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision (...) and recall (...) of counts (..., 3); NaN where nothing is present, precision 0 without a call."""
    hit, false, missed = np.moveaxis(np.asarray(counts, float), -1, 0)
    known = hit + missed > 0
    return (np.where(known, hit / np.maximum(hit + false, 1), np.nan),
            np.where(known, hit / np.maximum(hit + missed, 1), np.nan))


def average(scores: np.ndarray, averaged: np.ndarray) -> float:
    """Mean of the scores (C,) over the averaged (C,) behaviours that have one; NaN without any."""
    kept = scores[averaged & ~np.isnan(scores)]
    return float(kept.mean()) if len(kept) else float("nan")


def average_precision(labels: np.ndarray, probability: np.ndarray) -> float:
    """Area under the stepwise precision-recall curve of one behaviour (T,); NaN where nothing is present.

    Sum of (recall step) x precision over distinct probabilities, as in sklearn.metrics.average_precision_score.
    """
    scored = labels != NOT_SCORED
    truth, score = labels[scored] == PRESENT, probability[scored]
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    truth, score = truth[order], score[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # ties count as one step
    hits = np.cumsum(truth)[last]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / hits[-1])


def without_borders(labels: np.ndarray, collar: int) -> np.ndarray:
    """Labels (T, C) in which `collar` frames to each side of every true boundary are -1.

    A boundary lies between scored frames that differ; behaviours with bouts no longer than two collars lose them whole.
    """
    if collar <= 0 or len(labels) < 2:
        return labels.copy()
    changed = (labels[1:] != labels[:-1]) & (labels[1:] != NOT_SCORED) & (labels[:-1] != NOT_SCORED)
    before = np.zeros((len(labels) + 1, labels.shape[1]), np.int32)  # boundaries in front of frame t
    before[2:] = np.cumsum(changed, axis=0)
    frame = np.arange(len(labels))
    low, high = np.maximum(frame - collar + 1, 0), np.minimum(frame + collar + 1, len(labels))
    return np.where(before[high] > before[low], np.int8(NOT_SCORED), labels)


def brier(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Mean squared error (C,) of the probability (T, C) over scored frames; NaN where none is scored."""
    scored = labels != NOT_SCORED
    error = np.where(scored, (probability - (labels == PRESENT)) ** 2, 0).sum(0)
    return np.where(scored.any(0), error / np.maximum(scored.sum(0), 1), np.nan)


def macro_interval(counts: np.ndarray, averaged: np.ndarray, seed: int,
                   other: np.ndarray | None = None) -> tuple[float, float]:
    """95 % bootstrap interval over animals of macro F1 of counts (G, C, 3), or of its difference to `other` (G, C, 3).

    Animals are drawn with replacement, the same ones for both methods, and pooled. NaN with fewer than two animals.
    """
    groups = len(counts)
    if groups < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)  # (R, G)

    def macro(each: np.ndarray) -> np.ndarray:
        scores = f1_scores(np.einsum("rg,gcn->rcn", draws, each))[:, averaged]  # (R, C)
        seen = ~np.isnan(scores)
        return np.where(seen, scores, 0).sum(1) / np.where(seen.any(1), seen.sum(1), np.nan)

    values = macro(counts) - (0 if other is None else macro(other))
    values = values[~np.isnan(values)]
    return tuple(np.quantile(values, (0.025, 0.975)).tolist()) if len(values) else (float("nan"), float("nan"))


def scoreboard(sessions: Sequence[Scored], behaviours: Sequence[str], *, rate_hz: float, collar_s: float = 0.2,
               thresholds: np.ndarray | None = None, min_bouts: int = MIN_BOUTS, seed: int = 0) -> dict:
    """Scores of one method on the sessions, pooled over their frames; plain floats, None where not defined.

    {"f1": {macro, micro, macro_collar}, "ap": {macro}, "behaviours": {name: {f1, precision, recall, ap}},
    "bouts": {annotated_f1, predicted_f1}, "calibration": {"brier"}, "interval": {low, high} of macro F1 over animals,
    "averaged": behaviours in the macro mean (those with >= min_bouts annotated bouts), "counts": {animal: (C, 3)} for
    paired comparisons, "rows": {"behaviour" | "animal" | "session": [dict, ...]}}.
    annotated_f1: macro share of annotated bouts found at IoU 0.5; predicted_f1: of predicted bouts that are right.
    Onset errors are medians over bouts matched at IoU 0.25. brier is the mean over behaviours. thresholds (C,) or None.
    Raises ValueError naming a session whose arrays do not fit, or whose probability is not finite on scored frames.
    """
    _check(sessions, len(behaviours))
    labels = np.concatenate([s.labels for s in sessions])
    probability = np.concatenate([s.probability for s in sessions])
    each = np.stack([frame_counts(s.labels, s.decision) for s in sessions])  # (S, C, 3)
    collar = round(collar_s * rate_hz)
    collared = sum(frame_counts(without_borders(s.labels, collar), s.decision) for s in sessions)
    counts, scored = each.sum(0), labels != NOT_SCORED
    bouts = np.array([[len(find_bouts(y == PRESENT)) for y in s.labels.T] for s in sessions])  # (S, C)
    averaged = bouts.sum(0) >= min_bouts
    events, onsets = _events(sessions, len(behaviours))  # (len(IOUS), C, 3)
    f1, f1_collar = f1_scores(counts), f1_scores(collared)
    precision, recall = precision_recall(counts)
    ap = np.array([average_precision(labels[:, c], probability[:, c]) for c in range(len(behaviours))])
    squared, found, right = brier(labels, probability), *bout_sides(events[-1])
    present = (labels == PRESENT).sum(0)
    rows = []
    for c, name in enumerate(behaviours):
        late = onsets[c] * 1000 / rate_hz
        rows.append({
            "behaviour": name, "frames": int(scored[:, c].sum()), "support": int(present[c]),
            "bouts": int(bouts[:, c].sum()), "predicted_bouts": int(events[-1, c, 2]),
            "animals": len({s.animal for s, n in zip(sessions, bouts[:, c], strict=True) if n}),
            "averaged": int(averaged[c]), "prevalence": _plain(present[c] / max(scored[:, c].sum(), 1)),
            "threshold": None if thresholds is None else _plain(thresholds[c]),
            "f1": _plain(f1[c]), "precision": _plain(precision[c]), "recall": _plain(recall[c]), "ap": _plain(ap[c]),
            "f1_collar": _plain(f1_collar[c]), "brier": _plain(squared[c]),
            **{f"event_f1_iou{round(100 * iou):02d}": _plain(bout_f1(events[k, c])) for k, iou in enumerate(IOUS)},
            "event_recall_iou50": _plain(found[c]), "event_precision_iou50": _plain(right[c]),
            "onset_error_ms": _plain(np.median(late)) if len(late) else None,
            "onset_abs_error_ms": _plain(np.median(np.abs(late))) if len(late) else None,
        })
    animals = list(dict.fromkeys(s.animal for s in sessions))
    per_animal = np.stack([sum(n for s, n in zip(sessions, each, strict=True) if s.animal == a) for a in animals])
    low, high = macro_interval(per_animal, averaged, seed)
    frames = np.array([(s.labels != NOT_SCORED).any(1).sum() for s in sessions])
    owner = np.array([animals.index(s.animal) for s in sessions])
    return {
        "f1": {"macro": _plain(average(f1, averaged)), "micro": _plain(f1_scores(counts.sum(0))),
               "macro_collar": _plain(average(f1_collar, averaged))},
        "ap": {"macro": _plain(average(ap, averaged))},
        "behaviours": {name: {k: row[k] for k in ("f1", "precision", "recall", "ap")}
                       for name, row in zip(behaviours, rows, strict=True)},
        "bouts": {"annotated_f1": _plain(average(found, averaged)), "predicted_f1": _plain(average(right, averaged))},
        "calibration": {"brier": _plain(average(squared, np.ones(len(behaviours), bool)))},
        "interval": {"low": _plain(low), "high": _plain(high)},
        "averaged": [name for name, use in zip(behaviours, averaged, strict=True) if use],
        "counts": dict(zip(animals, per_animal, strict=True)),
        "rows": {
            "behaviour": rows,
            "animal": [{"animal": a, "sessions": int((owner == g).sum()),
                        **_group(per_animal[g], frames[owner == g].sum(), behaviours, averaged, rate_hz)}
                       for g, a in enumerate(animals)],
            "session": [{"session": s.name, "animal": s.animal,
                         **_group(each[i], frames[i], behaviours, averaged, rate_hz)} for i, s in enumerate(sessions)],
        },
    }


def _group(counts: np.ndarray, frames: int, behaviours: Sequence[str], averaged: np.ndarray, rate_hz: float) -> dict:
    """Row of one animal or session; its macro F1 averages the averaged behaviours that occur in it."""
    f1 = f1_scores(counts)
    return {"scored_minutes": _plain(frames / rate_hz / 60), "f1_macro": _plain(average(f1, averaged)),
            "f1_micro": _plain(f1_scores(counts.sum(0))),
            **{f"f1_{name}": _plain(value) for name, value in zip(behaviours, f1, strict=True)}}


def _events(sessions: Sequence[Scored], width: int) -> tuple[np.ndarray, list[np.ndarray]]:
    events = np.zeros((len(IOUS), width, 3), np.int64)
    onsets = []
    for c in range(width):
        late = []
        for s in sessions:
            true, predicted = scored_bouts(s.labels[:, c], s.decision[:, c])
            events[:, c] += [bout_counts(true, predicted, iou) for iou in IOUS]
            late.append(onset_errors(s.labels[:, c], true, predicted, IOUS[1]))
        onsets.append(np.concatenate(late))
    return events, onsets


def _check(sessions: Sequence[Scored], width: int) -> None:
    problems = [] if sessions else ["no session to score"]
    for s in sessions:
        shapes = {np.shape(s.labels), np.shape(s.probability), np.shape(s.decision)}
        if len(shapes) > 1 or np.ndim(s.labels) != 2 or np.shape(s.labels)[1] != width:
            problems.append(f"{s.name}: labels {np.shape(s.labels)}, probability {np.shape(s.probability)}, decision "
                            f"{np.shape(s.decision)}; all need (frames, {width})")
        elif not np.isfinite(s.probability[s.labels != NOT_SCORED]).all():
            problems.append(f"{s.name}: probability is not finite on scored frames")
    if problems:
        raise ValueError("\n".join(problems))


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
