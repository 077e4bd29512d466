import json

import numpy as np
import pytest
import tiny

from benchmarks.accuracy.__main__ import _parsed, asked_for
from benchmarks.accuracy.budgets import budget, order, pieces
from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.comparison import best_peer, by_part, headlines, interval, label_factor, label_factors, verdicts
from benchmarks.accuracy.datasets import DATASETS
from benchmarks.accuracy.folds import draw_folds
from benchmarks.accuracy.learning_curve import learning_page, worth
from benchmarks.accuracy.methods import OPTIONAL, PEERS, RBC, SCREENED
from benchmarks.accuracy.ours import every_other_minute_without
from benchmarks.accuracy.page import COLOURS, comparison_page
from benchmarks.accuracy.records import fresh_rows, keep_rows, minutes_of
from benchmarks.accuracy.tables import modalities_table, results_page
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


def row(method: str, fold: int, f1: float, modalities: str = "both", mode: str | None = None, draw: int = 0,
        fraction: float = 0.1) -> dict:
    ours = method.startswith("rbc")
    return {"dataset": "first_world", "method": method, "label_fraction": fraction, "labelled_minutes": 30 * fraction,
            "fold": fold, "draw": draw, "modalities": modalities, "mode": mode or ("transductive" if ours else "inductive"),
            "macro_f1": f1, "mean_average_precision": f1 / 2, "train_minutes": 2.0, "revision": "abc1234",
            "method_hash": f"hash of {method}", "behaviours": {"walk": f1, "still": None}}


ROWS = [
    *(row("rbc", fold, f1) for fold, f1 in enumerate((0.6, 0.7, 0.8))),
    *(row("rbc", fold, f1, mode="inductive") for fold, f1 in enumerate((0.1, 0.1, 0.1))),
    *(row("rbc", fold, f1, "imu") for fold, f1 in enumerate((0.5, 0.6, 0.7))),
    *(row("rbc without pseudo_label", fold, f1) for fold, f1 in enumerate((0.61, 0.71))),
    *(row("random_forest", fold, f1) for fold, f1 in enumerate((0.5, 0.5, 0.5))),
    *(row("raw_trees", fold, f1) for fold, f1 in enumerate((0.5, 0.6, 0.7))),
    *(row("raw_trees", fold, f1, "imu") for fold, f1 in enumerate((0.4, 0.4, 0.4))),
    *(row("validity_only", fold, f1) for fold, f1 in enumerate((0.9, 0.9, 0.9))),
]  # fmt: skip
HASHES = {("first_world", method): f"hash of {method}" for method in (*PEERS, "rbc", "rbc without pseudo_label")}


def test_folds_hold_every_group_out_once():
    groups = [f"a{i}" for i in range(11)]
    folds = draw_folds(groups)
    assert sorted(group for fold in folds for group in fold.held) == sorted(groups) and len(folds) == 3
    assert all(not {*fold.held} & {*fold.validation} and len(fold.validation) == (11 - len(fold.held)) // 4
               for fold in folds)


def test_the_full_table_and_the_screen_ask_for_these_fits():
    fits = asked_for(_parsed(["--datasets", "mouse"]))
    assert len(fits) == (3 * 3 + 3 + 3) * len({RBC, *PEERS} - {*OPTIONAL}) and not {method for _, method in fits} & {*OPTIONAL}
    assert {cell.draw for cell, _ in fits if cell.fraction != 0.1} == {0}
    screen = asked_for(_parsed(["--screen"]))
    assert screen == [(Cell(name, 0, 0, 0.1), method) for name in DATASETS for method in SCREENED]


def test_the_commands_help_names_its_methods(capsys):
    with pytest.raises(SystemExit, match="0"):
        _parsed(["--help"])
    said = capsys.readouterr().out
    assert "10% of the labels" in said and all(name in said for name in (*PEERS, "--screen", "rbc without mirror"))


