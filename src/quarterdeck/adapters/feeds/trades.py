"""The trades that bars were made from, bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quarterdeck.adapters.feeds.bars import Floats, Longs, frozen
from quarterdeck.market.model import TradesArrived


@dataclass(frozen=True, slots=True, eq=False)
class BarTrades:
    """The trades of ``n`` bars: those of bar ``i`` are ``bounds[i]`` to ``bounds[i + 1]``; read-only."""

    bounds: Longs
    price: Floats
    size: Floats

    def within(self, held: slice) -> TradesArrived:
        """Return the trades of the bars ``held``."""
        edges = self.bounds[held.start : held.stop + 1]
        inside = slice(int(edges[0]), int(edges[-1]))
        return TradesArrived(
            counts=np.diff(edges), price=self.price[inside], size=self.size[inside]
        )


@dataclass(frozen=True, slots=True, eq=False)
class TradeTape:
    """Trades in the order they were made: UTC nanoseconds, symbol, price and quantity, all (k,)."""

    ts: Longs
    symbols: tuple[str, ...]
    symbol_index: Longs
    price: Floats
    size: Floats

    def in_bars(
        self, symbols: tuple[str, ...], *, rows: Longs, ends: Longs, step: int
    ) -> BarTrades:
        """Return the trades of bars in slice order: of instrument ``rows`` (n,), closed at ``ends``.

        A bar has the trades of the ``step`` nanoseconds before its close; trades at one price after
        another within it are added up.
        """
        bar = np.full(self.ts.size, -1, dtype=np.int64)
        for place, symbol in enumerate(self.symbols):
            if symbol not in symbols:
                continue
            bars = np.flatnonzero(rows == symbols.index(symbol))
            mine = np.flatnonzero(self.symbol_index == place)
            after = np.searchsorted(ends[bars], self.ts[mine], side="right")
            inside = after < bars.size
            inside[inside] = ends[bars[after[inside]]] - step <= self.ts[mine[inside]]
            bar[mine[inside]] = bars[after[inside]]
        order = np.flatnonzero(bar >= 0)
        order = order[np.argsort(bar[order], kind="stable")]
        bar, price, size = bar[order], self.price[order], self.size[order]
        new = np.ones(bar.size, dtype=np.bool_)
        new[1:] = (bar[1:] != bar[:-1]) | (price[1:] != price[:-1])
        firsts = np.flatnonzero(new)
        together = np.add.reduceat(size, firsts) if firsts.size else size
        bounds = np.searchsorted(bar[firsts], np.arange(rows.size + 1)).astype(np.int64)
        return BarTrades(frozen(bounds), frozen(price[firsts]), frozen(together))


def read_trades(path: Path) -> TradeTape:
    """Return the trades of one of the embedded files: ``ts, symbol, price, size``."""
    import duckdb

    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with duckdb.connect(":memory:", config=dict(offline)) as connection:
        columns = connection.execute(
            "SELECT epoch_us(ts) AS ts, CAST(symbol AS VARCHAR) AS symbol,"
            " CAST(price AS DOUBLE) AS price, CAST(size AS DOUBLE) AS size"
            " FROM read_parquet($path, hive_partitioning = false)",
            {"path": str(path)},
        ).fetchnumpy()
    names, index = np.unique(columns["symbol"].astype(str), return_inverse=True)
    return TradeTape(
        ts=frozen(columns["ts"].astype(np.int64) * 1_000),
        symbols=tuple(str(name) for name in names),
        symbol_index=frozen(index.astype(np.int64)),
        price=frozen(columns["price"].astype(np.float64)),
        size=frozen(columns["size"].astype(np.float64)),
    )
