"""The scores as a text table, for the end of a run."""

import math
from collections.abc import Mapping

COLUMNS = ("f1", "precision", "recall", "ap")
GROUPS = {  # key in the metrics -> how the line begins
    "f1": "frame F1",
    "bouts": "bout F1, IoU 0.5",
    "modalities": "macro F1 with",
    "adaptation": "macro F1",
    "baselines": "baselines, macro F1",
    "ceiling": "ceilings, macro F1",
    "truth": "against the truth, F1",
    "calibration": "calibration",
    "certain": "certain decisions",
}


def score_table(metrics: Mapping) -> str:
    """Text of the scores in `metrics` (metrics/evaluate.json or test.json), columns aligned.

    Split, a row per behaviour, then a line for each of GROUPS. Keys that are absent leave their line out; values that
    are None or NaN show as –. "mean of rows" averages every behaviour that has a value; macro those with enough bouts.
    """
    behaviours = metrics.get("behaviours", {})
    width = max([len("mean of rows"), *map(len, behaviours)])
    lines = [_split_line(metrics.get("split", {})), "", _row("behaviour", COLUMNS, width)]
    for name, scores in behaviours.items():
        lines.append(_row(name, [_number(scores.get(column)) for column in COLUMNS], width))
    means = [_number(_mean(behaviours, column)) for column in COLUMNS]
    lines += ["-" * len(lines[2]), _row("mean of rows", means, width), ""]
    label_width = max(map(len, GROUPS.values()))
    for key, label in GROUPS.items():
        values = metrics.get(key) or {}
        if values:
            cells = "   ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in values.items())
            lines.append(f"{label:<{label_width}}  {cells}")
    return "\n".join(lines) + "\n"


def _split_line(split: Mapping) -> str:
    minutes = split.get("labelled_minutes")
    animals = split.get("animals")
    parts = [
        f"Scores on {split.get('role', '?')} animals",
        f"split by {split.get('by', '?')}",
        f"mode {split.get('mode', '?')}",
        f"animals {', '.join(map(str, animals)) if isinstance(animals, list | tuple) else animals}",
        f"labelled minutes {_minutes(minutes)}",
    ]
    return "; ".join(parts)


def _minutes(minutes: float | Mapping | None) -> str:
    if isinstance(minutes, Mapping):
        return ", ".join(f"{role} {_minutes(value)}" for role, value in minutes.items())
    return "?" if minutes is None else f"{minutes:.1f}"


def _row(name: str, cells: list[str] | tuple[str, ...], width: int) -> str:
    return f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in cells)


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _mean(behaviours: Mapping, column: str) -> float | None:
    values = [scores.get(column) for scores in behaviours.values()]
    values = [value for value in values if value is not None and math.isfinite(value)]
    return sum(values) / len(values) if values else None
