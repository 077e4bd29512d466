import numpy as np

from rbc.learning.pseudo import (
    MOST_UNLABELLED,
    STRIDE,
    confident_labels,
    frames_of,
    soft_labels,
    stride_of,
    teacher_probability,
)


def test_the_more_confident_modality_is_averaged_with_the_fused_head():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.6], [0.1], [0.6]], [[0.9], [0.4], [0.6]], [[0.9], [0.1], [0.2]]])
    there = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.75, 0.35, 0.5, 0.0], atol=1e-6)


def test_the_only_modality_of_a_session_predicts_alone():
    heads = np.array([[[0.9], [0.4], [0.6]], [[0.9], [0.4], [0.6]]])
    there = np.array([[1, 0, 0], [0, 1, 0]], bool)  # of pose alone nothing fuses: `rbc.inference.heads_there`
    np.testing.assert_allclose(teacher_probability(heads, there)[:, 0], [0.9, 0.4], atol=1e-6)


def test_frames_with_a_label_are_used_and_every_fourth_of_the_others():
    assert frames_of(None, 10, 4).tolist() == [0, 4, 8]
    labels = np.full((10, 2), -1, np.int8)
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 8]
    labels[5], labels[6, 1], labels[8] = [0, 0], 1, [1, -1]  # absent is a label, and one behaviour is enough
    assert frames_of(labels, 10, 4).tolist() == [0, 4, 5, 6, 8]


def test_however_long_recordings_are_no_more_than_so_many_frames_are_used():
    assert stride_of(1000) == stride_of(STRIDE * MOST_UNLABELLED) == STRIDE == 4
    assert stride_of(STRIDE * MOST_UNLABELLED + 1) == STRIDE + 1
    frames = 50 * 3600 * 1000
    assert 0.99 * MOST_UNLABELLED < frames / stride_of(frames) <= MOST_UNLABELLED


def test_soft_labels_are_the_networks_where_nobody_scored():
    heads, available = np.tile([0.2, 0.6], (6, 3, 1)), np.ones((6, 3), bool)
    available[4] = False
    labels = np.array([[1, 0], [0, -1], [-1, -1], [-1, -1], [-1, -1], [-1, -1]], np.int8)
    made = soft_labels(heads, available, labels)
    assert made.dtype == np.float32 and np.isnan(made).all(1).tolist() == [True, True, False, False, True, False]
    np.testing.assert_allclose(made[[2, 3, 5]], np.tile([0.2, 0.6], (3, 1)), atol=1e-6)  # half scored is scored
    assert np.isnan(soft_labels(heads, available, None)).all(1).tolist() == [False] * 4 + [True, False]


def test_a_label_is_confident_near_0_and_1():
    assert confident_labels(np.array([[0.96, 0.94], [0.04, 0.06], [np.nan, 0.5]])).tolist() == [[1, -1], [0, -1], [-1, -1]]
