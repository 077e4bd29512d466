from dataclasses import replace

import numpy as np
import pytest
from recorded import raw

from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import read_imu
from rbc.recordings.pulses import match_edges, pulse_pairs, read_light, rising_edges


def trains(count=300, offset_s=-41.3, drift_ppm=80.0, jitter_s=0.008, missing=0.1, camera=(0.0, 1.0), imu=(0.0, 1.0)):
    """(camera's edges, IMU's edges, true pairs): pulses at irregular intervals, of which either side has a share."""
    rng = np.random.default_rng(4)
    at = np.cumsum(rng.uniform(1.0, 4.0, count))
    place = np.arange(count) / count
    seen, felt = ((place >= a) & (place < b) & (rng.random(count) >= missing) for a, b in (camera, imu))
    shown = at + rng.uniform(-jitter_s, jitter_s, count)
    ticked = offset_s + at * (1 + 1e-6 * drift_ppm)
    index = np.arange(count)
    return shown[seen], ticked[felt], np.intersect1d(index[seen], index[felt]), (index[seen], index[felt])


@pytest.mark.parametrize(
    "changes",
    [{}, {"missing": 0.3}, {"camera": (0.3, 0.7)}, {"imu": (0.5, 1.0)}, {"camera": (0.0, 0.6), "imu": (0.4, 1.0)},
     {"drift_ppm": -900.0, "count": 1500}, {"count": 8, "missing": 0.0}, {"offset_s": 5000.0}],
)  # fmt: skip
def test_edges_are_matched_by_their_spacing(changes):
    camera_s, imu_s, shared, (seen, felt) = trains(**changes)
    i, j, reason = match_edges(camera_s, imu_s)
    assert reason == "" and np.array_equal(seen[i], felt[j])
    assert len(i) >= 0.98 * len(shared)


def test_regular_pulses_fit_in_many_places():
    at = np.arange(100.0)
    assert "spacing is irregular" in match_edges(at, at[20:] + 7)[2]


def test_pulses_of_another_session_match_nowhere():
    other = np.cumsum(np.random.default_rng(9).uniform(1.0, 4.0, 300))
    i, _, reason = match_edges(trains()[0], other)
    assert len(i) == 0 and "pulses match" in reason


def test_too_few_pulses():
    assert match_edges(np.arange(3.0), np.arange(9.0))[2] == (
        "3 pulses in the video, 9 in the IMU's file; needs 4 of each"
    )


def test_edges_of_a_blinking_light():
    time_s = np.arange(3000) / 30
    on = np.array([10.0, 31.7, 64.2])
    light = 20 + 200 * ((time_s[:, None] >= on) & (time_s[:, None] < on + 0.5)).any(1)
    noisy = light + np.random.default_rng(0).normal(0, 8, len(light))
    noisy[500] = np.nan
    assert np.abs(rising_edges(time_s, noisy) - on).max() < 1 / 30
    assert len(rising_edges(time_s, np.full(3000, 7.0))) == 0 and len(rising_edges(time_s, light * np.nan)) == 0


def test_a_flickering_edge_is_one():
    level = np.array([0, 0, 10, 4.9, 10, 10, 0, 0, 10, 0], float)
    np.testing.assert_allclose(rising_edges(np.arange(10.0), level), [1.5, 7.5], atol=0.05)


def recorded(tmp_path, light=True):
    """(table of an LED, IMU with a TTL line, camera times of its pulses, those of frames); IMU = camera time + 7.5 s."""
    given = raw()
    at = np.cumsum(np.random.default_rng(2).uniform(2.0, 6.0, 25)) + 1.02
    imu_s = given.imu.time_s[:, None] - 7.5
    line = 3.3 * ((imu_s >= at) & (imu_s < at + 0.2)).any(1)
    shown = ((given.frame_s[:, None] >= at) & (given.frame_s[:, None] < at + 0.2)).any(1)
    rows = [f"{n},{40 + 100 * on}" for n, on in enumerate(shown)] if light else [f"{t:.4f}" for t in at]
    path = tmp_path / "led.csv"
    path.write_text("\n".join(["frame,brightness" if light else "time_s", *rows]) + "\n")
    return path, replace(given.imu, channel=line), at, given.frame_s


@pytest.mark.parametrize("light", [True, False])
def test_pulses_of_files_become_pairs(tmp_path, light):
    path, imu, at, frame_s = recorded(tmp_path, light)
    pairs = pulse_pairs(path, "ttl", float("nan"), frame_s, 30.0, imu)
    assert len(pairs.camera_s) == 25 and pairs.places[0].startswith("sync: pulse at ")
    assert np.abs(pairs.camera_s - at).max() < 0.034 and abs((pairs.imu_s - pairs.camera_s - 7.5).mean()) < 0.01


def test_pulses_that_do_not_match_are_an_error(tmp_path):
    path, imu, _, frame_s = recorded(tmp_path)
    with pytest.raises(RecordingError, match=r"sync imu:ttl and .*led.csv: 25 pulses in the video, 0 in the IMU"):
        pulse_pairs(path, "ttl", float("nan"), frame_s, 30.0, replace(imu, channel=imu.channel * 0))
    with pytest.raises(RecordingError, match="led.csv: 3600 rows from 0 to 3599 frames; the video has 100 frames"):
        pulse_pairs(path, "ttl", float("nan"), frame_s[:100], 30.0, imu)


@pytest.mark.parametrize(
    "text, message",
    [
        ("frame,light\n0,1\n", "columns 'frame', 'light'; needs frame or time_s with brightness, or time_s of each"),
        ("frame\n0\n", "columns 'frame'; needs"),
        ("time_s\n2\n1\n", "line 3: column 'time_s': 1; needs numbers that increase"),
        ("frame,brightness\n0,x\n", "line 2: column 'brightness': 'x' is not a number"),
    ],
)  # fmt: skip
def test_tables_of_lights_that_are_refused(tmp_path, text, message):
    (tmp_path / "led.csv").write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_light(tmp_path / "led.csv")


def test_a_column_of_the_imus_file_is_read_beside_its_signals(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text("time_s,acc_x,acc_y,acc_z,TTL\n0,0,0,1,0\n0.01,0,0,1,1\n0.02,0,0,1,0\n")
    assert read_imu((path,), "g", channel="TTL").channel.tolist() == [0, 1, 0]
    assert read_imu((path,), "g").channel is None
    with pytest.raises(RecordingError, match=r"missing column 'ttl' \(did you mean 'TTL'\?\)"):
        read_imu((path,), "g", channel="ttl")
