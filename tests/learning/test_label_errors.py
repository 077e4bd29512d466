import numpy as np
import pytest

from rbc.learning.label_errors import error_table, likely_errors, out_of_fold_predictions, stretches, without_errors

SETTINGS = {"rate_hz": 4.0, "trees": 20, "seed": 1}  # a stretch is 20 frames long at least


def test_stretches_are_long_enough_and_cut_no_bout():
    labels = np.zeros((60, 2), np.int8)
    labels[8:13, 0] = labels[12:15, 1] = labels[29:31, 0] = 1
    numbers = stretches(labels, 10)
    assert np.flatnonzero(np.diff(numbers)).tolist() == [14, 24, 34, 44, 54] and numbers[0] == 0
    labels[20:50] = -1  # frames that nobody scored do not count towards the length
    assert np.flatnonzero(np.diff(stretches(labels, 10))).tolist() == [14, 54]
    assert stretches(np.full((5, 2), -1, np.int8), 10).tolist() == [0] * 5


@pytest.fixture
def recordings():
    """Features of two sessions that tell two behaviours apart, and labels: one bout of the first behaviour in "a" is
    labelled as the second, one of the second in "b" is missed, and the last 40 frames of "b" are not scored."""
    rng, truth = np.random.default_rng(0), np.zeros((400, 2), np.int8)
    for start in range(5, 400, 40):
        truth[start : start + 12, 0] = truth[start + 20 : start + 32, 1] = 1
    features = {n: (truth + 0.3 * rng.normal(size=truth.shape)).astype(np.float32) for n in "ab"}
    labels = {"a": truth.copy(), "b": truth.copy()}
    labels["a"][85:97] = [0, 1]
    labels["b"][145:157, 1] = 0
    labels["b"][360:] = -1
    return features, labels


def test_predictions_of_a_mislabelled_bout_follow_the_other_bouts_like_it(recordings):
    predictions = out_of_fold_predictions(*recordings, **SETTINGS)
    assert {n: (x.shape, x.dtype) for n, x in predictions.items()} == dict.fromkeys("ab", ((400, 2), np.float16))
    first, second = predictions["a"][87:95].mean(0, dtype=float)
    assert first > 0.8 and second < 0.2
    assert np.isnan(predictions["b"][360:]).all() and np.isfinite(predictions["b"][:360]).all()


def test_a_behaviour_that_no_other_stretch_contains_has_no_prediction(recordings):
    features, labels = recordings
    for y in labels.values():
        y[:, 1] = np.where(y[:, 1] < 0, -1, 0)
    labels["a"][25:37, 1] = 1
    predictions = out_of_fold_predictions(features, labels, **SETTINGS)["a"]
    assert np.isnan(predictions[25:37, 1]).all() and np.isfinite(predictions[:, 0]).all()
    assert not [e for e in likely_errors(labels, {"a": predictions})["a"] if e.behaviour == 1]  # the only bout stays


def test_a_single_stretch_has_no_out_of_fold_predictions(recordings):
    features, labels = recordings
    assert out_of_fold_predictions({"a": features["a"][:30]}, {"a": labels["a"][:30]}, **SETTINGS | {"rate_hz": 10.0}) == {}


def test_wrong_and_missed_bouts_are_found_whole_masked_and_listed(recordings):
    features, labels = recordings
    predictions = out_of_fold_predictions(features, labels, **SETTINGS)
    errors = likely_errors(labels, predictions)
    wrong = [(n, e.behaviour, e.start, e.stop) for n, found in errors.items() for e in found if e.labelled == 1]
    assert wrong == [("a", 1, 85, 97)]  # called the second behaviour: the whole bout, and no right one
    missed = {(n, e.behaviour) for n, found in errors.items() for e in found if e.labelled == 0 and e.stop - e.start > 6}
    assert missed <= {("a", 0), ("b", 1)}
    cleaned = without_errors(labels | {"c": labels["b"]}, errors)
    assert (cleaned["a"][85:97, 1] == -1).all() and (cleaned["c"] == labels["b"]).all() and labels["a"][90, 1] == 1
    times = {n: np.arange(400) / 4.0 for n in "ab"}
    table = error_table(errors, ("dig", "rear"), times, 4.0)
    bout = table[table["labelled"] == "present"]
    assert bout[["session", "behaviour", "start_s", "stop_s"]].to_numpy().tolist() == [["a", "rear", 21.25, 24.25]]
    assert bout["mean_probability"].item() < 0.2


def test_a_missed_bout_is_as_long_as_the_shortest_labelled_one():
    labels = np.zeros((60, 1), np.int8)
    labels[10:20] = labels[30:36] = 1
    predictions = np.where(labels == 1, 0.8, 0.1)
    predictions[40:46], predictions[50:55] = 0.9, 0.9  # six frames, as the shortest bout has, and five
    assert likely_errors({"a": labels}, {"a": predictions}) == {"a": [(0, 40, 46, 0, pytest.approx(0.9))]}


def test_without_predictions_labels_stay_and_the_table_is_empty_but_named():
    labels = {"a": np.ones((4, 1), np.int8)}
    assert likely_errors(labels, {}) == {} and (without_errors(labels, {})["a"] == 1).all()
    table = error_table({}, ("dig",), {}, 4.0)
    assert len(table) == 0 and list(table) == ["session", "behaviour", "start_s", "stop_s", "labelled", "mean_probability"]
