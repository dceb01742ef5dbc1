"""Capital over agents: what each earned by session, net of what it charged, and who gives to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import NotEnoughData
from quarterdeck.portfolio.core.budget import STEP

FloatArray = npt.NDArray[np.float64]

KEPT: Final = 500
"""Sessions of an agent that are remembered."""


class Account(msgspec.Struct):
    """An agent's present session in money units: equity at its begin, capital moved, charges since."""

    base: int
    flows: int = 0
    charges: int = 0


def session_return(account: Account, equity: int) -> float | None:
    """Return what the session earned net of charges, per unit of equity; None where none was held.

    Examples
    --------
    >>> session_return(Account(base=100, flows=50, charges=1), 153)
    0.02
    """
    if account.base <= 0:
        return None
    return (equity - account.flows - account.charges - account.base) / account.base


def joint_history(
    series: Mapping[str, Mapping[int, float]], agents: Sequence[str], *, sessions: int
) -> FloatArray:
    """Return the returns of the last ``sessions`` that all ``agents`` lived through: (sessions, agents).

    Raises
    ------
    NotEnoughData
        As ``shared_sessions``.

    Examples
    --------
    >>> joint_history({"a": {1: 0.1, 2: 0.2}, "b": {2: 0.3, 3: 0.4}}, ["a", "b"], sessions=1).tolist()
    [[0.2, 0.3]]
    """
    last = shared_sessions(series, agents, sessions=sessions)
    return np.array([[series[agent][session] for agent in agents] for session in last])


def shared_sessions(
    series: Mapping[str, Mapping[int, float]], agents: Sequence[str], *, sessions: int
) -> list[int]:
    """Return the last ``sessions`` UTC days that all ``agents`` lived through, oldest first.

    Raises
    ------
    NotEnoughData
        Names who has too few, or says that they share too few.

    Examples
    --------
    >>> shared_sessions({"a": {1: 0.1, 2: 0.2}, "b": {2: 0.3, 3: 0.4}}, ["a", "b"], sessions=1)
    [2]
    """
    for agent in agents:
        have = len(series.get(agent, {}))
        if have < sessions:
            raise NotEnoughData(f"sessions of {agent}", have=have, need=sessions)
    shared = set(series[agents[0]]).intersection(*(series[agent] for agent in agents[1:]))
    if len(shared) < sessions:
        raise NotEnoughData("sessions that all agents share", have=len(shared), need=sessions)
    return sorted(shared)[-sessions:]


def targets(weights: FloatArray, *, total: int) -> list[int]:
    """Return what each weight is of ``total`` in whole units; what rounding leaves goes to the largest.

    Examples
    --------
    >>> targets(np.array([0.5, 0.5]), total=101)
    [51, 50]
    """
    parts = np.rint(weights / STEP).astype(np.int64).tolist()
    found = [total * part // sum(parts) for part in parts]
    found[parts.index(max(parts))] += total - sum(found)
    return found


def moves(
    present: Sequence[int], wanted: Sequence[int], movable: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return (from, to, amount) that bring ``present`` as near to ``wanted`` as ``movable`` lets it.

    Examples
    --------
    >>> moves([90, 10, 50], [50, 50, 50], [30, 0, 0])
    [(0, 1, 30)]
    """
    spare = [
        max(min(have - want, free), 0)
        for have, want, free in zip(present, wanted, movable, strict=True)
    ]
    found = []
    for to, (have, want) in enumerate(zip(present, wanted, strict=True)):
        missing = max(want - have, 0)
        for giver, free in enumerate(spare):
            amount = min(free, missing)
            if amount > 0:
                found.append((giver, to, amount))
                spare[giver] -= amount
                missing -= amount
    return found
