"""The stop: what may be stopped, what a stop proves, and what opens trading again."""

from __future__ import annotations

from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Command, Query


class StopScope(StrEnum):
    """What a stop concerns."""

    DECK = "deck"
    ACCOUNT = "account"
    AGENT = "agent"
    INSTRUMENT = "instrument"


class RaiseStop(Command, frozen=True):
    """Stop trading: of the whole deck, or of one account, agent or instrument. Works in every state.

    ``raised`` is the word to which the caller has raised the stop flag itself. While that word
    stands it is not raised again: the stop takes this reason and its caller's name.
    """

    reason: str
    agent: str | None = None
    instrument: str | None = None
    """Only what opens in this instrument: what is stopped so lets reducing orders pass."""
    raised: int | None = None
    account: str | None = None


class StandingStop(Answer, frozen=True):
    """One stop that stands: when, by whom, and what it proves.

    ``accepted_since`` counts orders accepted since although they may open a position, and is 0;
    ``reduced_since`` counts the ones that can only reduce and that the policy lets pass. ``stop_ms``
    is from the call until the stop was in force, null where nobody measured it.
    """

    scope: StopScope
    subject: str
    """The account, agent or instrument; empty for the deck."""
    epoch: int
    since: str
    by: str
    reason: str
    accepted_since: int
    reduced_since: int
    refused_since: int
    cancelled: int
    stop_ms: float | None


class StopView(Answer, frozen=True):
    """The stop as it stands and what it can prove.

    ``accepted_since`` counts orders accepted since trading was stopped and is 0; a stop raised again
    while it stands goes on counting. ``stop_ms`` is from the call until the first epoch raised was in
    force. ``closed`` says why no order of the caller can pass now, whether stopped or not yet open;
    null when orders can. ``stops`` are all that stand, the deck's first; the fields beside it tell of
    the deck's, or of the last one raised.
    """

    stopped: bool
    epoch: int
    acknowledged: int
    stopped_agents: tuple[str, ...]
    since: str | None
    by: str | None
    reason: str | None
    accepted_since: int
    refused_since: int
    cancelled: int
    stop_ms: float | None
    closed: str | None = None
    stopped_instruments: tuple[str, ...] = ()
    stopped_accounts: tuple[str, ...] = ()
    stops: tuple[StandingStop, ...] = ()


class GetRearm(Query, frozen=True):
    """Ask exactly what re-arming would let go on: the deck, or one account, agent or instrument."""

    agent: str | None = None
    instrument: str | None = None
    account: str | None = None


class RearmView(Answer, frozen=True):
    """What re-arming would let go on, and what stands in its way.

    ``confirmation`` is a digest of all this: :class:`Rearm` must name it, so that nothing resumes
    that was not shown.
    """

    scope: StopScope
    subject: str
    epoch: int
    agents: tuple[str, ...]
    """Agents whose orders pass again."""
    instruments: tuple[str, ...]
    """Instruments in which orders that open pass again; empty means all that are not stopped."""
    orders: tuple[str, ...]
    """Orders that kept working during the stop and go on."""
    remaining: tuple[str, ...]
    """Stops that stay, as ``scope subject``."""
    blocked: tuple[str, ...]
    """Why it would be refused now; empty when it would not."""
    confirmation: str


class Rearm(Command, frozen=True):
    """Open trading again, for exactly the epoch that the person saw and what was listed to resume."""

    epoch: int
    reason: str
    agent: str | None = None
    instrument: str | None = None
    account: str | None = None
    confirm: str | None = None
    """The ``confirmation`` of the list of what resumes; without it nothing is re-armed."""
