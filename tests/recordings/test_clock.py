import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from rbc.recordings import lags
from rbc.recordings.clock import estimate_clock, same_clock
from rbc.recordings.correlogram import search
from rbc.recordings.steps import follow
from rbc.recordings.turning import Turning, turning

FINE_HZ = 200.0
FPS, IMU_HZ = 30.0, 100.0


def turning_rate(length_s: float, seed: int) -> np.ndarray:
    """An animal that turns now and then: band-limited noise, gated, rad/s at FINE_HZ."""
    rng = np.random.default_rng(seed)
    count = int(length_s * FINE_HZ)
    rate = sosfiltfilt(butter(2, (0.2, 3.0), "bandpass", fs=FINE_HZ, output="sos"), rng.normal(size=count))
    gate = sosfiltfilt(butter(2, 0.05, fs=FINE_HZ, output="sos"), rng.normal(size=count))
    return 2.0 * rate / rate.std() * (gate > -0.3 * gate.std())


def recordings(
    length_s=240.0, lead_s=20.0, offset_s=123.4, drift_ppm=40.0, noise_rad=0.05, dropped=(), seed=0, gap=None, share=1.0
):
    """(pair, truth): both sides of one animal, the camera's clock a count of frames; frames in `dropped` are gone."""
    rng = np.random.default_rng(100 + seed)
    rate = turning_rate(length_s + 2 * lead_s, seed)
    true_s = np.arange(len(rate)) / FINE_HZ - lead_s  # 0 = first frame
    angle = np.cumsum(rate) / FINE_HZ
    kept = np.ones(int(length_s * FPS), bool)
    for first, count in dropped:
        kept[first : first + count] = False
    shown_s = np.flatnonzero(kept) / FPS
    camera_s = np.arange(kept.sum()) / FPS
    seen = np.interp(shown_s, true_s, angle) + noise_rad * rng.normal(size=len(shown_s))
    seen[rng.random(len(seen)) > share] = np.nan
    imu_true = true_s[0] + np.arange(int((true_s[-1] - true_s[0]) * IMU_HZ)) / IMU_HZ
    imu_s = offset_s + imu_true * (1 + drift_ppm * 1e-6)
    felt = np.interp(imu_true, true_s, rate) + 0.02 * rng.normal(size=len(imu_true)) + 0.03
    if gap:
        away = (imu_true > gap[0]) & (imu_true < gap[1])
        imu_s, felt = imu_s[~away], felt[~away]
    pair = turning(camera_s, (seen + np.pi) % (2 * np.pi) - np.pi, imu_s, felt, 0.1)
    truth = offset_s + np.interp(camera_s, camera_s, shown_s) * (1 + drift_ppm * 1e-6)
    return pair, truth


def errors_ms(clock, pair, truth):
    sure = clock.sure(pair.frame_s)
    return 1000 * np.abs(clock.camera_to_imu(pair.frame_s) - truth)[sure], sure.mean()


@pytest.mark.parametrize("drift_ppm", [-90.0, 0.0, 70.0])
@pytest.mark.parametrize("stamped", [True, False])
def test_clock_is_right_within_its_own_errors(drift_ppm, stamped):
    pair, truth = recordings(drift_ppm=drift_ppm, noise_rad=0.02)
    clock = estimate_clock(pair, stamped=stamped, min_correlation=0.3)
    wrong, sure = errors_ms(clock, pair, truth)
    assert clock.accepted and clock.steps == () and sure > 0.9
    assert wrong.max() < 5
    assert abs(clock.offset_s - 123.4) < 4 * clock.offset_se_s < 0.04
    assert abs(clock.drift_ppm - drift_ppm) < 3 * clock.drift_se_ppm < 90
    assert clock.correlation > 0.9 and clock.correlation_before < 0.5


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.floats(-4000, 4000), st.floats(3, 60), st.integers(0, 1000))
def test_clock_finds_any_offset(offset_s, lead_s, seed):
    pair, truth = recordings(length_s=120, offset_s=offset_s, lead_s=lead_s, seed=seed)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert clock.accepted
    assert errors_ms(clock, pair, truth)[0].max() < 20


