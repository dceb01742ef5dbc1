"""What the MCP endpoint offers: each tool is an operation, told briefly.

Nothing here knows the protocol. A tool's arguments are its operation's input, flat; its reply is
the operation's answer cut down to what a model needs, at most a kilobyte unless it asks for more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from quarterdeck.client.model import Briefing
from quarterdeck.kernel.errors import DomainError, InvalidInput, NotFound, Overloaded, Unavailable
from quarterdeck.kernel.messages import Answer
from quarterdeck.runtime.policy import Caller, Operation, Registry
from quarterdeck.server.desk.model import MarketView
from quarterdeck.server.figures import (
    frontier_reply,
    performance_reply,
    plan_reply,
    sensitivity_reply,
    views_reply,
)
from quarterdeck.server.gate_replies import (
    breakers_reply,
    conflicts_reply,
    limits_reply,
    order_reply,
    refusal,
    signals_reply,
)
from quarterdeck.server.replies import Reply, fitted, only, plain, whole
from quarterdeck.server.risk_replies import level_reply, risk_line
from quarterdeck.server.work_replies import schedules_reply, work_reply

FULL = "full"
_DETAIL = "compact (default, at most 1 KB) or full"
DETAIL = {"type": "string", "enum": ["compact", FULL], "description": _DETAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How one operation is told to a model: its description, its arguments, its reply."""

    text: str
    notes: Mapping[str, str] = field(default_factory=dict)
    reply: Callable[[Answer, Caller], Reply]
    detail: bool = False
    read_only: bool = False
    destructive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as it is offered."""

    name: str
    operation: Operation
    telling: Telling
    schema: dict[str, object]


def market_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each instrument in one short line."""
    if not isinstance(answer, MarketView):
        raise TypeError(f"not a market: {type(answer).__name__}")
    lines = [
        plain(
            {
                "symbol": line.symbol,
                "price": line.price,
                "regime": line.regime,
                "confidence": line.regime_level,
                "rsi": line.indicators.get("rsi"),
                "atr": line.indicators.get("atr"),
                "var99": line.var99,
                "position_limit": line.position_limit,
            }
        )
        for line in answer.markets
    ]
    said = ("timeframe", "regime", "correlation")
    together = plain({name: getattr(answer.together, name) for name in said})
    reply: Reply = {
        "at": answer.at,
        "slice": answer.slice,
        "together": together,
        "markets": lines,
    }
    return fitted(reply, lists=("markets",))


