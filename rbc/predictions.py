"""What a model says of a session as tables, and what about the session makes one doubt it.

T frames, C behaviours; probability (T, C), decision (T, C) bool.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from rbc.recordings.session import MODALITIES, Session
from rbc.rooms import each, let_go, pieces
from rbc.scoring.bouts import find_bouts
from rbc.signals import Recipe

BOUT_COLUMNS = {"session": object, "behaviour": object, "start_s": float, "stop_s": float, "start_frame": "Int64",
                "stop_frame": "Int64", "mean_probability": float}
MOST_OUTSIDE = 0.2  # of a modality's values; sessions like those of training have 0.02


def write_frames(path: Path, session: Session, probability: np.ndarray, decision: np.ndarray,
                 uncertain: np.ndarray) -> None:
    """Write a CSV with a row per frame: time_s, video_frame, a probability and 0/1 per behaviour, validity, and per
    behaviour whether the 0/1 is uncertain (T, C)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for piece in pieces(len(session)):
            table = _frames(session, probability[piece], decision[piece], uncertain[piece], piece)
            table.to_csv(file, header=piece.start == 0, index=False, lineterminator="\n")
            let_go(probability, decision, uncertain, *vars(session).values())


def _frames(session: Session, probability: np.ndarray, decision: np.ndarray, uncertain: np.ndarray,
            piece: slice) -> pd.DataFrame:
    columns = {"time_s": session.time[piece].round(3), "video_frame": video_frames(session.video_frame[piece])}
    for c, name in enumerate(session.behaviours):
        columns |= {f"{name}_probability": probability[:, c].round(4), name: decision[:, c].astype(int)}
    columns |= {f"valid_{name}": session.valid[piece, m].astype(int) for m, name in enumerate(MODALITIES)}
    columns |= {f"{name}_uncertain": uncertain[:, c].astype(int) for c, name in enumerate(session.behaviours)}
    return pd.DataFrame(columns)


def bout_table(session: Session, probability: np.ndarray, decision: np.ndarray) -> pd.DataFrame:
    """A row per bout in BOUT_COLUMNS, by behaviour and time; stops are exclusive, frames are the video's."""
    tables = []
    for c, name in enumerate(session.behaviours):
        bouts = find_bouts(each(lambda d: d[:, c], decision))  # noqa: B023
        first, last = bouts[:, 0], bouts[:, 1] - 1
        start_s, stop_s = session.time[first], session.time[last] + 1 / session.rate_hz
        start, stop = (video_frames(session.video_frame[t]) for t in (first, last))
        mean = [_mean(probability, slice(*bout), c) for bout in bouts]
        columns = session.name, name, start_s.round(3), stop_s.round(3), start, stop + 1, mean
        tables.append(pd.DataFrame(dict(zip(BOUT_COLUMNS, columns, strict=True))).astype(BOUT_COLUMNS))
        let_go(session.time, session.video_frame)
    return pd.concat(tables, ignore_index=True)


def _mean(probability: np.ndarray, bout: slice, c: int) -> float:
    mean = round(float(probability[bout, c].mean()), 4)
    let_go(probability)
    return mean


def video_frames(nearest: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """(T,) index of the nearest video frame; missing (-1) without a video."""
    return pd.Series(np.asarray(nearest)).where(nearest >= 0).astype("Int64").array


def fit_to_model(session: Session, recipe: Recipe) -> tuple[Session, list[str]]:
    """The session without a modality of which the model knows nothing, and notes on what differs between the two."""
    have = {"imu": (*session.imu_names, *session.ready_imu_names),
            "pose": (*session.report["keypoints"], *session.ready_pose_names)}
    known = {"imu": (*recipe.imu_names, *recipe.ready_imu_names),
             "pose": (*recipe.keypoints, *recipe.ready_pose_names)}
    notes = []
    for m, modality in enumerate(MODALITIES):
        lacking = [name for name in known[modality] if name not in have[modality]]
        foreign = [name for name in have[modality] if name not in known[modality]]
        if len(foreign) == len(have[modality]):
            session = session.without(modality)
        if not session.valid[:, m].any():
            notes.append(f"no valid {modality}")
        elif lacking:
            notes.append(f"{modality} lacks {', '.join(lacking)}")
        if foreign:
            notes.append(f"{modality} has what the model does not know, ignored: {', '.join(foreign)}")
    if bool(session.other.shape[1]) != recipe.others and session.valid[:, 1].any():
        notes.append(f"pose {'lacks another animal' if recipe.others else 'has another animal, ignored'}")
    return session, notes


def drift_notes(shares: dict[str, float]) -> list[str]:
    """A note per modality of whose features too large a share lies outside the range of training."""
    return [f"{100 * share:.0f} % of what {modality} shows lies outside the range of training (usual: 2 %)"
            for modality, share in shares.items() if share > MOST_OUTSIDE]


def mount_note(session: Session, mounts: tuple[str, ...]) -> str:
    """What to know of an IMU that is worn where no labelled animal wore one."""
    worn = f"on the {' or '.join(mounts)}" if mounts else "nowhere"
    return f"imu worn on the {session.mount}, by labelled animals {worn}: where pose is there, pose decides alone"
