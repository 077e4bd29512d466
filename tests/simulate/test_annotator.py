import numpy as np
import pytest

from rbc.simulate.annotator import Annotator, annotate, draw_annotator
from rbc.simulate.world import BEHAVIOURS, TIMING, WORLDS

WORLD = WORLDS["first"]
FLAWLESS = Annotator(missed=0.0, missed_short=0.0, confused=0.0, late=1.0, error=1.0)


def mark(bouts, who=FLAWLESS, spans=((0.0, 1e5),), scored=BEHAVIOURS, seed=0):
    return annotate(bouts, list(spans), scored, who, WORLD, 50.0, np.random.default_rng(seed))


@pytest.mark.parametrize("name, pace", [("jump", "fast"), ("walk", "medium"), ("grooming", "slow")])
def test_onsets_are_late_and_boundaries_off_as_the_table_says(name, pace):
    true = [(name, 20.0 * i, 20.0 * i + 10.0) for i in range(1, 1500)]
    marked = mark(true)
    starts = np.array([m[1] - t[1] for m, t in zip(marked, true)])
    stops = np.array([m[2] - t[2] for m, t in zip(marked, true)])
    error, late = TIMING[pace]
    assert starts.mean() == pytest.approx(late, abs=0.03) and np.abs(stops).mean() == pytest.approx(error, rel=0.1)


def test_short_bouts_are_never_inverted():
    marked = mark([("jump", 5.0 * i, 5.0 * i + 0.2) for i in range(1, 800)])
    assert len(marked) == 799 and all(stop > start for _, start, stop in marked)


def test_bouts_are_missed_short_ones_more_often():
    who = draw_annotator(WORLD, np.random.default_rng(0))
    long = mark([("scratch", 9.0 * i, 9.0 * i + 3.0) for i in range(1, 1000)], who)
    short = mark([("jump", 9.0 * i, 9.0 * i + 0.25) for i in range(1, 1000)], who)
    assert 0.02 < 1 - len(long) / 999 < 0.17 and 0.28 < 1 - len([m for m in short if m[0] == "jump"]) / 999 < 0.60


def test_confusions_stay_in_the_named_pairs():
    who = Annotator(0.0, 0.0, 0.3, 1.0, 1.0)
    names = [m[0] for m in mark([("rearing", 9.0 * i, 9.0 * i + 3.0) for i in range(1, 1000)], who)]
    assert set(names) == {"rearing", "stand_up"} and 0.2 < names.count("stand_up") / len(names) < 0.4


def test_close_bouts_are_merged_and_spans_and_scored_are_kept_to():
    true = [("still", 10.0, 14.0), ("still", 14.1, 20.0), ("walk", 30.0, 60.0), ("jump", 40.0, 40.4)]
    marked = mark(true, spans=[(0.0, 50.0)], scored=("still", "walk"))
    assert [m[0] for m in marked] == ["still", "walk"] and marked[-1][2] == 50.0
