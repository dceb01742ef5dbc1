"""Bugs planted in our own code, one function each, and what must notice them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace as struct_replace
from typing import Any

import numpy as np
from msgspec.structs import replace

from quarterdeck.agents.core import lease
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import TaskState
from quarterdeck.alerts.service import AlertsService
from quarterdeck.app import recovery
from quarterdeck.execution import store
from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.model import Code
from quarterdeck.execution.service import filling, matching
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.market import service as market
from quarterdeck.performance.service import PerformanceService
from quarterdeck.portfolio.core.active import Active
from quarterdeck.portfolio.service import attributing
from quarterdeck.runtime import sequencer
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.sums import Sums
from quarterdeck.server.desk.turns import CrewTurns
from tests.simulation.mutants_breakers import BREAKERS
from tests.simulation.mutants_drills import DRILLS
from tests.simulation.mutants_execution import EXECUTION
from tests.simulation.mutants_outside import OUTSIDE
from tests.simulation.mutants_rebalancing import REBALANCING
from tests.simulation.mutants_remote import REMOTE
from tests.simulation.mutants_risk import RISK
from tests.simulation.planting import Mutant, Plant, around, nothing, without_control


def unbounded(scene: Any, intent: Any, bound: int) -> int:
    return UNBOUNDED


def one_lot_more(scene: Any, intent: Any, bound: int) -> int:
    return bound + (scene.contract.lot if scene.contract is not None else 0)


def twice(original: Any, holding: Any, quantity: int, **named: Any) -> Any:
    original(holding, quantity, **named)
    return original(holding, quantity, **named)


def fee_forgotten(original: Any, *arguments: Any, **named: Any) -> Any:
    return original(*arguments, **{**named, "fee": 0})


def folded_unsummed(original: Any, sums: Any) -> bool:
    """Let a log that begins anew be folded without its pages' sums, once there are any."""
    return True if sums._noted == 0 and any(sums._known) else bool(original(sums))


def all_sound(original: Any, open_: Any, *arguments: Any, **named: Any) -> Any:
    return np.ones(open_.size, dtype=np.bool_)


def said_at_once(original: Any, self: Any, number: int) -> Any:
    async def at_once() -> None:
        return None

    return at_once()


def filled_again(original: Any, row: Any) -> Any:
    order = original(row)
    if order.status is OrderStatus.FILLED:
        order.status = OrderStatus.WORKING
    return order


def rearmed_by_restart(original: Any, reader: Any) -> Any:
    session = original(reader)
    session.acknowledged = session.handled
    return session


def born_ready(original: Any, self: Any, task: Task) -> Any:
    self.last_number = task.number
    return [self._put(replace(task, state=TaskState.READY), None)]


def goes_on(original: Any, self: Any, work: Any, *arguments: Any) -> Any:
    async def careless() -> Any:
        try:
            return await original(self, work, *arguments)
        except sqlite3.Error:
            return None

    return careless()


def one_slice_short(
    original: Any, checkpoints: Any, reader: Any, *, cursor: int, absorb: Any
) -> Any:
    return original(checkpoints, reader, cursor=cursor - 1, absorb=absorb)


def lost(owner: type, attribute: str) -> Plant:
    """A service that forgets ``attribute`` when it is loaded."""

    def forgetful(original: Any, self: Any, reader: Any) -> None:
        original(self, reader)
        getattr(self, attribute).clear()

    return around(owner, "load", forgetful)


def open_again(original: Any, self: Any, reader: Any) -> None:
    original(self, reader)
    self._by_watch.clear()
    self._watches.clear()


def cash_rounded(original: Any, account: Any, *arguments: Any, **named: Any) -> Any:
    closed = original(account, *arguments, **named)
    account.cash = account.cash // 10 * 10
    return closed


def chain_restarted(original: Any, self: Any, heads: Any) -> None:
    return None


def expired_lease_kept(original: Any, self: Any, *, at: int, machine_at: int) -> Any:
    return []


def reduces_more(original: Any, desk: Any, order: Any) -> Any:
    return order.remaining


def never_over(original: Any, *arguments: Any, **named: Any) -> None:
    return None


def held_are_lost(original: Any, reader: Any) -> Any:
    return [order for order in original(reader) if order.status is not OrderStatus.HELD]


def limit_forgotten(original: Any, order: Any, *arguments: Any, **named: Any) -> Any:
    return original(struct_replace(order, limit=None), *arguments, **named)


LOADED = "loaded is what lived"

