import subprocess
from pathlib import Path

import pandas as pd
import pytest

from rbc import folds
from rbc.folds import FoldsError, collect, command, leave_out, main
from rbc.params import load
from rbc.scoring.splits import assign

ROOT = Path(__file__).resolve().parent.parent
ANIMALS = [f"F{i}" for i in range(1, 8)]


def scores(macro: float) -> dict:
    return {"f1": {"macro": macro, "micro": None}, "baselines": {"random_forest": 0.5}, "behaviours": {"walk": {"f1": 1}}}


@pytest.mark.parametrize("number", [2, 3, 7])
def test_every_animal_is_left_out_once(number):
    made = leave_out(ANIMALS, number, seed=0)
    assert sorted(animal for held in made.values() for animal in held) == ANIMALS
    assert len(made) == number and max(map(len, made.values())) - min(map(len, made.values())) <= 1
    assert made == leave_out(ANIMALS[::-1], number, seed=0)  # their order is nobody's business
    other = leave_out(ANIMALS, number, seed=1)
    assert not made.keys() & other.keys() and list(made.values()) != list(other.values())


@pytest.mark.parametrize("number", [1, 8])
def test_folds_need_an_animal_each(number):
    with pytest.raises(FoldsError, match=f"--folds is {number}; needs 2 to 7"):
        leave_out(ANIMALS, number, seed=0)


def test_an_experiment_holds_its_animals_out_and_keeps_the_test_animals_closed():
    made = command("fold-1", ["F1", "F3"], ["M6"])
    assert made[:6] == ["dvc", "exp", "run", "--queue", "--name", "fold-1"]
    split = dict(setting.split("=") for setting in made if setting.startswith("split."))
    assert split == {"split.by": "animal", "split.validation": "[F1,F3]", "split.test": "[M6]"}
    roles = assign({f"{a}D1": a for a in (*ANIMALS, "M6")}, "animal", ["F1", "F3"], ["M6"])
    assert [name for name, role in roles.items() if role == "validation"] == ["F1D1", "F3D1"]


def test_what_is_queued_are_the_folds_without_scores(tmp_path, monkeypatch):
    (tmp_path / "sessions.csv").write_text(
        "session,animal,pose,imu,labels,pose_rate_hz,imu_rate_hz,exclude\n"
        + "".join(f"{a}D1,{a},,,{labels},50,50,{why}\n" for a, labels, why in
                  [("F1", "x.csv", ""), ("F2", "x.csv", ""), ("F3", "x.csv", ""), ("F4", "", ""), ("F5", "x.csv", "sick"),
                   ("F6", "x.csv", "")]))
    (tmp_path / "x.csv").touch()
    params = load(ROOT / "params.yaml")
    queued = []
    monkeypatch.setattr(folds, "load", lambda: params.model_copy(update={
        "data": params.data.model_copy(update={"root": str(tmp_path)}),
        "split": params.split.model_copy(update={"test": ("F6",)})}))
    monkeypatch.setattr(folds, "scores_of", lambda name: scores(0.5) if name == "fold-2-of-3-seed-0" else {})
    monkeypatch.setattr(subprocess, "run", lambda line: queued.append(line) or subprocess.CompletedProcess(line, 0))
    assert main(["queue", "--folds", "3"]) == 0
    held = leave_out(["F1", "F2", "F3"], 3, seed=0)  # F4 has no labels, F5 is excluded, F6 is a test animal
    assert queued == [command(name, held[name], ["F6"]) for name in ("fold-1-of-3-seed-0", "fold-3-of-3-seed-0")]


def test_scores_of_the_folds_become_one_table(monkeypatch):
    made = {"a": ["F1"], "b": ["F2", "F3"]}
    monkeypatch.setattr(folds, "scores_of", lambda name: scores(0.4 if name == "a" else 0.6))
    table = collect(made).set_index("fold")
    assert list(table.index) == ["a", "b", "mean", "std"] and table.loc["b", "held_out"] == "F2 F3"
    assert list(table["f1.macro"]) == pytest.approx([0.4, 0.6, 0.5, 0.02**0.5]) and pd.isna(table.loc["a", "f1.micro"])


def test_folds_that_have_not_run_are_named(monkeypatch):
    monkeypatch.setattr(folds, "scores_of", lambda name: scores(0.4) if name == "a" else {})
    with pytest.raises(FoldsError, match="b, c"):
        collect({"a": [], "b": [], "c": []})
