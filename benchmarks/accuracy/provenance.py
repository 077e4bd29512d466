"""Where a row comes from: the revision of the code, and a hash of all that decides it. A row whose hash is not today's
is stale: it was made by other code, other settings or other recordings.

Comments, docstrings and the layout of code change no hash.
"""

import ast
import hashlib
import json
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from benchmarks.accuracy.methods import STAGES, is_rbc, used_settings
from benchmarks.imports import ROOT, changed_at, find_module, import_closure
from benchmarks.peers.methods import METHODS
from rbc.params import Params

SIMULATED = "data/raw"
"""`data.root` of the built-in worlds."""
ALIGNING = ("rbc/recordings/preparation.py",), ("stages/align_data.py",)
SIMULATING = ("rbc/simulate/dataset.py",), ("rbc/simulate/__main__.py",)
JUDGING = (("benchmarks/accuracy/scores.py", "rbc/experiment.py", "rbc/scoring/decision.py", "rbc/recordings/truth.py"),
           ("benchmarks/accuracy/judging.py",))
DRAWING = ("benchmarks/accuracy/budgets.py", "benchmarks/accuracy/folds.py"), (
    "benchmarks/accuracy/cells.py", "benchmarks/accuracy/datasets.py")
"""Each: files that count with everything they import, and files that count alone."""
CODE_FOLDERS = ("rbc", "stages", "benchmarks", "params", "params.yaml", ":(exclude)benchmarks/results")


def revision(root: Path = ROOT) -> str:
    """Short git hash of the code, with a + where it differs from what is committed; `none` outside git."""
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--", *CODE_FOLDERS))
    except (OSError, subprocess.CalledProcessError):
        return "none"


def method_hash(method: str, params: Params, root: Path = ROOT) -> str:
    """Hash of the code of a method and of its judging, of the settings (of the data set) that it uses, and of the
    recordings."""
    if is_rbc(method):
        own = (*(f"stages/{stage}.py" for stage in STAGES), "rbc/evaluation.py"), ("benchmarks/accuracy/ours.py",)
    elif method in METHODS:
        own = (find_module(METHODS[method].__module__, root), reads(method)), ("benchmarks/peers/methods.py",)
    else:
        own = (), ()
    return digest(code_hash(own, JUDGING, DRAWING, root=root), used_settings(params, method), recordings_hash(params, root))


def reads(method: str) -> str:
    """File of the function that makes a peer's inputs."""
    return "benchmarks/peers/raw_channels.py" if method == "raw_trees" else "rbc/features.py"


def recordings_hash(params: Params, root: Path = ROOT) -> str:
    """Hash of the aligned recordings' code, settings and sources; of nothing that comes after them."""
    settings = params.model_dump(mode="json", include={"data", "align_data"})
    source = Path(settings["data"].pop("root"))
    if source.as_posix() == SIMULATED:
        return digest(code_hash(ALIGNING, SIMULATING, root=root), settings, params.simulate.model_dump(mode="json"))
    return digest(code_hash(ALIGNING, root=root), settings, content_hash((root / source).resolve()))


def cells_hash(params: Params, root: Path = ROOT) -> str:
    """Hash of what decides which labels a cell holds, beside the recordings."""
    return digest(code_hash(DRAWING, root=root), params.split.model_dump(mode="json"))


def code_hash(*entries: tuple[Iterable[str], Iterable[str]], root: Path = ROOT) -> str:
    """Hash of files of ours, named relative to the root: in each entry some with all that they import, some alone."""
    files = {file for whole, alone in entries for file in alone}
    files |= {needed for whole, _ in entries for file in whole for needed in import_closure(file, root)}
    return digest({file: _statements(root / file, changed_at(root / file)) for file in sorted(files)})


def digest(*parts: object) -> str:
    """Twelve hex digits of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def content_hash(folder: Path) -> str:
    """Hash of the names and bytes of all files below a folder but notes (.md); `none` where there are none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    found = {path.relative_to(folder).as_posix(): _bytes(path, changed_at(path)) for path in files}
    return digest(found) if found else "none"


@cache
def _bytes(path: Path, _: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _statements(path: Path, _: tuple[int, int]) -> str:
    """Hash of the syntax tree of a file without its docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
