"""The market at a glance: price, indicators, regime and risk of each instrument in one answer."""

from __future__ import annotations

from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.time import rfc3339
from quarterdeck.market.model import GetIndicators, GetInstruments, IndicatorsView, InstrumentsView
from quarterdeck.regime.model import (
    GetMarketRegime,
    GetRegimes,
    GetRegimeStatistics,
    MarketRegimeView,
    RegimeStatisticsView,
    RegimesView,
)
from quarterdeck.risk.model import GetRisk, RisksView
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.desk.asking import now
from quarterdeck.server.desk.model import GetMarket, MarketLine, MarketView
from quarterdeck.server.ports import Pacer, Views

MAX_SYMBOLS = 200


def market_lines(
    views: Views, caller: Caller, *, timeframe: str | None = None
) -> dict[str, MarketLine]:
    """Return every instrument's line by symbol, in index order.

    Indicators and regimes are of ``timeframe``, the feed's own without one; the rest is of the feed.
    """
    asked, told = GetIndicators(timeframe=timeframe), GetRegimes(timeframe=timeframe)
    instruments = now(views, GetInstruments(), caller=caller, kind=InstrumentsView).instruments
    indicators = {
        line.symbol: line
        for line in now(views, asked, caller=caller, kind=IndicatorsView).instruments
    }
    regimes = {
        line.symbol: line for line in now(views, told, caller=caller, kind=RegimesView).instruments
    }
    risks = {
        line.symbol: line
        for line in now(views, GetRisk(coverage=False), caller=caller, kind=RisksView).instruments
    }
    lines = {}
    for instrument in instruments:
        symbol = instrument.symbol
        regime, risk = regimes[symbol], risks[symbol]
        lines[symbol] = MarketLine(
            symbol=symbol,
            price=instrument.last_price,
            at=instrument.last_at,
            missed_bars=instrument.missed_bars,
            tick=instrument.tick,
            lot=instrument.lot,
            indicators=indicators[symbol].values,
            regime=regime.regime,
            regime_level=regime.level,
            regime_since=regime.since,
            volatility=risk.volatility,
            var99=risk.var99,
            size_multiplier=risk.multiplier,
            position_limit=risk.position_limit,
        )
    return lines


def chosen(lines: dict[str, MarketLine], symbols: tuple[str, ...]) -> tuple[MarketLine, ...]:
    """Return the lines of ``symbols`` in the order asked for, or all; an unknown one is refused."""
    if not symbols:
        return tuple(lines.values())
    for symbol in symbols:
        if symbol not in lines:
            raise NotFound(
                f"there is no instrument {symbol[:40]!r}",
                code="UNKNOWN_INSTRUMENT",
                field="symbols",
                value=symbol[:40],
                accepted=", ".join(list(lines)[:MAX_SYMBOLS]),
            )
    return tuple(lines[symbol] for symbol in dict.fromkeys(symbols))


class MarketDesk:
    """Answers for the market as a whole."""

    def __init__(self, *, views: Views, pacer: Pacer) -> None:
        self._views = views
        self._pacer = pacer

    def market(self, query: GetMarket, caller: Caller) -> MarketView:
        """Return the market at a glance."""
        feed, views = self._pacer.status(), self._views
        timeframe = query.timeframe
        lines = market_lines(views, caller, timeframe=timeframe)
        markets = chosen(lines, query.symbols)
        together = GetMarketRegime(timeframe=timeframe)
        return MarketView(
            at=rfc3339(feed.at),
            slice=feed.slice,
            together=now(views, together, caller=caller, kind=MarketRegimeView),
            markets=markets,
            statistics=tuple(
                now(
                    views,
                    GetRegimeStatistics(symbol=line.symbol, timeframe=timeframe),
                    caller=caller,
                    kind=RegimeStatisticsView,
                )
                for line in (markets if query.symbols else ())
            ),
        )
