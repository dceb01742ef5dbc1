"""Every service says of each thing it keeps whether it is journaled, checkpointed, a view or fixed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import classes, modules


def services() -> Iterator[tuple[Path, ast.ClassDef, set[str]]]:
    """Yield every class that declares its state, with the names declared."""
    for path in modules():
        for node in classes(path):
            declared = declaration(node)
            if declared is not None:
                yield path, node, declared


def declaration(node: ast.ClassDef) -> set[str] | None:
    for statement in node.body:
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.target.id == "state"
            and isinstance(statement.value, ast.Dict)
        ):
            return {key.value for key in statement.value.keys if isinstance(key, ast.Constant)}
    return None


def assigned(node: ast.ClassDef) -> set[str]:
    """Return the attributes that any method of the class sets on ``self``."""
    return {
        target.attr
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        for inner in ast.walk(method)
        for target in targets(inner)
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    }


def targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign():
            return [leaf for target in node.targets for leaf in leaves(target)]
        case ast.AnnAssign() | ast.AugAssign():
            return [node.target]
        case _:
            return []


def leaves(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, ast.Tuple):
        return [leaf for element in target.elts for leaf in leaves(element)]
    return [target]


FOUND = [pytest.param(*found, id=found[1].name) for found in services()]


def test_the_deck_has_its_services() -> None:
    names = {node.name for _, node, _ in services()}
    assert {"MarketService", "RegimeService", "RiskService", "PortfolioService"} <= names
    assert {"AgentsService", "ExecutionService", "PerformanceService", "AlertsService"} <= names


@pytest.mark.parametrize(("path", "node", "declared"), FOUND)
def test_what_a_service_keeps_is_declared(
    path: Path, node: ast.ClassDef, declared: set[str]
) -> None:
    assert declared == assigned(node), f"{path.name}: {node.name}"


def test_the_check_finds_what_is_not_declared() -> None:
    planted = ast.parse(
        "class S:\n    state: X = {'_a': 1}\n    def f(self):\n        self._a = 1\n        self._b = 2\n"
    ).body[0]
    assert isinstance(planted, ast.ClassDef)
    assert declaration(planted) == {"_a"}
    assert assigned(planted) == {"_a", "_b"}
