"""The figures of a run, for ``--report``: each read from the state that is on disk."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quarterdeck.agents.model import GetTasks, TasksView
from quarterdeck.alerts.model import EpisodesView, GetEpisodes
from quarterdeck.execution.model import ExecutionReport, GetExecutionReport
from quarterdeck.regime.model import GetRegimeChanges, RegimeChangesView
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.server.desk.asking import now, read
from quarterdeck.server.ports import Views


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. ``slices`` counts every slice replayed so far, warm-up included.

    ``wall_s`` and ``slices_per_s`` are of this process only. ``closed`` is true when the run had no
    outside input and ran flat out; else ``first_outside`` says what made it open.
    """

    slices: int
    bars: int
    instruments: int
    regime_changes: int
    orders: Mapping[str, int]
    refusals: Mapping[str, int]
    tasks: Mapping[str, int]
    alerts: Mapping[str, int]
    equity: Mapping[str, str | None]
    agents: Mapping[str, Mapping[str, object]]
    ledger_balanced: bool
    audit_chain_ok: bool
    state_hash: str
    wall_s: float
    slices_per_s: float | None
    closed: bool
    first_outside: str | None
    run: str


async def build_report(
    views: Views,
    *,
    slices: int,
    bars: int,
    instruments: int,
    audit_chain_ok: bool,
    state_hash: str,
    wall_s: float,
    slices_here: int,
    closed: bool,
    first_outside: str | None,
    run: str,
) -> RunReport:
    """Ask every capability for its counts and return the report."""
    caller = OPERATOR_CALLER
    orders = now(views, GetExecutionReport(), caller=caller, kind=ExecutionReport)
    tasks = await read(views, GetTasks(limit=1), caller=caller, kind=TasksView)
    alerts = await read(views, GetEpisodes(limit=1), caller=caller, kind=EpisodesView)
    changes = await read(views, GetRegimeChanges(limit=1), caller=caller, kind=RegimeChangesView)
    return RunReport(
        slices=slices,
        bars=bars,
        instruments=instruments,
        regime_changes=changes.changes[0].number if changes.changes else 0,
        orders={
            "submitted": orders.submitted,
            "accepted": orders.accepted,
            "refused": orders.refused,
            "filled": orders.filled,
        },
        refusals=orders.refusals,
        tasks={
            "completed": tasks.counts.get("completed", 0),
            "failed": tasks.counts.get("failed", 0),
        },
        alerts={"fired": alerts.fired, "resolved": alerts.resolved},
        equity={"total": None if orders.equity_total is None else str(orders.equity_total)},
        agents={
            str(agent.agent): {
                "equity": None if agent.equity is None else str(agent.equity),
                "submitted": agent.submitted,
                "accepted": agent.accepted,
                "filled": agent.filled,
                "refused": agent.refused,
                "refusals": agent.refusals,
            }
            for agent in orders.agents
        },
        ledger_balanced=orders.ledger_balanced,
        audit_chain_ok=audit_chain_ok,
        state_hash=state_hash,
        wall_s=wall_s,
        slices_per_s=slices_here / wall_s if wall_s > 0.0 and slices_here else None,
        closed=closed,
        first_outside=first_outside,
        run=run,
    )
