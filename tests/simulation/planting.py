"""How a bug is planted in our own code, and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from quarterdeck.execution.core import controls, gate
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import Scene
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
        codes = [control.code for control in controls.CONTROLS]
        place, original = codes.index(code), gate.largest

        def changed(scene: Scene, intent: Intent) -> list[int]:
            found = original(scene, intent)
            found[place] = bound(scene, intent, found[place])
            return found

        silent = tuple(
            replace(control, refuses=None, min_quantity=None) if control.code is code else control
            for control in controls.CONTROLS
        )
        monkeypatch.setattr(gate, "largest", changed)
        monkeypatch.setattr(gate, "PANEL", gate.panel_of(silent))

    return plant


def patched(owner: Any, name: str, value: Any) -> Plant:
    """``owner.name`` with another value."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


def nothing(original: Any, *arguments: Any, **named: Any) -> None:
    """Do nothing."""
