"""What could be held instead, at which risk, and how far the estimates can be believed."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.portfolio.model.objectives import Objective


class GetFrontier(Query, frozen=True):
    """Ask for the efficient frontier of ``points`` portfolios (2 to 200) and where an account stands.

    The account is that of ``agent``, all of them together when omitted.
    """

    agent: str | None = None
    points: int = 24


class RiskReturn(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio is expected to return and how far to vary, per year.

    ``weights`` leaves out what is below a millionth; what they lack of 1 is cash, which earns nothing.
    ``sharpe`` is over no risk-free rate, null without a volatility. ``optimality_gap`` bounds how much more
    could be returned at its volatility, relative; null where nothing was optimised.
    """

    name: str
    expected_return: float
    volatility: float
    sharpe: float | None
    weights: dict[str, float]
    optimality_gap: float | None = None


class FrontierView(Answer, frozen=True):
    """Risk and return at the last close by the deck's own estimate, per year.

    ``frontier`` has the highest return at evenly spaced volatilities, calmest first, with no weight
    above ``max_weight``; ``targets`` what each objective would hold now; ``held`` what the account
    holds, null without equity, and ``account`` whose it is. Without a full window, or where the estimate
    fails, what is missing is empty and ``reason`` says why.
    """

    at: str
    account: str
    held: RiskReturn | None
    frontier: tuple[RiskReturn, ...]
    targets: tuple[RiskReturn, ...]
    instruments: tuple[RiskReturn, ...]
    max_weight: float | None
    observations: int
    need: int
    span_from: str | None
    span_to: str | None
    warning: str | None
    reason: str | None


class GetSensitivity(Query, frozen=True):
    """Ask how an objective's weights scatter over ``draws`` resampled histories (2 to 1,000).

    The same ``seed`` gives the same draws on every machine.
    """

    objective: Objective = Objective.MAX_SHARPE
    draws: int = 100
    seed: int = 0


class SensitivityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: its weight now, and over all draws; nine of ten lie from ``low`` to ``high``."""

    symbol: str
    weight: float
    mean: float
    deviation: float
    low: float
    high: float


class SensitivityView(Answer, frozen=True):
    """How far weights move when the window's history is another draw of itself, in blocks.

    ``mean`` of the rows is the resampled portfolio; ``turnover`` the mean distance of a draw from it.
    Without a full window, or where the objective has no answer, ``rows`` is empty with the ``reason``.
    """

    at: str | None
    objective: Objective
    rows: tuple[SensitivityRow, ...]
    turnover: float | None
    draws: int
    unanswered: int
    block: int | None
    observations: int
    need: int
    reason: str | None
