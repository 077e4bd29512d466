import numpy as np
import tiny

from benchmarks.growth import growth_page
from benchmarks.speed import seconds
from benchmarks.throughput import page
from benchmarks.tiled import tile
from rbc.recordings.session import ARRAYS, Session


def test_a_tiled_session_is_the_session_again_and_again(tmp_path):
    once = tiny.session(frames=70)
    tiled = Session.load(tile(once, 200, tmp_path / "long"))
    tiled.validate()
    assert len(tiled) == 200 and tiled.name == "long"
    np.testing.assert_allclose(np.diff(tiled.time), 1 / once.rate_hz)
    for name in set(ARRAYS) - {"time", "video_frame"}:
        axis = int(name == "annotators")
        wanted = np.concatenate([getattr(once, name)] * 3, axis).take(range(200), axis)
        np.testing.assert_array_equal(getattr(tiled, name), wanted)


def test_the_least_of_some_times_counts_and_the_first_run_does_not():
    done = []
    assert seconds(lambda: done.append(0), times=3) < 0.1 and len(done) == 4


def test_the_page_shows_every_figure():
    done = {
        "inference": {"dense_frames_per_s": 30_001.0, "windowed_frames_per_s": 151.0, "ratio": 198.7,
                      "encoding_ratio": 213.2, "encoding_us_per_frame": {"dense": 9.13, "windowed": 1947.0},
                      "matmul_peak_share": 0.42, "windowed_best_batch": {16: 64}},
        "memory_mib": {"1h": 571.0}, "seconds": {"1h": 6.1}, "training": {"pretrain": 16_002.0},
        "training_profile": {"pretrain": {"crops": 0.031, "forward": 0.969}},
        "matmul": {"peak_gflop_per_s": 171.0, "mflop_per_frame": 1.77}, "sessions_s": {2: 0.73}, "device": "a machine",
        "profile_us_per_frame": {"fusion": 8.76}, "stream_ms": {"p50": 0.12, "p99": 3.45, "look_ahead_s": 7.16},
        "causal_stream_ms": {"p50": 5.67, "p99": 6.78, "look_ahead_s": 0.0},
    }  # fmt: skip
    drawn = growth_page({**done, "seconds": {"24h": 131.0, "1h": 6.1}, "memory_mib": {"1h": 571.0, "24h": 640.5}})
    assert '"x":[1.0,24.0],"y":[6.1,131.0]' in drawn and '"y":[571.0,640.5]' in drawn
    shown = page(done)
    for figure in ("30,001", "151", "199", "213", "9.1", "1,947", "42%", "3.45", "6.78", "8.8", "7.16", "571", "6.1", "16,002", "171", "1.77", "0.73", "pretrain | 3% |", "97%"):
        assert figure in shown
