"""What a stage's script imports, read from the source.

`python tests/closure.py` prints deps and params of every stage as YAML, `… stages.pretrain` those of one module.
"""

import ast
import re
import sys
from pathlib import Path

import yaml
from settings import script_uses

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ("dvc.yaml", "data/dvc.yaml", "benchmarks/dvc.yaml")
PACKAGES = ("rbc", "stages", "benchmarks")
UNTRACKED = "rbc/params.py"  # `params:` tracks its values


def read_stages(pipeline: str, root: Path = ROOT) -> dict[str, dict]:
    """Stages of a dvc.yaml by name, as written (no templates filled in)."""
    return yaml.safe_load((root / pipeline).read_text())["stages"]


def read_script(stage: dict) -> str:
    """Module that a stage runs: the name after `-m` in its command."""
    return re.search(r"-m (\S+)", stage["cmd"]).group(1)


def find_module(name: str, root: Path = ROOT) -> str | None:
    """File of a module of ours, relative to `root`; None for a package, a name inside a module, others' code."""
    path = name.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__main__.py") if (root / file).is_file()), None)


def read_imports(file: str, root: Path = ROOT) -> set[str]:
    """Absolute dotted names that a file imports anywhere in it; `from a import b` gives both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((root / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{file}:{node.lineno}: relative import; write the whole name")
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_files(file: str, root: Path = ROOT) -> set[str]:
    """Files of ours that a file imports itself. `import rbc.simulate` does not run its __main__."""
    found = {find_module(name, root) for name in read_imports(file, root) if name.split(".")[0] in PACKAGES}
    return {found_file for found_file in found if found_file and not found_file.endswith("__main__.py")}


def import_closure(file: str, root: Path = ROOT) -> set[str]:
    """Files of ours that a file needs, itself included; rbc/params.py is left out and not followed."""
    closure, waiting = set(), {file}
    while waiting:
        current = waiting.pop()
        closure.add(current)
        waiting |= imported_files(current, root) - closure - {UNTRACKED}
    return closure


def code_deps(stage: dict) -> list[str]:
    """Dependencies of a stage that are Python files, templates and data left out."""
    return [dep for dep in stage.get("deps", []) if isinstance(dep, str) and dep.endswith(".py")]


if __name__ == "__main__":
    scripts = {name: name for name in sys.argv[1:]} or {
        f"{pipeline}: {name}": read_script(stage)
        for pipeline in PIPELINES if (ROOT / pipeline).is_file() for name, stage in read_stages(pipeline).items()}
    for title, script in scripts.items():
        file = find_module(script)
        uses = script_uses(ROOT / file, ROOT / "rbc/experiment.py")
        print(f"# {title}\n    deps:", *sorted(import_closure(file)), sep="\n      - ")
        print("    params:", *sorted(use for use in uses if use.rpartition(".")[0] not in uses), sep="\n      - ")
