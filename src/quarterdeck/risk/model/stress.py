"""Stress: what is held through moves that happened and moves that somebody thinks of."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Query


class StressKind(StrEnum):
    """Where a scenario comes from."""

    EPISODE = "episode"
    """A named stretch of history, compounded from the bars the deck has seen."""
    WORST = "worst"
    """The stretch of the bars kept in which what the deck holds now would have lost most."""
    SCENARIO = "scenario"
    """Moves that the configuration names, or that were asked for."""


class GetStress(Query, frozen=True):
    """Ask what is held would lose in every episode, worst stretch and configured scenario."""


class AskStress(Query, frozen=True):
    """Ask what is held would lose if ``shocks`` happened, by symbol, and all others moved by ``others``.

    Fractions: -0.2 is a fall of a fifth; at least -1 and at most 10.
    """

    shocks: dict[str, float]
    others: float = 0.0


class StressLossView(Answer, frozen=True):
    """What one subject would lose, a gain negative; null where nothing it holds is known."""

    subject: str
    loss: Decimal | None
    equity_fraction: float | None


class StressView(Answer, frozen=True):
    """One scenario: its losses, the deck's first, and its largest parts.

    ``parts`` are the deck's losses by symbol, largest first, at most five; ``unknown`` what is held
    and has no move in it. ``reason`` says why there are no losses.
    """

    name: str
    kind: StressKind
    start: str | None
    end: str | None
    losses: tuple[StressLossView, ...]
    parts: dict[str, Decimal]
    unknown: tuple[str, ...]
    reason: str | None


class StressesView(Answer, frozen=True):
    """Every scenario; ``bars`` are kept for the historical ones."""

    bars: int
    scenarios: tuple[StressView, ...]
