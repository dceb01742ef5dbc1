"""Identities: distinct types over text, derived from the run and never drawn at random."""

from __future__ import annotations

from typing import NewType

RunId = NewType("RunId", str)
AccountId = NewType("AccountId", str)
AgentId = NewType("AgentId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
SignalId = NewType("SignalId", str)
TaskId = NewType("TaskId", str)
EpisodeId = NewType("EpisodeId", str)
RuleId = NewType("RuleId", str)

OPERATOR = AgentId("operator")
"""The identity a person acts under; never an agent's name."""


def domain_id(kind: str, *, run: RunId, step: int, ordinal: int) -> str:
    """Return the identity of the ``ordinal``-th thing of ``kind`` born in ``step`` of ``run``.

    >>> domain_id("ord", run=RunId("8f3a"), step=12, ordinal=0)
    'ord-8f3a-12-0'
    """
    return f"{kind}-{run}-{step}-{ordinal}"
