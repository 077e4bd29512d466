from dataclasses import replace

import numpy as np
import pytest

from rbc.recordings.clock import Clock, refused
from rbc.recordings.errors import RecordingError
from rbc.recordings.pairs import Pairs
from rbc.recordings.syncline import TOLERANCE_S, fit_line, sync_clock

FPS, LENGTH_S = 30.0, 1200.0
FRAME_S = np.arange(int(LENGTH_S * FPS)) / FPS
ASLEEP = refused("turning agrees nowhere clearly")
NAN = float("nan")


def pairs(*camera_s, offset_s=7.5, drift_ppm=0.0, off_s=(), stated_ppm=NAN) -> Pairs:
    camera_s = np.array(camera_s)
    imu_s = camera_s + offset_s + 1e-6 * drift_ppm * camera_s
    imu_s[: len(off_s)] += off_s
    return Pairs(camera_s, imu_s, tuple(f"pair {t:g}" for t in camera_s), stated_ppm)


def by_signals(offset_s=7.5, drift_ppm=0.0, steps=(), unsure=()) -> Clock:
    """A clock that the signals might show, steps included."""
    lag = offset_s + 1e-6 * drift_ppm * FRAME_S + sum(size * (FRAME_S >= at) for at, size in steps)
    return replace(
        ASLEEP, offset_s=offset_s, drift_ppm=drift_ppm, offset_se_s=0.002, drift_se_ppm=3.0, knots_camera_s=FRAME_S,
        knots_lag_s=lag + 0 * FRAME_S, knots_se_s=0.002 + 0 * FRAME_S, accepted=True, reason="", correlation=0.9,
        steps=steps, unsure=unsure,
    )  # fmt: skip


def clock_of(given, signals=ASLEEP):
    return sync_clock(given, FRAME_S, 0.01, signals)


def test_two_pairs_are_a_line():
    given = pairs(10.0, 1100.0, drift_ppm=43.0)
    clock = clock_of(given)
    assert clock.accepted and abs(clock.offset_s - 7.5) < 1e-9 and abs(clock.drift_ppm - 43.0) < 1e-6
    grain = np.hypot(1 / 30, 0.01) / np.sqrt(12)
    assert abs(clock.drift_se_ppm - 1e6 * grain * np.sqrt(2) / 1090) < 1e-6
    assert abs(clock.offset_se_s - np.hypot(grain / np.sqrt(2), clock.drift_se_ppm * 1e-6 * 555)) < 1e-9
    np.testing.assert_allclose(clock.camera_to_imu(FRAME_S), FRAME_S * (1 + 43e-6) + 7.5, atol=1e-9)
    assert clock.sure(FRAME_S).all() and clock.steps == () and clock.unsure == ()
    assert clock.reason == "clock of 2 pairs; the signals cannot decide (turning agrees nowhere clearly)"


def test_many_jittered_pairs_give_least_squares_and_its_errors():
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(400):
        camera_s = np.sort(rng.uniform(0, LENGTH_S, 12))
        lags = 7.5 - 60e-6 * camera_s + rng.normal(0, 0.012, 12)
        line = fit_line(camera_s, lags, NAN, 0.005, TOLERANCE_S, FRAME_S[[0, -1]])
        pulls.append([(line.lag(0.0) - 7.5) / line.se(0.0), (line.drift + 60e-6) / line.drift_se])
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.2), np.std(pulls, axis=0)


def test_one_pair_has_no_drift_and_is_believed_as_far_as_a_quartz_goes():
    clock = clock_of(pairs(600.0))
    assert clock.drift_ppm == 0 and clock.drift_se_ppm == 60 and abs(clock.offset_s - 7.5) < 1e-9
    assert "drift unknown to ± 60 ppm, kept at 0" in clock.reason
    grain = np.hypot(1 / 30, 0.01) / np.sqrt(12)
    far = np.sqrt((TOLERANCE_S / 2.5) ** 2 - grain**2) / 60e-6
    sure = FRAME_S[clock.sure(FRAME_S)]
    assert abs(sure[0] - (600 - far)) < 0.05 and abs(sure[-1] - (600 + far)) < 0.05


