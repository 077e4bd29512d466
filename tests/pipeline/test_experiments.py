"""The everyday commands of README: set a param, queue, look, compare, apply."""

import csv
import io
import json
from pathlib import Path

import psutil
import pytest
import yaml
from checkout import stages_run, wait_for

pytestmark = pytest.mark.pipeline
SCORES = "metrics/evaluate.json"


@pytest.fixture(scope="module")
def queued(tour, masked):
    """Names of two experiments that two workers took from the queue."""
    tour.run("git", "checkout", "--quiet", ".")
    tour.dvc("checkout", "--quiet")
    tour.dvc("exp", "run", "--queue", "--name", "narrow", "--set-param", "evaluate.collar_s=0.1")
    tour.dvc("exp", "run", "--queue", "--name", "few", "--set-param", "embed.points=500")
    try:
        tour.dvc("queue", "start", "--jobs", "2")
        # the workers write a reference to an experiment when it has ended well
        wait_for(lambda: {"narrow", "few"} <= names(tour) or "Failed" in tour.dvc("queue", "status"), pause_s=2)
        tour.dvc("queue", "stop")
        wait_for(lambda: not workers(tour.folder), pause_s=0.5)
    finally:
        for worker in workers(tour.folder):
            worker.kill()
    return "narrow", "few"


def names(checkout) -> set[str]:
    return {line.rsplit("/", 1)[-1]
            for line in checkout.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()}


def workers(folder: Path) -> list[psutil.Process]:
    """Background processes of the queue of a checkout."""
    found = []
    for process in psutil.process_iter():
        try:
            if "exp" in process.cmdline() and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            pass
    return found


def params(checkout) -> dict:
    return yaml.safe_load((checkout.folder / "params.yaml").read_text())


def changed(checkout, what: str, *revisions: str) -> dict[str, tuple]:
    """{name: (old, new)} of `dvc metrics diff` or `dvc params diff`."""
    files = json.loads(checkout.dvc(what, "diff", "--json", *revisions))
    return {f"{file}:{name}": (value.get("old"), value.get("new"))
            for file, values in files.items() for name, value in values.items()}


def test_differences_of_experiments_are_shown(tour, masked):
    assert changed(tour, "params", "HEAD", "masked") == {"params.yaml:finetune.mask_label_errors": (False, True)}
    scores = changed(tour, "metrics", "HEAD", "masked")
    assert any(name.startswith(SCORES) for name in scores) and any("finetune.json" in name for name in scores)
    assert not any("align_data.json" in name or "baselines" in name for name in scores)


def test_two_workers_run_the_queue_and_leave_the_workspace_alone(tour, queued):
    assert set(queued) <= names(tour)
    assert not tour.run("git", "status", "--porcelain")
    assert "up to date" in tour.dvc("status")
    assert changed(tour, "params", "HEAD", "narrow") == {"params.yaml:evaluate.collar_s": (0.2, 0.1)}
    assert set(changed(tour, "metrics", "HEAD", "narrow")) == {f"{SCORES}:f1.macro_collar"}
    assert not changed(tour, "metrics", "HEAD", "few")


def test_experiments_are_shown_with_their_params_and_scores(tour, queued):
    rows = {row["Experiment"]: row for row in csv.DictReader(io.StringIO(tour.dvc("exp", "show", "--csv")))}
    assert {"masked", *queued} <= set(rows)
    assert [rows[name]["finetune.mask_label_errors"] for name in ("masked", "few")] == ["True", "False"]
    assert rows["few"]["embed.points"] == "500" and rows["masked"]["f1.macro"]


def test_an_applied_experiment_is_what_the_workspace_would_make(tour, queued):
    tour.dvc("exp", "apply", "few")
    assert params(tour)["embed"]["points"] == 500
    log = tour.dvc("repro")
    assert "up to date" in log and not stages_run(log)


def test_animals_that_need_not_decide_any_more_teach_and_test_animals_are_scored(origin, tmp_path):
    final = origin.clone(tmp_path / "final", shared_cache=True)
    before = json.loads((final.folder / SCORES).read_text())["split"]["labelled_minutes"]
    final.dvc("exp", "run", "--set-param", "split.validation=[]", "--set-param", "evaluate.final=true",
              "--set-param", "train_mlp.members=2")
    assert json.loads((final.folder / SCORES).read_text()) == {}
    split = json.loads((final.folder / "metrics/test.json").read_text())["split"]
    assert split["role"] == "test" and split["labelled_minutes"] > before
    taught = json.loads((final.folder / "data/train_mlp/trained_on.json").read_text())
    assert {role for name, served in taught.items() if name.startswith("F5") for role in served["labels"]} == {"train"}


def test_nobody_to_judge_by_and_nothing_to_score_are_said(origin, tmp_path):
    alone = origin.clone(tmp_path / "alone", shared_cache=True)
    alone.set({"split": {"validation": []}})
    with pytest.raises(AssertionError, match="train_mlp.members is 1, which leaves no animal out"):
        alone.dvc("repro", "train_mlp")
    alone.set({"train_mlp": {"members": 2}})
    alone.dvc("repro", "train_mlp")
    with pytest.raises(AssertionError, match="nothing to score: no validation animal has labels"):
        alone.dvc("repro", "evaluate")
