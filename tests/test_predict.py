import contextlib
import errno
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rbc import rooms
from rbc.artifacts import Model
from rbc.classifier import Classifier, read_recipe
from rbc.evaluation import Judge, variants
from rbc.inference import encode, feature_range, fit_class_map, scaled_features, share_outside
from rbc.learning.mlp import WindowMlp
from rbc.predict import main
from rbc.predictions import BOUT_COLUMNS, drift_notes
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions
from rbc.scoring.decision import Decision, Rules
from rbc.signals import Recipe
from rbc.simulate import writer
from rbc.simulate.recording import write_session
from rbc.simulate.sizes import Plan
from rbc.simulate.world import BEHAVIOURS

KNOWN, NEW = "F5D2_indoor", "F6D1_indoor"
UNCERTAIN = [f"{name}_uncertain" for name in BEHAVIOURS]
ALIGNMENT = {"rate_hz": 50.0, "min_likelihood": 0.6, "max_gap_s": 0.2, "min_clock_correlation": 0.3}
AXES = {"body_axis": ("neck", "tail_base"), "head_axis": ("nose", "neck")}
RULES = Rules("viterbi", (15, 8))
SHAPE = {"encoder": "conv", "d_model": 16, "nhead": 2, "blocks": 2, "hidden_dim": 16,
         "prototype_dim": 4, "dropout": 0.1, "causal": False}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """A validation and a test animal, annotated."""
    root = tmp_path_factory.mktemp("raw")
    for name in writer.FOLDERS:
        (root / name).mkdir()
    plans = Plan(KNOWN, 1.2, False, "all"), Plan(NEW, 1.2, True, "all")
    writer.write_manifest(root, [write_session(root, plan, "first", "tiny", 20) for plan in plans])
    return root


@pytest.fixture(scope="module")
def sessions(raw, tmp_path_factory):
    """The same as align_data hands them to train_mlp and evaluate."""
    out = tmp_path_factory.mktemp("aligned")
    align_all(raw, out, behaviours=BEHAVIOURS, animal_pattern=r"^[A-Z]+\d+?(?=D)", **AXES, **ALIGNMENT, progress=False)
    return load_sessions(out)


@pytest.fixture(scope="module")
def shipped(sessions, tmp_path_factory) -> Path:
    """A model that learnt nothing, but is complete: what train_mlp writes."""
    known = sessions[KNOWN]
    recipe = Recipe(50.0, known.keypoints, *AXES.values(), known.imu_names, known.band_names, (), ())
    torch.manual_seed(1)  # of those under which some decisions are uncertain and others are not
    model = Model.new(recipe, BEHAVIOURS, SHAPE)
    features = scaled_features(model.network, known, recipe)
    for adapter, x in zip(model.network.adapters, features, strict=True):
        adapter.set_scaling(x.nanmean(0), (x - x.nanmean(0)).square().nanmean(0).sqrt())
    features = scaled_features(model.network, known, recipe)
    widths = tuple(x.shape[1] for x in features)
    mlp = WindowMlp(SHAPE["d_model"], widths, len(BEHAVIOURS), (8,), SHAPE["hidden_dim"], members=2)
    probability = mlp.probability(encode(model.network, known, recipe).read)
    classifier = Classifier(model, mlp, fit_class_map([features], [probability[:, 2]]))
    held, one = {KNOWN: np.array(known.labels)}, {KNOWN: known}
    decision = Decision.fit(classifier.headline(one, adapt=True), held, RULES)
    classifier = replace(classifier, decision=decision, mounts=(known.mount,))
    folder = tmp_path_factory.mktemp("model")
    classifier.save(folder, {"adapt": True, "alignment": ALIGNMENT, "feature_range": feature_range([features])})
    return folder


def row(raw: Path, **cells: str) -> dict[str, str]:
    """Manifest cells of the new session, without its labels."""
    table = pd.read_csv(raw / "sessions.csv", dtype=str, keep_default_na=False).set_index("session", drop=False)
    return {**table.loc[NEW].drop(["labels", "scored", "span"]), "animal": "", **cells}


