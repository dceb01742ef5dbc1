"""Where trading stands: the last slice, the stop, and the counts of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck.execution.core.amounts import ceil_div, timeframe_ns
from quarterdeck.execution.core.gate import Retry, Waiting
from quarterdeck.execution.model import StopView
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import DAY, Nanos, rfc3339

NEVER = -2
"""An acknowledgement that no raised word equals: stopped until a person re-arms."""


_BEFORE = Nanos(0)


@dataclass(slots=True)
class Session:
    """The last slice and the epoch a person acknowledged.

    ``handled`` is the raised word whose working orders were cancelled; a word raised from outside
    the deck is handled with the next slice, and refuses from the moment it is raised.
    """

    slice: int = -1
    at: Nanos = _BEFORE
    timeframe: str = ""
    warming_up: bool = True
    ended: bool = False
    acknowledged: int = 0
    handled: int = 0

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


@dataclass(frozen=True, slots=True)
class StopRecord:
    """A stop that was raised, and the counts at that moment.

    A stop raised again while it stands keeps its counts and its time: what it proves, it proves
    since trading was last open. ``epoch`` is the latest.
    """

    number: int
    epoch: int
    agent: AgentId | None
    by: str
    reason: str
    cancelled: int
    accepted_before: int
    refused_before: int
    machine_at: Nanos
    stop_ms: float | None


def outside_reason(raised: int) -> str:
    """Return the reason of a stop that nobody gave one for."""
    return "raised from outside the deck" if raised >= 0 else "the stop flag cannot be read"


def stop_view(
    record: StopRecord | None,
    *,
    raised: int,
    acknowledged: int,
    agents: tuple[str, ...],
    frozen: tuple[str, ...],
    accepted: int,
    refused: int,
    closed: str | None,
) -> StopView:
    """Return the stop as it stands.

    ``accepted`` and ``refused`` count the orders of the whole run in the scope of ``record``. A
    word that was raised from outside has no record before the deck has noticed it: nothing is
    counted yet.
    """
    stopped = raised != acknowledged
    if record is None:
        return StopView(
            stopped=stopped,
            epoch=raised,
            acknowledged=acknowledged,
            stopped_agents=agents,
            stopped_instruments=frozen,
            closed=closed,
            since=None,
            by=None,
            reason=outside_reason(raised) if stopped else None,
            accepted_since=0,
            refused_since=0,
            cancelled=0,
            stop_ms=None,
        )
    stands = stopped if record.agent is None else record.agent in agents
    return StopView(
        stopped=stopped,
        epoch=raised,
        acknowledged=acknowledged,
        stopped_agents=agents,
        stopped_instruments=frozen,
        closed=closed,
        since=rfc3339(record.machine_at) if stands else None,
        by=record.by if stands else None,
        reason=record.reason if stands else None,
        accepted_since=accepted - record.accepted_before,
        refused_since=refused - record.refused_before,
        cancelled=record.cancelled,
        stop_ms=record.stop_ms,
    )
