"""The rules of the house, read from dvc.yaml and the sources; nothing is run."""

import ast
from pathlib import Path, PurePosixPath

import pytest
import yaml
from closure import (PACKAGES, PIPELINES, ROOT, UNTRACKED, code_deps, find_module, import_closure, imported_files,
                     read_imports, read_script, read_stages)
from settings import script_uses

MAIN = ["align_data", "pretrain", "align_sessions", "finetune", "pseudo_label", "train_mlp", "evaluate", "embed"]
STAGES = [pytest.param(name, stage, id=name)
          for pipeline in PIPELINES if (ROOT / pipeline).is_file() for name, stage in read_stages(pipeline).items()]
FILES = sorted(file.relative_to(ROOT).as_posix() for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
EXPERIMENT = ROOT / "rbc/experiment.py"
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())

# What each part of rbc may import of the others; a part that is not here is a command line, which nobody imports.
WINGS = {
    "device": set(),
    "disk": set(),
    "outputs": {"disk", "progress"},
    "overlays": set(),
    "params": {"overlays", "sections"},
    "sections": set(),
    "progress": set(),
    "recordings": set(),
    "rooms": set(),
    "scoring": {"rooms"},
    "simulate": set(),
    "figures": {"scoring"},
    "running": set(),
    "signals": {"running"},
    "mirror": {"signals"},
    "features": {"mirror", "rooms", "running", "signals"},
    "network": set(),
    "artifacts": {"device", "features", "network", "signals"},
    "inference": {"device", "features", "mirror", "network", "recordings", "rooms", "signals"},
    "learning": {"device", "features", "inference", "mirror", "network", "recordings", "scoring", "signals"},
    "classifier": {"artifacts", "device", "inference", "learning", "network", "outputs", "recordings", "rooms",
                   "scoring"},
    "remembering": {"learning", "network"},
    "streaming": {"classifier", "features", "inference", "remembering", "signals"},
    "experiment": {"outputs", "params", "recordings", "scoring", "signals"},
    "evaluation": {"classifier", "figures", "params", "recordings", "scoring"},
    "predictions": {"recordings", "rooms", "scoring", "signals"},
}
TORCHLESS = ("recordings", "scoring", "simulate", "figures", "outputs")


def part(file: str) -> str:
    return PurePosixPath(file).parts[1].removesuffix(".py")


def outputs(stage: dict) -> list[tuple[str, str, dict]]:
    """(kind, path, options) of everything that a stage writes."""
    return [(kind, *next(iter((entry if isinstance(entry, dict) else {entry: {}}).items())))
            for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]


def listed_params(stage: dict) -> list[str]:
    return [name for entry in stage.get("params", [])
            for name in ([entry] if isinstance(entry, str) else entry["params.yaml"])]


def section(place: str) -> str:
    return place.split(".")[0]


def test_root_has_the_eight_stages():
    assert list(read_stages("dvc.yaml")) == MAIN


@pytest.mark.parametrize("name, stage", STAGES)
def test_deps_are_the_modules_that_the_script_imports(name, stage):
    closure = import_closure(find_module(read_script(stage)))
    assert sorted(code_deps(stage)) == sorted(closure), "python tests/closure.py prints them"


@pytest.mark.parametrize("name, stage", STAGES)
def test_deps_name_no_folder_of_code(name, stage):
    folders = [dep for dep in stage.get("deps", []) if (ROOT / dep).is_dir() and dep.split("/")[0] in PACKAGES]
    assert not folders, "list its modules one by one"


@pytest.mark.parametrize("name, stage", STAGES)
def test_only_align_data_writes_the_truth_and_only_evaluate_reads_it(name, stage):
    closure = import_closure(find_module(read_script(stage)))
    assert ("rbc/recordings/truth.py" in closure) == (name in ("align_data", "evaluate"))
    used = ast.unparse(ast.parse((ROOT / find_module(read_script(stage))).read_text()))
    assert ("load_truth" in used) == (name == "evaluate") and ("truth.npy" not in used)


def test_scores_of_test_animals_are_no_metric_of_dvc():
    """The file is of the last release, maybe of another data set: metrics diff would show it as this run's."""
    declared = [path for pipeline in PIPELINES for stage in read_stages(pipeline).values()
                for kind, path, _ in outputs(stage)]
    assert "metrics/evaluate.json" in declared and "metrics/test.json" not in declared
    assert "metrics" not in yaml.safe_load((ROOT / "dvc.yaml").read_text())


