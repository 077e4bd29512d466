import numpy as np
import pytest

from rbc.recordings import geometry
from rbc.recordings.errors import RecordingError

POINTS = ("nose", "neck", "tail")


def walk(frames: int = 200) -> np.ndarray:
    """A body 100 px long that walks to the right, one pixel a frame."""
    x = np.arange(frames)[:, None] + np.array([130.0, 100.0, 0.0])
    y = np.full_like(x, 50.0)
    return np.stack([x, y, np.ones_like(x)], axis=2).astype(np.float32)


def test_axis_angle_counts_anticlockwise_although_pixels_count_downwards():
    turn = np.linspace(-3, 3, 50)
    points = np.zeros((50, 3, 3))
    points[:, 1] = np.stack([np.cos(turn), -np.sin(turn), np.ones(50)], axis=1)
    assert np.allclose(geometry.axis_angle(points, POINTS, ("neck", "tail")), turn)


def test_clean_points_drops_the_unsure_the_unseen_and_the_outliers():
    points = walk()
    points[10:40, 0, 2] = 0.3
    points[60, 1, :2] = 0.0
    points[100:102, 2, 1] += 80.0
    before = points.copy()
    clean = geometry.clean_points(points, 0.6)
    clean[geometry.outliers(clean[..., :-1], 100.0), :-1] = np.nan
    missing = np.isnan(clean[..., 0])
    expected = np.zeros_like(missing)
    expected[10:40, 0] = expected[60, 1] = expected[100:102, 2] = True
    assert (missing == expected).all()
    assert np.array_equal(points, before)
    assert np.array_equal(clean[..., 2], points[..., 2])


def test_no_outliers_in_a_jump_that_lasts():
    points = walk()
    points[100:, :, 1] += 150.0
    assert not geometry.outliers(points[..., :-1], 100.0).any()


def test_axis_length_is_the_median_distance():
    points = walk()
    points[::3, 1, 0] += 5.0
    points[:5, 2, :2] = np.nan
    assert geometry.axis_length(points, POINTS, ("neck", "tail")) == 100.0


@pytest.mark.parametrize("missing", [0, 1, 4, 9, 10])
def test_median_agrees_with_numpy(missing):
    values = np.random.default_rng(missing).normal(size=(30, 10))
    values[:, :missing] = np.nan
    expected = np.nanmedian(values, axis=1) if missing < 10 else np.full(30, np.nan)
    assert np.array_equal(geometry.median(values), expected, equal_nan=True)


def test_points_on_axis_are_between_its_ends():
    points = np.concatenate([walk(), np.zeros((200, 2, 3), np.float32)], axis=1)
    points[:, 3, :2] = points[:, 2, :2] + [50.0, 3.0]
    points[:, 4, :2] = points[:, 2, :2] + [50.0, 30.0]
    names = (*POINTS, "back", "paw")
    assert geometry.points_on_axis(points, names, ("neck", "tail")) == [1, 2, 3]


def test_fill_gaps_draws_lines():
    values = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, 3.0], [4.0, np.nan]])
    assert geometry.fill_gaps(values).tolist() == [[2.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 3.0]]


def test_unite_keypoints_is_the_union_and_needs_the_body_axis_only():
    sets = {"a": ("nose", "neck", "tail"), "b": ("tail", "paw", "neck"), "c": ()}
    assert geometry.unite_keypoints(sets, ("neck", "tail")) == ("nose", "neck", "tail", "paw")
    with pytest.raises(RecordingError, match="session d|d: keypoint neck of data.body_axis is missing") as error:
        geometry.unite_keypoints({**sets, "d": ("tail",), "e": ("neck",)}, ("neck", "tail"))
    assert len(error.value.problems) == 2


def test_place_keypoints_leaves_the_missing_ones_nan_with_likelihood_0():
    out = geometry.place_keypoints(walk(3), POINTS, ("tail", "paw", "nose"))
    assert np.array_equal(out[:, 0], walk(3)[:, 2]) and np.array_equal(out[:, 2], walk(3)[:, 0])
    assert np.isnan(out[:, 1, :2]).all() and (out[:, 1, 2] == 0).all()
