"""Which settings of params.yaml a stage's script uses, read from the source: its own and those of rbc/experiment.py."""

import ast
from collections.abc import Iterator
from pathlib import Path

Place = tuple[str, ...]


def read_uses(tree: ast.AST) -> set[Place]:
    """Places in params.yaml that code reads through `load()`, an argument `params`, an attribute `.params`, or a name
    given to a part of them; the whole of them (`f(params)`) is none."""
    names: dict[str, Place] = {"params": ()}
    uses: set[Place] = set()

    def resolve(node: ast.AST) -> Place | None:
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load":
            return ()
        if isinstance(node, ast.Attribute):
            base = resolve(node.value)
            if base is not None:
                return base if node.attr == "model_dump" else (*base, node.attr)
            return () if node.attr == "params" else None
        return None

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node):
                place = resolve(value)
                if place is not None and isinstance(target, ast.Name):
                    names[target.id] = place
                else:
                    visit(value)
            return
        place = resolve(node)
        if place is None:
            for child in ast.iter_child_nodes(node):
                visit(child)
        elif place:
            uses.add(place)

    visit(tree)
    return uses


def script_uses(script: Path, experiment: Path) -> set[str]:
    """Places as `section.key` that a script uses itself, through functions of ours that it hands `params` whole, and
    through the members of Experiment that it names."""
    tree = ast.parse(script.read_text())
    uses, waiting, members = read_uses(tree), _attributes(tree), {}
    for function in _helpers(tree, script, experiment.parent.parent):
        uses |= read_uses(function)
    if "Experiment" in script.read_text():
        members = {member.name: member for member in ast.walk(ast.parse(experiment.read_text()))
                   if isinstance(member, ast.FunctionDef)}
    while waiting & set(members):
        member = members.pop((waiting & set(members)).pop())
        uses |= read_uses(member)
        waiting |= _attributes(member)
    return {".".join(place) for place in uses}


def _helpers(node: ast.AST, file: Path, root: Path) -> Iterator[ast.FunctionDef]:
    """Functions of ours that a node of the file calls as `f(params)`, and those that they call so."""
    tree = ast.parse(file.read_text())
    homes = {f.name: file for f in tree.body if isinstance(f, ast.FunctionDef)}
    homes |= {alias.name: root / f"{line.module.replace('.', '/')}.py"
              for line in ast.walk(tree) if isinstance(line, ast.ImportFrom) for alias in line.names}
    called = {call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
              and any(isinstance(argument, ast.Name) and argument.id == "params" for argument in call.args)}
    for name in called:
        if name in homes and homes[name].is_file():
            for function in ast.parse(homes[name].read_text()).body:
                if isinstance(function, ast.FunctionDef) and function.name == name:
                    yield function
                    yield from _helpers(function, homes[name], root)


def _pairs(node: ast.Assign) -> list[tuple[ast.AST, ast.AST]]:
    """(target, value) of an assignment, `a, b = c, d` taken apart."""
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts))
    return [(target, value)]


def _attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
