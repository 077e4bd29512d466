import json

import numpy as np
import pytest
import tiny
from benchmarks.accuracy import __main__ as accuracy
from benchmarks.accuracy.budgets import budget, order, pieces
from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.comparison import by_part, fusion, headlines, interval, paired, table
from benchmarks.accuracy.learning_curve import learning_page, worth
from benchmarks.accuracy.ours import every_other_minute_without, half_gone
from benchmarks.accuracy.page import comparison_page
from rbc.scoring.bouts import find_bouts

LEAST = 20


@pytest.fixture
def labels() -> dict[str, np.ndarray]:
    """Two sessions, one of them scored in its middle only: a behaviour follows another, a third overlaps, a rare one."""
    rng = np.random.default_rng(0)
    found = {}
    for name, span in {"F1D1": (0, 3000), "M1D1": (500, 2000)}.items():
        doing = np.repeat(rng.integers(0, 3, 600), rng.integers(10, 60, 600))[:3000]
        track = np.stack([doing == 0, doing == 1, np.roll(doing == 0, 15), np.zeros(3000, bool)], 1).astype(np.int8)
        track[700:710, 3] = 1
        track[: span[0]] = track[span[1] :] = -1
        found[name] = track
    return found


def test_pieces_cover_every_scored_frame_once_and_cut_no_bout(labels):
    for track in labels.values():
        found = pieces(track, LEAST)
        frames = np.concatenate([np.arange(a, b) for a, b in found])
        assert frames.tolist() == np.flatnonzero((track >= 0).any(1)).tolist()
        assert min(b - a for a, b in found) >= LEAST
        starts = {a for a, _ in found}
        inside = [t for c in track.T for a, b in find_bouts(c == 1) for t in range(a + 1, b)]
        assert not starts & set(inside)


def test_budgets_are_nested_and_of_the_size_asked_for(labels):
    total = sum((y >= 0).any(1).sum() for y in labels.values())
    longest = max(b - a for _, a, b in order(labels, LEAST, draw=0))
    last = {name: np.zeros(len(y), bool) for name, y in labels.items()}
    for fraction in (0.02, 0.1, 0.5, 1.0):
        kept = budget(labels, fraction, LEAST, draw=0)
        seen = {name: (y >= 0).any(1) for name, y in kept.items()}
        assert 0 <= sum(map(np.sum, seen.values())) - fraction * total < longest
        for name, y in kept.items():
            assert seen[name][last[name]].all()
            assert (y[seen[name]] == labels[name][seen[name]]).all()
        last = seen
    assert all((kept[name] == labels[name]).all() for name in labels)


def test_what_is_rare_comes_first_and_draws_differ(labels):
    name, start, stop = order(labels, LEAST, draw=3)[0]
    assert (labels[name][start:stop, 3] == 1).any()
    assert order(labels, LEAST, draw=3) == order(labels, LEAST, draw=3) != order(labels, LEAST, draw=4)


def row(method: str, fold: int, macro_f1: float, modalities: str = "both", mode: str | None = None) -> dict:
    ours = method.startswith("rbc")
    return {"dataset": "first_world", "method": method, "label_fraction": 0.1, "labelled_minutes": 3.0, "fold": fold,
            "draw": 0, "modalities": modalities, "mode": mode or ("transductive" if ours else "inductive"),
            "macro_f1": macro_f1}


ROWS = [
    *(row("rbc", fold, f1) for fold, f1 in enumerate((0.6, 0.7, 0.8))),
    *(row("rbc", fold, f1, mode="inductive") for fold, f1 in enumerate((0.1, 0.1, 0.1))),
    *(row("rbc", fold, f1, "imu") for fold, f1 in enumerate((0.5, 0.6, 0.7))),
    *(row("rbc", fold, f1, "pose") for fold, f1 in enumerate((0.2, 0.2, 0.9))),
    *(row("rbc without pseudo_label", fold, f1) for fold, f1 in enumerate((0.61, 0.71))),
    *(row("random_forest", fold, f1) for fold, f1 in enumerate((0.5, 0.5, 0.5))),
    *(row("tcn", fold, f1) for fold, f1 in enumerate((0.5, 0.6, 0.7))),
    *(row("validity_only", fold, f1) for fold, f1 in enumerate((0.9, 0.9, 0.9))),
]  # fmt: skip


