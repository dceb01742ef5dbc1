"""A second count of what circuit breakers count: an agent's trades, and those that lost.

It forgets at every change of a breaker and at a restart, so that it never counts more than is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from quarterdeck.app.invariants.remote import BY_HAND
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.execution.model import (
    BreakerChanged,
    BreakerKind,
    BreakerState,
    OrderFilled,
    Scope,
)
from quarterdeck.kernel.messages import Message

LOSS_BARS = 5
"""Bars that a loss counts for at least, as is promised."""

Key = tuple[BreakerKind, str]


@dataclass(slots=True)
class BreakersBook:
    """``events`` are market instant and slice of what counts, by kind and agent; ``fresh`` had one."""

    events: dict[Key, list[tuple[int, int]]] = field(default_factory=dict)
    fresh: set[Key] = field(default_factory=set)

    def hear(self, message: Message) -> None:
        """Follow one message."""
        match message:
            case OrderFilled() if not message.order_id.startswith(BY_HAND):
                for kind in _kinds(message):
                    key = (kind, str(message.agent))
                    self.events.setdefault(key, []).append((message.at, message.slice))
                    self.fresh.add(key)
            case BreakerChanged() if message.scope is Scope.AGENT:
                self.events.pop((message.kind, message.subject), None)
            case _:
                pass

    def step_over(self, now: Moment) -> Verdict:
        """Return whose breaker is not open although the evidence is there."""
        fresh, self.fresh = self.fresh, set()
        settings = now.desk.settings
        for kind, agent in sorted(fresh):
            events = self.events.get((kind, agent))
            if not events:
                continue
            losses = kind is BreakerKind.RAPID_LOSS
            most = settings.losses if losses else settings.trades
            window = settings.loss_window if losses else settings.trade_window
            at, slice_ = events[-1]
            since = slice_ - (LOSS_BARS if losses else 1)
            kept = [one for one in events if one[0] > at - window or one[1] > since]
            self.events[kind, agent] = kept
            state = now.desk.breakers.get(kind, Scope.AGENT, agent).state
            if len(kept) >= most and state is not BreakerState.OPEN:
                text = f"{kind.value} of {agent} is {state.value} after {len(kept)} of {most}"
                return Violation(rule="breakers trip", text=text)
        return None


def _kinds(fill: OrderFilled) -> Iterator[BreakerKind]:
    yield BreakerKind.TRADE_FREQUENCY
    if fill.closed and fill.realised_units < fill.fee_units:
        yield BreakerKind.RAPID_LOSS