def test_a_verdict_takes_nine_cells():
    few = verdicts(headlines(ROWS)).set_index("score").loc["F1"]
    assert few[["peer", "cells", "verdict"]].tolist() == ["raw_trees", 3, "no verdict (3 of 9 cells)"]
    assert few[["difference", "low", "high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])
    more = [r | {"draw": draw, "macro_f1": r["macro_f1"] + 0.01 * draw * (r["method"] == "rbc")}
            for draw in range(3) for r in ROWS]
    ahead = verdicts(headlines(more)).set_index("score").loc["F1"]
    assert ahead[["cells", "verdict"]].tolist() == [9, "ahead"] and ahead["difference"] == pytest.approx(0.11)
    level = verdicts(headlines([r | {"macro_f1": 0.5 + 0.1 * r["draw"] * (r["method"] == "rbc") - 0.1 * (r["method"] == "rbc")}
                                for r in more])).set_index("score").loc["F1"]
    assert level["verdict"] == "no difference shown"


def test_the_best_peer_is_the_one_that_rbc_is_least_ahead_of_among_those_with_most_cells():
    rows = [row("rbc", 0, 0.5), row("rbc", 1, 0.9), row("raw_trees", 0, 0.4), row("raw_trees", 1, 0.8),
            row("random_forest", 0, 0.45), row("random_forest", 1, 0.7), row("gradient_boosting", 1, 0.89),
            row("always_present", 0, 1.0)]
    wide = headlines(rows).pivot_table(index=["fold"], columns="method", values="macro_f1")
    assert best_peer(wide) == "raw_trees" and best_peer(wide[["rbc"]]) is None  # one cell of boosting does not count


def test_the_label_factor_is_read_off_the_logarithm_of_minutes():
    minutes = np.array([0.6, 3.0, 30.0])
    assert label_factor(minutes, np.array([0.2, 0.4, 0.6]), 1, 0.5) == f"{10**0.5:.1f}"
    assert label_factor(minutes, np.array([0.2, 0.4, 0.6]), 1, 0.6) == "10.0"
    assert label_factor(minutes, np.array([0.2, 0.4, 0.6]), 1, 0.61) == "> 10"
    assert label_factor(minutes, np.array([0.2, 0.4, 0.6]), 1, 0.4) == "< 1"
    assert label_factor(minutes[:2], np.array([0.2, 0.4]), 1, 0.5) == "> 1"  # nobody has measured more
    rows = ROWS + [row("raw_trees", fold, 0.8, fraction=1.0) for fold in range(3)]
    assert label_factors(headlines(rows))[["score", "peer", "factor"]].to_numpy().tolist() == [
        ["AP", "raw_trees", "3.2"], ["F1", "raw_trees", "3.2"]]


def test_a_part_is_judged_on_the_cells_that_have_run_without_it():
    found = by_part(headlines(ROWS)).set_index("score").loc["F1"]
    assert found[["method", "cells"]].tolist() == ["rbc without pseudo_label", 2]
    assert found["difference"] == pytest.approx(-0.01)


def test_an_interval_of_one_difference_has_no_bounds():
    assert np.isnan(interval(np.array([0.1]))[1:]).all()
    mean, low, high = interval(np.array([0.0, 0.1, 0.2]))
    assert (mean, high - mean, mean - low) == pytest.approx((0.1, 0.2484, 0.2484), abs=1e-4)


def squeezed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def test_the_page_of_results_has_scores_verdicts_factors_and_modalities():
    text = squeezed(results_page(json.loads(json.dumps(ROWS)), stale=4))
    assert "Revision abc1234. 4 stale rows are left out" in text
    assert "| data | labels | minutes | cells | rbc | validity_only |" in text
    assert "| first_world | 10% | 3.0–3.0 | 3 | 0.350 / 0.700 | 0.450 / 0.900 |" in text
    assert "| first_world | F1 | raw_trees | 3 | +0.100 | – | no verdict (3 of 9 cells) |" in text
    assert "| first_world | > 1 (raw_trees) | > 1 (raw_trees) |" in text
    assert "| data | cells | rbc, imu | rbc, both | raw_trees, imu | raw_trees, both |" in text
    assert "| first_world | 3 | 0.300 / 0.600 | 0.350 / 0.700 | 0.200 / 0.400 | 0.300 / 0.600 |" in text
    assert results_page([], stale=2) == "No rows. 2 stale rows are left out (made by other code, settings or recordings).\n"
    assert "random_forest, both" in modalities_table(ROWS, SCREENED)


def test_a_row_of_other_code_settings_or_recordings_is_stale():
    other = [ROWS[0] | {"method_hash": "of yesterday"}, ROWS[1] | {"dataset": "gone"}]
    old = {name: value for name, value in ROWS[2].items() if name != "method_hash"}
    assert fresh_rows([*ROWS, *other, old], HASHES) == ROWS


def test_how_long_fits_take_is_known_from_rows_of_the_method():
    estimate = minutes_of([*ROWS, row("rbc", 5, 0.1) | {"dataset": "home", "train_minutes": 4.0}])
    cell = Cell("home", 0, 0, 0.1)
    assert (estimate((cell, "rbc")), estimate((cell, "raw_trees")), estimate((cell, "gradient_boosting"))) == (4.0, 2.0, 1.5)


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
    page = comparison_page(ROWS)
    assert all(name in page for name in ("first_world", "random_forest", "raw_trees", "labelled minutes"))
    more = [r | {"label_fraction": 1.0, "labelled_minutes": 30.0} for r in ROWS]
    assert all(name in learning_page(ROWS + more, "first_world") for name in ("walk", "still", "labelled minutes"))
    assert {RBC, *PEERS} <= {*COLOURS}


def test_two_benchmarks_side_by_side_keep_each_others_rows(tmp_path):
    path = tmp_path / "accuracy.json"
    for method, f1 in (("rbc", 0.1), ("gradient_boosting", 0.2), ("rbc", 0.3)):  # each as if by a process of its own
        kept = keep_rows(path, [row(method, 0, f1)])
    assert [(r["method"], r["macro_f1"]) for r in kept] == [("gradient_boosting", 0.2), ("rbc", 0.3)]
    assert json.loads(path.read_text())["rows"] == kept
