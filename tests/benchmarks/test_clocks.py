import numpy as np
import pandas as pd
import pytest

from benchmarks.clocks import cells, markdown, measure, summarise
from benchmarks.planted import Cell, make_piece, plant

SHORT = {"minutes": 3.5, "lead_s": 20.0}


@pytest.fixture(scope="module")
def pieces():
    return [make_piece(name, "head", 4.5) for name in ("one", "other")]


@pytest.fixture(scope="module")
def rows(pieces):
    planted = [
        Cell("slow", "", 3, fps=20.0, imu_hz=30.0, rate_ppm=50_000.0, **SHORT),
        Cell("late", "", 4, fps=60.0, imu_hz=400.0, rate_ppm=-10_000.0, dropout=0.2, minutes=3.5, lead_s=-20.0),
        Cell("wrong", "", 5, kind="wrong", **SHORT),
    ]
    return pd.DataFrame([measure(cell, pieces, []) for cell in planted])


def test_clocks_of_slow_rates_late_loggers_and_poor_oscillators_are_right(rows):
    moving = rows[rows.kind == "moving"]
    assert moving.accepted.all() and moving.worst_ms.max() < 20 and moving.sure.min() > 0.5
    assert (moving.drift_z.abs() < 4).all()


def test_the_imu_of_another_session_is_refused(rows):
    assert not rows[rows.kind == "wrong"].accepted.any()


def test_the_table_counts_what_was_accepted(rows):
    table = summarise(rows)
    assert table.loc["all moving", ["cells", "accepted"]].tolist() == [2, 2] and table.loc["wrong", "accepted"] == 0
    assert markdown(table).splitlines()[2].startswith("| slow | 1 | 1 | ")


def test_a_planted_lag_has_the_rate_and_the_steps_that_were_asked_for(pieces):
    planted = plant(Cell("", "", 6, rate_ppm=1000.0, stamped=False, drops=2, wander=(), **SHORT), pieces, [])
    jumps = np.diff(planted.lag_s)
    assert (jumps > 0.02).sum() == 2 and abs(planted.line[1] - 1e-3) < 1e-5
    assert abs(np.median(jumps) * 30 - 1e-3) < 1e-6


def test_cells_are_numbered_and_drawn_alike_each_time():
    drawn = cells(1, 5, 2, 1)
    assert [cell.seed for cell in drawn] == list(range(len(drawn))) and drawn == cells(1, 5, 2, 1)
    assert {cell.kind for cell in drawn} == {"moving", "wrong", "asleep"}
