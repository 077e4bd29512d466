import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import tiny
import torch
from tiny import EVERY_ENCODER

from rbc.artifacts import NETWORK, load_model, load_tensors, save_network, save_tensors
from rbc.classifier import trained
from rbc.inference import encode
from rbc.predictions import fit_to_model
from rbc.recordings.errors import RecordingError
from rbc.signals import Recipe


def save(model, folder):
    folder.mkdir()
    save_network(model, folder)
    return folder


@pytest.mark.parametrize("kind", EVERY_ENCODER)
def test_a_loaded_model_says_the_same_and_saves_to_the_same_bytes(kind, tmp_path):
    model = tiny.model(encoder=kind)
    first = save(model, tmp_path / "first")
    loaded = load_model(first)
    assert (loaded.recipe, loaded.behaviours) == (model.recipe, model.behaviours)
    assert loaded.architecture == model.architecture
    session = tiny.session()
    a, b = (encode(m.network, session, m.recipe) for m in (model, loaded))
    np.testing.assert_array_equal(a.latents, b.latents)
    np.testing.assert_array_equal(a.probability, b.probability)
    second = save(loaded, tmp_path / "second")
    assert (first / NETWORK).read_bytes() == (second / NETWORK).read_bytes()


def test_a_model_of_an_older_release_is_refused_in_one_line(tmp_path):
    folder = save(tiny.model(), tmp_path / "old")
    header, tensors = load_tensors(folder / NETWORK)
    save_tensors(tensors, folder / NETWORK, header | {"setups": ["a", "b"]})
    said = r"^--model .*: needs what train_mlp wrote; .* has .*setups; needs .*; train the model again$"
    with pytest.raises(RecordingError, match=said), trained(folder):
        load_model(folder)


def test_a_model_without_one_modality_can_be_built_and_saved(tmp_path):
    recipe = Recipe(25.0, (), ("neck", "tail_base"), ("nose", "neck"), tiny.RECIPE.imu_names, (), (), ())
    folder = save(tiny.model(recipe=recipe), tmp_path / "imu")
    loaded = load_model(folder)
    assert loaded.recipe == recipe and loaded.network.pose_adapter.shared is None
    assert np.isfinite(encode(loaded.network, tiny.session(), recipe).latents).all()


def test_a_model_of_several_animals_reads_sessions_of_one_and_the_other_way_round(tmp_path):
    alone = tiny.session(report={"keypoints": list(tiny.KEYPOINTS)})
    met = replace(alone, other=np.array(alone.pose[:, [1, 3]] + np.float32([90, 0, 0])))
    social, single = (save(tiny.model(recipe=replace(tiny.RECIPE, others=others)), tmp_path / str(others))
                      for others in (True, False))
    said = {}
    for folder in (social, single):
        model = load_model(folder)
        for session in (alone, met):
            fitted, notes = fit_to_model(session, model.recipe)
            said[folder.name, session is met] = encode(model.network, fitted, model.recipe).latents, notes
    assert all(np.isfinite(latents).all() for latents, _ in said.values())
    np.testing.assert_array_equal(said["False", True][0], said["False", False][0])
    assert np.abs(said["True", True][0] - said["True", False][0])[1].max() > 1e-3
    assert [notes for _, notes in said.values()] == [
        ["pose lacks another animal"], [], [], ["pose has another animal, ignored"]]  # fmt: skip


def test_tensors_come_back_and_their_order_does_not_matter(tmp_path):
    tensors = {"b": torch.arange(6).reshape(2, 3).T, "a": torch.zeros(0, 3)}
    save_tensors(tensors, tmp_path / "one", {"x": [1, "ä"], "y": None})
    save_tensors(dict(reversed(tensors.items())), tmp_path / "two", {"y": None, "x": [1, "ä"]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    header, loaded = load_tensors(tmp_path / "one")
    assert header == {"x": [1, "ä"], "y": None} and loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[k], tensors[k]) for k in tensors)


def test_the_header_is_plain_text_that_builds_the_model(tmp_path):
    model = replace(tiny.model())
    save_network(model, tmp_path, notes={"from": "here"})
    header, _ = load_tensors(tmp_path / NETWORK)
    assert header["recipe"] == json.loads(json.dumps(asdict(model.recipe))) and header["notes"] == {"from": "here"}


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / NETWORK).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(Exception, match="(?i)header"):
        load_model(tmp_path)
