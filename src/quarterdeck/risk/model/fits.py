"""Fitted GJR parameters: what was handed in, and what became of it."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.messages import Answer, Command, Query


class FittedGjr(msgspec.Struct, frozen=True, kw_only=True):
    """A GJR-GARCH(1,1) with Student shocks of one instrument's log returns.

    With e = r - mean the variance is h <- base + (shock + fall_shock 1{e<0}) e**2 + memory h.
    """

    symbol: str
    mean: float
    base: float
    shock: float
    fall_shock: float
    memory: float
    freedom: float


class TakeFits(Command, frozen=True):
    """Hand in fits; each that is sound is an expert of its instrument from the next bar on.

    ``model`` says what fitted them, with its version.
    """

    fits: tuple[FittedGjr, ...]
    model: str


class GetFits(Query, frozen=True):
    """Ask for the latest fit of every instrument."""


class FitView(Answer, frozen=True):
    """The latest fit of one instrument, and the weight it has earned.

    ``bars`` are the returns up to ``at`` that the deck had and judged it on; ``accepted`` says whether it
    was let in, ``reason`` why not; the one before then stays. The losses are
    mean QLIKE a bar of it and of the recursion that is not fitted, null where it was not judged.
    ``weight95`` and ``weight99`` are the expert's present shares of the forecasts, at most a half, null
    while it is not heard.
    """

    symbol: str
    at: str
    slice: int
    accepted: bool
    reason: str
    bars: int
    loss: float | None
    plain_loss: float | None
    mean: float
    base: float
    shock: float
    fall_shock: float
    memory: float
    freedom: float
    model: str
    weight95: float | None
    weight99: float | None


class FitsView(Answer, frozen=True):
    """``every_bars`` is how often the deck fits by itself, 0 for never: then there is no such expert."""

    every_bars: int
    fits: tuple[FitView, ...]