def write_recordings(raw: Path, root: Path, rows: list[dict[str, str]]) -> Path:
    """A recordings folder with these rows and the files of `raw`."""
    for name in ("pose", "imu"):
        shutil.copytree(raw / name, root / name)
    pd.DataFrame(rows).to_csv(root / "sessions.csv", index=False)
    return root


def edit_pose(raw: Path, root: Path, keep=lambda name: True, more: str = "") -> str:
    """A copy of the new session's pose with some keypoints only, or with one more, in the place of the first."""
    lines = [line.split(",") for line in (raw / row(raw)["pose"]).read_text().splitlines()]
    columns = [c for c, name in enumerate(lines[1]) if c == 0 or keep(name)]
    extra = [["s"] * 3, [more] * 3, *(line[1:4] for line in lines[2:])]
    lines = [[line[c] for c in columns] + part * bool(more) for line, part in zip(lines, extra, strict=True)]
    name = f"pose/edited{len(list(root.glob('pose/edited*')))}.csv"
    (root / name).write_text("\n".join(map(",".join, lines)) + "\n")
    return name


def run(model: Path, recordings: Path, out: Path, *more: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        code = main(["--model", str(model), "--recordings", str(recordings), "--out", str(out), *more])
    return code, said.getvalue(), complained.getvalue()


@pytest.fixture(scope="module")
def predicted(raw, shipped, tmp_path_factory) -> tuple[Path, str]:
    """Predictions of one session with all and with parts of what was recorded, and what was printed."""
    root = write_recordings(raw, tmp_path_factory.mktemp("new"), [])
    few = edit_pose(raw, root, keep=lambda name: "paw" not in name and "hind" not in name)
    foreign = edit_pose(raw, root, more="whisker")
    rows = [row(raw), row(raw, session="no_imu", imu=""), row(raw, session="no_pose", pose="", pose_times=""),
            row(raw, session="few", pose=few), row(raw, session="foreign", pose=foreign),
            row(raw, session="lost", exclude="the cable broke")]  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "sessions.csv", index=False)
    out = tmp_path_factory.mktemp("out") / "predictions"
    code, said, complained = run(shipped, root, out)
    assert code == 0, complained
    return out, said


def frames(predicted: tuple[Path, str], name: str) -> pd.DataFrame:
    return pd.read_csv(predicted[0] / f"{name}.csv")


def test_every_frame_has_its_row(predicted, sessions):
    table, session = frames(predicted, NEW), sessions[NEW]
    each = [column for name in BEHAVIOURS for column in (f"{name}_probability", name)]
    assert list(table) == ["time_s", "video_frame", *each, "valid_imu", "valid_pose", *UNCERTAIN]
    np.testing.assert_allclose(table["time_s"], session.time, atol=5e-4)
    np.testing.assert_array_equal(table["video_frame"], session.video_frame)
    np.testing.assert_array_equal(table[["valid_imu", "valid_pose"]], session.valid)
    assert (table[["valid_imu", "valid_pose"]].mean() > 0.5).all()
    assert table[list(BEHAVIOURS)].isin([0, 1]).all(axis=None) and table[list(BEHAVIOURS)].any(axis=None)
    assert table[[f"{name}_probability" for name in BEHAVIOURS]].stack().between(0, 1).all()
    assert table[UNCERTAIN].isin([0, 1]).all(axis=None) and table[UNCERTAIN].nunique().max() == 2


def test_predict_and_evaluate_agree(predicted, sessions, shipped):
    said = variants(Classifier.load(shipped), sessions, adapt=True)["adapted"]
    labels = {name: np.array(session.labels) for name, session in sessions.items()}
    animals = {name: session.animal for name, session in sessions.items()}
    judge = Judge({KNOWN: labels[KNOWN]}, {NEW: labels[NEW]}, animals, BEHAVIOURS, 50.0, 0.2, RULES)
    [scored] = judge.decide(said)
    table, there = frames(predicted, NEW), said[NEW][1].any(1)
    np.testing.assert_allclose(table[[f"{name}_probability" for name in BEHAVIOURS]], scored.probability, atol=1e-4)
    same = np.array(table[list(BEHAVIOURS)], bool)[there] == scored.decision[there]
    alike = np.array(table[UNCERTAIN], bool)[there] == (scored.margin < 0)[there]
    assert same.mean() > 0.999 and alike.mean() > 0.999  # recipe.json keeps six decimals


