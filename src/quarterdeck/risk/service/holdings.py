"""What the agents hold, what it may lose in the next bar, and how such forecasts have held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from quarterdeck.execution.model import OrderFilled
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.market.model import Floats
from quarterdeck.risk.core.backtest import HitCounts, count_hits, no_counts
from quarterdeck.risk.core.bank import LEVELS, BankState, columns
from quarterdeck.risk.core.joint import PortfolioForecast, Scenarios, forecast_portfolios
from quarterdeck.risk.core.judgement import (
    JudgementState,
    judge_slice,
    recent_coverage,
    recently,
    since_start,
)
from quarterdeck.risk.core.tails import USUAL, Tails
from quarterdeck.risk.model import HoldingsRiskView, HoldingsView
from quarterdeck.risk.store import coverage_view, holdings_view
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

DECK = "deck"
"""The subject that is everything held together; no agent may have this name as long as it is one."""
CENTS = 2
"""Decimals of money that a forecast of a loss is told with."""
DIGITS = 12
"""Decimals a journaled share keeps: beyond them machines may differ."""
EXPECTED = ("var95", "es95", "var99", "es99")
"""What is journaled of the deck's forecast, as shares of its gross value; other levels beside it."""
ROW = np.zeros(1, dtype=np.int64)
Pair = tuple[float | None, float | None]


