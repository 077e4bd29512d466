from pathlib import Path

import pytest
import yaml

from rbc.overlays import as_arguments, merged
from rbc.params import Params, ParamsError, changed, load, save

ROOT = Path(__file__).parents[1]
OVERLAYS = sorted((ROOT / "params").glob("*.yaml"))


@pytest.fixture
def settings() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture
def refused(settings, tmp_path):
    """The message with which params.yaml is refused under changes."""

    def refused(changes: dict) -> str:
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(merged(settings, changes)))
        with pytest.raises(ParamsError) as caught:
            load(tmp_path / "params.yaml")
        return str(caught.value)

    return refused


def test_params_yaml_loads():
    assert isinstance(load(ROOT / "params.yaml"), Params)


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda p: p.stem)
def test_every_shipped_overlay_changes_settings_that_exist(path, tmp_path):
    params = load(ROOT / "params.yaml")
    other = changed(params, path)
    assert other != params
    save(other, tmp_path / "run/params.yaml")
    assert load(tmp_path / "run/params.yaml") == other


def test_overlays_keep_what_they_do_not_name():
    params = load(ROOT / "params.yaml")
    other = changed(params, {"finetune": {"weights": {"bce": 2.0}}}, {"seed": 7})
    assert (other.seed, other.finetune.weights.bce) == (7, 2.0)
    assert changed(other, {"finetune": {"weights": {"bce": params.finetune.weights.bce}}, "seed": params.seed}) == params
    with pytest.raises(ParamsError, match="finetune.stepps: unknown"):
        changed(params, {"finetune": {"stepps": 3}})


def test_an_unknown_setting_names_the_known_ones(refused):
    message = refused({"finetune": {"learning_rate": 1, "weights": {"bcee": 1.0}}})
    assert "finetune.learning_rate: unknown; known here: steps, batch_size, crop_frames, lr" in message
    assert "finetune.weights.bcee: unknown; known here: bce, " in message


def test_an_unknown_section_names_the_known_ones(refused):
    assert "fintune: unknown; known here: seed, compute, data" in refused({"fintune": {}})


def test_every_problem_is_listed_with_its_place_and_what_was_seen(refused):
    message = refused({"model": {"dropout": 1.5, "encoder": "lstm"}, "augment": {"time_warp": float("nan")},
                       "finetune": {"crop_frames": 100}})
    assert len(message.splitlines()) == 5
    for part in ("model.dropout: ", "seen 1.5", "model.encoder: ", "'conv' or 'transformer'", "augment.time_warp: ",
                 "finetune.crop_frames: ", "multiple of 64"):
        assert part in message


def test_an_encoder_that_looks_ahead_cannot_be_causal(refused):
    message = refused({"model": {"encoder": "transformer", "causal": True}})
    assert "model.causal: " in message and "transformer looks ahead; needs conv" in message


def test_one_member_that_learns_from_all_and_no_validation_animal_is_refused(settings, refused):
    said = refused({"train_mlp": {"members": 1}, "split": {"validation": []}})
    assert "train_mlp: " in said and "needs 2 members or more, or a validation animal" in said and "seen" not in said
    for changes in ({"train_mlp": {"members": 1}}, {"split": {"validation": []}}):
        assert Params.model_validate(merged(settings, changes))


def test_a_missing_setting_is_named(settings, tmp_path):
    del settings["seed"], settings["finetune"]["lr"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ParamsError, match=r"seed: missing\n.*finetune.lr: missing"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize("content", ["", "[1, 2]", "seed: 0\nfinetune: 3\n"])
def test_a_file_that_holds_no_settings_is_refused(content, tmp_path):
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(ParamsError):
        load(tmp_path / "params.yaml")


def test_numbers_that_yaml_reads_as_text_are_numbers(settings, tmp_path):
    text = yaml.safe_dump(merged(settings, {"pretrain": {"lr": "LR"}})).replace("LR", "1e-5")
    assert isinstance(yaml.safe_load(text)["pretrain"]["lr"], str)
    (tmp_path / "params.yaml").write_text(text)
    assert load(tmp_path / "params.yaml").pretrain.lr == 1e-5


def test_settings_cannot_be_changed_after_loading():
    with pytest.raises(ValueError, match="frozen"):
        load(ROOT / "params.yaml").finetune.steps = 3


def test_overlays_become_arguments_of_dvc():
    overlay = {"seed": 3, "finetune": {"lr": 1e-05, "dwa_temperature": 2.0, "weights": {"bce": 0.5}},
               "split": {"validation": ["F5", "M4"], "test": []}, "data": {"animal_pattern": r"^[A-Z]+\d+?(?=D\d)"}}
    assert as_arguments(overlay) == [
        "-S", "seed=3", "-S", "finetune.lr=1e-05", "-S", "finetune.dwa_temperature=2.0", "-S", "finetune.weights.bce=0.5",
        "-S", "split.validation=['F5','M4']", "-S", "split.test=[]", "-S", r"data.animal_pattern='^[A-Z]+\d+?(?=D\d)'"]


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *OVERLAYS], ids=lambda p: p.stem)
def test_hydra_reads_arguments_back_as_they_were(path):
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser").OverridesParser.create()
    values = yaml.safe_load(path.read_text())
    read: dict = {}
    for override in parser.parse_overrides([a for a in as_arguments(values) if a != "-S"]):
        place = read
        *sections, name = override.key_or_group.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = override.value()
    assert unquoted(read) == values


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda p: p.stem)
def test_the_shell_splits_printed_overlays_as_meant(path):
    arguments = as_arguments(yaml.safe_load(path.read_text()))
    assert " ".join(arguments).split() == arguments


def unquoted(value):
    """Plain values of what Hydra parsed."""
    if isinstance(value, dict):
        return {k: unquoted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unquoted(v) for v in value]
    return getattr(value, "text", value)


def test_the_ontology_is_typed(refused):
    message = refused({"data": {"ontology": {"exclusive": ["walk"], "implies": {"walk": "still"}, "alias": {}}}})
    assert "data.ontology.exclusive.0: " in message and "data.ontology.implies.walk: " in message
    assert "data.ontology.alias: unknown; known here: exclusive, implies, aliases, definitions" in message
