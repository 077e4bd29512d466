"""A session's channels as they were recorded, without the features of rbc: what a peer reads that owes nothing to them.

T frames, K keypoints, F channels.
"""

import numpy as np

from rbc.recordings.session import MODALITIES, Session
from rbc.signals import ENDS, Recipe


def raw_channels(session: Session, recipe: Recipe) -> dict[str, np.ndarray]:
    """Channels (T, F) f4 of a session by modality, `imu`, `pose` and `both`; NaN where missing. A modality that no
    session has is left out, and `both` is all that there is. Where another animal is seen the pose is that of the pair,
    of which nobody knows who is who: posture in the picture's axes told no more there.

    recipe: the names of the columns of all sessions.
    """
    imu = [_columns(session.imu, session.imu_names, recipe.imu_names),
           _columns(session.ready_imu, session.ready_imu_names, recipe.ready_imu_names)]
    pose = [_columns(session.ready_pose, session.ready_pose_names, recipe.ready_pose_names)]
    if recipe.others:
        own = _columns(session.pose, session.keypoints, recipe.body_axis)
        other = _columns(session.other, ENDS[: session.other.shape[1]], ENDS)
        pose.append(pair_channels(own[..., :2], other[..., :2], session.rate_hz))
    else:
        points = _columns(session.pose, session.keypoints, recipe.keypoints)
        pose.append(keypoint_channels(points, session.rate_hz))
    found = {name: np.concatenate(of, 1).astype(np.float32) for name, of in zip(MODALITIES, (imu, pose), strict=True)}
    found = {name: x for name, x in found.items() if x.shape[1]}
    return found | {"both": np.concatenate(list(found.values()), 1)}


def keypoint_channels(points: np.ndarray, rate_hz: float) -> np.ndarray:
    """(T, F) of keypoints (T, K, 3) x, y, likelihood or (T, K, 4) x, y, z, likelihood: each relative to the mean of
    those that are there, the speed of that mean in units of the coordinates a second, and in 3D the heights z."""
    if not points.shape[1]:
        return np.zeros((len(points), 0))
    places = points[..., :-1]  # (T, K, 2 or 3)
    centre = _mean(places, 1)
    columns = [(places - centre[:, None]).reshape(len(places), -1), _speed(centre, rate_hz)]
    return np.concatenate([*columns, places[:, :, 2:].reshape(len(places), -1)], 1)


def pair_channels(own: np.ndarray, other: np.ndarray, rate_hz: float) -> np.ndarray:
    """(T, 11) of two points of one animal and of another one, (T, 2, 2) each; the same if the two change places: the
    distances between points of the two in order of size, that of their means and how fast it changes, the shorter and
    the longer of the two animals and the slower and the faster of them; and the share of the points that is missing."""
    apart = np.linalg.norm(own[:, :, None] - other[:, None], axis=-1).reshape(len(own), -1)  # (T, 4)
    centres = [_mean(points, 1) for points in (own, other)]
    distance = np.linalg.norm(centres[0] - centres[1], axis=1, keepdims=True)
    lengths = np.stack([np.linalg.norm(points[:, 0] - points[:, 1], axis=1) for points in (own, other)], 1)
    speeds = np.concatenate([_speed(centre, rate_hz) for centre in centres], 1)
    missing = np.isnan(np.concatenate([own, other], 1)).any(2).mean(1, keepdims=True)
    return np.concatenate([np.sort(apart, 1), distance, _change(distance, rate_hz), np.sort(lengths, 1),
                           np.sort(speeds, 1), missing], 1)


def _columns(array: np.ndarray, have: tuple[str, ...], want: tuple[str, ...]) -> np.ndarray:
    """Columns of (T, F, ...) in the order wanted, NaN where a session has no such column."""
    nothing = np.full((len(array), *array.shape[2:]), np.nan, np.float32)
    columns = [array[:, have.index(name)] if name in have else nothing for name in want]
    return np.stack(columns, 1) if columns else np.zeros((len(array), 0, *array.shape[2:]), np.float32)


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is not NaN; NaN where all is."""
    count = np.isfinite(x).sum(axis)
    return np.where(count > 0, np.nansum(x, axis), np.nan) / np.maximum(count, 1)


def _change(x: np.ndarray, rate_hz: float) -> np.ndarray:
    """Change of x (T, F) per second, over a frame to each side."""
    return np.gradient(x, axis=0) * rate_hz if len(x) > 1 else np.zeros_like(x)


def _speed(places: np.ndarray, rate_hz: float) -> np.ndarray:
    """(T, 1) speed of places (T, 2 or 3)."""
    return np.linalg.norm(_change(places, rate_hz), axis=1, keepdims=True)