def test_bouts_are_the_decisions(predicted):
    bouts = pd.read_csv(predicted[0] / "bouts.csv")
    assert list(bouts) == list(BOUT_COLUMNS)
    table, own = frames(predicted, NEW), bouts[bouts["session"] == NEW]
    for name in BEHAVIOURS:
        rebuilt = np.zeros(len(table), bool)
        for bout in own[own["behaviour"] == name].itertuples():
            inside = table["time_s"].between(bout.start_s - 1e-6, bout.stop_s - 1e-3)
            rebuilt |= inside
            assert bout.mean_probability == pytest.approx(table.loc[inside, f"{name}_probability"].mean(), abs=2e-4)
            assert (bout.start_frame, bout.stop_frame) == tuple(table.loc[inside, "video_frame"].iloc[[0, -1]] + [0, 1])
        np.testing.assert_array_equal(rebuilt, table[name] == 1)
    assert bouts.loc[bouts["session"] == "no_pose", "start_frame"].isna().all()


def test_a_modality_may_be_missing(predicted):
    whole, no_imu, no_pose = (frames(predicted, name) for name in (NEW, "no_imu", "no_pose"))
    assert not no_imu["valid_imu"].any() and (no_imu["valid_pose"] == whole["valid_pose"]).all()
    assert not no_pose["valid_pose"].any() and no_pose["valid_imu"].mean() > 0.9
    assert no_pose["video_frame"].isna().all()
    assert "no_imu: no valid imu" in predicted[1] and "no_pose: no valid pose" in predicted[1]


def test_nothing_is_decided_where_there_is_nothing_to_read(predicted, sessions):
    table, session = frames(predicted, "no_imu"), sessions[NEW]
    body = [session.keypoints.index(name) for name in AXES["body_axis"]]
    there = np.isfinite(session.pose[:, body, 0]).all(1)
    blind, bridged = table[~there], table[there & (table["valid_pose"] == 0)]
    assert len(blind) and not blind[list(BEHAVIOURS)].any(axis=None) and blind[UNCERTAIN].all(axis=None)
    assert len(bridged) and bridged[list(BEHAVIOURS)].any(axis=None)  # interpolated keypoints can be read
    assert blind[[f"{name}_probability" for name in BEHAVIOURS]].notna().all(axis=None)


def test_keypoints_may_be_missing(predicted):
    whole, few = frames(predicted, NEW), frames(predicted, "few")
    assert (few["valid_pose"] == whole["valid_pose"]).all() and not few.equals(whole)
    assert "few: pose lacks paw_left, paw_right, hind_left, hind_right" in predicted[1]


def test_unknown_keypoints_change_nothing(predicted):
    pd.testing.assert_frame_equal(frames(predicted, "foreign"), frames(predicted, NEW))
    assert "foreign: pose has what the model does not know, ignored: whisker" in predicted[1]


def test_an_imu_worn_where_no_labelled_animal_wore_one(raw, shipped, predicted, tmp_path):
    notes = read_recipe(shipped)
    (tmp_path / "model").mkdir()
    replace(Classifier.load(shipped), mounts=("back",)).save(tmp_path / "model", notes)
    root = write_recordings(raw, tmp_path / "new", [row(raw), row(raw, session="no_imu", imu="")])
    code, said, complained = run(tmp_path / "model", root, tmp_path / "out")
    assert code == 0, complained
    assert [line for line in said.splitlines() if "worn" in line] == [
        f"{NEW}: imu worn on the head, by labelled animals on the back: where pose is there, pose decides alone"]  # fmt: skip
    moved, known = (pd.read_csv(folder / f"{NEW}.csv") for folder in (tmp_path / "out", predicted[0]))
    assert not moved[list(BEHAVIOURS)].equals(known[list(BEHAVIOURS)])


