from pathlib import Path

import numpy as np
import pytest
import tiny

from benchmarks.accuracy.cells import Bench, Cell
from benchmarks.accuracy.datasets import Dataset, settings
from benchmarks.accuracy.judging import rows
from benchmarks.accuracy.scores import scores
from benchmarks.peers import raw_trees
from rbc.params import changed
from rbc.scoring.metrics import Scored

NAMES = tuple(f"{animal}D{day}" for animal in ("F1", "F2", "M1", "M2", "M3") for day in (1, 2))


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    """Five animals, one of them closed, in a cell with a fifth of the labels."""
    folder: Path = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(NAMES):
        tiny.session(name, frames=4000, seed=seed).save(folder / "data/align_data" / name)
    params = changed(settings("first_world"), {
        "split": {"by": "animal", "validation": ["F1"], "test": ["M3"]},
        "data": {"behaviours": list(tiny.BEHAVIOURS)}})  # fmt: skip
    dataset = Dataset("tiny", folder, params)
    return Bench.of(Cell("tiny", 0, 1, 0.2), dataset, dataset.folds()[0])


def test_a_cell_has_its_split_a_seed_of_its_draw_and_a_share_of_the_labels(bench):
    experiment = bench.experiment("raw_trees")
    assert set(experiment.animals.values()) == {"F1", "F2", "M1", "M2"}  # M3 stays closed
    assert experiment.params.seed == settings("first_world").seed + 1
    held = experiment.labels("test")
    assert {experiment.animals[name] for name in held} == {*bench.fold.held} and len(bench.fold.held) == 2
    assert all((y >= 0).all() for y in held.values())
    labelled = sum((y >= 0).any(1).sum() for y in experiment.labels("train").values())
    assert labelled == pytest.approx(0.2 * 8000, abs=200)  # of one animal; the other one is for validation


def test_rows_say_how_good_a_method_is_and_where_they_come_from(bench, monkeypatch):
    monkeypatch.setattr(raw_trees, "TREES", 10)
    always = rows(bench, "always_present")
    labels = np.concatenate([*bench.experiment("raw_trees").labels("test").values()])
    share = (labels == 1).mean(0)
    assert len(always) == 1 and always[0]["macro_f1"] == pytest.approx(np.mean(2 * share / (1 + share)))
    assert always[0]["mean_average_precision"] == pytest.approx(share.mean())
    found = {row["modalities"]: row for row in rows(bench, "raw_trees")}
    assert set(found) == {"imu", "pose", "both"}
    for row in found.values():
        assert row["macro_f1"] > always[0]["macro_f1"] + 0.2 and row["mean_average_precision"] > share.mean() + 0.3
        assert row["method_hash"] != always[0]["method_hash"] and row["revision"] == always[0]["revision"]
        assert (row["dataset"], row["fold"], row["draw"], row["label_fraction"]) == ("tiny", 0, 1, 0.2)
        assert row["labelled_minutes"] == pytest.approx(0.2 * 16000 / 50 / 60, rel=0.15)


def test_stages_of_another_hash_are_deleted_from_a_cell(bench):
    old = bench.workspace("rbc", "0" * 12)
    variant = bench.workspace("rbc without mirror", "0" * 12)
    new = bench.workspace("rbc", "1" * 12)
    assert not old.exists() and variant.exists() and (new / "params.yaml").exists()
    assert (new / "data/align_data" / NAMES[0] / "labels.npy").exists()


def test_simulated_worlds_are_scored_against_the_truth():
    labels = np.array([[1], [0]] * 10, np.int8)
    truth = np.roll(labels, 1)
    scored = [Scored("a", "A", labels, labels.astype(float), labels == 1)]
    real, exact = (scores(scored, against, ("walk",), 50.0) for against in ({}, {"a": truth}))
    assert (real["macro_f1"], real["mean_average_precision"], real["macro_f1_annotators"]) == (1.0, 1.0, None)
    assert (exact["macro_f1"], exact["macro_f1_annotators"]) == (0.0, 1.0)