def briefing_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return the briefing in short: what is held, what is open, what the market does."""
    if not isinstance(answer, Briefing):
        raise TypeError(f"not a briefing: {type(answer).__name__}")
    account = answer.account
    reply: Reply = {
        "agent": answer.agent,
        "at": answer.at,
        "slice": answer.slice,
        "epoch": answer.epoch,
        "open": answer.open,
        "work": [
            plain({"task_id": c.task_id, "title": c.title[:60], "lease_token": c.lease_token})
            for c in answer.work
        ],
        "orders": [
            plain({"order_id": o.order_id, "order": f"{o.side} {o.quantity} {o.symbol}"})
            for o in answer.orders
        ],
        "markets": [
            plain(
                {
                    "symbol": m.symbol,
                    "price": m.price,
                    "regime": m.regime,
                    "held": m.quantity or None,
                }
            )
            for m in answer.markets
        ],
    }
    if answer.risk is not None:
        reply["risk"] = risk_line(answer.risk)
    if answer.reason is not None:
        reply["reason"] = answer.reason[:160]
    if account is not None:
        reply["account"] = plain(
            {
                "equity": account.equity,
                "buying_power": account.buying_power,
                "daily_pnl": account.daily_pnl,
            }
        )
    return fitted(reply, lists=("markets", "orders", "work"))


def claim_reply(answer: Answer, caller: Caller) -> Reply:
    """Return the claim, or null with the reason and when asking again makes sense."""
    return {"claim": None, **whole(answer, caller)}


def why_reply(answer: Answer, caller: Caller) -> Reply:
    """Return why a task stands where it stands, agents as far as they fit."""
    reply = whole(answer, caller)
    reply.pop("factors", None)
    return fitted(reply, lists=("agents",))


KEY = "your own unique key; repeat it to repeat the request safely"
SYMBOL = "instrument, as get_market names it"
LEASE = "the lease_token that claim_work gave"
ORDER_NOTES = {
    "idempotency_key": KEY,
    "symbol": SYMBOL,
    "quantity": "units of the instrument, decimal text such as '10'",
    "type": "market fills at the next bar's open",
    "limit_price": "decimal text, required for a limit order",
    "stop_price": "decimal text, the trigger of a stop order",
    "reduce_only": "only close",
    "post_only": "only rest",
    "stop_loss": "decimal text, attached exit",
    "take_profit": "decimal text, attached exit",
    "believed_price": "the price you believe is current; refused if it is not",
    "believed_at": "its time, RFC 3339",
    "task_id": "the task this order serves",
    "signal_id": "the signal this order follows",
    "epoch": "stop epoch from get_briefing; the order is refused if it has changed",
}

TELLINGS: Mapping[str, Telling] = {
    "get_briefing": Telling(
        text="Start here: your account, open orders, work held, the market, and whether trading "
        "is open, and your risk. detail=full adds indicators.",
        notes={"symbols": "narrow the markets to these"},
        reply=briefing_reply,
        detail=True,
        read_only=True,
    ),
    "get_market": Telling(
        text="Price, regime, indicators and next-bar risk (var99: fraction of price lost at 99 %) "
        "of some instruments or all, and the regime of all together. detail=full with symbols adds how often, how "
        "long and what followed each regime.",
        notes={"symbols": "instruments; omit for all", "timeframe": "of regimes, such as 1w"},
        reply=market_reply,
        detail=True,
        read_only=True,
    ),
    "claim_work": Telling(
        text="Claim the best task you can do, waiting up to wait_ms for one. It is yours while "
        "the lease lasts; finish with complete_work.",
        notes={
            "wait_ms": "milliseconds to wait, 0 to 20000",
            "start": "false only sets tasks aside; each begins with renew_lease",
            "most": "tasks at once, 1 to 100",
        },
        reply=claim_reply,
    ),
    "renew_lease": Telling(
        text="Keep a claimed task for another lease.",
        notes={
            "task_id": "the task",
            "lease_token": LEASE,
            "progress_fraction": "0 to 1",
            "note": "one line on how far it is",
        },
        reply=whole,
    ),
    "complete_work": Telling(
        text="Hand in a claimed task's result, or report failure with failed=true and a reason.",
        notes={
            "task_id": "the task",
            "lease_token": LEASE,
            "result": "JSON object",
            "failed": "true if the task could not be done",
            "reason": "why it failed",
        },
        reply=only("task_id", "state", "attempt", "why"),
    ),
    "explain_task": Telling(
        text="Why a task waits or went to whom it went.",
        notes={"task_id": "the task", "agent": "why (not) this agent"},
        reply=why_reply,
        read_only=True,
    ),
    "submit_task": Telling(
        text="Put a task into the queue for agents with a capability.",
        notes={
            "idempotency_key": KEY,
            "title": "one line",
            "capability": "what it needs",
            "input": "JSON object",
            "depends_on": "task ids that must complete first",
            "max_attempts": "1 or more",
            "lease_s": "seconds of machine time",
            "requires": "further capabilities",
            "strategy": "whose turn it takes",
            "delay_s": "machine seconds until it may start",
            "expires_s": "cancelled unless done in so many machine seconds",
            "expires_bars": "cancelled unless done in so many bars",
            "deadline_s": "counts as urgent near it",
            "deadline_bars": "the same in bars",
            "on_failure": "of a dependency",
            "cost_ceiling": "decimal text; only agents that charge no more",
            "autonomy": "least level of the agent",
        },
        reply=only("task_id", "state", "priority", "why"),
    ),
    "schedule_task": Telling(
        text="Have a task put into the queue at instants, market sessions or after events.",
        notes={
            "name": "of the schedule",
            "trigger": "when; which fields it has depends on kind",
            "task": "as for submit_task",
        },
        reply=only("name", "next_at", "fired", "skipped"),
    ),
    "get_work_report": Telling(
        text="How the last tasks went: throughput, waits by priority, success by type and agent.",
        notes={"tasks": "over how many, newest first"},
        reply=work_reply,
        read_only=True,
    ),
    "get_schedules": Telling(
        text="Every schedule: when it fires next and how often it did.",
        reply=schedules_reply,
        read_only=True,
    ),
    "submit_signal": Telling(
        text="Record your view of an instrument; it moves no money, an order may name it.",
        notes={
            "idempotency_key": KEY,
            "symbol": SYMBOL,
            "direction": "long, short or flat",
            "strength": "0 to 1",
            "horizon_bars": "bars the view holds",
            "reason": "one line",
            "task_id": "the task it came from",
            "expires_at": "market instant it ends at the latest, RFC 3339",
        },
        reply=only("signal_id", "symbol", "direction", "strength", "expires_slice"),
    ),
    "preview_order": Telling(
        text="Ask what the safety gate would say to an order now, and the largest quantity that "
        "passes. Nothing changes.",
        notes=ORDER_NOTES,
        reply=order_reply,
        read_only=True,
    ),
    "submit_order": Telling(
        text="Submit a paper order. A refusal is a normal result with the limit and the largest "
        "quantity allowed now.",
        notes=ORDER_NOTES,
        reply=order_reply,
        destructive=True,
    ),
    "cancel_order": Telling(
        text="Cancel one of your working orders.",
        notes={"idempotency_key": KEY, "order_id": "the order"},
        reply=only("order_id", "status", "filled", "final_at"),
        destructive=True,
    ),
    "get_limits": Telling(
        text="The gate's limits in force for you, each with the level that sets it.",
        notes={"agent": "another agent; omit for yourself"},
        reply=limits_reply,
        detail=True,
        read_only=True,
    ),
    "replace_order": Telling(
        text="Put another order in the place of one that works. Refused, the old one stands.",
        notes={
            "idempotency_key": KEY,
            "order_id": "the order to replace",
            "quantity": "what is to be open afterwards, decimal text; omit to keep",
            "limit_price": "decimal text; omit to keep",
            "stop_price": "decimal text; omit to keep",
        },
        reply=order_reply,
        destructive=True,
    ),
    "cancel_signal": Telling(
        text="Take back one of your open signals; orders that followed it stay.",
        notes={"idempotency_key": KEY, "signal_id": "the signal"},
        reply=only("signal_id", "symbol", "status"),
        destructive=True,
    ),
    "get_signals": Telling(
        text="Signals, newest first, and where each stands.",
        notes={"agent": "whose; omit for all", "before": "next of the page before"},
        reply=signals_reply,
        read_only=True,
    ),
    "get_risk_level": Telling(
        text="How risky the deck and you are now, 0 to 100, and which components make it so.",
        notes={},
        reply=level_reply,
        detail=True,
        read_only=True,
    ),
    "get_breakers": Telling(
        text="Circuit breakers that are not closed: whose, why, and what closes them.",
        notes={"subject": "an agent or instrument; omit for all"},
        reply=breakers_reply,
        detail=True,
        read_only=True,
    ),
    "keep_alive": Telling(
        text="Say that you are there; not heard of within within_s, your orders are cancelled.",
        notes={"within_s": "seconds until the next call at the latest; 0 ends it"},
        reply=whole,
    ),
    "get_drill": Telling(
        text="What the last drill of the emergency stop proved, and when.",
        reply=whole,
        read_only=True,
    ),
    "get_conflicts": Telling(
        text="Instruments that several of our agents hold: gross, net, and what netting saves.",
        reply=conflicts_reply,
        read_only=True,
    ),
    "propose_portfolio": Telling(
        text="What it takes to bring your account to a target: drift, trades in whole lots, cost, "
        "gain, and the gate's word on each. Nothing changes.",
        notes={
            "agent": "another agent; omit for yourself",
            "objective": "the target: this or weights",
            "weights": "fraction of equity by symbol; the rest is cash",
            "horizon_bars": "bars it is to last",
            "risk_aversion": "return a unit of variance must bring",
            "limits": "what an objective's weights must keep to; a group without symbols is a sector",
        },
        reply=plan_reply,
        detail=True,
        read_only=True,
    ),
    "get_frontier": Telling(
        text="Risk and return a year of what is held, of each objective's target, and of the best there is.",
        notes={
            "agent": "whose account; omit for all together",
            "points": "portfolios on the frontier, 2 to 200",
        },
        reply=frontier_reply,
        detail=True,
        read_only=True,
    ),
    "get_sensitivity": Telling(
        text="How far an objective's weights move when its history is resampled: what they are worth.",
        notes={
            "objective": "whose weights",
            "draws": "resampled histories, 2 to 1000",
            "seed": "the same gives the same draws",
        },
        reply=sensitivity_reply,
        detail=True,
        read_only=True,
    ),
    "get_views": Telling(
        text="Which agents' signals count as views, by measured skill, and the returns expected.",
        reply=views_reply,
        detail=True,
        read_only=True,
    ),
    "get_performance": Telling(
        text="Agents ranked by their record; beta, correlation, turnover of each and the deck.",
        notes={"agent": "one agent; omit for all"},
        reply=performance_reply,
        detail=True,
        read_only=True,
    ),
}


def schema_of(operation: Operation, telling: Telling) -> dict[str, object]:
    """Return the flat JSON schema of a tool's arguments."""
    _, components = msgspec.json.schema_components([operation.input], ref_template="{name}")
    own = components[operation.input.__name__]
    properties: dict[str, object] = {}
    for name, schema in own["properties"].items():
        flat = _flat(schema, components)
        note = telling.notes.get(name)
        properties[name] = flat if note is None else {**flat, "description": note}
    if telling.detail:
        properties["detail"] = DETAIL
    return {
        "type": "object",
        "properties": properties,
        "required": list(own.get("required", ())),
        "additionalProperties": False,
    }