def test_summary_has_a_line_a_session_and_says_what_was_left_out(predicted):
    lines = predicted[1].splitlines()
    assert lines[0].split() == ["session", "minutes", "imu", "pose", "clock"]
    assert [line.split()[0] for line in lines[1:6]] == [NEW, "no_imu", "no_pose", "few", "foreign"]
    assert "lost: left out: the cable broke" in lines and not (predicted[0] / "lost.csv").exists()


def test_labels_are_ignored_and_predictions_replaced_only_when_asked(raw, shipped, predicted, tmp_path):
    out = Path(shutil.copytree(predicted[0], tmp_path / "out"))
    before = (out / f"{NEW}.csv").read_bytes()
    rows = [row(raw, labels="labels/nowhere.csv", scored="flying", span="soon")]
    root = write_recordings(raw, tmp_path / "new", rows)
    code, _, complained = run(shipped, root, out)
    assert code == 1 and f"{out}: exists already" in complained and (out / "few.csv").exists()
    assert run(shipped, root, out, "--overwrite")[0] == 0
    assert sorted(p.name for p in out.iterdir()) == sorted([f"{NEW}.csv", "bouts.csv"])
    assert (out / f"{NEW}.csv").read_bytes() == before
    (out / "thesis.docx").touch()
    code, _, complained = run(shipped, root, out, "--overwrite")
    assert code == 1 and "holds more than predictions" in complained and (out / "thesis.docx").exists()


def test_broken_recordings_give_one_message_and_nothing_written(raw, shipped, tmp_path):
    root = write_recordings(raw, tmp_path / "new", [])
    short = edit_pose(raw, root, keep=lambda name: name != "tail_base")
    lines = (raw / row(raw)["imu"]).read_text().splitlines()
    (root / "imu/back.csv").write_text("\n".join([*lines[:3], lines[1], *lines[3:]]) + "\n")
    rows = [row(raw), row(raw, session="headless", pose=short), row(raw, session="back", imu="imu/back.csv")]
    pd.DataFrame(rows).to_csv(root / "sessions.csv", index=False)
    code, said, complained = run(shipped, root, tmp_path / "out")
    message = complained[complained.index("2 problems") :]
    assert code == 1 and not said and "Traceback" not in complained
    assert "headless: keypoint tail_base" in message and "session back" in message and "line 4" in message
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_full_disk_is_said_and_leaves_nothing(raw, shipped, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    monkeypatch.setattr(rooms.os, "posix_fallocate", full)
    root = write_recordings(raw, tmp_path / "new", [row(raw)])
    code, said, complained = run(shipped, root, tmp_path / "out")
    assert code == 1 and not said and "Traceback" not in complained
    assert f"{tmp_path / 'out'}: a disk is full, nothing is written" in complained and "TMPDIR" in complained
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_folder_without_a_model_is_refused(raw, shipped, tmp_path):
    old = Path(shutil.copytree(shipped, tmp_path / "old"))
    recipe = json.loads((old / "recipe.json").read_text())
    del recipe["alignment"]
    (old / "recipe.json").write_text(json.dumps(recipe))
    for model, what in ((tmp_path / "none", "recipe.json"), (old, "KeyError: 'alignment'")):
        code, _, complained = run(model, raw, tmp_path / "out")
        assert code == 1 and str(model) in complained and what in complained and not (tmp_path / "out").exists()


def test_range_of_training_features():
    rng = np.random.default_rng(0)
    even, none = torch.from_numpy(rng.uniform(size=(20000, 3)).astype("f4")), torch.zeros(20000, 0)
    ranges = feature_range([(even, none), (even, none)])
    np.testing.assert_allclose(ranges["imu"], [[0.01] * 3, [0.99] * 3], atol=0.01)
    assert ranges["pose"].shape == (2, 0)
    half = even.clone()
    half[::2] += 10
    half[:, 2] = torch.nan
    assert share_outside([(even, none)], ranges)["imu"] == pytest.approx(0.02, abs=0.01)
    assert share_outside([(half, none)], ranges)["imu"] == pytest.approx(0.51, abs=0.01)
    assert np.isnan(share_outside([(half, none)], ranges)["pose"])
    assert drift_notes({"imu": 0.51, "pose": float("nan")}) == [
        "51 % of what imu shows lies outside the range of training (usual: 2 %)"]  # fmt: skip
