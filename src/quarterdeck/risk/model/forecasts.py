"""Forecasts, of instruments and of what is held, and how they have held."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Number, Query
from quarterdeck.kernel.vocabulary import Clock

PUBLISHED = (
    Number(
        name="risk.volatility_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast standard deviation of the next bar's log return",
    ),
    Number(
        name="risk.var99_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast 99 % value at risk of the next bar, as a fraction of price",
    ),
    Number(
        name="risk.volatility_ratio",
        unit="ratio",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast volatility over its slow level",
    ),
    Number(
        name="risk.holdings_var99_money",
        unit="money",
        subject="agent",
        clock=Clock.MARKET,
        meaning="99 % value at risk of what an agent holds, and of the whole deck, for the next bar",
    ),
    Number(
        name="risk.score",
        unit="points",
        subject="agent",
        clock=Clock.MARKET,
        meaning="the risk of an agent, and of the whole deck, from 0 to 100",
    ),
    Number(
        name="risk.coverage_p",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="the least p-value of Kupiec's test of the 95 and 99 % forecasts, last 500 bars",
    ),
)


class GetRisk(Query, frozen=True):
    """Ask for the present forecasts of one symbol or of all.

    Without ``coverage`` it is left empty: how each forecast has held takes most of the answer's time.
    """

    symbol: str | None = None
    coverage: bool = True


class RecentCoverageView(Answer, frozen=True):
    """The same figures as of ``CoverageView``, over the last 500 judged bars or as many as there are."""

    observations: int
    hits: int
    kupiec_p: float | None
    christoffersen_p: float | None
    dq_p: float | None
    quantile_loss: float | None
    fz0: float | None


class CoverageView(Answer, frozen=True):
    """How a forecast has held since the start: losses beyond it against the share it promises.

    The p-values are of Kupiec's test of that share, Christoffersen's joint test with independence
    and the dynamic quantile test of Engle and Manganelli; a value below 0.05 speaks against the
    forecast. ``quantile_loss`` and ``fz0`` are mean losses a bar, good only to compare forecasts of
    the same bars. Null before there are bars enough.
    """

    level: float
    observations: int
    hits: int
    expected_fraction: float
    hit_fraction: float | None
    kupiec_p: float | None
    christoffersen_p: float | None
    dq_p: float | None
    quantile_loss: float | None
    fz0: float | None
    recent: RecentCoverageView


class LevelRisk(Answer, frozen=True):
    """VaR and ES of one confidence level, as positive fractions of price; null where unknown."""

    level: float
    var: float | None
    es: float | None


class LevelLoss(Answer, frozen=True):
    """VaR and ES of one confidence level in money; null where unknown."""

    level: float
    var: Decimal | None
    es: Decimal | None


class RiskView(Answer, frozen=True):
    """The forecast of one instrument for its next bar; losses are positive fractions of price.

    Every number is null until ``have`` reaches ``need`` residuals, and while bars fail to come; ``reason``
    then says so, and also of which bar a forecast is that missed the last. ``levels`` are all that are forecast, ascending, 95 and 99 % among them. ``reason`` also says where a rise is beyond belief, so that the loss is that of the way back.
    """

    symbol: str
    volatility: float | None
    var95: float | None
    es95: float | None
    var99: float | None
    es99: float | None
    levels: tuple[LevelRisk, ...]
    multiplier: float | None
    position_limit: Decimal | None
    limit_version: int
    coverage: tuple[CoverageView, ...]
    have: int
    need: int
    reason: str | None


class RisksView(Answer, frozen=True):
    """Present forecasts by instrument.

    ``constants`` are those of the bars' length: daily, hours or minutes. Unless ``confirmed``, how such
    forecasts hold was measured on too little: go by the coverage that stands with each.
    """

    instruments: tuple[RiskView, ...]
    constants: str = "daily"
    confirmed: bool = False


class GetHoldingsRisk(Query, frozen=True):
    """Ask what is held at present may lose in the next bar."""


class ComponentRiskView(Answer, frozen=True):
    """One instrument's part of what is held: ``value`` at the last close, short negative.

    ``var99_share`` are the shares of the 99 % value at risk, which add up to 1 and are negative for a
    hedge; ``marginal_var99`` is what one more unit of money in it adds; ``volume_bars`` is the value
    over that of the usual volume of a bar. ``levels`` are what it may lose by itself. Null where not known.
    """

    symbol: str
    value: Decimal
    var99_share: float | None
    marginal_var99: float | None
    volume_bars: float | None
    levels: tuple[LevelLoss, ...]


class VolatilityRegime(StrEnum):
    """How the volatility foreseen stands to the usual one: 3/4 of it, 4/3, and what is a spike."""

    LOW = "low"
    USUAL = "usual"
    HIGH = "high"
    SPIKE = "spike"


class HoldingsRiskView(Answer, frozen=True):
    """What one agent, or the whole deck, may lose in the next bar, in money; null where unknown.

    It takes 250 bars common to everything held. ``net`` counts short positions against long ones;
    ``volatility_ratio`` is the volatility foreseen over the usual one of what is held, and
    ``volatility_regime`` its word; ``concentration`` is the largest share of the 99 % VaR;
    ``volume_bars`` says how many bars of usual volume the least liquid position is, null where the
    volume of any is not known.
    """

    subject: str
    gross: Decimal
    net: Decimal
    volatility_ratio: float | None
    volatility_regime: VolatilityRegime | None
    concentration: float | None
    volume_bars: float | None
    var95: Decimal | None
    es95: Decimal | None
    var99: Decimal | None
    es99: Decimal | None
    levels: tuple[LevelLoss, ...]
    components: tuple[ComponentRiskView, ...]


class HoldingsView(Answer, frozen=True):
    """The deck first, then each agent that holds something; ``coverage`` judges the deck's forecasts."""

    subjects: tuple[HoldingsRiskView, ...]
    coverage: tuple[CoverageView, ...]
