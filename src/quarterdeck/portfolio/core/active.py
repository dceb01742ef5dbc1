"""What the deck earned against a benchmark, bar by bar, in whole money units that add up to the ledger's.

Each bar splits what was held into sectors. The benchmark's part is what the whole equity would have
earned in it; allocation is what holding more or less of a sector than it does was worth, selection what
holding other things inside the sector was, and interaction the rest of both. Cash is a sector that the
benchmark does not hold. What was bought or sold within the bar, against its close, is trading, and
fees are cost. Money needs no linking over time: bars are added.

The same gain of what was held is also told by factors: the exposure of the holdings, from a rolling
regression of each instrument, times what the factor returned; what no factor explains is specific.

References
----------
Brinson & Fachler (1985), Journal of Portfolio Management 11(3), 73-76: the three effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.portfolio.core.sums import dot, product

FloatArray = npt.NDArray[np.float64]

CASH: Final = "cash"
MARKET: Final = "market"

NETTED: Final = 0.01
"""Share of a sector's gross value below which its net value is too small to divide by."""

DEPENDENT: Final = 1e-10
"""Share of a factor's variance not explained by those before it, below which it says nothing new."""

Parts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Weights (n,) that sum to 1, and the sector of every instrument as an index into ``names``."""

    weights: tuple[float, ...]
    sector_of: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(slots=True)
class Active:
    """What has been earned so far by part, and what the next bar is judged from; all money in units.

    ``held`` are quantity units by instrument at the last close, when the equity was ``equity``;
    ``traded`` is quantity and money paid since, ``fees`` their cost, ``joined`` capital of new agents.
    """

    equity: int = 0
    held: dict[int, int] = field(default_factory=dict)
    traded: dict[int, tuple[int, int]] = field(default_factory=dict)
    fees: int = 0
    joined: int = 0
    benchmark: Parts = field(default_factory=dict)
    allocation: Parts = field(default_factory=dict)
    selection: Parts = field(default_factory=dict)
    interaction: Parts = field(default_factory=dict)
    factors: Parts = field(default_factory=dict)
    specific: int = 0
    trading: int = 0
    cost: int = 0

    def since(self, worths: Sequence[int]) -> int:
        """Return what was gained by trading since the last close, valued at it, before fees."""
        return sum(quantity * worths[i] - paid for i, (quantity, paid) in self.traded.items())

    def net(self, worths: Sequence[int]) -> int:
        """Return everything earned after costs, with what was traded since the last close."""
        parts = (self.benchmark, self.allocation, self.selection, self.interaction)
        held = sum(sum(one.values()) for one in parts)
        return held + self.trading + self.since(worths) - self.cost - self.fees

    def take_fill(self, instrument: int, *, quantity: int, value: int, fee: int) -> None:
        """Count a fill: signed quantity units, money paid (+) or received (-), money of cost."""
        before = self.traded.get(instrument, (0, 0))
        self.traded[instrument] = (before[0] + quantity, before[1] + value)
        self.fees += fee


def close_bar(
    active: Active,
    benchmark: Benchmark,
    *,
    before: Sequence[int],
    after: Sequence[int],
    betas: FloatArray,
) -> None:
    """Take a bar in.

    Parameters
    ----------
    active : Active
        Changed in place.
    benchmark : Benchmark
    before, after : sequences of n ints
        Money units that a quantity unit of each instrument was worth at the last close and is at this
        one; 0 before its first bar, which has no return.
    betas : ndarray of shape (n, k), float64
        Exposure of each instrument to each of ``factor_names``, known at the last close.

    Examples
    --------
    >>> one = Benchmark(weights=(0.5, 0.5), sector_of=(0, 1), names=("a", "b"))
    >>> deck = Active(equity=1000, held={0: 8})
    >>> close_bar(deck, one, before=(100, 100), after=(110, 100), betas=np.zeros((2, 2)))
    >>> deck.benchmark, deck.allocation, deck.equity, deck.net((110, 100))
    ({'a': 50, 'b': 0}, {'a': 15, 'b': 25, 'cash': -10}, 1080, 80)
    """
    returns = [
        new / old - 1.0 if old > 0 and new > 0 else 0.0
        for old, new in zip(before, after, strict=True)
    ]
    market = math.fsum(w * r for w, r in zip(benchmark.weights, returns, strict=True))
    timed, held_gain = 0, 0
    for sector in range(len(benchmark.names)):
        gain, early = _sector(
            active, benchmark, sector, prices=(before, after), returns=returns, market=market
        )
        timed += early
        held_gain += gain
    _add(active.allocation, CASH, timed)
    factors = _factor_gains(active, benchmark, before=before, returns=returns, betas=betas)
    for name, units in factors.items():
        _add(active.factors, name, units)
    active.specific += held_gain - sum(factors.values())
    bought = active.since(after)
    active.trading += bought
    active.cost += active.fees
    active.equity += held_gain + bought - active.fees + active.joined
    for i, (quantity, _) in active.traded.items():
        active.held[i] = active.held.get(i, 0) + quantity
        if active.held[i] == 0:
            del active.held[i]
    active.traded.clear()
    active.fees = active.joined = 0


def _sector(
    active: Active,
    benchmark: Benchmark,
    sector: int,
    *,
    prices: tuple[Sequence[int], Sequence[int]],
    returns: Sequence[float],
    market: float,
) -> tuple[int, int]:
    """Add one sector's effects; return what its holdings gained, and its excess at the market's rate."""
    before, after = prices
    members = [i for i, one in enumerate(benchmark.sector_of) if one == sector]
    share = math.fsum(benchmark.weights[i] for i in members)
    rate = math.fsum(benchmark.weights[i] * returns[i] for i in members)
    own_rate = rate / share if share > 0.0 else market
    values = [active.held.get(i, 0) * before[i] for i in members]
    value, gross = sum(values), sum(map(abs, values))
    gain = sum(active.held.get(i, 0) * (after[i] - before[i]) for i in members)
    base = share * active.equity
    plain = round(active.equity * rate)
    early = round((value - base) * market)
    allocation = round((value - base) * (own_rate - market))
    whole = abs(value) > NETTED * gross
    selection = round(base * (gain / value - own_rate)) if whole else 0
    name = benchmark.names[sector]
    _add(active.benchmark, name, plain)
    _add(active.allocation, name, allocation)
    _add(active.selection, name, selection)
    # What is left makes the sum exact, whatever was rounded.
    _add(active.interaction, name, gain - plain - early - allocation - selection)
    return gain, early


def _add(parts: Parts, name: str, units: int) -> None:
    parts[name] = parts.get(name, 0) + units


def factor_names(benchmark: Benchmark) -> tuple[str, ...]:
    """Return the factors: the market, and each sector but the last against it."""
    return (MARKET, *benchmark.names[:-1])


def factor_portfolios(benchmark: Benchmark) -> FloatArray:
    """Return the weights (k, n) whose returns are those of ``factor_names``.

    The last sector is left out: together with the market the others say all that it does.
    """
    market = np.array(benchmark.weights)
    rows = [market]
    for sector in range(len(benchmark.names) - 1):
        inside = np.where(np.array(benchmark.sector_of) == sector, market, 0.0)
        share = float(inside.sum())
        rows.append(inside / share - market if share > 0.0 else np.zeros(market.size))
    return np.array(rows)


def factor_betas(sums: FloatArray, factors: FloatArray) -> FloatArray:
    """Return each instrument's exposures by regression on factor returns, alike on every machine.

    Parameters
    ----------
    sums : ndarray of shape (n, n), float64
        Centred sums of products of a window of joint returns, in any scale.
    factors : ndarray of shape (k, n), float64
        Weights of the factors' portfolios.

    Returns
    -------
    ndarray of shape (n, k), float64
        The coefficients of the least-squares regression with a constant over that window, in steps
        of 1e-9; 0 for a factor that does not move or is a combination of those before it.

    Examples
    --------
    >>> factor_betas(np.diag([1.0, 3.0]), np.array([[0.5, 0.5]])).tolist()
    [[0.5], [1.5]]
    """
    cross = np.array([product(sums, one) for one in factors])
    k, n = cross.shape
    rows: list[int] = []
    inner = np.array([[dot(one, other) for other in cross] for one in factors])
    factor = np.zeros((k, k))
    solved = np.zeros((k, n))
    # A Cholesky factor of the factors' own sums, one row at a time, leaving out what is dependent.
    for i in range(k):
        for p in rows:
            done = [q for q in rows if q < p]
            known = math.fsum(factor[i, q] * factor[p, q] for q in done)
            factor[i, p] = (inner[i, p] - known) / factor[p, p]
        left = inner[i, i] - math.fsum(factor[i, p] ** 2 for p in rows)
        if left > DEPENDENT * inner[i, i]:
            factor[i, i] = math.sqrt(left)
            total = cross[i].copy()
            for p in rows:
                total -= factor[i, p] * solved[p]
            solved[i] = total / factor[i, i]
            rows.append(i)
    betas = np.zeros((k, n))
    for i in reversed(rows):
        total = solved[i].copy()
        for p in rows:
            if p > i:
                total -= factor[p, i] * betas[p]
        betas[i] = total / factor[i, i]
    return np.asarray(np.rint(betas.T / 1e-9) * 1e-9, dtype=np.float64)


def _factor_gains(
    active: Active,
    benchmark: Benchmark,
    *,
    before: Sequence[int],
    returns: Sequence[float],
    betas: FloatArray,
) -> Parts:
    portfolios = factor_portfolios(benchmark).tolist()
    found = {}
    for k, name in enumerate(factor_names(benchmark)):
        moved = math.fsum(w * r for w, r in zip(portfolios[k], returns, strict=True))
        exposure = math.fsum(
            quantity * before[i] * float(betas[i, k]) for i, quantity in active.held.items()
        )
        found[name] = round(exposure * moved)
    return found