@pytest.mark.parametrize("name, stage", STAGES)
def test_params_exist_and_are_those_that_the_script_uses(name, stage):
    listed = listed_params(stage)
    for path in listed:
        value = PARAMS
        for key in path.split("."):
            assert key in value, f"{path} is not in params.yaml"
            value = value[key]
    uses = script_uses(ROOT / find_module(read_script(stage)), EXPERIMENT)
    covered = {path for path in listed for use in uses if f"{use}.".startswith(f"{path}.")}
    unnoticed = {use for use in uses if not any(f"{use}.".startswith(f"{path}.") for path in listed)}
    assert not unnoticed, "used, but not listed: a change would not run the stage again"
    assert not set(listed) - covered, "listed, but not used"


@pytest.mark.parametrize("name, stage", STAGES)
def test_checkpoints_are_marked_with_all_sections_that_the_script_uses(name, stage):
    script = ROOT / find_module(read_script(stage))
    marks = [ast.literal_eval(node.value) for node in ast.parse(script.read_text()).body
             if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SECTIONS"]
    for sections in marks:
        assert {*map(section, script_uses(script, EXPERIMENT))} <= {*sections, "seed", "compute"}


def test_uses_are_found_through_names_and_members(tmp_path: Path):
    script, experiment, helper = (tmp_path / name for name in ("stage.py", "rbc/experiment.py", "rbc/helper.py"))
    helper.parent.mkdir()
    helper.write_text("""
def rules(params):
    mlp = params.train_mlp
    return mlp.decoder, slack(params)
def slack(params):
    return params.baselines
def no(params):
    return params.embed
""")
    script.write_text("""
from rbc.helper import no, rules
def main():
    params = load()
    rules(params)
    world = Experiment.open(params)
    settings, rate = params.finetune, params.align_data.rate_hz
    f(world.recipe, settings.lr, rate, **params.augment.model_dump(exclude={"x"}), seed=world.params.seed)
""")
    experiment.write_text("""
class Experiment:
    def open(cls, params):
        return params.compute.threads
    def recipe(self):
        data = self.params.data
        return data.body_axis, self.seen
    def seen(self):
        return self.params.split.by
    def other(self):
        return self.params.embed
""")
    assert script_uses(script, experiment) == {
        "finetune.lr", "align_data.rate_hz", "augment", "seed", "compute.threads", "data.body_axis", "split.by",
        "train_mlp.decoder", "baselines"}


@pytest.mark.parametrize("name, stage", STAGES)
def test_outputs_follow_the_rules(name, stage):
    folder = "data/raw" if name == "simulate" else f"data/{name}"
    for kind, path, options in outputs(stage):
        file = PurePosixPath(path)
        assert not options.get("persist"), f"{path}: persist disables the run cache"
        if file.parts[0] == "data":
            assert path == folder and kind == "outs" and not options
        elif file.parts[0] == "metrics":
            assert kind == "metrics" and options.get("cache") is False
            assert file.stem == name
        else:
            assert file.parent == PurePosixPath("plots") and (file.stem == name or file.stem.startswith(f"{name}_"))
            if file.suffix == ".html":
                assert kind == "outs" and not options, f"{path}: a page is a plain cached out"
            else:
                assert kind == "plots" and options.get("cache") is False and file.suffix in (".csv", ".tsv", ".json")


@pytest.mark.parametrize("name, stage", STAGES)
def test_commands_leave_no_shell_between_dvc_and_python(name, stage):
    learns = "rbc/learning/ranks.py" in imported_files(find_module(read_script(stage)))  # else each process would write
    assert stage["cmd"].split(" -m ")[0] == (r"exec \${RBC_LAUNCH:-python}" if learns else "exec python")
    assert stage.get("wdir", ".") == ("." if name in MAIN else "..")


EDITS = {  # a file: the stages that an edit of it may run again, those after them whose inputs change aside
    "rbc/figures/ethogram.py": {"evaluate"},
    "rbc/figures/quality.py": {"align_data"},
    "rbc/evaluation.py": {"evaluate"},
    "rbc/scoring/metrics.py": {"train_mlp", "evaluate"},
    "rbc/scoring/decoder.py": {"train_mlp", "evaluate", "embed"},
    "rbc/scoring/forest.py": {"finetune", "baselines"},
    "rbc/learning/label_errors.py": {"finetune"},
    "rbc/learning/ensemble.py": {"train_mlp"},
    "rbc/learning/pretraining.py": {"pretrain", "align_sessions", "finetune"},
    "rbc/recordings/clock.py": {"align_data"},
    "rbc/simulate/rat.py": {"simulate"},
    "rbc/recordings/truth.py": {"align_data", "evaluate"},
    "rbc/predict.py": set(), "rbc/report.py": set(), "rbc/stream.py": set(), "benchmarks/accuracy/cells.py": set(),
}


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_runs_only_the_stages_that_depend_on_it(file):
    assert (ROOT / file).is_file()
    reached = {name for name, stage in (param.values for param in STAGES) if file in code_deps(stage)}
    assert reached <= EDITS[file]


def test_no_edit_of_scoring_or_of_a_page_trains_a_network_again():
    trains = {"pretrain", "align_sessions", "finetune"}
    judging = {"calibration", "certainty", "decision", "decoder", "metrics", "out_of_fold", "baselines", "reliability"}
    for name, stage in (param.values for param in STAGES):
        needs = set(code_deps(stage)) if name in trains else set()
        assert not {file for file in needs if file.startswith("rbc/figures/")}
        assert not {file for file in needs if file.startswith("rbc/scoring/") and Path(file).stem in judging}


def test_no_setting_bears_a_name_that_the_run_cache_ignores():
    """DVC 3.67 drops keys named size or nfiles, at any depth, when it looks for an earlier run with equal settings."""
    def names(value):
        return set(value).union(*map(names, value.values())) if isinstance(value, dict) else set()
    assert not names(PARAMS) & {"size", "nfiles"}


@pytest.mark.parametrize("overlay", sorted(path.name for path in (ROOT / "params").glob("*.yaml")))
def test_overlays_change_settings_that_exist(overlay):
    def unknown(changes, known, place=""):
        for key, value in changes.items():
            if key not in known:
                yield place + key
            elif isinstance(value, dict):
                yield from unknown(value, known[key], f"{place}{key}.")
    assert not list(unknown(yaml.safe_load((ROOT / "params" / overlay).read_text()), PARAMS))


@pytest.mark.parametrize("file", FILES)
def test_modules_are_short_and_packages_empty(file):
    lines = (ROOT / file).read_text().splitlines()
    assert len(lines) <= 250
    assert not (file.endswith("__init__.py") and lines)


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("rbc/")])
def test_wings_import_inward_only(file):
    if part(file) not in WINGS or file.endswith("__main__.py"):  # a command line may use anything but stages
        allowed = set(WINGS)
    else:
        allowed = WINGS[part(file)] | {part(file)}
    for other in imported_files(file):
        assert other.startswith("rbc/") and (part(other) in allowed or part(other) == part(file)), other
    if part(file) in TORCHLESS:
        names = {name.split(".")[0] for needed in import_closure(file) for name in read_imports(needed)}
        assert "torch" not in names


def test_no_circular_imports():
    done: set[str] = set()

    def visit(file: str, path: tuple[str, ...]) -> None:
        assert file not in path, " -> ".join([*path, file])
        if file not in done:
            for other in imported_files(file):
                visit(other, (*path, file))
            done.add(file)

    for file in FILES:
        visit(file, ())


def test_params_is_the_only_reader_of_yaml():
    readers = [file for file in FILES if any(name.split(".")[0] == "yaml" for name in read_imports(file))]
    assert readers == [UNTRACKED]


def test_closure_follows_imports_but_not_params(tmp_path: Path):
    for file, source in {"stages/a.py": "import numpy\nfrom rbc.wing import b\nfrom rbc.params import load",
                         "rbc/wing/b.py": "def f():\n    import rbc.c", "rbc/c.py": "from rbc.wing.b import f",
                         "rbc/params.py": "import rbc.d", "rbc/d.py": "", "rbc/wing/__main__.py": ""}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(source)
    assert import_closure("stages/a.py", tmp_path) == {"stages/a.py", "rbc/wing/b.py", "rbc/c.py"}
