import hashlib

import numpy as np
import pandas as pd
import pytest

from rbc.simulate import body
from rbc.simulate.chance import stream
from rbc.simulate.behaviour import draw_bouts, draw_habits
from rbc.simulate.camera import draw_frames
from rbc.simulate.dataset import simulate
from rbc.simulate.imu import draw_clock, record
from rbc.simulate.rat import Rat
from rbc.simulate.world import BEHAVIOURS, GRAVITY, KEYPOINTS, SIZES, WORLDS

WORLD = WORLDS["first"]


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "raw"
    simulate(folder, "first", "tiny", 7)
    return folder


@pytest.fixture(scope="module")
def manifest(raw):
    return pd.read_csv(raw / "sessions.csv", dtype=str, keep_default_na=False)


def test_same_seed_same_bytes_whatever_the_workers(raw, tmp_path):
    simulate(tmp_path / "again", "first", "tiny", 7, workers=2)
    assert hashes(tmp_path / "again") == hashes(raw)


def test_another_world_and_another_seed_differ(raw, tmp_path):
    simulate(tmp_path / "second", "second", "tiny", 7)
    first, second = hashes(raw), hashes(tmp_path / "second")
    assert not {first[name] for name in first if name.startswith(("imu", "truth"))} & set(second.values())


def test_unknown_names_and_full_folders_are_refused(raw):
    with pytest.raises(ValueError, match="third.*first, second, careful"):
        simulate(raw.parent / "new", "third", "tiny", 0)
    with pytest.raises(ValueError, match="not empty"):
        simulate(raw, "first", "tiny", 7)


def test_manifest_names_files_that_exist(raw, manifest):
    assert list(manifest.session) == [plan.name for plan in SIZES["tiny"].sessions]
    for row in manifest.itertuples():
        files = [row.pose, row.imu] + [cell.split("=")[-1] for cell in row.labels.split(";") if cell]
        files += [row.pose_times] if row.pose_times else []
        assert all((raw / file).is_file() for file in files), row.session
        assert bool(row.labels) == bool(row.span) == bool(row.scored)


