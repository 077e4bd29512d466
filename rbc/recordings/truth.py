"""What really happened, where the world is simulated. Only tests and the ceiling figures read it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rbc.recordings.session import Session

TRUTH = "truth"


def read_truth(root: Path, sessions: Mapping[str, Session]) -> dict[str, np.ndarray]:
    """True labels (T, C) of every session at its own frames, by nearest time; empty where the world is real."""
    tracks = {}
    for name, session in sessions.items():
        path = root / TRUTH / f"{name}.npz"
        if not path.exists():
            continue
        with np.load(path, allow_pickle=False) as file:
            time, labels, behaviours = file["time"], file["labels"], [str(b) for b in file["behaviours"]]
        nearest = np.searchsorted((time[1:] + time[:-1]) / 2, session.time)
        columns = [behaviours.index(b) for b in session.behaviours]
        tracks[name] = labels[nearest][:, columns].astype(np.int8)
    return tracks
