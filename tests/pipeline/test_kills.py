"""The same seed twice, the second time killed in the middle, five times: `dvc repro` goes on and ends in the same bytes."""

import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from checkout import Checkout, stages_run, wait_for

pytestmark = [pytest.mark.pipeline, pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")]
RESULTS = ("data", "metrics", "plots")


@dataclass(frozen=True)
class Kill:
    stage: str
    sign: str
    """Files that tell that the stage is in the middle of its work once they are there, or replaced."""
    dvc_alone: bool = False


KILLS = (
    Kill("align_data", "data/.align_data.tmp/*/session.json"),
    Kill("pretrain", ".scratch/pretrain-*/checkpoint.pt"),
    Kill("pretrain", ".scratch/pretrain-*/checkpoint.pt", dvc_alone=True),
    Kill("finetune", ".scratch/finetune-*/checkpoint.pt"),
    Kill("train_mlp", ".scratch/train_mlp-*/checkpoint.pt"),
)


def versions(folder: Path, pattern: str) -> set[tuple]:
    """(path, inode) of the files: another set when one was written or replaced."""
    found = set()
    for path in folder.glob(pattern):
        try:
            found.add((path, path.stat().st_ino))
        except FileNotFoundError:  # replaced since it was listed
            pass
    return found


def repro(checkout: Checkout, log: Path, kill: Kill) -> str:
    """What `dvc repro` says that is killed in the middle of a stage."""
    before = versions(checkout.folder, kill.sign)
    with checkout.running("dvc", "repro", log=log) as dvc:
        wait_for(lambda: versions(checkout.folder, kill.sign) - before or dvc.poll() is not None)
        assert dvc.poll() is None, log.read_text()
        (stage,) = [child for child in psutil.Process(dvc.pid).children() if f"stages.{kill.stage}" in child.cmdline()]
        (dvc if kill.dvc_alone else stage).send_signal(signal.SIGKILL)
        code = dvc.wait()
    said = log.read_text()
    assert code == -signal.SIGKILL if kill.dvc_alone else code > 0, said
    assert not (checkout.folder / "data" / kill.stage).exists(), f"{kill.stage} had ended before it was killed"
    return said


@pytest.fixture(scope="module")
def disturbed(origin, tmp_path_factory):
    """A clone with a cache of its own in which every run but the last was killed, and what the runs said."""
    checkout = origin.clone(tmp_path_factory.mktemp("killed") / "clone")
    logs = [repro(checkout, checkout.folder.with_name(f"{i}.log"), kill) for i, kill in enumerate(KILLS)]
    logs.append(checkout.run("sh", "-c", "dvc repro 2>&1"))
    return checkout, logs


def test_the_same_seed_and_five_kills_end_in_the_same_bytes(origin, disturbed):
    checkout, _ = disturbed
    assert checkout.digests(*RESULTS) == origin.digests(*RESULTS)
    assert not checkout.run("git", "status", "--porcelain")
    assert [path.name for path in (checkout.folder / ".scratch").iterdir()] == ["locks"]


def test_no_stage_that_had_ended_runs_again(disturbed):
    _, logs = disturbed
    assert stages_run(logs[0]) == ["simulate", "align_data"]
    assert stages_run(logs[1]) == ["align_data", "pretrain"]
    assert stages_run(logs[2]) == ["pretrain"]
    assert stages_run(logs[3])[0] == "pretrain" and stages_run(logs[3])[-1] == "finetune"
    assert stages_run(logs[4])[0] == "finetune" and stages_run(logs[4])[-1] == "train_mlp"
    assert stages_run(logs[5])[0] == "train_mlp"


def first_steps(log: str, name: str) -> list[int]:
    """The step at which each progress bar of that name began."""
    bars = re.findall(rf"{name}:\s+\d+%\|[^|]*\| (\d+)/\d+ \[00:00<", log)
    return [int(step) for step in bars[:1]]


@pytest.mark.parametrize("run, bar", [(2, "pretrain"), (3, "pretrain"), (4, "finetune"), (5, "train_mlp")])
def test_training_goes_on_where_it_was(disturbed, run, bar):
    _, logs = disturbed
    (step,) = first_steps(logs[run], bar)
    assert step > 0
