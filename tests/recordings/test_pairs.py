import numpy as np
import pytest

from rbc.recordings.errors import RecordingError
from rbc.recordings.pairs import inline_moments, parse_pairs, place_moments, read_moments, stated_pair

FRAME_S = 100 + np.arange(50) / 10.0  # a camera whose stamps begin at 100 s
IMU_S = np.arange(1000) / 100.0
NAN = float("nan")


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def place(moments, **changes):
    settings = dict(drift_ppm=NAN, frame_s=FRAME_S, rate_hz=10.0, imu_time_s=IMU_S)
    return place_moments(moments, **(settings | changes))


def test_pairs_of_a_cell():
    assert parse_pairs("1.5=-3; 2 = .25;") == (((1.5, -3.0), (2.0, 0.25)), [])
    assert parse_pairs("") == ((), [])
    for cell in ("1.5", "a=3", "1=2=3", "nan=1", "0:10=3", "=1"):
        assert parse_pairs(cell)[1] == [f"sync: '{cell}'; needs video_s=imu_s, both in s, or the path of a CSV"]


def test_video_time_is_a_players_and_stamps_say_when_that_was():
    pairs = place(inline_moments(((4.0, 7.0), (1.05, 4.05))))
    np.testing.assert_allclose(pairs.camera_s, [101.05, 104.0])
    np.testing.assert_allclose(pairs.imu_s, [4.05, 7.0])
    assert pairs.places == ("sync: pair 1.05=4.05", "sync: pair 4=7") and np.isnan(pairs.drift_ppm)


@pytest.mark.parametrize(
    "lines",
    [["video_s,imu_s", "1.0,2.5", "3.2,4.7"], ["video_frame,imu_s,note", "10,2.5,clap", "32,4.7,"],
     ["video_s,imu_sample", "1.0,250", "3.2,470"], ["imu_s;video_s", "2,5;1,0", "4,7;3,2"]],
)  # fmt: skip
def test_tables_of_every_kind_say_the_same(tmp_path, lines):
    pairs = place(read_moments(write(tmp_path / "s.csv", lines)), drift_ppm=20.0)
    np.testing.assert_allclose(pairs.camera_s, [101.0, 103.2])
    np.testing.assert_allclose(pairs.imu_s, [2.5, 4.7])
    assert pairs.places == tuple(f"{tmp_path / 's.csv'}: line {n}" for n in (2, 3)) and pairs.drift_ppm == 20.0


def test_a_stated_clock_is_a_pair_at_camera_time_0():
    pairs = stated_pair(-7.5, 12.0)
    assert (pairs.camera_s, pairs.imu_s, pairs.drift_ppm) == (0.0, -7.5, 12.0)


@pytest.mark.parametrize(
    "lines, message",
    [
        (["video_s,imu"], r"missing column 'imu_s' \(did you mean 'imu'\?\); the columns are video_s, imu; needs one"),
        (["video_s,video_frame,imu_s", "1,2,3"], "columns 'video_s' and 'video_frame'; needs one of video_s and"),
        (["video_s,imu_s", "1,x"], "line 2: column 'imu_s': 'x' is not a number"),
        (["video_s,imu_s", "1,2", ",2"], "line 3: column 'video_s' is empty; every pair needs both moments"),
        (["video_frame,imu_s", "1.5,2"], "line 2: column 'video_frame': 1.5; needs a whole number"),
        (["video_s,imu_sample", "1.5,2.5"], "line 2: column 'imu_sample': 2.5; needs a whole number"),
        (["video_s,imu_s"], "no pairs; needs a row each"),
        ([""], "line 1: empty"),
    ],
)
def test_tables_that_are_refused(tmp_path, lines, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_moments(write(tmp_path / "s.csv", lines))
    assert "s.csv" in str(error.value)


def test_pairs_outside_the_recordings_are_all_named(tmp_path):
    with pytest.raises(RecordingError) as error:
        place(inline_moments(((-1.0, 2.0), (6.0, 2.0), (1.0, 1.7e9))))
    before, after, imu = error.value.problems
    assert before == "sync: pair -1=2: video_s -1 is outside the video; needs 0 to 5 s" and "video_s 6" in after
    assert imu == ("sync: pair 1=1.7e+09: imu_s 1700000000 is outside the IMU's recording; needs 0 to 9.99 s (dates "
                   "and epochs from the first)")  # fmt: skip
    path = write(tmp_path / "s.csv", ["video_frame,imu_sample", "50,0", "0,1000"])
    with pytest.raises(RecordingError) as error:
        place(read_moments(path))
    assert [p.split(": ", 2)[2] for p in error.value.problems] == [
        "video_frame 50 is outside the video; needs frames 0 to 49",
        "imu_sample 1000 is outside the IMU's recording; needs samples 0 to 999",
    ]


@pytest.mark.parametrize("second", [(1.0, 3.0), (2.0, 2.0), (2.0, 1.0)])
def test_both_clocks_run_forwards(second):
    with pytest.raises(RecordingError, match="not after the pair before it on both clocks"):
        place(inline_moments(((1.0, 2.0), second)))
