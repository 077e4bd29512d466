import numpy as np
import pytest

from rbc.scoring.reliability import SHIFTS, WHOLE, calibration_error, calibration_rows, reliability, shifted

RNG = np.random.default_rng(0)
HONEST = RNG.random(20_000)
LABELS = (RNG.random(20_000) < HONEST).astype(np.int8)


def test_reliability_has_equal_mass_and_honest_means():
    rows = reliability(LABELS, HONEST, bins=8)
    assert set(rows[:, 2]) == {2500}
    np.testing.assert_allclose(rows[:, 0], rows[:, 1], atol=0.03)
    assert calibration_error(rows) < 0.01
    assert calibration_error(reliability(LABELS, np.sqrt(HONEST))) == pytest.approx(1 / 6, abs=0.01)


def test_bins_may_hold_equally_much_of_what_is_expected():
    rows = reliability(LABELS, HONEST, mass=HONEST)
    expected = rows[:, 0] * rows[:, 2]
    np.testing.assert_allclose(expected, expected.mean(), rtol=0.01)
    assert rows[0, 2] > 3 * rows[-1, 2]


def test_frames_that_nobody_scored_and_frames_without_weight_do_not_count():
    half = np.arange(20_000) % 2 == 0
    masked = np.where(half, LABELS, -1).astype(np.int8)
    np.testing.assert_allclose(reliability(masked, HONEST), reliability(LABELS[half], HONEST[half]))
    np.testing.assert_allclose(reliability(LABELS, HONEST, weight=half.astype(float))[:, :2],
                               reliability(LABELS[half], HONEST[half])[:, :2], atol=1e-3)
    assert np.isnan(calibration_error(reliability(np.full(9, -1), np.full(9, 0.5))))


@pytest.mark.parametrize("share, times, wanted", [(0.2, 0.5, 0.1), (0.2, 2.0, 0.4), (0.8, 2.0, 0.9), (0.0, 2.0, 0.0)])
def test_a_behaviour_becomes_as_common_as_asked_for(share, times, wanted):
    labels = np.r_[np.ones(round(100 * share)), np.zeros(100 - round(100 * share)), np.full(30, -1)].astype(np.int8)
    weight = shifted(labels, times)
    assert np.average(labels[:100] == 1, weights=weight[:100]) == pytest.approx(wanted)
    assert weight[:100].sum() == pytest.approx(100)


def test_rows_show_what_calibration_and_a_shift_of_prevalence_do():
    told = {name: (np.stack([LABELS, np.zeros_like(LABELS)], 1), np.stack([HONEST**2, HONEST], 1),
                   np.stack([HONEST, HONEST / 9], 1)) for name in (WHOLE, "imu")}
    rows, bins = calibration_rows(told, ("walk", "jump"))
    assert [(row["behaviour"], row["condition"]) for row in rows] == [
        (b, c) for b in ("walk", "jump") for c in (WHOLE, "imu", *SHIFTS)]
    walk, imu, halved, doubled, jump = rows[:5]
    assert walk["brier_after"] == pytest.approx(1 / 6, abs=0.01)
    assert walk["brier_constant"] == pytest.approx(0.25, abs=0.001)
    assert walk["error_after"] < 0.01 < 0.1 < walk["error_before"] and walk == imu | {"condition": WHOLE}
    assert halved["prevalence"] == pytest.approx(walk["prevalence"] / 2)
    assert halved["mean_after"] > halved["prevalence"] + 0.05
    assert doubled["prevalence"] > 0.7 and doubled["error_after"] > 0.03
    assert jump["prevalence"] == 0 and jump["brier_after"] == pytest.approx(1 / 243, abs=1e-3)
    assert {row["calibration"] for row in bins} == {"before", "after"} and len(bins) == 2 * 4 * 2 * 10