@pytest.mark.parametrize("drift_ppm", [-50_000.0, -10_000.0, 1000.0, 30_000.0])
def test_clock_finds_the_rate_of_a_poor_oscillator_and_says_so(drift_ppm):
    pair, truth = recordings(drift_ppm=drift_ppm, noise_rad=0.02)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert clock.accepted and f"the clocks differ by {drift_ppm / 1e4:.1f}" in clock.reason
    assert abs(clock.drift_ppm - drift_ppm) < 4 * clock.drift_se_ppm < 120
    wrong, sure = errors_ms(clock, pair, truth)
    assert wrong.max() < 10 and sure > 0.9


def test_clock_finds_a_video_after_an_hour_of_the_logger():
    pair, truth = recordings(lead_s=3600.0)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert clock.accepted and errors_ms(clock, pair, truth)[0].max() < 10


def test_a_poor_oscillator_and_few_frames_without_stamps_are_refused():
    pair, _ = recordings(drift_ppm=10_000.0)
    clock = estimate_clock(pair, stamped=False, min_correlation=0.3)
    assert not clock.accepted and "do not tell that well enough; needed 480 s" in clock.reason


def test_a_step_that_no_stamp_explains_is_said_and_doubted():
    pair, truth = recordings(length_s=400.0, dropped=((6000, 4),), drift_ppm=30.0)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert "steps that no stamp explains: +13" in clock.reason and not clock.sure(np.array([200.0])).any()
    assert errors_ms(clock, pair, truth)[0].max() < 20


def test_clock_finds_an_overlap_of_which_either_side_lacks_a_part():
    pair, truth = recordings(length_s=300.0)
    late = pair.imu_s > pair.imu_s[0] + 150
    cut = Turning(pair.frame_s, pair.angle, pair.imu_s[late], pair.turned[late])
    clock = estimate_clock(cut, stamped=True, min_correlation=0.3)
    inside = truth > cut.imu_s[0]
    assert clock.accepted
    assert 1000 * np.abs(clock.camera_to_imu(pair.frame_s) - truth)[inside].max() < 20
    assert clock.sure(pair.frame_s)[inside].mean() > 0.9 and not clock.sure(pair.frame_s)[~inside][:-15].any()


def test_clock_finds_dropped_frames_without_stamps_and_doubts_where_they_were():
    pair, truth = recordings(length_s=400.0, dropped=((4000, 4), (9000, 3)), drift_ppm=30.0)
    clock = estimate_clock(pair, stamped=False, min_correlation=0.3)
    wrong, sure = errors_ms(clock, pair, truth)
    assert [round(size * FPS) for _, size in clock.steps] == [4, 3]
    assert wrong.max() < 20 and sure > 0.8


@pytest.mark.parametrize("stamped", [True, False])
def test_clock_of_hours_on_which_drift_adds_up_is_sure_throughout(stamped, monkeypatch):
    monkeypatch.setitem(globals(), "FPS", 10.0)
    monkeypatch.setitem(globals(), "IMU_HZ", 30.0)
    pair, truth = recordings(length_s=7200.0, drift_ppm=100.0, noise_rad=0.02)
    wrong, sure = errors_ms(estimate_clock(pair, stamped=stamped, min_correlation=0.3), pair, truth)
    assert wrong.max() < 5 and sure > 0.99


def test_clock_found_in_parts_is_that_of_the_whole(monkeypatch):
    pair, truth = recordings(length_s=300.0, dropped=((4500, 6),), noise_rad=0.02)
    whole = estimate_clock(pair, stamped=True, min_correlation=0.3)
    monkeypatch.setattr(lags, "CHUNK", 5000)
    parts = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert np.allclose(parts.knots_lag_s, whole.knots_lag_s, atol=5e-4)
    assert np.allclose(parts.knots_se_s, whole.knots_se_s, rtol=0.1)
    assert np.allclose(parts.steps, whole.steps, atol=1.0) and len(whole.steps) == 1
    wrong, sure = errors_ms(parts, pair, truth)
    assert wrong.max() < 20 and abs(sure - errors_ms(whole, pair, truth)[1]) < 0.05


