from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recorded import SETTINGS, write_arrays

from rbc.recordings.checking import check_all
from rbc.recordings.errors import RecordingError
from rbc.recordings.ontology import Ontology
from rbc.recordings.summary import summary


def check(root, rows, ontology=Ontology(), behaviours=("walk",), **changes):
    pd.DataFrame(rows).to_csv(root / "sessions.csv", index=False)
    settings = replace(SETTINGS, behaviours=behaviours)
    return check_all(root, settings, animal_pattern="^..", ontology=ontology, progress=False, **changes)


def test_problems_of_the_manifest_and_of_files_come_together(tmp_path):
    rows = [
        write_arrays(tmp_path, "aa1") | {"span": "five", "imu": "aa1.npz"},
        write_arrays(tmp_path, "bb1", label_names=np.array(["fly"])) | {"imu": "gone.npz"},
        write_arrays(tmp_path, "cc1", labels=np.full((200, 1), 7)),
        write_arrays(tmp_path, "dd1", imu=np.tile([0.0, 0.0, 1.0], (200, 1))),
    ]  # fmt: skip
    with pytest.raises(RecordingError) as error:
        check(tmp_path, rows, Ontology((("walk", "run"),)))
    text = "\n".join(error.value.problems)
    for part in ("line 2: session aa1: span: 'five'", "line 3: session bb1: imu: missing file 'gone.npz'",
                 "session cc1", "needs 1, 0 or -1", "session dd1: ", "it looks like g", "unknown behaviour 'run'"):
        assert part in text, text


def test_a_file_is_read_although_its_row_is_wrong(tmp_path):
    row = write_arrays(tmp_path, "aa1", labels=np.full((200, 1), 7)) | {"px_per_cm": "-1"}
    with pytest.raises(RecordingError) as error:
        check(tmp_path, [row])
    assert "px_per_cm" in error.value.problems[0] and "needs 1, 0 or -1" in error.value.problems[1]


def test_what_was_found_is_summed_up(tmp_path):
    labels = np.repeat([[1, 1], [0, 1], [-1, -1], [0, 0]], 50, axis=0)
    names = np.array(["walk", "still"])
    rows = [write_arrays(tmp_path, "aa1", labels=labels, label_names=names),
            write_arrays(tmp_path, "bb1") | {"imu": ""},
            write_arrays(tmp_path, "cc1") | {"exclude": "camera fell"}]  # fmt: skip
    found = check(tmp_path, rows, Ontology((("walk", "still"),)), ("walk", "still"))
    look = found.looks["aa1"]
    assert (look.imu, look.pose, look.labelled_s) == (True, True, 3.0) and abs(look.length_s - 3.98) < 1e-9
    assert look.warnings == ("labels contradict: walk with still in 50 frames",)
    text = summary(found, Ontology(definitions={"walk": "all four paws step"}))
    for part in ("2, left out cc1 (camera fell)", "2: aa, bb", "0.1 in 2 sessions", "1 imu and pose, 1 pose alone",
                 "walk (all four paws step), still", "odd: aa1: labels contradict"):
        assert part in text, text


def test_animals_spelt_in_two_ways_are_odd(tmp_path):
    rows = [write_arrays(tmp_path, name) | {"animal": animal} for name, animal in (("aa1", "F3"), ("bb1", "f03"))]
    assert "odd: animals F3, f03 differ only in case or zero-padding" in summary(check(tmp_path, rows))


def test_behaviours_are_those_of_the_files_where_none_are_named(tmp_path):
    rows = [write_arrays(tmp_path, "aa1"), write_arrays(tmp_path, "bb1", label_names=np.array(["fly"]))]
    assert check(tmp_path, rows, behaviours=()).behaviours == ("walk", "fly")
    assert check(tmp_path, rows, Ontology(aliases={"fly": "walk"})).behaviours == ("walk",)
    assert check(tmp_path, rows, labels=False).looks["aa1"].labelled_s == 0


def test_nothing_but_excluded_sessions_is_an_error(tmp_path):
    with pytest.raises(RecordingError, match="every session is excluded"):
        check(tmp_path, [write_arrays(tmp_path, "aa1") | {"exclude": "all wet"}])


def test_a_row_without_units_is_told_once(tmp_path):
    (tmp_path / "imu.csv").write_text("time_s,acc_x,acc_y,acc_z\n" + "".join(f"{i / 50},0,0,1\n" for i in range(200)))
    (tmp_path / "more.csv").write_text("time_s,acc_x,acc_y,acc_z\n9,0,0,soon\n9.1,0,0,1\n")
    (tmp_path / "walk.csv").write_text("Behavior,Behavior type,Time\nwalk,START,0.5\nwalk,STOP,1\n")
    row = {"session": "aa1", "animal": "aa", "pose": "", "imu": "imu.csv;more.csv", "labels": "walk.csv", "imu_units": ""}
    with pytest.raises(RecordingError) as error:
        check(tmp_path, [row | {"pose_rate_hz": "", "imu_rate_hz": 50}])
    units, number, span = error.value.problems
    assert units.endswith("imu.csv: imu_units is empty; needs the units of acc and gyro, such as 'g,deg/s'")
    assert units.startswith("session aa1: ") and "more.csv: line 2" in number
    assert "event labels without a span" in span