INSIDE = (
    Mutant(
        "a reduce-only order may fill more than there is to reduce",
        around(matching, "_open_quantity", reduces_more),
        ("reduce only",),
    ),
    Mutant(
        "reduce-only is not judged",
        without_control(Code.REDUCE_ONLY, unbounded),
        ("reduce only",),
    ),
    Mutant(
        "an order that has had its time goes on working",
        around(matching, "_let_go", never_over),
        ("liveness",),
    ),
    Mutant(
        "a restart forgets attached orders",
        around(store, "read_orders", held_are_lost),
        (LOADED, "attached orders", "working orders"),
        seeds=(14, 23, 26, 35),
    ),
    Mutant(
        "a limit price is not kept",
        around(matching, "meet", limit_forgotten),
        ("limit price kept",),
    ),
    Mutant(
        "a fill is counted twice",
        around(filling, "book_trade", twice),
        ("position is fills", "equity"),
    ),
    Mutant(
        "the attribution forgets what trading costs",
        around(attributing, "take_fill", fee_forgotten),
        ("attribution",),
    ),
    Mutant(
        "the effects against the benchmark forget what trading costs",
        around(Active, "take_fill", fee_forgotten),
        ("attribution",),
    ),
    Mutant(
        "the stop is not checked",
        without_control(Code.STALE_EPOCH, unbounded),
        ("stop",),
    ),
    Mutant(
        "an order is taken before trading is open",
        without_control(Code.NOT_OPEN, unbounded),
        ("closed", "stale", "no crash of its own"),
    ),
    Mutant(
        "a stale price is traded on",
        without_control(Code.STALE_DATA, unbounded),
        ("stale",),
        seeds=(0, 9, 16, 17),
    ),
    Mutant(
        "an order may be one lot too large",
        without_control(Code.ORDER_NOTIONAL, one_lot_more),
        ("order notional",),
    ),
    Mutant(
        "a position may be of any size",
        without_control(Code.POSITION_LIMIT, unbounded),
        ("position limit", "position size"),
        seeds=(4, 8),
    ),
    Mutant(
        "an order may be of any size",
        without_control(Code.ORDER_NOTIONAL, unbounded),
        ("order notional",),
    ),
    Mutant(
        "a limit price may be anywhere",
        without_control(Code.PRICE_COLLAR, unbounded),
        ("collar",),
    ),
    Mutant(
        "any number of orders in a bar",
        without_control(Code.ORDER_RATE, unbounded),
        ("order rate",),
    ),
    Mutant(
        "a quantity need not be whole lots or even a number",
        without_control(Code.INVALID_NUMBER, unbounded),
        ("lot and tick", "no crash of its own"),
    ),
    Mutant(
        "a bar that is not a number reaches the indicators",
        around(market, "sound_bars", all_sound),
        ("no crash of its own", "equity", "reservations"),
    ),
    Mutant(
        "an answer leaves before its step is on disk",
        around(Journal, "committed", said_at_once),
        ("commit before saying", "acknowledged is durable"),
    ),
    Mutant(
        "a lease is not fenced",
        around(lease, "require_holder", nothing),
        # A task that has ended ends once more, and not on disk: the restart may be what notices.
        ("one holder", "task states", "leases end", "no crash of its own", "loaded is what lived"),
    ),
    Mutant(
        "an idempotency key is ignored",
        around(sequencer, "_idempotency_key", nothing),
        ("idempotency", "one order per key", "acknowledged is durable"),
    ),
    Mutant(
        "a restart works filled orders again",
        around(store, "order_of", filled_again),
        (LOADED,),
    ),
    Mutant(
        "a restart re-arms",
        around(store, "read_session", rearmed_by_restart),
        (LOADED, "stop"),
        seeds=(12, 1, 7),
    ),
    Mutant(
        "an order's reservation is never released",
        around(filling, "release", nothing),
        ("reservations",),
    ),
    Mutant(
        "the fee is missing in the ledger",
        around(filling, "fill_lines", fee_forgotten),
        ("ledger", LOADED),
    ),
    Mutant(
        "a restart misses the last slice",
        around(recovery, "catch_up", one_slice_short),
        (LOADED, "attribution"),
    ),
    Mutant(
        "a restart begins the audit chain anew",
        around(AuditChain, "load", chain_restarted),
        ("audit chain", LOADED, "no crash of its own"),
    ),
    Mutant(
        "a restart forgets what the alert rules had seen",
        around(AlertsService, "load", open_again),
        (LOADED, "one open episode"),
    ),
    Mutant("a restart forgets the crew's memories", lost(CrewTurns, "_remembered"), (LOADED,)),
    Mutant("a restart forgets performance", lost(PerformanceService, "_records"), (LOADED,)),
    Mutant(
        "money is rounded",
        around(filling, "_trade", cash_rounded),
        ("equity", "cash is fills"),
    ),
    Mutant(
        "a task does not wait for what it depends on",
        around(Board, "add", born_ready),
        ("dependencies",),
    ),
    Mutant(
        "the journal goes on after a failed write",
        around(Journal, "_in_thread", goes_on),
        ("fail stop", "acknowledged is durable", LOADED),
        seeds=(37, 0, 7, 4, 23),
    ),
    Mutant(
        "the log is folded without the sums of its pages",
        around(Sums, "_note", folded_unsummed),
        ("no crash of its own",),
        seeds=(1, 0, 2, 4),
    ),
    Mutant(
        "a lease never ends",
        around(Board, "expire", expired_lease_kept),
        ("leases end", "liveness"),
    ),
    Mutant(
        "limits forgotten at a restart",
        lost(Desk, "learned"),
        (LOADED, "position limit"),
    ),
)

MUTANTS = (
    *INSIDE,
    *OUTSIDE,
    *EXECUTION,
    *BREAKERS,
    *DRILLS,
    *REBALANCING,
    *REMOTE,
    *RISK,
)
