import numpy as np
import pytest

from rbc.recordings.errors import RecordingError
from rbc.recordings.imu import read_imu

HEADER = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
ROWS = ["0.00,0,0,1,90,0,0", "0.01,0,0,1,,0,0", "0.02,0,0,1,180,0,-90", "0.05,0,1,0,0,0,0"]


def write(path, rows=ROWS, header=HEADER, **options):
    path.write_text("\n".join([header, *rows]) + "\n", **options)
    return path


def test_units_become_si_and_lost_samples_stay_missing_rows(tmp_path):
    imu = read_imu((write(tmp_path / "a.csv"),), "g,deg/s", 100)
    assert imu.names == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    assert imu.values.dtype == np.float32 and imu.time_s.dtype == np.float64
    np.testing.assert_allclose(imu.time_s, [0, 0.01, 0.02, 0.05])
    np.testing.assert_allclose(imu.values[2], [0, 0, 9.80665, np.pi, 0, -np.pi / 2], rtol=1e-6)
    assert np.isnan(imu.values[1, 3]) and np.isfinite(imu.values).sum() == 23


@pytest.mark.parametrize("column, factor", [("time_s", 1.0), ("time_ms", 1e3), ("time_us", 1e6), ("time_µs", 1e6)])
def test_time_columns(tmp_path, column, factor):
    rows = [f"{t * factor:.0f},0,0,1" for t in (1, 2, 3)]
    imu = read_imu((write(tmp_path / "a.csv", rows, f"{column},acc_x,acc_y,acc_z", encoding="utf-8"),), "g")
    np.testing.assert_allclose(imu.time_s, [1, 2, 3])
    assert imu.names == ("acc_x", "acc_y", "acc_z")


def test_byte_order_mark_crlf_blank_lines_and_other_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\ufefftime_s, acc_x,acc_y,acc_z,temperature\r\n0,0,0,1,30\r\n\r\n1,0,0,1,31\r\n\r\n".encode())
    assert read_imu((path,), "m/s2").values.tolist() == [[0, 0, 1], [0, 0, 1]]


def test_chapters_follow_each_other(tmp_path):
    later = write(tmp_path / "b.csv", ["1.00,0,0,1,0,0,0", "1.01,0,0,1,0,0,0"])
    paths = (write(tmp_path / "a.csv"), later)
    assert read_imu(paths, "g,deg/s").time_s[-1] == 1.01
    with pytest.raises(RecordingError, match="b.csv.*non-monotonic|a.csv.*non-monotonic"):
        read_imu(paths[::-1], "g,deg/s")


@pytest.mark.parametrize(
    "rows, header, units, message",
    [
        (ROWS, HEADER.replace("acc_y", "acc_why"), "g,deg/s", r"missing column 'acc_y' \(did you mean 'acc_why'\?\)"),
        (ROWS, HEADER.replace("gyro_z", "gyro"), "g,deg/s", "missing column 'gyro_z'"),
        (ROWS, HEADER.replace("time_s", "clock"), "g,deg/s", "missing column 'time_s'"),
        (ROWS, HEADER.replace("gyro_z", "gyro_y"), "g,deg/s", "column 'gyro_y' is there twice"),
        ([*ROWS, "0.04,0,0,1,0,0,0"], HEADER, "g,deg/s", "line 6: column 'time_s': time does not increase .non-mono"),
        ([*ROWS, "0.04,0,0,1,0,0,0"], HEADER, "g,deg/s", "0.04 after 0.05"),
        ([*ROWS, "0.05,0,0,1,0,0,0"], HEADER, "g,deg/s", "line 6.*non-monotonic"),
        ([*ROWS, ",0,0,1,0,0,0"], HEADER, "g,deg/s", "line 6: column 'time_s' is empty"),
        ([*ROWS, "0.06,0,oops,1,0,0,0"], HEADER, "g,deg/s", "line 6: column 'acc_y': 'oops' is not a number"),
        ([*ROWS, "0.06,0,1e300,1,0,0,0"], HEADER, "g,deg/s", "line 6: column 'acc_y': '1e.300' is not a number"),
        ([*ROWS, "0.06,0,inf,1,0,0,0"], HEADER, "g,deg/s", "line 6: column 'acc_y': 'inf' is not a number"),
        ([*ROWS, "0.06,0,0,1,0,0,0,7,8"], HEADER, "g,deg/s", "line 6"),
        (["0,,,,,,", "1,,,,,,"], HEADER, "g,deg/s", "imu is all-NaN: 2 rows"),
        (["0,0,,1,0,0,0", "1,0,,1,0,0,0"], HEADER, "g,deg/s", "all-NaN column acc_y in 2 rows"),
        (ROWS[:1], HEADER, "g,deg/s", "1 rows of data; needs at least 2"),
        (ROWS, HEADER, "g", "imu_units: 'g' names no unit for gyro"),
        (ROWS, HEADER, "G,deg/s", r"unknown unit 'G' \(did you mean 'g'"),
        (ROWS, HEADER, "g,mg", "two units for acc"),
    ],
)
def test_what_is_refused(tmp_path, rows, header, units, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_imu((write(tmp_path / "a.csv", rows, header),), units)
    assert all("a.csv" in problem for problem in error.value.problems)


def test_time_in_the_wrong_unit_shows_against_the_stated_rate(tmp_path):
    rows = [f"{10 * i},0,0,1" for i in range(10)]
    with pytest.raises(RecordingError, match="steps at 0.1 Hz; imu_rate_hz says 100"):
        read_imu((write(tmp_path / "a.csv", rows, "time_s,acc_x,acc_y,acc_z"),), "g", 100)


def test_every_problem_of_every_file_is_listed(tmp_path):
    bad = [*ROWS, "0.01,x,y,1,0,0,0"]
    with pytest.raises(RecordingError) as error:
        read_imu((write(tmp_path / "a.csv", bad), tmp_path / "none.csv", write(tmp_path / "c.csv", bad)), "g,deg/s")
    assert len(error.value.problems) == 7
    assert sum("no such file" in problem for problem in error.value.problems) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x00\x00", b"\xff\xfe\x00a", b"time_s\n\x80", b'time_s,"acc_x\n1,2'], ids=range(6)
)
def test_files_that_are_no_tables(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="a.csv"):
        read_imu((path,), "g,deg/s")