def test_a_stated_drift_is_taken():
    clock = clock_of(pairs(0.0, offset_s=-3.0, stated_ppm=80.0))
    np.testing.assert_allclose(clock.camera_to_imu(FRAME_S), FRAME_S * (1 + 80e-6) - 3.0, atol=1e-9)
    assert (clock.drift_ppm, clock.drift_se_ppm) == (80.0, 0.0) and clock.sure(FRAME_S).all()
    several = clock_of(pairs(100.0, 700.0, 1100.0, drift_ppm=70.0, stated_ppm=80.0))
    assert several.drift_ppm == 80.0
    with pytest.raises(RecordingError, match="pair 1100 lies 209 ms off the line of 2 of 3 pairs"):
        clock_of(pairs(100.0, 200.0, 1100.0, drift_ppm=300.0, stated_ppm=80.0))


def test_taps_in_a_row_tell_no_drift():
    clock = clock_of(pairs(5.0, 6.0, 7.0, off_s=(0.02, 0.0, -0.01)))
    assert clock.drift_ppm == 0 and "kept at 0" in clock.reason and abs(clock.offset_s - 7.5 - 0.01 / 3) < 1e-9


def test_a_short_recording_takes_the_line_of_pairs_at_its_ends():
    clock = sync_clock(pairs(5.0, 55.0, drift_ppm=100.0), FRAME_S[: int(60 * FPS)], 0.01, ASLEEP)
    assert abs(clock.drift_ppm - 100) < 1e-6 and clock.sure(FRAME_S[: int(60 * FPS)]).all()


@pytest.mark.parametrize("wrong, off_s", [(0, -0.5), (1, 0.1), (3, 3600.0)])
def test_a_pair_off_the_line_is_named(wrong, off_s):
    given = pairs(30.0, 400.0, 800.0, 1150.0, drift_ppm=40.0)
    given.imu_s[wrong] += off_s
    with pytest.raises(RecordingError) as error:
        clock_of(given)
    (problem,) = error.value.problems
    assert problem.startswith(f"{given.places[wrong]} lies {1000 * off_s:.0f} ms off the line of 3 of 4 pairs; needs")


def test_a_drift_that_no_clock_has():
    with pytest.raises(RecordingError, match=r"^sync: 2 pairs drift by 55046 ± 13 ppm; clocks differ by 51000 at most"):
        clock_of(pairs(10.0, 1100.0, off_s=(-60.0,)))
    with pytest.raises(RecordingError, match="20 pairs drift by -52500 ± 6 ppm"):
        clock_of(pairs(*np.linspace(0, LENGTH_S - 1, 20), drift_ppm=-52_500.0))
    with pytest.raises(RecordingError, match="pair 1100 lies 3600000 ms off the line of 1 of 2 pairs"):
        clock_of(pairs(10.0, 1100.0, off_s=(0.0, 3600.0)))


@pytest.mark.parametrize("drift_ppm", [1001.0, 10_000.0, -50_000.0])
def test_a_counter_of_samples_may_be_as_wrong_as_for_the_signals(drift_ppm):
    truth = FRAME_S * (1 + 1e-6 * drift_ppm) + 7.5
    drawn = clock_of(pairs(10.0, 600.0, 1100.0, drift_ppm=drift_ppm), by_signals(7.51, drift_ppm))
    assert f"the clocks differ by {drift_ppm / 1e4:.2f} %; the signals agree within 10 ms" in drawn.reason
    stated = clock_of(pairs(0.0, stated_ppm=drift_ppm))
    for clock in (drawn, stated):
        np.testing.assert_allclose(clock.camera_to_imu(FRAME_S), truth, atol=1e-9)
        assert abs(clock.drift_ppm - drift_ppm) < 1e-6 and clock.sure(FRAME_S).all()


