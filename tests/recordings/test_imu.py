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
        (ROWS, HEADER, "", "a.csv: imu_units is empty; needs the units of acc and gyro, such as 'g,deg/s'$"),
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


def samples(hz: float = 100.0, count: int = 300):
    """Stamps of an even logger and three axes that are never twice the same."""
    i = np.arange(count)
    return i / hz, np.column_stack([i, -i, 1000 + i]) / 1000


def table(stamps, values, header="time_us,acc_x,acc_y,acc_z"):
    return [header, *(f"{t}," + ",".join(f"{v:.3f}" for v in row) for t, row in zip(stamps, values, strict=True))]


def lines(path, rows, end="\n", encoding="utf-8"):
    path.write_bytes((end.join(rows) + end).encode(encoding))
    return path


@pytest.mark.parametrize("column, modulus, tick", [("time_us", 2**32, 1e-6), ("time_ms", 2**32 / 1000, 1e-3),
                                                   ("time_s", 2**32 / 1e6, 1.0), ("time_ms", 2**16, 1e-3)])  # fmt: skip
def test_a_counter_that_wraps_goes_on_once_that_is_declared(tmp_path, column, modulus, tick):
    time_s, values = samples()
    wrapped = np.mod(time_s / tick + modulus - 0.995 / tick, modulus)
    rows = table([f"{t:.9g}" if tick == 1 else f"{t:.3f}" for t in wrapped], values, f"{column},acc_x,acc_y,acc_z")
    path = lines(tmp_path / "a.csv", rows)
    with pytest.raises(RecordingError, match=rf"line 102: column '{column}': time does not increase .*a counter that "
                                             "began again; declare repairs: unwrap_counter"):  # fmt: skip
        read_imu((path,), "g", 100)
    imu = read_imu((path,), "g", 100, ("unwrap_counter",))
    np.testing.assert_allclose(np.diff(imu.time_s), 0.01, atol=6e-6)
    assert imu.notes == ("unwrap_counter: 1 wraps undone",)


def test_a_clock_that_was_set_back_is_no_wrap(tmp_path):
    time_s, values = samples()
    stamps = np.concatenate([3_000_000 + 10 * np.arange(150), 10 * np.arange(150)])
    path = lines(tmp_path / "a.csv", table(stamps, values, "time_ms,acc_x,acc_y,acc_z"))
    with pytest.raises(RecordingError, match="line 152: column 'time_ms': time does not increase .*: 0 after 3001490$"):
        read_imu((path,), "g", 100, ("unwrap_counter",))


def test_a_wrap_between_chapters(tmp_path):
    time_s, values = samples()
    stamps = np.mod(np.arange(300) * 10_000 + 2**32 - 1_500_000, 2**32)
    paths = tuple(lines(tmp_path / f"{k}.csv", table(stamps[part], values[part]))
                  for k, part in enumerate((slice(0, 150), slice(150, 300))))  # fmt: skip
    np.testing.assert_allclose(np.diff(read_imu(paths, "g", 100, ("unwrap_counter",)).time_s), 0.01)


def test_samples_written_twice_are_left_out_and_counted_once_that_is_declared(tmp_path):
    time_s, values = samples()
    rows = table((time_s * 1e6).round().astype(int), values)
    again = rows[:50] + rows[40:50] + rows[50:60] + rows[59:60] + rows[60:]  # a block, and one row
    path = lines(tmp_path / "a.csv", again)
    with pytest.raises(RecordingError, match="line 51: .*the same row again; declare repairs: drop_duplicate_samples"):
        read_imu((path,), "g", 100)
    imu = read_imu((path,), "g", 100, ("drop_duplicate_samples",))
    np.testing.assert_allclose(imu.time_s, time_s)
    np.testing.assert_allclose(imu.values, values * 9.80665, rtol=1e-6)
    assert imu.notes == ("drop_duplicate_samples: 11 rows left out",)


def test_packets_that_share_a_stamp_are_spread_back_over_the_interval_before(tmp_path):
    time_s, values = samples()
    sent = np.repeat(time_s[9::10], 10)  # ten samples a packet, stamped as the last one
    keep = np.r_[0:100, 110:300]  # one packet was lost
    path = lines(tmp_path / "a.csv", table((sent * 1e6).round().astype(int)[keep], values[keep]))
    with pytest.raises(RecordingError, match="line 3: .*other values; if packets share a stamp declare repairs: sp"):
        read_imu((path,), "g", 100)
    imu = read_imu((path,), "g", 100, ("spread_packets",))
    np.testing.assert_allclose(imu.time_s, time_s[keep], atol=1e-9)
    assert imu.notes == ("spread_packets: 290 samples shared a stamp",)


