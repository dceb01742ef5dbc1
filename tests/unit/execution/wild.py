"""A wild but repeatable life of a deck: random orders, cancels, stops, limits and bars."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from quarterdeck.execution.model import CancelOrder, OrderView, RaiseStop
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import LimitsSection, PaperSection
from tests.unit.execution.deck import Deck

AGENTS = ("a", "b", "c")
SYMBOLS = ("AAA", "BBB", "CCC")
LIMITS = LimitsSection(
    max_order_notional=Decimal(30_000),
    max_position_notional=Decimal(35_000),
    max_gross_exposure_ratio=0.8,
    max_orders_per_bar=4,
    max_daily_loss_fraction=0.02,
    max_missed_bars=1,
)


class Wild:
    """Drives one deck by its own seed; ``restarts`` is asked before every input."""

    def __init__(self, seed: int, *, restarts: Callable[[], bool] = lambda: False) -> None:
        self.random = random.Random(seed)
        self.restarts = restarts
        self.deck = Deck(
            limits=LIMITS, paper=PaperSection(half_spread_bps=3.0, fee_bps=2.5, order_life_bars=3)
        )
        self.deck.join(*AGENTS)
        self.closes = [10_000, 5_000, 20_000]
        self.orders: list[OrderView] = []

    def live(self, slices: int, *, after: Callable[[OrderView], None] = lambda _view: None) -> None:
        """Live ``slices`` slices with up to nine inputs in each; ``after`` sees every order."""
        for _ in range(slices):
            self._bars()
            for _ in range(self.random.randrange(10)):
                if self.restarts():
                    self.deck.restart()
                self._act(after)

    def _bars(self) -> None:
        bars: dict[int, tuple[int, int, int, int] | int] = {}
        for row, close in enumerate(self.closes):
            if self.random.random() < 0.15 and self.deck.sequencer.slice >= 0:
                continue
            jump = self.random.choice([0.01, 0.01, 0.03, 0.15])
            first = max(5, int(close * (1 + self.random.uniform(-jump, jump))))
            final = max(5, int(first * (1 + self.random.uniform(-0.02, 0.02))))
            high = max(first, final) + self.random.randrange(1, 60)
            low = max(1, min(first, final) - self.random.randrange(1, 60))
            bars[row], self.closes[row] = (first, high, low, final), final
        if self.restarts():
            self.deck.restart()
        self.deck.bars(bars, hours=self.random.choice([6, 24]))

    def _act(self, after: Callable[[OrderView], None]) -> None:
        pick = self.random.random()
        if pick < 0.86:
            view = self._order()
            self.orders.append(view)
            after(view)
        elif pick < 0.93 and self.orders:
            order = self.random.choice(self.orders[-8:])
            key = f"cancel {len(self.deck.disk.steps)}"
            self.deck.send(CancelOrder(idempotency_key=key, order_id=order.order_id), order.agent)
        elif pick < 0.96:
            self.deck.learn(
                self.random.randrange(3),
                self.random.randrange(5_000, 60_000) * 10**6,
                version=len(self.deck.disk.steps),
            )
        else:
            self._stop()

    def _order(self) -> OrderView:
        row = self.random.randrange(3)
        symbol, scale = SYMBOLS[row], (2, 2, 3)[row]
        price = None
        if self.random.random() < 0.5:
            price = int(self.closes[row] * self.random.uniform(0.94, 1.06))
            price = Decimal(price // 5 * 5 if row == 1 else price).scaleb(-scale)
        size = self.random.choice([20, 100, 300])
        quantity: object = self.random.randrange(1, size)
        if row == 1 and self.random.random() < 0.9:
            quantity = self.random.randrange(1, size) * 10
        if row == 2:
            quantity = Decimal(self.random.randrange(1, size * 100)) / 10
        return self.deck.order(
            symbol,
            self.random.choice(["buy", "sell"]),
            quantity,
            price,
            by=self.random.choice(AGENTS),
        )

    def _stop(self) -> None:
        agent = self.random.choice([None, None, "a", "b"])
        if self.random.random() < 0.3:
            self.deck.flag.raise_()
        else:
            self.deck.send(RaiseStop(reason="wild", agent=agent))
        try:
            self.deck.rearm(epoch=self.deck.flag.word, reason="wild", agent=agent)
            if self.random.random() < 0.7:
                self.deck.rearm(epoch=self.deck.flag.word, reason="wild")
        except DomainError as refusal:
            raise AssertionError("the epoch was the one raised") from refusal


def working(view: OrderView) -> bool:
    return view.status is OrderStatus.WORKING