def test_events_pair_inside_their_span(raw, manifest):
    for row in manifest[manifest.labels != ""].itertuples():
        spans = [tuple(map(float, span.split("-"))) for span in row.span.split(";")]
        for cell in row.labels.split(";"):
            events = pd.read_csv(raw / cell.split("=")[-1])
            assert events.Time.between(min(a for a, _ in spans) - 0.02, max(b for _, b in spans) + 0.02).all()
            assert set(events.Behavior) <= set(row.scored.split(";"))
            for _, one in events.groupby("Behavior"):
                assert list(one["Behavior type"]) == ["START", "STOP"] * (len(one) // 2)


def test_a_rat_at_rest_feels_one_g_and_turns_as_the_gyro_says(raw, manifest):
    """Through the files alone: truth clock, mounting and units agree."""
    for row in manifest.itertuples():
        truth = np.load(raw / "truth" / f"{row.session}.npz", allow_pickle=False)
        unit = (GRAVITY, np.pi / 180) if row.imu_units == "g,deg/s" else (1.0, 1.0)
        imu = pd.read_csv(raw / row.imu).to_numpy()
        acc = unit[0] * np.linalg.norm(imu[:, 1:4], axis=1)
        labels = dict(zip(truth["behaviours"], truth["labels"].T))
        still = (labels["still"] == 1) & (labels["aiming"] == 0)
        if still.sum() > 100:
            assert np.median(np.interp(truth["imu_time"], imu[:, 0], acc)[still]) == pytest.approx(GRAVITY, rel=0.15)
        if row.imu_mount == "head":
            continue  # a head turns about the neck; a trunk can be read off the video
        lag, best = _lag(raw, row, truth, imu, unit[1])
        assert abs(lag) <= 0.012 and best > 0.6


def _lag(raw, row, truth, imu, unit):
    tracks = pd.read_csv(raw / row.pose, header=[1, 2], index_col=0)
    frames = np.arange(len(tracks)) / float(row.pose_rate_hz)
    frames = pd.read_csv(raw / row.pose_times).time_s if row.pose_times else frames
    axis = tracks["neck"] - tracks["tail_base"]
    sure = (tracks["neck"].likelihood > 0.6) & (tracks["tail_base"].likelihood > 0.6)
    smooth = np.hanning(15) / np.hanning(15).sum()
    # y points down in the picture, so a turn to the left is a falling angle
    heading = np.interp(truth["time"], np.asarray(frames)[sure], -np.unwrap(np.arctan2(axis.y, axis.x)[sure]))
    seen = np.convolve(np.gradient(heading, 0.02), smooth, "same")
    gyro = (imu[:, 4:] @ truth["mounting"].T)[:, 2] * unit
    lags = np.arange(-0.1, 0.101, 0.004)
    felt = (np.convolve(np.interp(truth["imu_time"] + lag, imu[:, 0], gyro), smooth, "same") for lag in lags)
    scores = [np.corrcoef(seen[50:-50], one[50:-50])[0, 1] for one in felt]
    return lags[int(np.argmax(scores))], max(scores)


@pytest.mark.parametrize("mount", ["head", "back"])
@pytest.mark.parametrize("stamped", [True, False])
def test_truth_clock_has_no_lag(mount, stamped):
    """Rotation rate of the clean body at the camera's frames against the gyro at the logger's time of them."""
    rng = stream(5, mount, str(stamped))
    bouts, place = draw_bouts(WORLD, SIZES["tiny"], draw_habits(WORLD, rng, rng), 0.3, -4.0, 60.0, rng)
    posture = body.move(bouts, place, -4.0, 60.0, Rat(1.0, 1.0, rng), WORLD)
    clock, frames = draw_clock(WORLD, -4.0, rng), draw_frames(WORLD, 58.0, stamped, rng)
    recorded = record(posture, bouts, mount, 1.0, WORLD, clock, rng)
    true_s = frames.true(np.arange(np.ceil(50 * frames.camera_s[0]), 50 * frames.camera_s[-1]) / 50)
    turned = body.head_rotation(posture) if mount == "head" else body.trunk_rotation(posture)
    clean = np.gradient(np.unwrap(np.arctan2(turned[:, 1, 0], turned[:, 0, 0])), posture["time"])
    gyro = (recorded.values[:, 3:] @ recorded.mounting.T)[:, 2]
    # fast jitter would measure the filter's phase, not the clock
    slow = np.hanning(25) / np.hanning(25).sum()
    seen = np.convolve(np.interp(true_s, posture["time"], clean), slow, "same")
    lags = np.arange(-0.020, 0.0201, 0.001)
    times = clock.reading(true_s + recorded.delay_s)
    felt = [np.convolve(np.interp(times + lag, recorded.time_s, gyro), slow, "same") for lag in lags]
    scores = [np.corrcoef(seen[40:-40], one[40:-40])[0, 1] for one in felt]
    assert abs(lags[int(np.argmax(scores))]) <= 0.002 and max(scores) > 0.7


def test_clock_reads_back():
    clock = draw_clock(WORLD, -20.0, np.random.default_rng(1))
    true_s = np.linspace(-20, 2400, 5000)
    np.testing.assert_allclose(clock.true(clock.reading(true_s)), true_s, atol=1e-9)
    assert clock.reading(np.array(-20.0)) >= -1e-9


def test_truth_has_every_behaviour_and_an_increasing_clock(raw, manifest):
    seen = np.zeros(len(BEHAVIOURS), int)
    for session in manifest.session:
        truth = np.load(raw / "truth" / f"{session}.npz", allow_pickle=False)
        assert (np.diff(truth["imu_time"]) > 0).all() and tuple(truth["behaviours"]) == BEHAVIOURS
        np.testing.assert_allclose(np.diff(truth["time"]), 0.02, atol=1e-9)
        np.testing.assert_allclose(truth["mounting"] @ truth["mounting"].T, np.eye(3), atol=1e-9)
        line = truth["offset_s"] + (1 + 1e-6 * truth["drift_ppm"]) * truth["time"]
        assert np.abs(line - truth["imu_time"]).max() < 0.5
        seen += truth["labels"].sum(axis=0)
    assert (seen > 0).sum() >= len(BEHAVIOURS) - 1


def test_tracks_hide_what_a_camera_would_not_see(raw, manifest):
    low = {name: [] for name in KEYPOINTS}
    for row in manifest.itertuples():
        tracks = pd.read_csv(raw / row.pose, header=[1, 2], index_col=0)
        for name in KEYPOINTS:
            low[name].append((tracks[name].likelihood < 0.6).mean())
    assert 0.15 < np.mean(low["tail_tip"]) < 0.45 and 0.02 < np.mean(low["neck"]) < 0.12
    assert np.mean(low["nose"]) > np.mean(low["neck"])