def test_epochs_and_date_times_count_from_the_first_sample(tmp_path):
    time_s, values = samples(count=20)
    for column, stamps in {
        "epoch_s": [f"{1.7e9 + t:.2f}" for t in time_s],
        "Timestamp (ms)": [f"{1.7e12 + 1e3 * t:.0f}" for t in time_s],
        "timestamp": [f"{1.7e12 + 1e3 * t:.0f}" for t in time_s],  # no unit: the stated rate tells
        "Time": [f"2024-05-13T10:59:59.{900 + 10 * i}Z" if i < 10 else f"2024-05-13T11:00:00.{10 * i - 100:03}Z"
                 for i in range(20)],
        "datetime": [f"2024-05-13 10:00:00.{10 * i:03}+02:00" for i in range(20)],
    }.items():  # fmt: skip
        path = lines(tmp_path / "a.csv", table(stamps, values, f"{column},acc_x,acc_y,acc_z"))
        np.testing.assert_allclose(read_imu((path,), "g", 100).time_s, time_s, atol=1e-6)
    path = lines(tmp_path / "a.csv", table(range(0, 200, 10), values, "timestamp,acc_x,acc_y,acc_z"))
    with pytest.raises(RecordingError, match="column 'timestamp' states no unit, and imu_rate_hz is empty"):
        read_imu((path,), "g")
    with pytest.raises(RecordingError, match="states no unit, and at imu_rate_hz 30 no unit fits its steps of 10"):
        read_imu((path,), "g", 30)
    rows = ["2024-05-13 10:00:00", "2024-05-13 10:00:01", "13.05.24 10:00"]
    path = lines(tmp_path / "a.csv", table(rows, values[:3], "time,acc_x,acc_y,acc_z"))
    with pytest.raises(RecordingError, match="line 4: column 'time': '13.05.24 10:00' is no ISO date-time such as"):
        read_imu((path,), "g")


def test_a_sample_counter_has_gaps_wraps_and_needs_a_rate(tmp_path):
    time_s, values = samples()
    keep = np.r_[0:100, 120:300]
    path = lines(tmp_path / "a.csv", table(np.arange(300)[keep] % 256, values[keep], "Sample,acc_x,acc_y,acc_z"))
    np.testing.assert_allclose(read_imu((path,), "g", 50, ("unwrap_counter",)).time_s, keep / 50)
    with pytest.raises(RecordingError, match="column 'Sample': .*declare repairs: unwrap_counter"):
        read_imu((path,), "g", 50)
    with pytest.raises(RecordingError, match="column 'Sample' counts samples, and imu_rate_hz is empty"):
        read_imu((path,), "g")
    path = lines(tmp_path / "a.csv", table(["0", "1.5"], values[:2], "counter,acc_x,acc_y,acc_z"))
    with pytest.raises(RecordingError, match="line 3: column 'counter': 1.5; a counter of samples needs whole numbers"):
        read_imu((path,), "g", 50)


@pytest.mark.parametrize("header, units", [
    ("time_s,AccX,AccY,AccZ,GyrX,GyrY,GyrZ", "g,deg/s"), ("time_s,ax,ay,az,gx,gy,gz", "g,deg/s"),
    ("time_s,ax,ay,az,wx,wy,wz", "g deg/s"),
    ("Time (s),Accelerometer X (g),Accelerometer Y (g),Accelerometer Z (g),Gyroscope X (deg/s),Gyroscope Y (deg/s),"
     "Gyroscope Z (deg/s)", "g;dps"),
    ("time_s,acc_x [mg],acc_y [mg],acc_z [mg],gyr_x_dps,gyr_y_dps,gyr_z_dps", "mg, deg/s"),
    ("t_s,X accel,Y accel,Z accel,angular velocity x,angular velocity y,angular velocity z", "g,deg/s"),
])  # fmt: skip
def test_common_names_of_channels(tmp_path, header, units):
    imu = read_imu((write(tmp_path / "a.csv", header=header),), units)
    assert imu.names == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    assert np.isclose(imu.values[2, 2], 9.80665 / (1000 if "mg" in units else 1))
    assert np.isclose(imu.values[2, 3], np.pi)


