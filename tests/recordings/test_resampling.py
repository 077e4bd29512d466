import numpy as np
import pytest

from rbc.recordings.resampling import (
    BANDS_HZ, band_names, band_powers, gap_around, make_grid, measured, resample, resample_linear,
)  # fmt: skip

GRID = np.arange(500) / 50.0 + 1.0
INNER = slice(20, -20)


def tone(hz: float, time_s: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * hz * time_s)


def samples(rate_hz: float, jitter: float = 0.0) -> np.ndarray:
    count = int(12 * rate_hz)
    return (np.arange(count) + jitter * np.random.default_rng(0).uniform(-1, 1, count)) / rate_hz


@pytest.mark.parametrize("rate_hz", [30.0, 29.97, 25.0, 60.0, 100.0, 104.0, 200.0])
@pytest.mark.parametrize("hz", [1.0, 4.0])
def test_resample_keeps_a_slow_tone(rate_hz, hz):
    time = samples(rate_hz)
    out = resample(time, tone(hz, time)[:, None], GRID, 50.0, 0.2)
    assert np.abs(out[:, 0] - tone(hz, GRID)).max() < 0.03


def test_resample_honours_uneven_stamps():
    time = samples(100.0, jitter=0.3)
    out = resample(time, tone(3.0, time)[:, None], GRID, 50.0, 0.2)
    assert np.abs(out[:, 0] - tone(3.0, GRID)).max() < 0.05


@pytest.mark.parametrize("hz", [32.0, 45.0, 49.0, 62.0])
def test_resample_folds_nothing_down(hz):
    time = samples(200.0)
    out = resample(time, tone(hz, time)[:, None], GRID, 50.0, 0.2)
    assert np.abs(out[INNER]).max() < 0.01  # -40 dB; a bare selection of samples would show it at full height


def test_resample_at_the_same_times_is_the_identity():
    values = np.random.default_rng(1).normal(size=(500, 3))
    assert np.abs(resample(GRID, values, GRID, 50.0, 0.2) - values).max() < 1e-6


def test_resample_bridges_short_gaps_only():
    time = samples(100.0)
    values = tone(0.5, time)[:, None]
    values[400:410] = np.nan  # 0.11 s between the samples beside it
    values[700:740] = np.nan  # 0.41 s
    out = resample(time, values, GRID, 50.0, 0.2)[:, 0]
    short, long = (GRID > 4.005) & (GRID < 4.095), (GRID > 6.995) & (GRID < 7.395)
    assert np.abs(out - tone(0.5, GRID))[short].max() < 0.02
    assert np.isnan(out[long]).all()
    assert np.isfinite(out[~long]).all()


def test_measured_says_which_frames_lie_in_a_gap():
    time = samples(100.0)
    there = np.ones(len(time), bool)
    there[400:410] = False
    inside = (GRID > 3.995) & (GRID < 4.095)
    assert not measured(time, there, GRID)[inside].any()
    assert measured(time, there, GRID)[~inside].all()
    assert not measured(time, there, np.array([-1.0, 99.0])).any()


def test_gap_around_is_0_on_a_sample_and_infinite_outside():
    gaps = gap_around(np.array([0.0, 1.0, 3.0]), np.ones(3, bool), np.array([-0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 3.5]))
    assert gaps.tolist() == [np.inf, 0.0, 1.0, 0.0, 2.0, 0.0, np.inf]


def test_make_grid_lies_on_multiples_of_the_step_and_survives_rounding():
    assert make_grid(0.013, 0.081, 50.0).tolist() == [0.02, 0.04, 0.06, 0.08]
    assert len(make_grid(0.0, (500 - 1) / 50.0, 50.0)) == 500
    assert len(make_grid(1700000000.0, 1700000001.0, 50.0)) == 51


def test_resample_linear_follows_lines_and_stops_at_gaps():
    time = np.arange(100) / 20.0
    values = np.stack([2 * time, np.full(100, np.nan)], axis=1)
    values[40:60, 0] = np.nan
    at = np.arange(0, 4.9, 0.02)
    out = resample_linear(time, values, at, 0.2)
    gap = (at > time[39] + 1e-6) & (at < time[60] - 1e-6)
    assert np.isnan(out[gap, 0]).all() and np.isnan(out[:, 1]).all()
    assert np.allclose(out[~gap, 0], 2 * at[~gap], atol=1e-5)


@pytest.mark.parametrize(("hz", "band"), [(1.25, 0), (3.0, 1), (5.0, 2), (7.5, 3), (11.0, 4), (16.0, 5), (30.0, 6)])
def test_band_powers_puts_a_tone_in_its_band_with_half_its_square(hz, band):
    time = samples(200.0)
    out = band_powers(time, 9.81 + 2 * tone(hz, time), GRID, 0.2)[50:-50]
    assert (out.argmax(1) == band).all()
    assert np.abs(out[:, band] - np.log10(2.0)).max() < 0.2


def test_band_powers_beyond_nyquist_and_in_gaps_are_missing():
    slow = samples(20.0)
    out = band_powers(slow, 9.81 + tone(3.0, slow), GRID, 0.2)
    low = np.array([a for a, _ in BANDS_HZ])
    assert np.isnan(out[:, low >= 9.0]).all() and np.isfinite(out[50:-50, low < 9.0]).all()
    time = samples(100.0)
    size = 9.81 + tone(3.0, time)
    size[500:700] = np.nan
    out = band_powers(time, size, GRID, 0.2)
    assert np.isnan(out[(GRID > 5.6) & (GRID < 6.4)]).all()
    assert np.isfinite(out[(GRID > 2.0) & (GRID < 4.5)]).all()
    assert len(band_names(("acc", "gyro"))) == 2 * band_powers(time, size, GRID, 0.2).shape[1]
