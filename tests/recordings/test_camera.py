import numpy as np
import pytest

from rbc.recordings.camera import frame_times, read_times
from rbc.recordings.errors import RecordingError


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def times(tmp_path, numbers=None, count=None, hz=10.0):
    """Stamps at 10 Hz of frames with these numbers, or of as many without a column for them."""
    at = np.arange(count) if numbers is None else np.asarray(numbers)
    cells = [f"{5 + n / hz:.3f}" if numbers is None else f"{n},{5 + (n - at[0]) / hz:.3f}" for n in at]
    return write(tmp_path / "t.csv", ["time_s" if numbers is None else "frame,time_s", *cells])


def place(path, rows, frames):
    return frame_times(path, read_times(path), np.asarray(rows), frames)


def test_times_and_what_is_wrong_with_them(tmp_path):
    path = write(tmp_path / "t.csv", ["frame,time_s", "0,0.5", "1,0.55", "3,0.7"])
    np.testing.assert_allclose(read_times(path).time_s, [0.5, 0.55, 0.7])
    assert read_times(path).numbers.tolist() == [0, 1, 3]
    assert read_times(write(path, ["time_ms", "500", "550"])).numbers is None
    with pytest.raises(RecordingError, match="line 4: frame 1 after 1; frame numbers need to count upwards"):
        read_times(write(path, ["frame,time_s", "0,0.5", "1,0.55", "1,0.7"]))
    with pytest.raises(RecordingError, match="line 3: frame 0.5 after 0"):
        read_times(write(path, ["frame,time_s", "0,0.5", "0.5,0.55"]))
    with pytest.raises(RecordingError, match="line 3: column 'time_s': time does not increase"):
        read_times(write(path, ["frame,time_s", "0,0.5", "1,0.4"]))
    with pytest.raises(RecordingError, match="missing column 'time_s'"):
        read_times(write(path, ["frame,stamp", "0,0.5", "1,0.4"]))


def test_a_stamp_for_every_frame_is_taken_as_it_is(tmp_path):
    frame_s, notes = place(times(tmp_path, count=5), range(5), 5)
    assert np.array_equal(frame_s, read_times(tmp_path / "t.csv").time_s) and not notes
    assert not place(times(tmp_path, count=5), [0, 1, 4], 5)[1]  # rows that the tracker left out


def test_numbers_with_gaps_say_what_the_camera_dropped(tmp_path):
    frame_s, (note,) = place(times(tmp_path, numbers=[7, 8, 10, 11]), range(4), 4)
    np.testing.assert_allclose(frame_s, [5.0, 5.1, 5.3, 5.4])
    assert note == ("t.csv: 4 time stamps numbered over 5 frames, 4 rows of pose, 4 video frames: 1 frames dropped by "
                    "the camera have none of them")  # fmt: skip


@pytest.mark.parametrize("numbers", [[100, 101, 104, 105], None, [0, 1, 2, 3]])
def test_frames_without_stamp_and_row_lie_between_their_neighbours(tmp_path, numbers):
    rows = [0, 1, 4, 5]
    path = times(tmp_path, numbers=numbers, count=4)
    frame_s, (note,) = place(path, rows, 6)
    np.testing.assert_allclose(frame_s[rows], read_times(path).time_s)
    np.testing.assert_allclose(np.diff(frame_s[1:5]), (frame_s[4] - frame_s[1]) / 3)
    assert "4 time stamps" in note and "4 rows of pose, 6 video frames: 2 frames were dropped" in note


@pytest.mark.parametrize(
    "numbers, count, rows, frames",
    [(None, 9, range(10), 10), (None, 11, range(10), 10), ([0, 1, 5], None, [0, 2, 3], 4), (None, 5, [0, 1, 2, 5], 6)],
)
def test_counts_that_nothing_explains_are_all_named(tmp_path, numbers, count, rows, frames):
    stamps = count or len(numbers)
    seen = rf"t.csv: {stamps} time stamps.*, {len(rows)} rows of pose, {frames} video frames; needs a stamp for every"
    with pytest.raises(RecordingError, match=seen):
        place(times(tmp_path, numbers=numbers, count=count), rows, frames)
