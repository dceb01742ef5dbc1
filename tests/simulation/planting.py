"""How a bug is planted in our own code, and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from quarterdeck.execution.core import controls, gate
from quarterdeck.execution.model import Code

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """A planted bug: ``rules`` are those that may be the first to speak, ``seeds`` are tried in turn."""

    name: str
    plant: Plant
    rules: tuple[str, ...]
    seeds: tuple[int, ...] = (1, 7, 3, 0)


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> Plant:
    """``owner.name`` replaced by ``wrapper(original, *arguments)``."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)

        def replaced(*arguments: Any, **named: Any) -> Any:
            return wrapper(original, *arguments, **named)

        monkeypatch.setattr(owner, name, replaced)

    return plant


def without_control(code: Code, bound: Callable[..., int]) -> Plant:
    """A gate in which one control says something else."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        changed = tuple(
            control
            if control.code is not code
            else controls.Control(
                **{
                    name: getattr(control, name)
                    for name in control.__dataclass_fields__
                    if name not in ("max_quantity", "refuses", "min_quantity")
                },
                max_quantity=bound,
            )
            for control in controls.CONTROLS
        )
        monkeypatch.setattr(gate, "PANEL", gate.panel_of(changed))

    return plant


def patched(owner: Any, name: str, value: Any) -> Plant:
    """``owner.name`` with another value."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


def nothing(original: Any, *arguments: Any, **named: Any) -> None:
    """Do nothing."""
