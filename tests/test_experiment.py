from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tiny

from rbc.experiment import Experiment
from rbc.params import Params, load
from rbc.recordings.session import Session
from rbc.scoring.splits import SplitError

ROOT = Path(__file__).parents[1]
NAMES = ("F1D1", "F1D2", "M1D1", "F5D1", "F6D1")


@pytest.fixture
def params() -> Params:
    shipped = load(ROOT / "params.yaml").model_dump()
    changes = {"split": {"by": "animal", "validation": ("F5",), "test": ("F6",)},
               "compute": {"threads": 1},
               "data": shipped["data"] | {"body_axis": ("neck", "tail_base"), "head_axis": ("nose", "neck")}}
    return Params.model_validate(shipped | changes)


@pytest.fixture
def aligned(tmp_path) -> Path:
    changes = {"M1D1": {"labels": np.full((60, 3), -1, "i1")},
               "F6D1": {"keypoints": ("ear", *tiny.KEYPOINTS[1:]), "band_names": ("band_high", "band_other")}}
    for i, name in enumerate(NAMES):
        tiny.session(name, 60, seed=i, **changes.get(name, {})).save(tmp_path / "aligned" / name)
    return tmp_path / "aligned"


def test_sessions_have_the_role_of_their_animal(params, aligned):
    experiment = Experiment.open(params, aligned)
    assert experiment.roles == dict(zip(NAMES, ["train", "train", "train", "validation", "test"], strict=True))
    assert list(experiment.of("train")) == ["F1D1", "F1D2", "M1D1"]
    assert list(experiment.of("validation", "test")) == ["F5D1", "F6D1"]
    assert experiment.animals["F1D2"] == "F1" and experiment.behaviours == tiny.BEHAVIOURS and experiment.rate_hz == 50
    assert all(isinstance(s, Session) for s in experiment.sessions.values())


def test_labels_are_seen_by_their_role_alone_and_only_where_there_are_any(params, aligned):
    experiment = Experiment.open(params, aligned)
    seen = {role: list(experiment.labels(role)) for role in ("train", "validation", "test")}
    assert seen == {"train": ["F1D1", "F1D2"], "validation": ["F5D1"], "test": ["F6D1"]}
    np.testing.assert_array_equal(experiment.labels("train")["F1D2"], experiment.sessions["F1D2"].labels)


@pytest.mark.parametrize("labelled, refused", [
    (("F1D1", "F1D2"), True), (("F1D1", "M1D1"), False), (("F1D1", "F5D1"), False),
    ((), False),  # signals can be learnt from before anything is labelled
])
def test_labels_of_a_single_animal_leave_nobody_to_fit_decisions_on(params, tmp_path, labelled, refused):
    for name in NAMES:
        labels = {} if name in labelled else {"labels": np.full((60, 3), -1, "i1")}
        tiny.session(name, 60, **labels).save(tmp_path / "aligned" / name)
    said = r"only F1 has any, of validation animals nobody \(split.validation: \['F5'\]\)"
    with pytest.raises(SplitError, match=said) if refused else nullcontext():
        Experiment.open(params, tmp_path / "aligned")


def test_features_are_made_of_everything_that_any_session_has(params, aligned):
    recipe = Experiment.open(params, aligned).recipe
    assert set(recipe.keypoints) == {"ear", *tiny.KEYPOINTS} and len(recipe.keypoints) == 5
    assert set(recipe.band_names) == {"band_low", "band_high", "band_other"}
    assert recipe.imu_names == tiny.RECIPE.imu_names and recipe.ready_imu_names == () and not recipe.others
    tiny.session("M2D1", 60, other=np.zeros((60, 2, 3), "f4")).save(aligned / "M2D1")
    assert Experiment.open(params, aligned).recipe.others


def test_only_a_transductive_run_sees_other_animals_signals(params, aligned):
    assert set(Experiment.open(params, aligned).seen) == set(NAMES[:3])
    everyone = params.model_copy(update={"pretrain": params.pretrain.model_copy(update={"sessions": "all"})})
    assert set(Experiment.open(everyone, aligned).seen) == set(NAMES)


def test_checkpoints_belong_to_exactly_this_run(params, aligned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = params.model_copy(update={"seed": params.seed + 1})
    unrelated = params.model_copy(update={"embed": params.embed.model_copy(update={"points": 7})})
    folders = [Experiment.open(p, aligned).scratch("finetune", ("model", "finetune"), [aligned])
               for p in (params, params, unrelated, other)]
    assert folders[0] == folders[1] == folders[2] != folders[3]
    (aligned / "F1D1" / "note").write_text("another input")
    assert Experiment.open(params, aligned).scratch("finetune", ("model", "finetune"), [aligned]) != folders[0]


def test_slack_is_in_frames(params, aligned):
    finetune = params.finetune.model_copy(update={"onset_slack_s": 0.3, "offset_slack_s": 0.1})
    opened = Experiment.open(params.model_copy(update={"finetune": finetune}), aligned)
    assert opened.slack == (round(0.3 * opened.rate_hz), round(0.1 * opened.rate_hz))