def test_rbc_is_held_against_the_peer_that_is_best_on_average():
    found = paired(headlines(ROWS)).iloc[0]
    assert (found["peer"], found["cells"]) == ("tcn", 3)
    assert found[["difference", "low", "high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])


def test_a_part_is_judged_on_the_cells_that_have_run_without_it():
    found = by_part(headlines(ROWS)).iloc[0]
    assert (found["method"], found["cells"], found["difference"]) == ("rbc without pseudo_label", 2, pytest.approx(-0.01))


def test_fusion_is_held_against_the_better_modality_and_what_is_left_of_it_against_the_other():
    found = fusion([*ROWS, *(row("rbc", fold, 0.3, half_gone("imu")) for fold in range(3))])
    assert found[["modalities", "alone"]].to_numpy().tolist() == [["both", "imu"], ["both, imu half the time", "pose"]]
    assert found["difference"].tolist() == pytest.approx([0.1, 0.3 - 1.3 / 3])


def test_an_interval_of_one_difference_has_no_bounds():
    assert np.isnan(interval(np.array([0.1]))[1:]).all()
    mean, low, high = interval(np.array([0.0, 0.1, 0.2]))
    assert (mean, high - mean, mean - low) == pytest.approx((0.1, 0.2484, 0.2484), abs=1e-4)


def test_the_table_names_data_budget_and_methods():
    text = table(json.loads(json.dumps(ROWS)))
    assert "| first_world | 10% | 3.0–3.0 | 3 | 0.700 |" in text
    assert "| first_world | 10% | tcn | 3 | +0.100 | +0.100 to +0.100 |" in text


def test_a_modality_is_gone_every_other_minute_and_the_rest_is_as_it_was():
    session = tiny.session(frames=7000, gaps=False)
    broken = every_other_minute_without(session, "imu")
    broken.validate()
    gone = np.isnan(broken.imu).all(1)
    assert (gone == (np.arange(7000) // 3000 % 2 == 1)).all()
    assert (broken.valid[:, 0] == ~gone).all() and broken.valid[:, 1].all()
    assert (broken.imu[~gone] == session.imu[~gone]).all() and (broken.pose == session.pose).all()


def test_ten_minutes_more_are_worth_what_the_slope_says():
    minutes, groups = np.tile([2.0, 5.0, 10.0, 20.0], 3), np.repeat(["a", "b", "c"], 4)
    value, low, high = worth(minutes, 0.2 + 0.1 * np.log(minutes), groups)
    assert (value, low, high) == pytest.approx((0.1 * np.log(1.5),) * 3)
    assert np.isnan(worth(np.full(3, 5.0), np.ones(3), np.array(["a", "b", "c"]))).all()


def test_pages_hold_every_method_and_behaviour():
    rows = [r | {"behaviours": {"walk": 0.5, "still": None}} for r in ROWS]
    page = comparison_page(rows)
    assert all(name in page for name in ("first_world", "random_forest", "tcn", "labelled minutes"))
    more = [r | {"label_fraction": 1.0, "labelled_minutes": 30.0} for r in rows]
    assert all(name in learning_page(rows + more, "first_world") for name in ("walk", "still", "labelled minutes"))


def test_two_benchmarks_side_by_side_keep_each_others_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path / "accuracy.json")
    monkeypatch.setattr(accuracy, "LOCK", tmp_path / "scratch/lock")
    cell = Cell("first_world", 0, 0, 0.1)
    for method, f1 in (("rbc", 0.1), ("tcn", 0.2), ("rbc", 0.3)):  # each as if by a process of its own
        kept = accuracy._keep((cell, method), [row(method, 0, f1)])
    assert [(r["method"], r["macro_f1"]) for r in kept] == [("rbc", 0.3), ("tcn", 0.2)]
    assert json.loads((tmp_path / "accuracy.json").read_text())["rows"] == kept
