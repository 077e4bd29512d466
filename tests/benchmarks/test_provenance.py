import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.accuracy.datasets import DATASETS, settings
from benchmarks.accuracy.methods import RBC
from benchmarks.accuracy.provenance import code_hash, content_hash, method_hash, recordings_hash, revision
from benchmarks.imports import ROOT
from rbc.params import changed


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """`rbc/a.py` imports `rbc/b.py`; `rbc/c.py` stands alone."""
    (tmp_path / "rbc").mkdir()
    for name, text in (("a", "import rbc.b\nx = 1\n"), ("b", "y = 2\n"), ("c", "import rbc.b\nz = 3\n")):
        (tmp_path / f"rbc/{name}.py").write_text(text)
    return tmp_path


def test_a_hash_of_code_follows_imports_but_of_files_that_count_alone(code):
    whole, alone = (("rbc/a.py",), ()), ((), ("rbc/c.py",))
    before = code_hash(whole, root=code), code_hash(alone, root=code)
    (code / "rbc/b.py").write_text("y = 22\n")
    after = code_hash(whole, root=code), code_hash(alone, root=code)
    assert before[0] != after[0] and before[1] == after[1]


def test_comments_docstrings_and_layout_change_no_hash_of_code(code):
    entry = (("rbc/a.py",), ())
    before = code_hash(entry, root=code)
    (code / "rbc/b.py").write_text('"""What it is."""\n\ny = (\n    2)  # why\n')
    assert code_hash(entry, root=code) == before


def test_recordings_are_known_by_what_is_in_their_files(tmp_path):
    (tmp_path / "one.csv").write_text("1")
    before = content_hash(tmp_path)
    (tmp_path / "README.md").write_text("notes")
    os.utime(tmp_path / "one.csv", (0, 0))
    assert content_hash(tmp_path) == before != content_hash(tmp_path / "nowhere") == "none"
    (tmp_path / "one.csv").write_text("2")
    assert content_hash(tmp_path) != before


def test_a_setting_makes_stale_the_rows_of_the_methods_that_use_it():
    params = settings("second_world")
    peers, ours = ("always_present", "raw_trees", "random_forest"), (RBC, "rbc without mirror")
    methods = (*ours, *peers)

    def stale(changes: dict) -> set[str]:
        return {m for m in methods if method_hash(m, changed(params, changes)) != method_hash(m, params)}

    assert method_hash(RBC, params) != method_hash("rbc without mirror", params)
    assert stale({"finetune": {"lr": 0.5}}) == {*ours}
    assert stale({"baselines": {"windows": [7]}}) == {*peers}
    assert stale({"evaluate": {"collar_s": 0.7}, "embed": {"points": 9}}) == set()
    assert stale({"evaluate": {"adapt": False}}) == {*ours}
    assert stale({"simulate": {"seed": 5}}) == stale({"align_data": {"max_gap_s": 0.5}}) == {*methods}
    assert recordings_hash(params) == recordings_hash(changed(params, {"finetune": {"lr": 0.5}, "seed": 9}))


def test_worlds_differ_and_real_recordings_do_not_depend_on_the_simulator():
    assert len({recordings_hash(settings(name)) for name in DATASETS if name.endswith("_world")}) == 3
    mouse = settings("mouse")
    assert recordings_hash(mouse) == recordings_hash(changed(mouse, {"simulate": {"world": "second"}}))


def test_a_revision_is_a_short_hash_and_says_what_is_not_committed(tmp_path):
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments], cwd=tmp_path, check=True,
                       capture_output=True)

    assert revision(tmp_path) == "none"
    (tmp_path / "rbc").mkdir()
    (tmp_path / "rbc/a.py").write_text("x = 1\n")
    git("init"), git("add", "."), git("commit", "-m", "one")
    clean = revision(tmp_path)
    (tmp_path / "notes.txt").write_text("beside the code")
    assert revision(tmp_path) == clean and len(clean) >= 7
    (tmp_path / "rbc/a.py").write_text("x = 2\n")
    assert revision(tmp_path) == f"{clean}+"


PARENT = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from benchmarks.accuracy.processes import die_with_parent, run

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=die_with_parent) as pool:
        pool.submit(run, "endless", Path(sys.argv[1])).result()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker polls")
def test_what_a_killed_benchmark_started_ends_with_it(tmp_path):
    (tmp_path / "endless.py").write_text("import os, time\nprint(os.getpid(), os.getppid(), flush=True)\ntime.sleep(60)\n")
    (tmp_path / "parent.py").write_text(PARENT)
    log = tmp_path / "log.txt"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py"), str(tmp_path)], env=env)
    started = _wait_for(lambda: log.exists() and log.read_text().split())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _wait_for(lambda: not any(_is_running(int(pid)) for pid in started))


def _wait_for(condition, seconds: float = 30.0):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
