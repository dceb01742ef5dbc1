"""Keeps what the deck earned against its benchmark beside the ledger, and shows it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.market.model import Floats
from quarterdeck.portfolio.core.active import (
    CASH,
    Active,
    Benchmark,
    close_bar,
    factor_betas,
    factor_names,
    factor_portfolios,
)
from quarterdeck.portfolio.core.rolling import RollingMoments
from quarterdeck.portfolio.model import ActiveView, FactorRow, SectorRow
from quarterdeck.runtime.config import PortfolioSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

OTHER = "other"
"""The sector of instruments that no configured one names."""


def benchmark_of(config: PortfolioSection, symbols: tuple[str, ...]) -> Benchmark:
    """Return the benchmark and the sectors as configured; equal weights where none are given."""
    names = [one.name for one in config.sectors]
    sector_of: dict[str, int] = {}
    for place, sector in enumerate(config.sectors):
        field = f"portfolio.sectors {sector.name[:64]}"
        if names.count(sector.name) > 1 or sector.name in (OTHER, CASH):
            raise InvalidInput.of(field, sector.name[:64], "a name of its own, not other or cash")
        for symbol in sector.symbols:
            if symbol not in symbols:
                raise InvalidInput.of(field, symbol[:40], f"one of {', '.join(symbols)[:400]}")
            if symbol in sector_of:
                raise InvalidInput.of(field, symbol, "an instrument of no other sector")
            sector_of[symbol] = place
    if len(sector_of) < len(symbols):
        names.append(OTHER)
    weights = {symbol: 1.0 / len(symbols) for symbol in symbols}
    if config.benchmark:
        weights = dict.fromkeys(symbols, 0.0)
        for entry in config.benchmark:
            if entry.symbol not in symbols:
                accepted = f"one of {', '.join(symbols)[:400]}"
                raise InvalidInput.of("portfolio.benchmark", entry.symbol[:40], accepted)
            weights[entry.symbol] += entry.weight
        total = sum(weights.values())
        if abs(total - 1.0) > 1e-9:
            raise InvalidInput.of("portfolio.benchmark", total, "weights that sum to 1")
    return Benchmark(
        weights=tuple(weights[symbol] for symbol in symbols),
        sector_of=tuple(sector_of.get(symbol, len(names) - 1) for symbol in symbols),
        names=tuple(names),
    )


class AgainstBenchmark:
    """What the deck earned against its benchmark; every change is written in its step."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        self.active = Active()
        self._factors = factor_portfolios(benchmark)

    def load(self, reader: Reader) -> None:
        """Take up what was earned so far."""
        for row in reader.rows("portfolio.active"):
            self.active = msgspec.json.decode(row["state"], type=Active)

    def join(self, capital: int, step: Step) -> None:
        """Count the capital of a new agent from the next close on."""
        self.active.joined += capital
        self._save(step)

    def fill(self, instrument: int, step: Step, *, quantity: int, value: int, fee: int) -> None:
        """Count a fill of any agent."""
        self.active.take_fill(instrument, quantity=quantity, value=value, fee=fee)
        self._save(step)

    def charge(self, cost: int, step: Step) -> None:
        """Count what holding has cost (+) or was paid (-) as cost."""
        self.active.fees += cost
        self._save(step)

    def betas(self, moments: RollingMoments) -> Floats:
        """Return each instrument's exposures to the factors; 0 until the window is full."""
        if moments.have < moments.returns.shape[0]:
            return np.zeros((len(self.benchmark.weights), len(self._factors)))
        return factor_betas(moments.sums, self._factors)

    def close(
        self, step: Step, *, before: Sequence[int], after: Sequence[int], betas: Floats
    ) -> None:
        """Take a bar in: what a unit of each instrument was worth at its two closes."""
        close_bar(self.active, self.benchmark, before=before, after=after, betas=betas)
        self._save(step)

    def held(self, worths: Sequence[int]) -> tuple[Floats, int]:
        """Return what is held as shares of the equity, and that in money units, at the last closes.

        Without equity nothing has a share.
        """
        one = self.active
        equity = one.equity + one.joined + one.since(worths) - one.fees
        shares = np.zeros(len(worths))
        if equity > 0:
            for i, worth in enumerate(worths):
                quantity = one.held.get(i, 0) + one.traded.get(i, (0, 0))[0]
                shares[i] = quantity * worth / equity
        return shares, equity

    def view(self, worths: Sequence[int], betas: Floats) -> ActiveView:
        """Return every part at the last close, in money."""
        one = self.active
        values = np.zeros(len(worths))
        for i, quantity in one.held.items():
            values[i] = float(quantity * worths[i])
        exposed = values @ betas / one.equity if one.equity > 0 else None
        return ActiveView(
            sectors=tuple(
                SectorRow(
                    name=name,
                    benchmark=_money(one.benchmark.get(name, 0)),
                    allocation=_money(one.allocation.get(name, 0)),
                    selection=_money(one.selection.get(name, 0)),
                    interaction=_money(one.interaction.get(name, 0)),
                )
                for name in (*self.benchmark.names, CASH)
            ),
            factors=tuple(
                FactorRow(
                    name=name,
                    gain=_money(one.factors.get(name, 0)),
                    exposure=None if exposed is None else round(float(exposed[k]), 9),
                )
                for k, name in enumerate(factor_names(self.benchmark))
            ),
            specific=_money(one.specific),
            trading=_money(one.trading + one.since(worths)),
            cost=_money(one.cost + one.fees),
            net=_money(one.net(worths)),
        )

    def _save(self, step: Step) -> None:
        step.write("portfolio.active_saved", number=1, state=msgspec.json.encode(self.active))


def _money(units: int) -> Decimal:
    return from_units(units, MONEY_SCALE)
