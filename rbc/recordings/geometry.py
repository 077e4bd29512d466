"""Geometry of the tracked body: cleaned keypoints, the direction of an axis, the body's length, sets of keypoints.

N video frames, K keypoints. Pixels: x to the right, y down; angles count anticlockwise as the viewer sees them.
"""

import numpy as np

from rbc.recordings.errors import RecordingError

OUTLIER_FRAMES = 7
OUTLIER_BODY = 0.25
"""A point this many body lengths from its own running median, and five times its usual distance, is no measurement."""
CHUNK = 20_000


def clean_points(points: np.ndarray, min_likelihood: float) -> np.ndarray:
    """(N, K, D) f4 copy in which points that were not measured have NaN coordinates; the likelihood stays.

    Not measured: likelihood below `min_likelihood` or NaN, or both coordinates exactly 0.
    """
    points = np.array(points, np.float32)
    with np.errstate(invalid="ignore"):
        bad = ~(points[..., -1] >= min_likelihood) | (points[..., :2] == 0).all(-1)
    points[bad, :-1] = np.nan
    return points


def outliers(places: np.ndarray, body_length_px: float) -> np.ndarray:
    """(N, K) bool: places (N, K, D) far from the median of the few frames around, as no limb is (Hampel's rule)."""
    half, far = OUTLIER_FRAMES // 2, np.zeros(places.shape[:2], bool)
    for begin in range(0, len(places), CHUNK):
        stop = min(begin + CHUNK, len(places))
        ends = max(half - begin, 0), max(stop + half - len(places), 0)
        near = places[max(begin - half, 0) : stop + half]
        padded = np.pad(near, (ends, (0, 0), (0, 0)), constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, OUTLIER_FRAMES, axis=0)
        distance = np.linalg.norm(places[begin:stop] - median(around), axis=-1)  # (n, K)
        with np.errstate(invalid="ignore"):
            usual = median(np.where(distance > 0, distance, np.nan), axis=0)
            far[begin:stop] = distance > np.maximum(OUTLIER_BODY * body_length_px, 5 * usual)
    return far


def clean_body(
    points: np.ndarray, keypoints: tuple[str, ...], axis: tuple[str, str], min_likelihood: float
) -> tuple[np.ndarray, float]:
    """Points (N, K, D) as of `clean_points`, without outliers, and the body's length in px."""
    points = clean_points(points, min_likelihood)
    length = axis_length(points, keypoints, axis)
    drop_outliers(points, length)
    return points, axis_length(points, keypoints, axis)


def drop_outliers(points: np.ndarray, body_length_px: float) -> None:
    """Make the coordinates of `outliers` among the points (N, K, D) NaN, in place; none where the length is NaN."""
    if np.isfinite(body_length_px):
        points[outliers(points[..., :-1], body_length_px), :-1] = np.nan


def median(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Median along `axis` of the values that are there; NaN where none is. (numpy's nanmedian, many times faster.)"""
    ordered = np.sort(values, axis=axis)  # NaN goes last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[axis] - 1), axis)
    return np.squeeze((low + high) / 2, axis)


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """(N, F) the values with NaN replaced by straight lines between their neighbours (0 where a column is all NaN)."""
    if np.isfinite(values).all():
        return values
    out, rows = np.array(values), np.arange(len(values))
    for column in out.T:
        there = np.isfinite(column)
        column[~there] = np.interp(rows[~there], rows[there], column[there]) if there.any() else 0.0
    return out


def lengths(vectors: np.ndarray) -> np.ndarray:
    """(N,) f8 lengths of vectors (N, D)."""
    return np.sqrt(sum(column.astype(float) ** 2 for column in vectors.T))


def axis_angle(points: np.ndarray, keypoints: tuple[str, ...], axis: tuple[str, str]) -> np.ndarray:
    """(N,) direction from the rear to the front keypoint of `axis`, rad, wrapped; NaN where either is missing."""
    front, rear = (points[:, keypoints.index(name), :2].astype(float) for name in axis)
    x, y = (front - rear).T
    return np.arctan2(-y, x)


def axis_length(points: np.ndarray, keypoints: tuple[str, ...], axis: tuple[str, str]) -> float:
    """Median distance of the two keypoints of `axis`, px; NaN where they are never both there."""
    along = np.subtract(*(points[:, keypoints.index(name), :2].astype(float) for name in axis))
    return float(median(np.linalg.norm(along, axis=1), axis=0))


def axis_centre(points: np.ndarray, keypoints: tuple[str, ...], axis: tuple[str, str]) -> np.ndarray:
    """(N, 2) middle of the axis, px, x to the right and y *up*."""
    front, rear = (points[:, keypoints.index(name), :2].astype(float) for name in axis)
    return (front + rear) / 2 * [1.0, -1.0]


def points_on_axis(points: np.ndarray, keypoints: tuple[str, ...], axis: tuple[str, str]) -> list[int]:
    """Columns of the keypoints that lie on the axis, its ends among them: between them, to a tenth of its length."""
    front, rear = (points[:, keypoints.index(name), :2].astype(float) for name in axis)
    along = front - rear
    length = np.linalg.norm(along, axis=1)
    found = []
    for k in range(points.shape[1]):
        away = points[:, k, :2] - rear
        forward = (away * along).sum(1) / length**2
        sideways = (away[:, 1] * along[:, 0] - away[:, 0] * along[:, 1]) / length**2
        if -0.05 < median(forward, axis=0) < 1.05 and median(np.abs(sideways), axis=0) < 0.1:
            found.append(k)
    return found


def unite_keypoints(sets: dict[str, tuple[str, ...]], body_axis: tuple[str, str]) -> tuple[str, ...]:
    """Keypoints of every session in the order of their first appearance; sessions without keypoints do not count.

    Raises RecordingError naming each session that lacks a point of the body axis.
    """
    problems = [
        f"{session}: keypoint {name} of data.body_axis is missing; its keypoints are {', '.join(have)}"
        for session, have in sets.items() if have for name in body_axis if name not in have
    ]
    if problems:
        raise RecordingError(problems)
    return tuple(dict.fromkeys(name for have in sets.values() for name in have))


def place_keypoints(points: np.ndarray, have: tuple[str, ...], want: tuple[str, ...]) -> np.ndarray:
    """(N, len(want), D) the points in the order `want`; those that the session lacks are NaN with likelihood 0."""
    if have == want:
        return points
    out = np.full((len(points), len(want), points.shape[2]), np.nan, np.float32)
    out[..., -1] = 0.0
    for i, name in enumerate(want):
        if name in have:
            out[:, i] = points[:, have.index(name)]
    return out
