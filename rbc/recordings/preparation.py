"""All sessions of a recordings folder: checked together, aligned one by one, saved, and summed up in a table."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.alignment import align
from rbc.recordings.checking import check_all, conflict_note, work
from rbc.recordings.manifest import Row
from rbc.recordings.ontology import NO_ONTOLOGY, Ontology, translate
from rbc.recordings.physics import Rest
from rbc.recordings.quality import SPREADS, Quantiles, describe, distances
from rbc.recordings.raw import read_raw
from rbc.recordings.session import NOT_SCORED, Session
from rbc.recordings.settings import Settings
from rbc.recordings.slip import slip_columns, slip_note


def align_all(
    root: Path, out: Path, *, behaviours: tuple[str, ...], animal_pattern: str, body_axis: tuple[str, str],
    head_axis: tuple[str, str], rate_hz: float, min_likelihood: float, max_gap_s: float, min_clock_correlation: float,
    ontology: Ontology = NO_ONTOLOGY, keypoints: tuple[str, ...] = (), labels: bool = True, progress: bool = True,
) -> pd.DataFrame:
    """Save every session of `root` below `out` and return a table with a row for each, in the manifest's order.

    No `behaviours` means all that the label files name; `keypoints` (a model's) replace the union over the sessions.
    Without `labels` none are needed nor looked at.
    Raises one RecordingError with every problem of every session before anything is written.
    """
    settings = Settings(
        behaviours, keypoints, rate_hz, min_likelihood, max_gap_s, min_clock_correlation, body_axis, head_axis
    )
    found = check_all(
        root, settings, animal_pattern=animal_pattern, ontology=ontology, labels=labels, progress=progress
    )
    settings = replace(settings, behaviours=found.behaviours, keypoints=keypoints or found.keypoints)
    used = [(row, found.looks[row.session].rest) for row in found.rows if not row.exclude]
    task = partial(_align, settings=settings, ontology=ontology, out=Path(out))
    done = dict(zip(found.looks, work(task, used, "align", progress), strict=True))
    far = distances({name: described for name, (_, described) in done.items()})
    return pd.DataFrame([
        done[row.session][0] | _far(far[row.session]) if row.session in done else _left_out(row) for row in found.rows
    ])  # fmt: skip


def _align(item: tuple[Row, Rest], settings: Settings, ontology: Ontology, out: Path) -> tuple[dict, Quantiles]:
    row, rest = item
    # the recording is held by nobody else: align lets go of its parts
    session = align(translate(read_raw(row, settings.behaviours), ontology.aliases), settings)
    session.save(out / row.session)
    return table_row(session, rest, ontology), describe(session)


def _far(groups: dict[str, tuple[float, str]]) -> dict:
    """Columns of a session's distances from the others, and the signal of each group that is farthest away."""
    names = {group: name for group, (distance, name) in groups.items() if distance > 0}
    columns = {f"far_{group}": groups[group][0] if group in groups else np.nan for group in SPREADS}
    return columns | {"far_signals": "; ".join(f"{group}: {name}" for group, name in names.items())}


def table_row(session: Session, rest: Rest, ontology: Ontology) -> dict:
    """A session's row of plots/align_data.csv."""
    report, clock, length_s = session.report, session.report["clock"], len(session) / session.rate_hz
    state = "accepted" if clock["accepted"] else "refused"
    if not report["two_clocks"]:
        state = "shared" if report["imu_rate_hz"] or session.ready_imu_names else "none"
    mounted = report["mounting"]
    notes = [clock["reason"] if report["two_clocks"] else "", "" if mounted["axes"] == "body" else "sensor axes kept"]
    notes += [f"{len(clock['steps'])} steps in the clock"] if clock["steps"] else []
    notes += [slip_note(mounted)]
    conflicts, contradicting = ontology.conflicts(session.labels, session.behaviours)
    notes += [rest.note, conflict_note(conflicts) if conflicts else ""]
    notes += report.get("notes", [])
    ms = {name: None if clock[name] is None else 1000 * clock[name] for name in ("offset_s", "offset_se_s")}
    own = report["two_clocks"] and clock["accepted"]
    swaps = report.get("swaps")
    return {
        "session": session.name, "animal": session.animal, "frames": len(session),
        "labelled_frames": int((session.labels != NOT_SCORED).any(1).sum()),
        "offset_ms": ms["offset_s"] if own else np.nan, "offset_se_ms": ms["offset_se_s"] if own else np.nan,
        "drift_ppm": clock["drift_ppm"] if own else np.nan, "drift_se_ppm": clock["drift_se_ppm"] if own else np.nan,
        "steps": len(clock["steps"]) if own else np.nan,
        "correlation_before": clock["correlation_before"], "correlation_after": clock["correlation"], "clock": state,
        "missing_imu": float(1 - session.valid[:, 0].mean()), "missing_pose": float(1 - session.valid[:, 1].mean()),
        "pose_rate_hz": report["pose_rate_hz"], "imu_rate_hz": report["imu_rate_hz"],
        "rest_g": rest.acc_g, "rest_deg_s": rest.turn_deg_s, "conflict_frames": int(contradicting.sum()),
        "mounting": report["mount"] or "unknown", "heading_se_deg": mounted.get("heading_se_deg"),
        **slip_columns(mounted), "swaps": np.nan if swaps is None else len(swaps),
        "swapped": np.nan if swaps is None else sum(stop - start for start, stop, _ in swaps) / length_s,
        "note": "; ".join(filter(None, notes)),
    }


def _left_out(row: Row) -> dict:
    note = f"left out: {row.exclude}"
    return {"session": row.session, "animal": row.animal, "frames": 0, "labelled_frames": 0, "note": note}