def test_a_longer_recording_takes_little_more_memory(monkeypatch):
    monkeypatch.setattr(lags, "CHUNK", 1024)
    peaks = []
    for length_s in (120.0, 240.0):
        pair, _ = recordings(length_s=length_s, noise_rad=0.02)
        found = search(pair, 3e-4)
        tracemalloc.start()
        follow(pair, found, stamped=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (120 * FPS) < 180  # bytes a frame


def test_clock_is_sure_outside_all_its_doubtful_stretches():
    clock = replace(same_clock(), unsure=((1.0, 5.0), (2.0, 3.0), (7.0, 8.0)))
    assert clock.sure(np.arange(10.0)).tolist() == [True] + 5 * [False] + [True, False, False, True]
    assert not replace(clock, accepted=False).sure(np.arange(10.0)).any()


def test_clock_of_a_short_recording_keeps_no_drift_and_says_so():
    pair, truth = recordings(length_s=80.0, drift_ppm=80.0, noise_rad=0.1)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert clock.drift_ppm == 0.0 and clock.drift_se_ppm > 30 and "kept at 0" in clock.reason
    assert errors_ms(clock, pair, truth)[0].max() < 20


def test_clock_takes_lost_samples_and_hidden_frames():
    pair, truth = recordings(gap=(100.0, 112.0), share=0.85)
    clock = estimate_clock(pair, stamped=True, min_correlation=0.3)
    assert clock.accepted and errors_ms(clock, pair, truth)[0].max() < 10


def test_clock_of_a_wrong_pair_is_refused():
    pair, other = recordings(seed=1)[0], recordings(seed=2)[0]
    mixed = Turning(pair.frame_s, pair.angle, other.imu_s, other.turned)
    clock = estimate_clock(mixed, stamped=True, min_correlation=0.3)
    assert not clock.accepted and "agrees nowhere" in clock.reason
    assert not clock.sure(pair.frame_s).any()


def test_clock_of_a_sleeping_animal_is_refused():
    pair, _ = recordings()
    rng = np.random.default_rng(5)
    seen, felt = 0.05 * rng.normal(size=len(pair.frame_s)), np.cumsum(1e-4 * rng.normal(size=len(pair.imu_s)))
    asleep = Turning(pair.frame_s, seen, pair.imu_s, felt)
    assert not estimate_clock(asleep, stamped=True, min_correlation=0.3).accepted


def test_clock_of_a_mirrored_video_is_refused_by_name():
    pair, _ = recordings()
    mirrored = Turning(pair.frame_s, -pair.angle, pair.imu_s, pair.turned)
    clock = estimate_clock(mirrored, stamped=True, min_correlation=0.3)
    assert not clock.accepted and "mirrored" in clock.reason


@pytest.mark.parametrize("frames", [0, 2, 100])
def test_clock_of_next_to_nothing_is_refused(frames):
    pair, _ = recordings()
    cut = Turning(pair.frame_s[:frames], pair.angle[:frames], pair.imu_s, pair.turned)
    clock = estimate_clock(cut, stamped=True, min_correlation=0.3)
    assert not clock.accepted and "too short" in clock.reason


def test_clock_of_an_axis_never_seen_is_refused():
    pair, _ = recordings()
    blind = Turning(pair.frame_s, np.full(len(pair.frame_s), np.nan), pair.imu_s, pair.turned)
    clock = estimate_clock(blind, stamped=True, min_correlation=0.3)
    assert not clock.accepted and "0 %" in clock.reason


def test_same_clock_changes_nothing():
    assert np.array_equal(same_clock().camera_to_imu(np.arange(5.0)), np.arange(5.0))
    assert same_clock().sure(np.arange(5.0)).all()
