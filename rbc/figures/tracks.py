"""What the ethogram page draws of one session, and the cuts and means that make it small. T frames, C behaviours."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EthogramTrack:
    session: str
    animal: str
    role: str
    """train, validation or test."""
    time_s: np.ndarray
    """(T,) even steps on the common clock."""
    labels: np.ndarray
    """(T, C) annotated: 1 present, 0 absent, -1 not scored."""
    decision: np.ndarray
    """(T, C) bool."""
    probability: np.ndarray
    """(T, C) in 0 to 1, NaN where unknown."""
    truth: np.ndarray | None
    """(T, C) 0/1 of a simulated session, else None."""
    imu_activity: np.ndarray
    """(T,) how far |acc| lies from gravity, m/s²; NaN where missing."""
    rotation: np.ndarray
    """(T,) |gyro|, °/s; NaN where missing."""
    speed: np.ndarray
    """(T,) in the page's `speed_unit`; NaN where missing."""
    f1: dict[str, float]
    """F1 of this session by behaviour; missing or NaN where it has none."""


def block_means(values: np.ndarray, block: int) -> np.ndarray:
    """(ceil(T / block), ...) means of consecutive blocks of frames, over what is finite; NaN where nothing is."""
    values = np.asarray(values, "f8")
    padding = np.full((-len(values) % block, *values.shape[1:]), np.nan)
    blocks = np.concatenate([values, padding]).reshape(-1, block, *values.shape[1:])  # (T / block, block, ...)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=1)
    return np.where(count, np.where(finite, blocks, 0).sum(axis=1) / np.maximum(count, 1), np.nan)


def length_s(track: EthogramTrack) -> float:
    """Time from the first to the last frame."""
    return float(track.time_s[-1] - track.time_s[0])


def cut(track: EthogramTrack, seconds: float) -> EthogramTrack:
    """The first `seconds` of the track."""
    stop = int(np.searchsorted(track.time_s, track.time_s[0] + seconds))
    arrays = {name: value[:stop] for name, value in vars(track).items() if isinstance(value, np.ndarray)}
    return EthogramTrack(**{**vars(track), **arrays})


def check(track: EthogramTrack, behaviours: int) -> None:
    """Raise ValueError naming the session and the first array that does not fit the others."""
    frames = len(track.time_s)
    for name, value in vars(track).items():
        if isinstance(value, np.ndarray):
            need = (frames, behaviours) if name in ("labels", "decision", "probability", "truth") else (frames,)
            if value.shape != need or not frames:
                raise ValueError(f"{track.session}: {name} has shape {value.shape}; needs {need}, at least one frame")
