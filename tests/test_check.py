import shutil
from pathlib import Path

import pytest
import yaml
from real_data import folder

from rbc.check import main
from rbc.simulate import writer
from rbc.simulate.recording import write_session
from rbc.simulate.sizes import Plan

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made")
    for name in writer.FOLDERS:
        (root / name).mkdir()
    writer.write_manifest(root, [write_session(root, Plan("F5D2_indoor", 1.2, False, "all"), "first", "tiny", 20)])
    return root


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def settings(**data) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= data
    Path("params.yaml").write_text(yaml.safe_dump(params))


def test_a_sound_folder_is_summed_up_and_exits_0(made, capsys):
    settings(root=str(made))
    assert main([str(made)]) == 0
    said = capsys.readouterr().out
    for part in ("sessions          1", "animals           1: F5", "minutes           1.2", "1 imu and pose"):
        assert part in said, said


def test_every_problem_is_listed_and_exits_1(made, tmp_path, capsys):
    bad = shutil.copytree(made, tmp_path / "bad")
    table = (bad / "sessions.csv").read_text()
    (bad / "sessions.csv").write_text(table + table.splitlines()[1] + "\n")
    imu = bad / "imu/F5D2_indoor.csv"
    head, *rows = imu.read_text().splitlines()
    imu.write_text("\n".join([head, "soon" + rows[0], *rows[1:]]))
    settings(root=str(bad))
    assert main([str(bad)]) == 1
    said = capsys.readouterr().err
    for part in ("duplicated session", "is not a number", "line 2"):
        assert part in said, said


def test_without_params_every_behaviour_is_taken(made, capsys):
    assert main([str(made)]) == 0
    assert "no params.yaml here" in capsys.readouterr().out


def test_params_of_another_folder_only_note_behaviours(made, capsys):
    settings(root="elsewhere", behaviours=["walk"], ontology={
        "exclusive": [["walk", "fly"]], "implies": {}, "aliases": {}, "definitions": {}})
    assert main([str(made)]) == 0
    assert "not in data.behaviours, which this run would need: " in capsys.readouterr().out
    settings(root=str(made), behaviours=["walk"])
    assert main([str(made)]) == 1


def test_a_manifest_is_drafted_once(made, tmp_path, capsys):
    new = shutil.copytree(made, tmp_path / "new", ignore=shutil.ignore_patterns("truth", "sessions.csv"))
    assert main([str(new), "--fix-manifest"]) == 0
    assert "to fill: imu_units" in capsys.readouterr().out
    assert main([str(new), "--fix-manifest"]) == 1
    assert "is not overwritten" in capsys.readouterr().err


def test_wrong_params_are_a_message(made, capsys):
    settings(rot=1)
    assert main([str(made)]) == 1
    assert "data.rot: unknown" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["home", "watch_phone", "rats"])
def test_real_folders_are_fit(name, capsys):
    assert main([str(folder(name))]) == 0
    assert {"home": "882", "watch_phone": "223", "rats": "40"}[name] in capsys.readouterr().out