class Holdings:
    """Positions by agent, from their fills, and the forecasts of what they may lose.

    Everything here is journaled: the positions as they are, and a row a slice of what the whole deck
    was forecast to lose and lost, from which the judgement is built again.
    """

    def __init__(
        self, symbols: tuple[str, ...], *, quantity_scales: tuple[int, ...], tails: Tails = USUAL
    ) -> None:
        self._symbols = symbols
        self._tails = tails
        self._units = np.array([10.0**-scale for scale in quantity_scales])
        self._quantities: dict[str, list[int]] = {}
        self._weights: dict[str, Floats] = {}
        self._forecast: PortfolioForecast | None = None
        self._past: Scenarios | None = None
        self._expected: Floats = np.full((1, columns(len(tails.levels))), np.nan)
        self._judgement = JudgementState(1, len(tails.levels))
        self._counts = no_counts(1, len(tails.levels))

    def load(self, reader: Reader) -> None:
        """Take up positions, and judge again what was journaled."""
        for row in reader.rows("risk.positions"):
            line = self._quantities.setdefault(str(row["agent"]), [0] * len(self._symbols))
            line[int(row["instrument"])] = int(row["quantity_units"])
        for row in reader.rows("risk.deck_forecasts"):
            if row["lost"] is not None:
                self._judge(float(row["lost"]))
            self._expected = self._read(row)

    def fill(self, message: OrderFilled, step: Step) -> None:
        """Take a fill into its agent's position."""
        agent = str(message.agent)
        line = self._quantities.setdefault(agent, [0] * len(self._symbols))
        line[message.instrument] += message.position_units
        step.write(
            "risk.position_saved",
            agent=agent,
            instrument=message.instrument,
            quantity_units=line[message.instrument],
        )

    def refresh(self, bank: BankState, past: Scenarios) -> None:
        """Value what is held at the last closes and forecast its loss; changes no journaled state."""
        close = np.nan_to_num(bank.close)
        by_agent = {
            agent: np.array(line, dtype=np.float64) * self._units * close
            for agent, line in sorted(self._quantities.items())
            if any(line)
        }
        self._weights = {}
        self._forecast, self._past = None, past
        if by_agent:
            together = np.sum(list(by_agent.values()), axis=0)
            self._weights = {DECK: np.asarray(together, dtype=np.float64), **by_agent}
            self._forecast = forecast_portfolios(past, np.array(list(self._weights.values())))

    def lost(self, returns: Floats) -> float | None:
        """Return what the deck lost in a bar over its gross value before it; None if it held nothing."""
        weights = self._weights.get(DECK)
        if weights is None or not weights.any():
            return None
        share = -float(weights @ np.nan_to_num(returns)) / float(np.abs(weights).sum())
        # The database knows no negative zero, and what is judged must be what is read again.
        return round(share, DIGITS) + 0.0

    def largest_share(self) -> tuple[str, float]:
        """Return the instrument with the largest share of the deck's 99 % VaR; none has share 0."""
        if self._forecast is None or not self._forecast.var[0, self._tails.at99] > 0.0:
            return "", 0.0
        total = self._forecast.var[0, self._tails.at99]
        shares = self._weights[DECK] * self._forecast.marginal[0, self._tails.at99] / total
        largest = int(np.argmax(shares))
        return self._symbols[largest], round(float(shares[largest]), DIGITS)

    def may_lose(self, subject: str) -> int | None:
        """Return the 99 % VaR of what ``subject`` holds in money units; ``None`` without a forecast."""
        if subject not in self._weights:
            return 0
        place = list(self._weights).index(subject)
        return _money(
            float("nan") if self._forecast is None else self._forecast.var[place, self._tails.at99]
        )

    def weights(self, subject: str) -> Floats | None:
        """Return the value of each position of a subject, short negative; ``None`` if it holds none."""
        return self._weights.get(subject)

    def values(self) -> dict[str, Floats]:
        """Return the value of each position by subject, the deck first."""
        return dict(self._weights)

    def quantity(self, agent: str, row: int) -> int:
        """Return what an agent holds of an instrument, in units; short negative."""
        line = self._quantities.get(agent)
        return 0 if line is None else line[row]

    def concentration(self, subject: str) -> float | None:
        """Return the largest share of one instrument in a subject's 99 % VaR; 0 if it holds none."""
        if subject not in self._weights:
            return 0.0
        place = list(self._weights).index(subject)
        if self._forecast is None or not self._forecast.var[place, self._tails.at99] > 0.0:
            return None
        total = self._forecast.var[place, self._tails.at99]
        shares = self._weights[subject] * self._forecast.marginal[place, self._tails.at99] / total
        return round(float(np.nanmax(shares)), DIGITS)

    def gross_units(self, subject: str) -> int:
        """Return the value of a subject's positions without their signs, in money units."""
        held = self._weights.get(subject)
        return 0 if held is None else _money(float(np.abs(held).sum())) or 0

    def may_lose_in(self, row: int, var99: float) -> int | None:
        """Return what all agents' positions in one instrument may lose, each by itself."""
        held = [weights[row] for who, weights in self._weights.items() if who != DECK]
        return _money(float(np.abs(held).sum()) * var99) if held else 0

    def journal(self, lost: float | None, step: Step) -> None:
        """Judge the forecast that was, save the one that is, and publish each agent's."""
        if lost is not None:
            self._judge(lost)
        self._expected = np.full_like(self._expected, np.nan)
        values: dict[str, float | None] = {}
        if self._forecast is not None:
            for k, (subject, weights) in enumerate(self._weights.items()):
                var = float(self._forecast.var[k, self._tails.at99])
                values[subject] = round(var, 2) if var == var else None
                gross = float(np.abs(weights).sum())
                if subject == DECK and gross > 0.0:
                    pairs = np.stack((self._forecast.var[k], self._forecast.es[k]), axis=1)
                    self._expected[0, 1:] = np.round(pairs.ravel() / gross, DIGITS) + 0.0
        step.write(
            "risk.deck_forecast_saved",
            slice=step.slice,
            at=step.at,
            lost=lost,
            **self._written(),
        )
        step.say(NumbersPublished(name="risk.holdings_var99_money", values=dict(values)))

    def recent_hits(self, level: int | None = None) -> tuple[int, int, float]:
        """Return recent bars, losses beyond the deck's VaR (99 % unless told), and Kupiec's p-value."""
        level = self._tails.at99 if level is None else level
        return recent_coverage(self._judgement, 0, level, tail=self._tails.shares[level])

    def view(self, *, usual: Floats, spike: float) -> HoldingsView:
        """Return the forecasts of what is held at present, the deck's first.

        ``usual`` (n,) is the money that the usual volume of a bar is; ``spike`` is the ratio of a spike.
        """
        subjects: list[HoldingsRiskView] = []
        if self._forecast is not None and self._past is not None:
            # A position by itself is its size times a unit of that side.
            units = np.vstack((np.eye(len(self._symbols)), -np.eye(len(self._symbols))))
            alone = forecast_portfolios(self._past, units, shares=False)
            for k, (subject, weights) in enumerate(self._weights.items()):
                subjects.append(
                    holdings_view(
                        subject,
                        weights,
                        var=self._forecast.var[k],
                        es=self._forecast.es[k],
                        marginal=self._forecast.marginal[k, self._tails.at99],
                        symbols=self._symbols,
                        tails=self._tails,
                        ratio=float(self._forecast.ratio[k]),
                        spike=spike,
                        usual=usual,
                        alone=alone,
                    )
                )
        coverage = []
        for level, tail in enumerate(self._tails.shares):
            counts = HitCounts(*self._counts[0, level, :-1].tolist())
            coverage.append(
                coverage_view(
                    since_start(self._judgement, 0, level, counts=counts, tail=tail),
                    recently(self._judgement, 0, level, tail=tail),
                    tail=tail,
                )
            )
        return HoldingsView(subjects=tuple(subjects), coverage=tuple(coverage))

    def _written(self) -> dict[str, float | str | None]:
        """Return the deck's forecast as it is journaled: 95 and 99 % in columns, other levels as JSON."""
        values = [None if value != value else value for value in self._expected[0, 1:].tolist()]
        by_level = {level: values[2 * j : 2 * j + 2] for j, level in enumerate(self._tails.levels)}
        usual = [value for level in LEVELS for value in by_level.pop(level)]
        more = msgspec.json.encode(list(by_level.items())).decode() if by_level else None
        return {**dict(zip(EXPECTED, usual, strict=True)), "more": more}

    def _read(self, row: Mapping[str, Any]) -> Floats:
        """Return a journaled forecast; NaN at a level that was not forecast then."""
        more = msgspec.json.decode(row["more"] or "[]", type=list[tuple[float, Pair]])
        usual = tuple(row[name] for name in EXPECTED)
        by_level = {LEVELS[0]: usual[:2], LEVELS[1]: usual[2:], **dict(more)}
        found = np.full_like(self._expected, np.nan)
        for j, level in enumerate(self._tails.levels):
            for k, value in enumerate(by_level.get(level, (None, None))):
                found[0, 1 + 2 * j + k] = np.nan if value is None else float(value)
        return found

    def _judge(self, lost: float) -> None:
        loss, tails = np.array([lost]), np.array(self._tails.shares)
        judge_slice(self._judgement, ROW, loss=loss, forecast=self._expected, tails=tails)
        count_hits(self._counts, ROW, loss=loss, forecast=self._expected[:, 1::2])


def _money(loss: float) -> int | None:
    """Return a loss in money units, by cents; ``None`` for NaN."""
    return None if loss != loss else round(round(float(loss), CENTS) * 10**MONEY_SCALE)
