"""All eight stages on the tiny world: what is there afterwards."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkout import stages_run
from closure import PIPELINES, read_stages

import stages.evaluate
from rbc.artifacts import load_labels
from rbc.classifier import Classifier
from rbc.recordings.session import load_sessions

MAIN = ["align_data", "pretrain", "align_sessions", "finetune", "pseudo_label", "train_mlp", "evaluate", "embed"]
pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def scores(origin):
    return json.loads((origin.folder / "metrics/evaluate.json").read_text())


def leaves(tree: dict) -> list:
    return [leaf for value in tree.values() for leaf in (leaves(value) if isinstance(value, dict) else [value])]


def test_the_root_lists_the_eight_stages(origin):
    assert origin.dvc("stage", "list", "--name-only").split() == MAIN


def test_all_outputs_are_there_and_nothing_else(origin):
    written = {entry if isinstance(entry, str) else next(iter(entry))
               for pipeline in PIPELINES for stage in read_stages(pipeline, origin.folder).values()
               for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])}
    there = {path.relative_to(origin.folder).as_posix()
             for folder in ("data", "metrics", "plots") for path in (origin.folder / folder).iterdir()}
    assert there - {"data/dvc.yaml", "data/dvc.lock", "data/.gitignore", "plots/.gitignore"} == written
    assert not [path for path in written if (origin.folder / path).is_dir() and not any((origin.folder / path).iterdir())]


def test_a_second_run_has_nothing_to_do(origin):
    log = origin.dvc("repro")
    assert "up to date" in log and not stages_run(log)
    assert "up to date" in origin.dvc("status")
    assert not origin.run("git", "status", "--porcelain")


def test_no_checkpoint_is_left(origin):
    assert [path.name for path in (origin.folder / ".scratch").iterdir()] == ["locks"]


def test_pretrain_and_align_sessions_can_be_switched_off(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone", shared_cache=True)
    clone.dvc("exp", "run", "--set-param", "pretrain.steps=0", "--set-param", "align_sessions.steps=0", "align_sessions")
    table = "epoch\tsplit\tloss\tcontrast\tcross_modal\treconstruct\tprogrammed\n"
    assert (clone.folder / "plots/pretrain.tsv").read_text() == table
    assert (origin.folder / "plots/pretrain.tsv").read_text().startswith(table)
    figures = json.loads((clone.folder / "metrics/align_sessions.json").read_text())
    assert figures["before"] == figures["after"]
    clone.dvc("plots", "show", "plots/pretrain.tsv")


def test_training_uses_labels_of_training_animals_alone_and_lists_likely_errors(origin):
    split = yaml.safe_load((origin.folder / "params.yaml").read_text())["split"]
    own = {name: s for name, s in load_sessions(origin.folder / "data/align_data").items()
           if s.animal not in (*split["validation"], *split["test"]) and (s.labels >= 0).any()}
    used = load_labels(origin.folder / "data/finetune")
    assert set(used) == set(own)
    for name, session in own.items():
        assert ((used[name] == session.labels) | (used[name] == -1)).all()
    errors = pd.read_csv(origin.folder / "data/finetune/label_errors.csv")
    assert set(errors["session"]) <= set(own) and (errors["start_s"] < errors["stop_s"]).all() and len(errors)


def test_scores_have_the_keys_of_the_design(origin, scores):
    behaviours = yaml.safe_load((origin.folder / "params.yaml").read_text())["data"]["behaviours"]
    keys = {
        "f1": {"macro", "micro", "macro_collar"}, "behaviours": set(behaviours),
        "bouts": {"annotated_f1", "predicted_f1"}, "modalities": {"both", "imu", "pose"},
        "adaptation": {"zero_shot", "adapted"}, "calibration": {"brier"},
        "baselines": {"always_present", "validity_only", "random_forest"}, "ceiling": {"annotator", "all_labels"},
        "certain": {"macro", "coverage", "coverage_present"},
        "split": {"by", "role", "mode", "animals", "labelled_minutes", "decision"},
        "data": {"name", "manifest"}, "ap": {"macro"}, "interval": {"low", "high"},
        "rungs": {"new_session", "new_day", "new_animal"},
    }  # fmt: skip
    for key, inner in keys.items():
        assert set(scores[key]) == inner, key
    assert set(scores) - set(keys) <= {"truth"}  # only where the world is simulated
    assert all(set(row) == {"f1", "precision", "recall", "ap"} for row in scores["behaviours"].values())
    assert scores["data"]["name"] == "simulated first tiny seed 20"
    assert scores["split"]["decision"] == "cross-fitted" and scores["rungs"]["new_animal"] == scores["f1"]["macro"]
    assert scores["rungs"]["new_day"] is scores["rungs"]["new_session"] is None  # animals are held out whole
    numbers = [leaf for leaf in leaves(scores) if not isinstance(leaf, str)]
    assert all(leaf is None or leaf >= 0 for leaf in numbers)


def test_scores_are_those_of_validation_animals(origin, scores):
    assert (scores["split"]["role"], scores["split"]["animals"]) == ("validation", 1)
    assert [path.stem for path in (origin.folder / "data/evaluate").iterdir()] == ["F5D2_indoor"]
    assert not (origin.folder / "metrics/test.json").exists()


def test_evaluate_decides_as_the_model_file_says(origin, tmp_path, monkeypatch):
    clone = origin.clone(tmp_path / "clone", shared_cache=True)
    for name in ("DVC_STAGE", "RBC_SCRATCH", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(clone.folder)
    recipe = Path("data/train_mlp/recipe.json")
    model = json.loads(recipe.read_text())
    for decision in model["cross_fitted"].values():
        decision["thresholds"] = [0.0] * len(decision["thresholds"])
    recipe.unlink()  # it may be a link into the cache
    recipe.write_text(json.dumps(model))
    stages.evaluate.main()
    scores = json.loads(Path("metrics/evaluate.json").read_text())
    assert scores["f1"]["macro"] == scores["baselines"]["always_present"] == scores["adaptation"]["zero_shot"]
    assert scores["modalities"]["imu"] == scores["f1"]["macro"]  # one modality missing: the same decision


def test_the_model_knows_where_labelled_animals_wore_their_imu(origin):
    wearers = {s.mount for s in load_sessions(origin.folder / "data/align_data").values()}
    assert wearers == {"head", "back"}  # F2's is on the back, and nothing of F2 is labelled
    assert Classifier.load(origin.folder / "data/train_mlp").mounts == ("head",)


def test_the_scores_can_be_printed(origin):
    printed = origin.run("python", "-m", "rbc.report")
    assert "grooming" in printed and "SIMULATED data, no real animal: simulated first tiny seed 20" in printed
    assert "decision cross-fitted" in printed and "Where to look next" in printed


def test_scores_of_another_manifest_are_not_shown_as_own(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone", shared_cache=True)
    own = tmp_path / "my_rats"
    own.mkdir()
    (own / "sessions.csv").write_text("session\nF1D1\n")
    clone.set({"data": {"root": str(own)}})
    printed = clone.run("python", "-m", "rbc.report")
    assert "grooming" not in printed and "another data set (simulated first tiny seed 20), not shown" in printed


def test_the_ceiling_is_measured_by_hand(origin, tmp_path):
    clone = origin.clone(tmp_path / "clone", shared_cache=True)
    assert "ceiling, against the truth of 1 validation sessions: macro F1 0." in clone.run("python", "-m", "benchmarks.ceiling")
    assert not clone.run("git", "status", "--porcelain") and not list((clone.folder / ".scratch").glob("ceiling-*"))