@pytest.mark.parametrize("header, message", [
    (HEADER.replace("gyro_x", "AccX"), "columns 'acc_x', 'AccX' are all acc_x; needs one"),
    ("time_s,gx,gy,gz", "columns 'gx', 'gy', 'gz' may be acceleration or rotation"),
    (HEADER.replace("acc_x", "acc_x (mg)"), r"column 'acc_x \(mg\)' is in mg; imu_units says g"),
    (HEADER.replace("acc_y", "acc_y [raw]"), r"column 'acc_y \[raw\]' is in raw; imu_units says g"),
    (HEADER.replace("acc_y", "acc_y (furlong)"), r"column 'acc_y \(furlong\)': unit 'furlong' is not known"),
    ("time_s,acc_x,acc_y,acc_z,time_ms", "columns 'time_s', 'time_ms' all tell time; needs one"),
])  # fmt: skip
def test_headers_that_are_ambiguous_or_disagree(tmp_path, header, message):
    rows = ROWS if header.count(",") == 6 else ["0,0,0,1", "1,0,0,1"]
    with pytest.raises(RecordingError, match=message):
        read_imu((write(tmp_path / "a.csv", rows, header),), "g,deg/s")


def test_raw_counts_with_their_scale(tmp_path):
    rows = ["0.00,0,0,16384,164,0,0", "0.01,0,0,-8192,0,0,-16.4"]
    imu = read_imu((write(tmp_path / "a.csv", rows),), "lsb/16384 g, lsb/16.4 deg/s")
    np.testing.assert_allclose(imu.values[:, 2], [9.80665, -9.80665 / 2], rtol=1e-6)
    np.testing.assert_allclose(imu.values[:, [3, 5]], np.radians([[10, 0], [0, -1]]), rtol=1e-6)
    for units in ("lsb/0 g,dps", "lsb/x g,dps", "lsb/16384,dps"):
        with pytest.raises(RecordingError, match="imu_units: .*(needs counts per unit|unknown unit)"):
            read_imu((tmp_path / "a.csv",), units)


def test_decimal_commas_preamble_tabs_and_a_magnetometer(tmp_path):
    header = "Time (ms);Acc X (g);Acc Y (g);Acc Z (g);Mag X;Mag Y;Mag Z"
    rows = ["\ufeffLogger 7; firmware 1,2", "rate;100", "", header, "0;0,5;-,25;1;9;9;9", "10,5;0,25;0;1,0;9;9;9"]
    imu = read_imu((lines(tmp_path / "a.csv", rows, "\r\n"),), "g")
    np.testing.assert_allclose(imu.time_s, [0, 0.0105])
    np.testing.assert_allclose(imu.values, np.array([[0.5, -0.25, 1], [0.25, 0, 1]]) * 9.80665, rtol=1e-6)
    assert imu.notes == ("magnetometer not used",)
    with pytest.raises(RecordingError, match="line 6: column 'Acc X .g.': '0,25' is not a number"):
        read_imu((lines(tmp_path / "a.csv", [*rows[:4], "0;0.5;0;1;9;9;9", rows[5]]),), "g")
    tabs = [row.replace(",", "\t") for row in (HEADER, *ROWS)]
    assert len(read_imu((lines(tmp_path / "a.csv", tabs),), "g,deg/s").time_s) == 4


def test_axes_and_sensors_that_are_off_are_said(tmp_path):
    time_s, values = samples()
    path = lines(tmp_path / "a.csv", table((1e6 * time_s).round().astype(int), values * [0, 0, 1]))
    assert read_imu((path,), "g", 100).notes == ("acc_x is 0 in all rows", "acc_y is 0 in all rows")
    path = lines(tmp_path / "a.csv", table((1e6 * time_s).round().astype(int), values * 0))
    with pytest.raises(RecordingError, match="acc_x, acc_y, acc_z are 0 in all 300 rows: a sensor that was off"):
        read_imu((path,), "g", 100)


def test_one_wrong_time_far_away_is_no_gap(tmp_path):
    time_s, values = samples()
    far = np.concatenate([time_s[:-1], [1e6]])
    with pytest.raises(RecordingError, match="300 rows at 100 Hz span 1e.06 s; row 300 is 999997 s after the row"):
        read_imu((lines(tmp_path / "a.csv", table(far, values, "time_s,acc_x,acc_y,acc_z")),), "g", 100)
    with pytest.raises(RecordingError, match="steps at 1e.07 Hz: wrong time unit"):
        read_imu((lines(tmp_path / "a.csv", table(time_s * 1e-5, values, "time_s,acc_x,acc_y,acc_z")),), "g")
