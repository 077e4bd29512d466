"""What a file of ours imports, read from the source: on which other files of ours it depends."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rbc", "stages", "benchmarks")
UNTRACKED = "rbc/params.py"  # settings are compared by value


def find_module(name: str, root: Path = ROOT) -> str | None:
    """File of a module of ours, relative to `root`; None for a package, a name inside a module, others' code."""
    path = name.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__main__.py") if (root / file).is_file()), None)


def read_imports(file: str, root: Path = ROOT) -> set[str]:
    """Absolute dotted names that a file imports anywhere in it; `from a import b` gives both `a` and `a.b`."""
    return set(_imports(root / file, changed_at(root / file)))


def changed_at(path: Path) -> tuple[int, int]:
    """When a file was last changed (ns), and its size: what was read of it holds until then."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@cache
def _imports(path: Path, _: tuple[int, int]) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: relative import; write the whole name")
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


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
