"""What really happened, where the recordings are simulated. align_data writes it, evaluate alone reads it.

T frames, C behaviours. A `Session` does not hold it, so that no stage that learns is ever given it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from rbc.recordings.session import NOT_SCORED, Session

TRUTH, FILE = "truth", "truth.npy"


def read_truth(root: Path, sessions: Mapping[str, Session]) -> dict[str, np.ndarray]:
    """True labels (T, C) i1 of the recordings below `root` at each session's frames, by nearest time; a behaviour that
    is not simulated is -1. Sessions without truth, as all real ones, are left out."""
    tracks = {}
    for name, session in sessions.items():
        path = Path(root) / TRUTH / f"{name}.npz"
        if not path.exists():
            continue
        with np.load(path, allow_pickle=False) as file:
            time, labels, behaviours = file["time"], file["labels"], [str(b) for b in file["behaviours"]]
        nearest = np.searchsorted((time[1:] + time[:-1]) / 2, session.time)
        tracks[name] = np.full((len(nearest), len(session.behaviours)), NOT_SCORED, np.int8)
        for c, behaviour in enumerate(session.behaviours):
            if behaviour in behaviours:
                tracks[name][:, c] = labels[nearest, behaviours.index(behaviour)]
    return tracks


def save_truth(root: Path, sessions: Mapping[str, Session], aligned: Path) -> None:
    """Write what `read_truth` finds below `root` into the sessions' folders below `aligned`."""
    for name, session in sessions.items():
        for track in read_truth(root, {name: session}).values():
            np.save(Path(aligned) / name / FILE, track)


def load_truth(aligned: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Truth (T, C) i1 of those of the sessions that have one."""
    paths = {name: Path(aligned) / name / FILE for name in names}
    return {name: np.load(path, allow_pickle=False) for name, path in paths.items() if path.exists()}
