"""What the market can be asked for."""

from __future__ import annotations

from quarterdeck.market.model import (
    BarsView,
    GetBars,
    GetIndicators,
    GetInstruments,
    IndicatorsView,
    InstrumentsView,
)
from quarterdeck.market.service import MarketService
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="instruments.list",
        summary="All instruments with tick, lot and last price.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/instruments",
        input=GetInstruments,
        output=InstrumentsView,
        function=MarketService.instruments,
    ),
    Operation(
        name="bars.list",
        summary="The last bars of one instrument, oldest first.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/bars/{symbol}",
        input=GetBars,
        output=BarsView,
        function=MarketService.bars,
    ),
    Operation(
        name="indicators.list",
        summary="Indicator values at the last close.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/indicators",
        input=GetIndicators,
        output=IndicatorsView,
        function=MarketService.indicators,
    ),
)
