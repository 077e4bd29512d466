"""The scores as a text table, for the end of a run."""

import math
from collections.abc import Mapping

COLUMNS = ("f1", "precision", "recall", "ap")
GROUPS = {  # key in the metrics -> how the line begins
    "f1": "frame F1",
    "bouts": "bout F1, IoU 0.5",
    "modalities": "macro F1 with",
    "adaptation": "macro F1",
    "rungs": "macro F1 for a",
    "baselines": "baselines, macro F1",
    "ceiling": "ceilings, macro F1",
    "truth": "against the truth, F1",
    "calibration": "calibration",
    "certain": "certain decisions",
}


def score_table(metrics: Mapping) -> str:
    """Text of the scores in `metrics` (metrics/evaluate.json or test.json), columns aligned.

    Which data, how they were split and decided, the headline, a row per behaviour, then a line for each of GROUPS. Keys
    that are absent leave their line out; values that are None or NaN show as –. "mean of rows" averages every behaviour
    that has a value; macro those with enough bouts.
    """
    behaviours = metrics.get("behaviours", {})
    width = max([len("mean of rows"), *map(len, behaviours)])
    lines = [_title(metrics), _split_line(metrics.get("split", {})), _headline(metrics), ""]
    if metrics.get("truth"):
        truth = metrics["truth"]
        exact = {"f1": truth, "ap": {"macro": truth.get("ap")}, "interval": truth.get("interval")}
        lines.insert(3, f"against the simulated truth: {_headline(exact)}")
    header = _row("behaviour", COLUMNS, width)
    lines.append(header)
    for name, scores in behaviours.items():
        lines.append(_row(name, [_number(scores.get(column)) for column in COLUMNS], width))
    means = [_number(_mean(behaviours, column)) for column in COLUMNS]
    lines += ["-" * len(header), _row("mean of rows", means, width), ""]
    label_width = max(map(len, GROUPS.values()))
    for key, label in GROUPS.items():
        values = {name: value for name, value in (metrics.get(key) or {}).items()
                  if not isinstance(value, Mapping) and (value is not None or key != "ceiling")}
        if values:
            cells = "   ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in values.items())
            lines.append(f"{label:<{label_width}}  {cells}")
    return "\n".join(lines) + "\n"


def _title(metrics: Mapping) -> str:
    name = metrics.get("data", {}).get("name", "unnamed")
    return f"SIMULATED data, no real animal: {name}" if metrics.get("truth") else f"Data: {name}"


def _headline(metrics: Mapping) -> str:
    f1, ap = (metrics.get(key, {}).get("macro") for key in ("f1", "ap"))
    low, high = ((metrics.get("interval") or {}).get(end) for end in ("low", "high"))
    interval = "no interval from a single animal" if low is None else \
        f"95 % interval over animals {_number(low)} to {_number(high)}"
    return f"macro F1 {_number(f1)} ({interval}), macro AP {_number(ap)}"


def _split_line(split: Mapping) -> str:
    animals, by = split.get("animals"), split.get("by", "?")
    parts = [
        f"Scores on {split.get('role', '?')} {by}s",
        f"animals {', '.join(map(str, animals)) if isinstance(animals, list | tuple) else animals}",
        f"labelled minutes {_minutes(split.get('labelled_minutes'))}",
        f"split by {by}" + (": every animal is new to the model" if by == "animal" else ""),
        f"mode {split.get('mode', '?')}",
        f"decision {split.get('decision', '?')}",
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