def test_a_single_pair_takes_the_drift_of_signals_that_show_no_quartz():
    clock = clock_of(pairs(600.0, drift_ppm=10_000.0), by_signals(7.51, 10_000.0))
    assert (round(clock.drift_ppm), clock.drift_se_ppm) == (10_000, 3.0) and clock.sure(FRAME_S).all()
    assert "drift of the signals; the clocks differ by 1.00 %; the signals agree within 10 ms" in clock.reason
    with pytest.raises(RecordingError, match="90 ms apart at"):
        clock_of(pairs(600.0, drift_ppm=10_000.0), by_signals(7.59, 10_000.0))


def test_jitter_of_pairs_in_a_short_recording_is_no_drift():
    clock = sync_clock(pairs(1.0, 3.5, 7.0, off_s=(0.02, 0.01, 0.0)), FRAME_S[:240], 0.02, ASLEEP)
    assert clock.drift_ppm == 0 and clock.sure(FRAME_S[:240]).all()


def test_a_frame_is_as_near_as_a_slow_camera_sees():
    slow = FRAME_S[::6]  # 5 Hz
    sync_clock(pairs(10.0, 600.0, 1100.0, off_s=(0.0, 0.15)), slow, 0.01, ASLEEP)
    with pytest.raises(RecordingError, match="needs 200 ms at most"):
        sync_clock(pairs(10.0, 600.0, 1100.0, off_s=(0.0, 0.45)), slow, 0.01, ASLEEP)


def test_signals_that_agree_are_named():
    clock = clock_of(pairs(10.0, 1100.0, drift_ppm=20.0), by_signals(7.51, 15.0))
    assert clock.reason == "clock of 2 pairs; the signals agree within 10 ms"
    assert abs(clock.offset_s - 7.5) < 1e-9 and clock.correlation == 0.9


def test_signals_that_contradict_are_an_error_with_both_clocks():
    with pytest.raises(RecordingError) as error:
        clock_of(pairs(10.0, 1100.0), by_signals(7.4, 20.0))
    (problem,) = error.value.problems
    assert problem == (
        "sync: 2 pairs: offset 7500 ± 10 ms, drift 0 ± 13 ppm; by the signals 7400 ± 2 ms, 20 ± 3 ppm (turning "
        "correlates 0.90): 100 ms apart at 0.0 s; needs 40 ms at most: a wrong moment, or frames dropped without "
        "stamps?"
    )


def test_only_where_both_are_sure_are_they_compared():
    unsure = ((-1.0, 1e4),)
    clock = clock_of(pairs(10.0, 1100.0), by_signals(8.0, unsure=unsure))
    assert "the signals are sure where it is not: nothing to compare" in clock.reason and clock.sure(FRAME_S).all()


def test_signals_that_agree_carry_a_single_pair_further():
    clock = clock_of(pairs(600.0), by_signals(drift_ppm=30.0, offset_s=7.5 - 30e-6 * 600))
    assert clock.drift_ppm == 0 and clock.sure(FRAME_S).all()
    apart = clock_of(pairs(600.0), by_signals(drift_ppm=150.0, offset_s=7.5 - 150e-6 * 600))
    assert not apart.sure(np.array([0.0, 1190.0])).any() and apart.sure(np.array([600.0]))[0]


def test_steps_of_the_signals_stand_between_pairs():
    steps = ((500.0, 4 / 30),)
    given = pairs(10.0, 400.0, 600.0, 1100.0, drift_ppm=25.0)
    given.imu_s[2:] += 4 / 30
    signals = by_signals(7.5, 25.0, steps, unsure=((497.0, 503.0),))
    clock = clock_of(given, signals)
    truth = FRAME_S + 7.5 + 25e-6 * FRAME_S + 4 / 30 * (FRAME_S >= 500.0)
    np.testing.assert_allclose(clock.camera_to_imu(FRAME_S), truth, atol=1e-6)
    assert clock.steps == steps and not clock.sure(np.array([500.0]))[0] and clock.sure(np.array([490.0, 510.0])).all()
    with pytest.raises(RecordingError, match="dropped without stamps"):
        clock_of(given)
