import numpy as np

from rbc.recordings.turning import turning


def test_seen_and_felt_are_the_turning_between_frames():
    frame_s = np.arange(50) / 25.0
    imu_s = np.arange(400) / 100.0
    pair = turning(frame_s, np.angle(np.exp(1j * 3.0 * frame_s)), imu_s, np.full(400, 3.0), 0.1)
    assert np.allclose(pair.seen(), 3.0 / 25) and np.allclose(pair.felt(0.5), 3.0 / 25)
    assert np.isnan(pair.felt(3.0)[-1]) and np.isfinite(pair.felt(3.0)[0])


def test_turning_knows_nothing_inside_a_gap():
    imu_s = np.delete(np.arange(400) / 100.0, slice(100, 200))
    pair = turning(np.arange(75) / 25.0, np.zeros(75), imu_s, np.ones(300), 0.1)
    missing = np.isnan(pair.felt(0.0))
    assert missing[26:48].all() and not missing[:24].any() and not missing[51:].any()