def _flat(
    schema: Mapping[str, object], components: Mapping[str, Mapping[str, object]]
) -> dict[str, object]:
    if "$ref" in schema:
        schema = components[str(schema["$ref"])]
    options = schema.get("anyOf")
    if isinstance(options, list):
        present = [option for option in options if option.get("type") != "null"]
        if len(present) == 1:
            return _flat(present[0], components)
    dropped = ("title", "description", "format", "default")
    flat = {name: part for name, part in schema.items() if name not in dropped}
    inner = flat.get("properties")
    if isinstance(inner, dict):
        flat["properties"] = {name: _flat(part, components) for name, part in inner.items()}
    items = flat.get("items")
    if isinstance(items, dict):
        flat["items"] = _flat(items, components)
    return flat


def offered(registry: Registry) -> tuple[Tool, ...]:
    """Return the tools in their one order; an operation that names an unknown tool is a bug."""
    by_name = {o.tool: o for o in registry.operations.values() if o.tool is not None}
    unknown = sorted(set(by_name) - set(TELLINGS))
    if unknown:
        raise ValueError(f"operations name tools that are not told: {', '.join(unknown)}")
    return tuple(
        Tool(
            name=name,
            operation=by_name[name],
            telling=telling,
            schema=schema_of(by_name[name], telling),
        )
        for name, telling in TELLINGS.items()
        if name in by_name
    )


def misuse(error: DomainError) -> str | None:
    """Return the one line that corrects a misuse, or ``None`` when ``error`` is a refusal."""
    if not isinstance(error, InvalidInput | NotFound):
        return None
    accepted = f"; accepted: {error.accepted}" if error.accepted else ""
    line = (
        error.message
        if error.accepted and error.accepted in error.message
        else (error.message + accepted)
    )
    return " ".join(line.split())[:400]


def refused(error: DomainError) -> Reply:
    """Return a refusal as a result."""
    waits = isinstance(error, Overloaded | Unavailable)
    return refusal(
        error.code,
        next_step=error.message,
        attempted=error.value,
        limit=error.accepted,
        retry_after_s=1.0 if waits else None,
    )
