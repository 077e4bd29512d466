import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import SafetensorError

from rbc import disk, outputs
from rbc.disk import FullDiskError
from rbc.outputs import BusyError, fingerprint, scratch, write_json, write_table, writing

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30

STAGE = """
import multiprocessing, os, time
from pathlib import Path
from rbc.outputs import writing
with writing(Path("data/nap")) as folder:
    (folder / "half").write_text("")
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    Path("pids.new").write_text(f"{os.getpid()} {worker.pid}")
    Path("pids.new").rename("pids")
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RBC_SCRATCH", "RANK", "WORLD_SIZE", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(outputs, "_checkpoints", {})


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writing_replaces_the_whole_folder():
    path = Path("data/pretrain")
    path.mkdir(parents=True)
    (path / "old").touch()
    with writing(path) as folder:
        (folder / "new").touch()
        assert names(path) == ["old"]
    assert names(path) == ["new"] and names(path.parent) == ["pretrain"]


def test_an_error_leaves_the_old_folder():
    path = Path("data/pretrain")
    with writing(path) as folder:
        (folder / "good").touch()
    with pytest.raises(KeyboardInterrupt), writing(path) as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt
    assert names(path) == ["good"] and names(path.parent) == ["pretrain"]


def write_text_to_a_full_disk(folder: Path, _) -> None:
    (folder / "full").symlink_to("/dev/full")
    (folder / "full").write_text("half")


def write_array_to_a_full_disk(folder: Path, patch) -> None:
    patch.setattr(disk, "FULL", 2**60)
    (folder / "full").symlink_to("/dev/full")
    np.arange(9.0).tofile(folder / "full")  # no error


def write_weights_to_a_full_disk(*_) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("write", [write_text_to_a_full_disk, write_array_to_a_full_disk, write_weights_to_a_full_disk])
def test_a_full_disk_is_said_leaves_the_old_folder_and_once_there_is_space_it_goes_on(write, monkeypatch):
    path = Path("data/pretrain")
    with writing(path) as folder:
        (folder / "good").touch()
    said = "data/pretrain: a disk is full, nothing .* more than the 1.0 MiB so far, .* MiB are free in data$"
    with monkeypatch.context() as patch, pytest.raises(FullDiskError, match=said), writing(path) as folder:
        (scratch("pretrain", "f00") / "step").touch()
        (folder / "half").write_text("x" * 2**20)
        write(folder, patch)
    assert names(path) == ["good"] and names(path.parent) == ["pretrain"]
    with writing(path) as folder:
        assert names(scratch("pretrain", "f00")) == ["step"]
        (folder / "whole").touch()
    assert names(path) == ["whole"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_of_a_table_that_does_not_fit_on_the_disk_the_old_one_stays():
    table = pd.DataFrame({"n": [1]})
    write_table(Path("plots/a.csv"), table)
    Path("plots/.a.csv.tmp").symlink_to("/dev/full")
    with pytest.raises(FullDiskError, match="plots/a.csv"):
        write_table(Path("plots/a.csv"), table + 1)
    assert names(Path("plots")) == ["a.csv"] and Path("plots/a.csv").read_text() == "n\n1\n"


def test_other_errors_are_not_blamed_on_the_disk():
    with pytest.raises(FileNotFoundError), writing(Path("data/a")) as folder:
        (folder / "missing").read_text()


def test_leftovers_of_a_killed_run_are_removed():
    Path("data/.pretrain.tmp/deep").mkdir(parents=True)
    Path("data/.pretrain.old.tmp").mkdir()
    with writing(Path("data/pretrain")) as folder:
        assert names(folder) == []
    assert names(Path("data")) == ["pretrain"]


def test_a_link_is_replaced_not_followed():
    Path("elsewhere").mkdir()
    Path("elsewhere/kept").touch()
    Path("link").symlink_to("elsewhere")
    with writing(Path("link")) as folder:
        (folder / "new").touch()
    assert names(Path("link")) == ["new"] and names(Path("elsewhere")) == ["kept"]


def test_two_writers_of_one_output_exclude_each_other():
    with writing(Path("data/a")):
        with pytest.raises(BusyError, match="data/a"), writing(Path("data/a"), wait_s=0):
            pass
        with writing(Path("data/b"), wait_s=0):
            pass
    with writing(Path("data/a"), wait_s=0):
        pass


def test_only_rank_0_writes(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with writing(Path("data/a")) as folder:
        (folder / "x").touch()
    assert not Path("data").exists() and not folder.exists()


def test_checkpoints_live_until_their_stage_is_done():
    stale, other = Path(".scratch/pretrain-0ld"), Path(".scratch/finetune-0ld")
    stale.mkdir(parents=True), other.mkdir()
    with pytest.raises(ValueError), writing(Path("data/pretrain")):
        (scratch("pretrain", "f00") / "step").touch()
        raise ValueError
    assert not stale.exists() and other.exists()
    with writing(Path("data/pretrain")):
        assert names(scratch("pretrain", "f00")) == ["step"]
    assert names(Path(".scratch")) == ["finetune-0ld", "locks"]


def test_a_shared_scratch_keeps_what_others_left(monkeypatch, tmp_path):
    monkeypatch.setenv("RBC_SCRATCH", str(tmp_path / "shared"))
    (tmp_path / "shared/pretrain-0ther").mkdir(parents=True)
    with writing(Path("data/pretrain")):
        first, second = scratch("pretrain", "f00"), scratch("pretrain", "f00")  # the second finds the folder in use
        assert first == tmp_path / "shared/pretrain-f00" and second == Path(".scratch/pretrain-f00")
    assert names(tmp_path / "shared") == ["locks", "pretrain-0ther"] and not second.exists()
    with writing(Path("data/pretrain")):
        assert scratch("pretrain", "f00") == first  # its lock was given back


def test_fingerprint_changes_with_settings_inputs_and_processes(monkeypatch):
    folder = Path("in")
    folder.mkdir()
    (folder / "a").write_text("1")

    def mark(params):
        return fingerprint(params, [folder])

    first = mark({"lr": 0.1, "steps": 2})
    assert first == mark({"steps": 2, "lr": 0.1}) and len(first) == 16
    seen = {first, mark({"lr": 0.2, "steps": 2})}
    (folder / "a").write_text("2")
    seen.add(mark({"lr": 0.1, "steps": 2}))
    (folder / "a").rename(folder / "b")
    seen.add(mark({"lr": 0.1, "steps": 2}))
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen.add(mark({"lr": 0.1, "steps": 2}))
    assert len(seen) == 5
    with pytest.raises(FileNotFoundError):
        fingerprint({}, [Path("missing")])


def test_fingerprint_changes_with_code(monkeypatch):
    Path("rbc_twin.py").write_text("x = 1")
    module = type(sys)("rbc.twin")
    module.__file__ = "rbc_twin.py"
    monkeypatch.setitem(sys.modules, "rbc.twin", module)
    first = fingerprint({}, [])
    Path("rbc_twin.py").write_text("x = 2")
    assert fingerprint({}, []) != first


def test_json_is_rounded_ordered_and_strict():
    write_json(Path("metrics/a.json"), {"b": np.float32(1 / 3), "a": [float("nan"), -1e-9, np.int64(2)],
                                        "c": {"d": np.array([0.5, np.inf]), "e": True, "f": "é"}})
    text = Path("metrics/a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"b": 0.333333, "a": [None, 0.0, 2], "c": {"d": [0.5, None], "e": True, "f": "é"}}
    assert text.index('"b"') < text.index('"a"') and "-0.0" not in text and text.endswith("}\n")
    assert names(Path("metrics")) == ["a.json"]


def test_tables_are_rounded_and_separated_by_suffix():
    table = pd.DataFrame({"who": ["F1", "a,b"], "value": np.array([1 / 3, np.nan], "f4"), "n": [1, 2]})
    write_table(Path("plots/a.tsv"), table)
    write_table(Path("plots/a.csv"), table)
    assert Path("plots/a.tsv").read_text() == "who\tvalue\tn\nF1\t0.333333\t1\na,b\t\t2\n"
    assert Path("plots/a.csv").read_text() == 'who,value,n\nF1,0.333333,1\n"a,b",,2\n'
    assert table["value"].dtype == "f4"
    with pytest.raises(ValueError, match="txt"):
        write_table(Path("plots/a.txt"), table)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("launcher", ["python", "torchrun --standalone --nproc-per-node=1"])
def test_a_stage_dies_with_its_dvc(launcher):
    """Killing dvc alone leaves its stages running: an orphan would later overwrite the next run's output."""
    Path("nap.py").write_text(STAGE)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    Path("dvc.yaml").write_text(r"stages: {nap: {cmd: 'exec \${RBC_LAUNCH:-python} -m nap', outs: [data/nap]}}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RBC_LAUNCH": launcher, "OMP_NUM_THREADS": "1",
                   "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    dvc = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(Path("pids").exists)
    pids = [int(pid) for pid in Path("pids").read_text().split()]
    assert all(map(is_running, pids))
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    wait_for(lambda: not any(map(is_running, pids)))
    assert names(Path("data")) == [".nap.tmp"]
    with writing(Path("data/nap"), wait_s=PATIENCE_S):
        pass
    assert names(Path("data")) == ["nap"]
