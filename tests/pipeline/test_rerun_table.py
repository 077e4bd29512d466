"""The table "param changed → stages that run again" of docs/pipeline.md against what DVC knows of the pipeline."""

import re

import pytest
import yaml
from checkout import stages_run
from closure import ROOT
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")]
PAGE = ROOT / "docs/pipeline.md"
HEADING, COLUMNS = "## What runs again", ["param", "stages that run again"]


def read_table(text: str) -> dict[str, list[str]]:
    """{param or section: stages} of the table below the heading; `a`, `b` in a cell are two params with one row."""
    section = text.partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in section.splitlines() if "|" in line]
    assert rows and rows[0] == COLUMNS, f"{PAGE.name} needs a table with the columns {COLUMNS} under {HEADING!r}"
    names = [(re.findall(r"`([\w.]+)`", params), re.findall(r"\w+", stages)) for params, stages in rows[2:]]
    table = {param: stages for params, stages in names for param in params}
    assert len(table) == sum(len(params) for params, _ in names), "a param stands in two rows"
    return table


def read_pipeline(folder) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{stage: params that it depends on} and {stage: itself and all below it, in order}, as DVC sees them."""
    with Repo(str(folder)) as repo:
        stages, graph = repo.index.stages, repo.index.graph  # an edge leads from a stage to what it needs
        params = {stage.name: [name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params]
                  for stage in stages}
        above = {stage: set() for stage in stages}
        order = []

        def visit(stage):
            if stage not in order:
                for needed in graph.successors(stage):
                    visit(needed)
                    above[stage] |= {needed} | above[needed]
                order.append(stage)

        for stage in stages:
            visit(stage)
        return params, {top.name: [stage.name for stage in order if stage is top or top in above[stage]] for top in order}


def leaves(settings: dict, place: str = "") -> list[str]:
    return [leaf for key, value in settings.items()
            for leaf in (leaves(value, f"{place}{key}.") if isinstance(value, dict) else [place + key])]


def within(param: str, place: str) -> bool:
    return f"{param}.".startswith(f"{place}.")


def users(param: str, params: dict[str, list[str]]) -> set[str]:
    return {stage for stage, names in params.items() if any(within(param, name) for name in names)}


def test_every_param_stands_in_the_table_with_the_stages_that_run_again(origin):
    table = read_table(PAGE.read_text())
    params, below = read_pipeline(origin.folder)
    settings = leaves(yaml.safe_load((origin.folder / "params.yaml").read_text()))
    assert not [name for name in table if not any(within(param, name) for param in settings)], "no such param"
    for param in settings:
        row = max((name for name in table if within(param, name)), key=len, default=None)
        assert row, f"{param} stands in no row"
        assert set(table[row]) == {stage for user in users(param, params) for stage in below[user]}, param


def test_an_experiment_runs_the_stages_of_its_row(masked):
    assert set(stages_run(masked)) == set(read_table(PAGE.read_text())["finetune"])


def test_dvc_sees_the_change_of_a_param_where_its_files_say(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone", shared_cache=True)
    clone.set({"compute": {"threads": 3}})
    params, _ = read_pipeline(origin.folder)
    # a dry run does not know yet what the outputs will be: it names those that depend on the param itself
    assert set(stages_run(clone.dvc("repro", "--dry"))) == users("compute.threads", params)
