"""Bugs in what risk has learned: limits of what moves together, and credit lines.

Clusters need long memories: see ``EVERY_DEEP`` in ``app/simulation/faults.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.core.limits_book import LimitBook
from quarterdeck.execution.model import Code
from quarterdeck.execution.service.desk import Desk
from quarterdeck.risk.service import clusters, credit
from tests.simulation.planting import Mutant, around, without_control


def unbounded(scene: Any, intent: Any, bound: int) -> int:
    return UNBOUNDED


def above_the_persons(original: Any, *arguments: Any, **named: Any) -> int:
    return 2 * int(named["hard_limit_units"])


def hardly_any(original: Any, *arguments: Any, **named: Any) -> float:
    return 0.02 * float(original(*arguments, **named))


def unbounded_where_it_is_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credit lines bind long before clusters do: here so little may be held together that these do."""
    around(clusters, "cluster_scale", hardly_any)(monkeypatch)
    without_control(Code.CLUSTER_EXPOSURE, unbounded)(monkeypatch)


def parted(original: Any, self: Any, reader: Any) -> None:
    original(self, reader)
    self.moving.clear()


def all_of_it(original: Any, self: Any, agent: str, units: int) -> int:
    return units


RISK = (
    Mutant(
        "what moves together is bounded by nothing",
        unbounded_where_it_is_tight,
        ("cluster limit",),
        seeds=(103,),
    ),
    Mutant(
        "the limit of what moves together is above a person's",
        around(clusters, "banded_limit", above_the_persons),
        ("learned within a person's",),
        seeds=(103,),
    ),
    Mutant(
        "a restart forgets what moves together",
        around(Desk, "load", parted),
        ("loaded is what lived",),
        seeds=(103,),
    ),
    Mutant(
        "a credit line is not judged",
        without_control(Code.CREDIT_LINE, unbounded),
        ("credit line",),
        seeds=(103,),
    ),
    Mutant(
        "what an agent's trades have earned is not judged",
        around(LimitBook, "earned", all_of_it),
        ("position size",),
        seeds=(4, 8),
    ),
    Mutant(
        "a credit line is above a person's limit",
        around(credit, "banded_limit", above_the_persons),
        ("learned within a person's",),
        seeds=(11, 34),
    ),
)
