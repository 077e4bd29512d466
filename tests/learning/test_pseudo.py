import numpy as np

from rbc.learning.pseudo import (
    MOST_FREE,
    STRIDE,
    frames_of,
    soft_labels,
    stride_of,
    teacher_probability,
)


def test_the_surer_modality_speaks_beside_the_fused_head():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.6], [0.1], [0.6]], [[0.9], [0.4], [0.6]], [[0.9], [0.1], [0.2]]])
    there = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.75, 0.35, 0.5, 0.0], atol=1e-6)


def test_a_modality_that_is_the_only_one_of_its_session_speaks_alone():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.9], [0.4], [0.6]]])
    there = np.array([[1, 0, 0], [0, 1, 0]], bool)  # of pose alone nothing fuses: `rbc.inference.heads_there`
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.9, 0.4], atol=1e-6)


def test_frames_with_a_label_are_looked_at_and_every_fourth_of_the_others():
    assert frames_of(None, 10, 4).tolist() == [0, 4, 8]
    labels = np.full((10, 2), -1, np.int8)
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 8]
    labels[5], labels[6, 1], labels[8] = [0, 0], 1, [1, -1]  # absent is a label, and one behaviour is enough
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 5, 6, 8]


def test_however_long_recordings_are_no_more_than_so_many_frames_are_looked_at():
    assert stride_of(1000) == stride_of(STRIDE * MOST_FREE) == STRIDE == 4
    assert stride_of(STRIDE * MOST_FREE + 1) == STRIDE + 1
    frames = 50 * 3600 * 1000
    assert 0.99 * MOST_FREE < frames / stride_of(frames) <= MOST_FREE


def test_soft_labels_are_what_heads_and_forest_say_together_where_nobody_scored():
    heads = {n: np.full((6, 3, 2), 0.2) for n in "ab"}
    there = {n: np.ones((6, 3), bool) for n in "ab"}
    there["b"][4] = False
    forest = {n: np.tile([0.6, 0.0], (6, 1)).astype("f2") for n in "ab"}
    labels = {"a": np.array([[1, 0], [0, -1], [-1, -1], [-1, -1], [-1, -1], [-1, -1]], np.int8)}
    made = soft_labels(heads, there, forest, labels)
    assert made["a"].dtype == np.float32 and np.isnan(made["a"][:2]).all()  # half scored is scored
    np.testing.assert_allclose(made["a"][2:], np.tile([0.4, 0.1], (4, 1)), atol=1e-3)
    assert np.isnan(made["b"]).any(1).tolist() == [False] * 4 + [True, False]
    assert soft_labels(heads, there, {}, labels) == {}
