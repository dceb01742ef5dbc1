"""Stress of what is held at present, by every scenario there is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.risk.core.stress import (
    EPISODES,
    HORIZONS,
    Past,
    Window,
    episode,
    lost,
    worst_window,
)
from quarterdeck.risk.model import (
    AskStress,
    StressesView,
    StressKind,
    StressLossView,
    StressView,
)
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.runtime.paging import unknown_symbol

PARTS: Final = 5
LEAST, MOST = -1.0, 10.0
MAX_SHOCKS: Final = 1_000
CENT: Final[int] = 10 ** (MONEY_SCALE - 2)


class Stressing:
    """Holds positions through scenarios; made for one answer and forgotten."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        *,
        past: Past,
        held: Mapping[str, Floats],
        equities: Mapping[str, int],
    ) -> None:
        self._symbols = symbols
        self._past = past
        self._held = held
        self._equities = equities

    def standing(self, scenarios: Mapping[str, tuple[Mapping[str, float], float]]) -> StressesView:
        """Return every episode, worst stretch and configured scenario."""
        found = [self._episode(*one) for one in EPISODES]
        deck = self._held.get(DECK)
        for bars in HORIZONS if deck is not None else ():
            window = None if deck is None else worst_window(self._past, deck, bars)
            if window is not None:
                span = "bar" if bars == 1 else f"{bars} bars"
                name = f"worst {span} for what is held"
                found.append(self._view(name, StressKind.WORST, window=window))
        for name, (shocks, others) in scenarios.items():
            moves = self._moves(shocks, others)
            found.append(self._view(name, StressKind.SCENARIO, moves=moves))
        return StressesView(bars=int(self._past.at.size), scenarios=tuple(found))

    def asked(self, query: AskStress) -> StressView:
        """Return the scenario that was asked for."""
        if len(query.shocks) > MAX_SHOCKS:
            raise InvalidInput.of("shocks", len(query.shocks), f"at most {MAX_SHOCKS} symbols")
        for name, value in (*query.shocks.items(), ("others", query.others)):
            if not math.isfinite(value) or not LEAST <= value <= MOST:
                raise InvalidInput.of(name[:40], value, f"a fraction from {LEAST:g} to {MOST:g}")
            if name not in self._symbols and name != "others":
                raise unknown_symbol(name, self._symbols)
        moves = self._moves(query.shocks, query.others)
        return self._view("as asked", StressKind.SCENARIO, moves=moves)

    def _moves(self, shocks: Mapping[str, float], others: float) -> Floats:
        return np.array([shocks.get(symbol, others) for symbol in self._symbols])

    def _episode(self, name: str, before: str, end: str) -> StressView:
        start, last = (parse_rfc3339(f"{day}T00:00:00Z") for day in (before, end))
        window = episode(self._past, before=start, end=last)
        if window is not None:
            return self._view(name, StressKind.EPISODE, window=window)
        return StressView(
            name=name,
            kind=StressKind.EPISODE,
            start=before,
            end=end,
            losses=(),
            parts={},
            unknown=(),
            reason="not within the bars the deck has kept",
        )

    def _view(
        self,
        name: str,
        kind: StressKind,
        *,
        window: Window | None = None,
        moves: Floats | None = None,
    ) -> StressView:
        moved = np.zeros(len(self._symbols)) if moves is None else moves
        start = end = None
        if window is not None:
            moved = window.moves
            start, end = (rfc3339(Nanos(int(self._past.at[k]))) for k in window[:2])
        deck = self._held.get(DECK, np.zeros(len(self._symbols)))
        _, unknown = lost(deck, moved)
        each = -deck * np.nan_to_num(moved)
        order = np.argsort(-each, kind="stable")[:PARTS].tolist()
        return StressView(
            name=name,
            kind=kind,
            start=start,
            end=end,
            losses=tuple(
                self._loss(subject, weights, moved) for subject, weights in self._held.items()
            ),
            parts={
                self._symbols[k]: from_units(_units(float(each[k])), MONEY_SCALE)
                for k in order
                if each[k] > 0.0
            },
            unknown=tuple(self._symbols[k] for k in unknown),
            reason=None if self._held else "nothing is held",
        )

    def _loss(self, subject: str, weights: Floats, moves: Floats) -> StressLossView:
        loss, _ = lost(weights, moves)
        equity = self._equities.get(subject, 0)
        units = None if loss is None else _units(loss)
        return StressLossView(
            subject=subject,
            loss=None if units is None else from_units(units, MONEY_SCALE),
            equity_fraction=None if units is None or equity <= 0 else units / equity,
        )


def _units(amount: float) -> int:
    """Return money units, by cents: what a scenario says is no exacter."""
    return round(amount * 100.0) * CENT
