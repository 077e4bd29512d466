import numpy as np
import pytest

from rbc.learning.edges import FEW, with_edges
from rbc.scoring.labels import Habits

LATE = Habits(50.0, 0.08, 0.02, 0.16)  # bouts begin 4 frames before their annotated onset and end 1 after, give or take 8
PUNCTUAL = Habits(50.0, 0.0, 0.0, 0.16)
REACH = 20  # frames


def track(edges: list[tuple[int, int]], frames: int = 1000) -> np.ndarray:
    labels = np.zeros((frames, 1), np.int8)
    for start, stop in edges:
        labels[start:stop] = 1
    return labels


def heard(labels: np.ndarray, late: int = 0) -> np.ndarray:
    """An opinion that is sure, and as late as it has learnt to be."""
    return np.roll(np.where(labels == 1, 0.9, 0.1), late, axis=0)


def edges_of(labels: np.ndarray, c: int = 0) -> list[tuple[int, int]]:
    change = np.flatnonzero(np.diff(np.pad(labels[:, c] == 1, 1).astype(int)))
    return [*zip(change[::2].tolist(), change[1::2].tolist(), strict=True)]


TRUE = [(100 * i, 100 * i + 40) for i in range(1, 9)]
SLIPS = np.array([-6, -3, 0, 3, 6, 2, -2, 0])
ANNOTATED = [(a + 4 + slip, b - 1 - slip) for (a, b), slip in zip(TRUE, SLIPS.tolist(), strict=True)]


@pytest.mark.parametrize("late", [0, 3])
def test_edges_lie_where_the_opinion_changes_and_on_average_as_far_from_the_annotated_ones_as_is_told(late):
    """However late the opinion is, for it has learnt that from the annotators."""
    steep = np.convolve(heard(track(TRUE))[:, 0], np.ones(9) / 9, "same")[:, None]  # unsure around the edges
    got = edges_of(with_edges({"a": track(ANNOTATED)}, {"a": np.roll(steep, late, axis=0)}, LATE)["a"])
    assert np.abs(np.array(got) - TRUE).max() <= 2 and np.abs((np.array(got) - TRUE).mean(0)).max() < 1.0


def test_without_an_opinion_edges_stay_and_nothing_given_is_changed():
    labels = track([(100, 140)])
    got = with_edges({"a": labels, "b": labels}, {"b": heard(labels, late=9), "c": heard(labels)}, LATE)
    assert list(got) == ["a", "b"] and edges_of(got["a"]) == [(100, 140)] == edges_of(labels) != edges_of(got["b"])


def test_an_opinion_that_says_nothing_moves_edges_by_what_is_told():
    for nothing in (np.full((1000, 1), 0.5), np.full((1000, 1), np.nan, np.float16)):
        got = edges_of(with_edges({"a": track(TRUE)}, {"a": nothing}, LATE)["a"])
        assert got == [(a - 4, b + 1) for a, b in TRUE]


def test_a_few_edges_move_without_a_level_of_their_own():
    few = TRUE[: FEW - 1]
    got = edges_of(with_edges({"a": track(few)}, {"a": heard(track(few), late=5)}, LATE)["a"])
    assert got == [(a + 5, b + 5) for a, b in few]


def test_an_edge_beyond_which_nothing_was_scored_stays_and_what_was_not_scored_stays_so():
    labels = track([(0, 40), (100, 140), (960, 1000)])
    labels[85:100], labels[150:160] = -1, -1
    longer = heard(track([(0, 60), (80, 170), (940, 1000)]))
    got = with_edges({"a": labels}, {"a": longer}, PUNCTUAL)["a"]
    assert edges_of(got) == [(0, 60), (100, 150), (940, 1000)]
    assert ((got == -1) == (labels == -1)).all()


def test_no_bout_vanishes_and_none_moves_beyond_its_reach():
    labels, elsewhere = track([(100, 103), (500, 580)]), heard(track([(300, 340)]))
    got = edges_of(with_edges({"a": labels}, {"a": elsewhere}, PUNCTUAL)["a"])
    assert got == [(101, 102), (500 + REACH, 580 - REACH)]


def test_annotators_and_behaviours_move_on_their_own():
    one, other = track(ANNOTATED), track([(a + 50, b + 50) for a, b in TRUE])
    both = np.stack([np.hstack([one, other]), np.hstack([np.full_like(one, -1), other])])
    opinion = np.hstack([heard(track(TRUE)), heard(other)])
    got = with_edges({"a": both}, {"a": opinion}, LATE)["a"]
    assert got.shape == both.shape and got.dtype == np.int8 and (got[1, :, 0] == -1).all()
    np.testing.assert_array_equal(got[0, :, 1], got[1, :, 1])
    alone = with_edges({"a": one}, {"a": opinion[:, :1]}, LATE)["a"]
    np.testing.assert_array_equal(got[0, :, 0], alone[:, 0])
