"""Where trading stands: the last slice, the stop, and the counts of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from quarterdeck.execution.core.amounts import ceil_div, timeframe_ns
from quarterdeck.execution.core.gate import Retry, Waiting
from quarterdeck.execution.model import RearmView, StandingStop, StopScope, StopView
from quarterdeck.kernel.time import DAY, Nanos, rfc3339

NEVER = -2
"""An acknowledgement that no raised word equals: stopped until a person re-arms."""


class Scope(NamedTuple):
    """What one stop concerns: the kind, and which one of it."""

    kind: StopScope
    subject: str

    @property
    def words(self) -> str:
        """The scope as people read it."""
        return f"{self.kind.value} {self.subject}".rstrip()


DECK = Scope(StopScope.DECK, "")

_BEFORE = Nanos(0)


@dataclass(slots=True)
class Session:
    """The last slice and the epoch a person acknowledged.

    ``handled`` is the raised word whose working orders were cancelled; a word raised from outside
    the deck is handled with the next slice, and refuses from the moment it is raised.
    ``account_stops`` counts how often the account was stopped, and is part of every agent's epoch.
    """

    slice: int = -1
    at: Nanos = _BEFORE
    timeframe: str = ""
    warming_up: bool = True
    ended: bool = False
    acknowledged: int = 0
    handled: int = 0
    account_stopped: bool = False
    account_stops: int = 0

    @property
    def closed(self) -> str | None:
        """Why trading is not open; ``None`` when it is."""
        if self.slice < 0:
            return "no bar has closed yet"
        if self.ended:
            return "the feed has ended"
        return "the deck is warming up" if self.warming_up else None

    def retry(self, wait: Waiting | None, seconds_per_bar: float | None) -> Retry:
        """Return when ``wait`` is over, at ``seconds_per_bar`` machine seconds a bar.

        The market instant of the next bar is not known: a market that closes over the weekend
        skips instants. The next UTC day begins when it begins; its bars are counted without gaps.
        """
        if wait is None:
            return Retry()
        bars: int | None = wait.bars
        instant = None
        if wait.day:
            length = timeframe_ns(self.timeframe)
            until = (self.at // DAY + 1) * DAY
            instant = rfc3339(Nanos(until))
            bars = None if length is None else max(wait.bars, ceil_div(until - self.at, length))
        if bars is None or seconds_per_bar is None:
            return Retry(bars, None, instant)
        return Retry(bars, bars * seconds_per_bar, instant)


@dataclass(slots=True)
class Tally:
    """How one caller's orders went over the run; ``refused_recently`` since the last close."""

    accepted: int = 0
    refused: int = 0
    filled: int = 0
    refused_recently: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class StopRecord:
    """A stop that was raised, and what was decided since under it.

    A stop raised again while it stands keeps its counts and its time: what it proves, it proves
    since trading was last open. ``epoch`` is the latest. ``accepted`` counts orders that may open a
    position, ``reduced`` those that can only reduce, ``refused`` the others.
    """

    number: int
    epoch: int
    scope: Scope
    by: str
    reason: str
    cancelled: int
    machine_at: Nanos
    stop_ms: float | None
    accepted: int = 0
    reduced: int = 0
    refused: int = 0


def outside_reason(raised: int) -> str:
    """Return the reason of a stop that nobody gave one for."""
    return "raised from outside the deck" if raised >= 0 else "the stop flag cannot be read"


def standing_of(record: StopRecord) -> StandingStop:
    """Return a stop that stands, as it is shown."""
    return StandingStop(
        scope=record.scope.kind,
        subject=record.scope.subject,
        epoch=record.epoch,
        since=rfc3339(record.machine_at),
        by=record.by,
        reason=record.reason,
        accepted_since=record.accepted,
        reduced_since=record.reduced,
        refused_since=record.refused,
        cancelled=record.cancelled,
        stop_ms=record.stop_ms,
    )


def stop_view(
    told: StopRecord | None,
    standing: list[StopRecord],
    *,
    raised: int,
    acknowledged: int,
    closed: str | None,
) -> StopView:
    """Return the stop as it stands: ``told`` in front, all that are ``standing`` beside it.

    A word that was raised from outside has no record before the deck has noticed it: nothing is
    counted yet.
    """
    stopped = raised != acknowledged

    def named(kind: StopScope) -> tuple[str, ...]:
        return tuple(sorted(one.scope.subject for one in standing if one.scope.kind is kind))

    stands = told is not None and told in standing
    return StopView(
        stopped=stopped,
        epoch=raised,
        acknowledged=acknowledged,
        stopped_agents=named(StopScope.AGENT),
        stopped_instruments=named(StopScope.INSTRUMENT),
        stopped_accounts=named(StopScope.ACCOUNT),
        closed=closed,
        since=rfc3339(told.machine_at) if told and stands else None,
        by=told.by if told and stands else None,
        reason=told.reason if told and stands else outside_reason(raised) if stopped else None,
        accepted_since=0 if told is None else told.accepted,
        refused_since=0 if told is None else told.refused,
        cancelled=0 if told is None else told.cancelled,
        stop_ms=None if told is None else told.stop_ms,
        stops=tuple(standing_of(one) for one in standing),
    )


def rearm_view(
    scope: Scope,
    *,
    epoch: int,
    agents: tuple[str, ...],
    instruments: tuple[str, ...],
    orders: tuple[str, ...],
    remaining: tuple[str, ...],
    blocked: tuple[str, ...],
) -> RearmView:
    """Return what re-arming would let go on, with the digest that confirms it.

    The digest covers all but what blocks: twelve hexadecimal digits of SHA-256.
    """
    listed = "\n".join(
        (scope.words, str(epoch), *agents, "", *instruments, "", *orders, "", *remaining)
    )
    return RearmView(
        scope=scope.kind,
        subject=scope.subject,
        epoch=epoch,
        agents=agents,
        instruments=instruments,
        orders=orders,
        remaining=remaining,
        blocked=blocked,
        confirmation=sha256(listed.encode()).hexdigest()[:12],
    )
