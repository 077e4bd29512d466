"""What a stage's script imports, read from the source.

`python tests/closure.py` prints deps and params of every stage as YAML, `… stages.pretrain` those of one module.
"""

import re
import sys
from pathlib import Path

import yaml
from settings import script_uses

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # where this file is run as a script

from benchmarks.imports import (  # noqa: E402, F401
    PACKAGES, UNTRACKED, find_module, import_closure, imported_files, read_imports,
)

PIPELINES = ("dvc.yaml", "data/dvc.yaml", "benchmarks/dvc.yaml")


def read_stages(pipeline: str, root: Path = ROOT) -> dict[str, dict]:
    """Stages of a dvc.yaml by name, as written (no templates filled in)."""
    return yaml.safe_load((root / pipeline).read_text())["stages"]


def read_script(stage: dict) -> str:
    """Module that a stage runs: the name after `-m` in its command."""
    return re.search(r"-m (\S+)", stage["cmd"]).group(1)


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
