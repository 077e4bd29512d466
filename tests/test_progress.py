from pathlib import Path

import pytest
from closure import ROOT

from rbc.outputs import writing
from rbc.progress import stage_line


@pytest.mark.parametrize("out, line", [
    ("data/align_data", "stage 1 of 8: align_data"), ("data/finetune", "stage 4 of 8: finetune"),
    ("data/embed", "stage 8 of 8: embed"), ("data/baselines", ""), ("report/ceiling", ""), ("finetune", ""),
])
def test_a_stage_knows_its_place_in_the_pipeline(monkeypatch, out, line):
    monkeypatch.chdir(ROOT)
    assert stage_line(Path(out)) == line


def test_the_line_is_the_first_that_a_stage_says_and_others_say_none(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    with writing(Path("data/finetune")):
        assert capsys.readouterr().err == ""  # no pipeline here
    (tmp_path / "dvc.yaml").write_text("vars: []\nstages:\n  first:\n    cmd: x\n\n  finetune:\n    cmd: y\n")
    with writing(Path("data/finetune")):
        assert capsys.readouterr().err == "stage 2 of 2: finetune\n"
    monkeypatch.setenv("RANK", "1")
    with writing(Path("data/finetune")):
        assert capsys.readouterr().err == ""
