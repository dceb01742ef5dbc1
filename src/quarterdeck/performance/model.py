"""What agents earn: measured from fills and closes, from nothing else."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock


class AgentScored(Message, frozen=True):
    """One agent's record at the close of a slice; a figure is null where it is undefined.

    ``drawdown_fraction`` is the loss from the highest equity so far over that equity.
    """

    at: Nanos
    slice: int
    agent: AgentId
    equity_units: int
    peak_units: int
    drawdown_fraction: float
    sharpe: float | None


PUBLISHED = (
    Number(
        name="performance.drawdown_fraction",
        unit="fraction",
        subject="agent",
        clock=Clock.MARKET,
        meaning="loss from the highest equity so far, over that equity",
    ),
    Number(
        name="performance.return_fraction",
        unit="fraction",
        subject="agent",
        clock=Clock.MARKET,
        meaning="equity over capital, less one",
    ),
)


class GetPerformance(Query, frozen=True):
    """Ask for the record of one agent or of all, best first."""

    agent: str | None = None


class PerformanceView(Answer, frozen=True):
    """One agent's record over the run, from fills and closes only.

    Sharpe is per year over the slices since trading opened, risk-free rate 0; null before
    ``need`` slices or when equity never moved. ``win_fraction`` counts closed round trips.
    """

    rank: int
    agent: AgentId
    capital: Decimal
    equity: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    return_fraction: float
    drawdown_fraction: float
    max_drawdown_fraction: float
    sharpe: float | None
    observations: int
    need: int
    trades: int
    win_fraction: float | None
    profit_factor: float | None


class MeasuresView(Answer, frozen=True):
    """What one agent, or the whole ``deck``, earned for its risk since trading opened.

    Volatility, Sharpe, Sortino (deviation below 0) and Calmar (yearly return over the deepest fall)
    are per year, risk-free rate 0. Both drawdowns are of what a unit has become by the returns, over
    its highest so far: capital that came or went does not count. ``turnover`` is what was bought and
    sold in a year over the equity of the time; ``exposure_ratio`` is the gross value held over the
    equity now. ``beta`` and ``correlation`` are to the benchmark, over ``pairs`` common returns. All
    but exposure and drawdowns are null before ``need`` returns or where nothing varies.
    """

    subject: str
    observations: int
    need: int
    exposure_ratio: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown_fraction: float
    max_drawdown_fraction: float
    turnover: float | None
    beta: float | None
    correlation: float | None
    pairs: int


class PerformancesView(Answer, frozen=True):
    """Records by rank, and ``measures`` of the deck and each agent, against ``benchmark``."""

    agents: tuple[PerformanceView, ...]
    benchmark: str
    measures: tuple[MeasuresView, ...]


class GetEquity(Query, frozen=True):
    """Ask for equity curves: at most ``points`` (2 to 2,000) evenly spaced slices of the run."""

    agent: str | None = None
    points: int = 500


class EquityCurve(Answer, frozen=True):
    """One agent's equity by slice; amounts are floats for drawing only."""

    agent: AgentId
    slices: tuple[int, ...]
    at_ms: tuple[int, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]


class EquityView(Answer, frozen=True):
    """Equity curves by agent."""

    curves: tuple[EquityCurve, ...]
