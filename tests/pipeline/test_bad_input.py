"""What is wrong with recordings or settings is said in one message before anything is written."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from closure import ROOT

import stages.align_data
from rbc.params import ParamsError
from rbc.recordings.errors import RecordingError
from rbc.recordings.session import load_sessions
from rbc.simulate.dataset import simulate

SPANS, WHOLE = "F1D1_indoor", "F5D2_indoor"  # one annotated in a span, one completely
POSE = "data/raw/pose/{}DLC_resnet50_rbc.csv"
RESULTS = ("data/align_data", "data/.align_data.tmp", "metrics", "plots")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """A raw folder of two sessions."""
    root = tmp_path_factory.mktemp("recordings") / "raw"
    simulate(root, "first", "tiny", seed=20)
    table = pd.read_csv(root / "sessions.csv", dtype=str, keep_default_na=False)
    table[table["session"].isin([SPANS, WHOLE])].to_csv(root / "sessions.csv", index=False)
    return root


@pytest.fixture(autouse=True)
def workspace(recordings, tmp_path, monkeypatch) -> None:
    """A working directory with params.yaml and a copy of the recordings; stages run inside this process."""
    shutil.copytree(recordings, tmp_path / "data/raw")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)


def edit(path: str, change: Callable[[str], str]) -> None:
    text = Path(path).read_text()
    changed = change(text)
    assert changed != text
    Path(path).write_text(changed)


def edit_manifest(**cells) -> None:
    """Change cells of the second session's row."""
    table = pd.read_csv("data/raw/sessions.csv", dtype=str, keep_default_na=False)
    table.loc[1, list(cells)] = list(cells.values())
    table.to_csv("data/raw/sessions.csv", index=False)


def edit_params(section: str, **settings) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params[section] |= settings
    Path("params.yaml").write_text(yaml.safe_dump(params))


def missing_file() -> None:
    Path(f"data/raw/imu/{SPANS}.csv").unlink()


def missing_column() -> None:
    edit(f"data/raw/imu/{SPANS}.csv", lambda text: text.replace("time_s", "clock", 1))


def unknown_behaviour() -> None:
    edit(f"data/raw/labels/{WHOLE}.csv", lambda text: text.replace(",walk,", ",wobble,"))


def labels_beyond() -> None:
    edit(f"data/raw/labels/{WHOLE}.csv", lambda text: re.sub(r"(STOP),[\d.]+(,[^\n]*\n)\Z", r"\1,5000.000\2", text))


def no_span() -> None:
    edit_manifest(span="")


def time_goes_back() -> None:
    edit(f"data/raw/imu/{SPANS}.csv", lambda text: re.sub(r"(\n[^\n]*){2}", lambda rows: 2 * rows[0], text, count=1))


def nothing_measured() -> None:
    edit(f"data/raw/imu/{SPANS}.csv", lambda text: re.sub(r",-?\d+\.\d+", ",nan", text))


def session_twice() -> None:
    edit("data/raw/sessions.csv", lambda text: text + text.splitlines()[1] + "\n")


def no_animal() -> None:
    edit_manifest(session="rat_one", animal="")


def no_body_axis() -> None:
    edit(POSE.format(WHOLE), lambda text: text.replace("neck", "withers"))


def out_of_range() -> None:
    edit_params("align_data", min_likelihood=1.5)


def unknown_param() -> None:
    edit_params("pretrain", learning_rate=0.1)


BAD = {
    missing_file: (SPANS, f"missing file 'imu/{SPANS}.csv'", "needs a file below"),
    missing_column: (SPANS, "missing column 'time_s'", "the columns are 'clock', 'acc_x'"),
    unknown_behaviour: (WHOLE, "line ", "unknown behaviour 'wobble'", "walk, jump"),
    labels_beyond: (WHOLE, "line ", "5000", "the recording"),
    no_span: (WHOLE, "event labels without a span", "needs start-stop in s"),
    time_goes_back: (SPANS, "line 4", "time does not increase"),
    nothing_measured: (SPANS, "imu is all-NaN"),
    session_twice: ("line 4", f"duplicated session '{SPANS}'", "first at line 2"),
    no_animal: ("no animal matched", "data.animal_pattern", "'rat_one'"),
    no_body_axis: (WHOLE, "neck", "body_axis"),
    out_of_range: ("align_data.min_likelihood", "less than or equal to 1", "seen 1.5"),
    unknown_param: ("pretrain.learning_rate: unknown", "known here", "weight_decay"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_input_is_refused_before_anything_is_written(spoil):
    spoil()
    with pytest.raises((RecordingError, ParamsError)) as refused:
        stages.align_data.main()
    message = str(refused.value)
    assert [part for part in BAD[spoil] if part not in message] == [], message
    assert len(message.splitlines()) <= 2
    assert not [path for path in RESULTS if Path(path).exists()]


def test_one_message_lists_the_problems_of_all_files():
    for spoil in (time_goes_back, unknown_behaviour, no_body_axis):
        spoil()
    with pytest.raises(RecordingError) as refused:
        stages.align_data.main()
    for spoil in (time_goes_back, unknown_behaviour, no_body_axis):
        assert all(part in str(refused.value) for part in BAD[spoil])


def test_the_user_sees_the_message_and_no_traceback():
    missing_file()
    done = subprocess.run([sys.executable, "-m", "stages.align_data"], env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True)
    assert done.returncode == 1 and all(part in done.stderr for part in BAD[missing_file])
    assert "Traceback" not in done.stderr


def test_keypoint_sets_that_differ_are_united():
    edit(POSE.format(WHOLE), lambda text: text.replace("tail_tip", "whiskers"))
    stages.align_data.main()
    sessions = load_sessions(Path("data/align_data"))
    for name, lacking in ((SPANS, "whiskers"), (WHOLE, "tail_tip")):
        session = sessions[name]
        assert {"whiskers", "tail_tip", "neck"} <= set(session.keypoints)
        missing = {point for k, point in enumerate(session.keypoints) if np.isnan(session.pose[:, k, :2]).all()}
        assert missing == {lacking}
