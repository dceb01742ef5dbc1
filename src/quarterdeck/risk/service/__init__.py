"""Forecasts, learned limits and risk events, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from quarterdeck.execution.model import OrderFilled
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.market.model import BarsClosed, Floats, Ints
from quarterdeck.performance.model import AgentScored
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.risk.core.backtest import HitCounts, count_hits, no_counts
from quarterdeck.risk.core.bank import (
    COLUMNS,
    ES95,
    ES99,
    MIN_RESIDUALS,
    VAR95,
    VAR99,
    VOLATILITY,
    BankState,
    slow_volatility,
    update_bank,
)
from quarterdeck.risk.core.events import var_breaches, volatility_spikes
from quarterdeck.risk.core.joint import JointState, remember_slice
from quarterdeck.risk.core.judgement import (
    JudgementState,
    judge_slice,
    latest_hits,
    recent_coverage,
    recently,
    since_start,
)
from quarterdeck.risk.core.limits import banded_multiplier, volatility_multiplier
from quarterdeck.risk.model import (
    GetHoldingsRisk,
    GetLimitChanges,
    GetRisk,
    GetRiskEvents,
    HoldingsView,
    LimitChangesView,
    RiskEventKind,
    RiskEventsView,
    RisksView,
    RiskView,
)
from quarterdeck.risk.service.events import RiskEvents
from quarterdeck.risk.service.holdings import DECK, Holdings
from quarterdeck.risk.service.limits import LearnedLimits
from quarterdeck.risk.store import coverage_view, limit_change_of, risk_event_of
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.paging import page, unknown_symbol
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, History, Reader, State

TAILS = (0.05, 0.01)
"""The share of losses beyond 95 % and 99 % value at risk."""
CLUSTER_BARS = 20
"""Judged bars among which hits of the 99 % forecast make a cluster."""
VAR_COLUMNS = (VAR95, VAR99)
"""The value at risk of each of ``TAILS`` in a forecast."""


class RiskService:
    """Keeps every instrument's limits in step with what it may lose in a bar.

    There is one learned limit per instrument, and it holds for each agent by itself: it is sized for
    the configured ``paper.capital`` (``capital_units``), not for anybody's present equity.
    """

    name: ClassVar[str] = "risk"
    state: ClassVar[Mapping[str, State]] = {
        "_symbols": State.FIXED,
        "_config": State.FIXED,
        "_filters": State.CHECKPOINTED,
        "_forecast": State.CHECKPOINTED,
        "_hits": State.CHECKPOINTED,
        "_judgement": State.CHECKPOINTED,
        "_joint": State.CHECKPOINTED,
        "_holdings": State.JOURNALED,
        "_scaling": State.CHECKPOINTED,
        "_limits": State.JOURNALED,
        "_events": State.JOURNALED,
        "_missed": State.CHECKPOINTED,
    }

    def __init__(
        self,
        *,
        symbols: tuple[str, ...],
        quantity_scales: tuple[int, ...],
        config: RiskSection,
        capital_units: int,
        hard_units: int,
    ) -> None:
        n = len(symbols)
        self._symbols = symbols
        self._config = config
        self._filters = BankState(n)
        self._forecast: Floats = np.full((n, COLUMNS), np.nan)
        self._hits = no_counts(n, len(TAILS))
        self._judgement = JudgementState(n, len(TAILS))
        self._joint = JointState(n)
        self._holdings = Holdings(symbols, quantity_scales=quantity_scales)
        self._scaling: Floats = np.full(n, np.nan)
        self._limits = LearnedLimits(
            symbols, config=config, capital_units=capital_units, hard_units=hard_units
        )
        self._events = RiskEvents()
        self._missed: Ints = np.zeros(n, dtype=np.int64)

    def load(self, reader: Reader) -> None:
        """Take up limits, regimes and marks as they were."""
        self._limits.load(reader)
        self._holdings.load(reader)
        self._events.load(reader)

    def hear(self, message: Message, step: Step) -> None:
        """Forecast on each slice, follow regimes, watch drawdowns."""
        match message:
            case BarsClosed():
                self._on_bars(message, step)
            case OrderFilled():
                self._holdings.fill(message, step)
            case RegimeChanged():
                self._limits.follow(message.instrument, message.regime, step)
            case AgentScored():
                self._events.mark(
                    RiskEventKind.DRAWDOWN,
                    str(message.agent),
                    step,
                    severity=Severity.ERROR,
                    observed=message.drawdown_fraction,
                    threshold=self._config.drawdown_event_fraction,
                    text="equity is {observed:.1%} below its peak",
                )

    def volatilities(self) -> Floats:
        """Return each instrument's forecast deviation of the next bar's return; NaN where unknown."""
        return self._forecast[:, VOLATILITY].copy()

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        arrays: dict[str, Array] = {
            "forecast": self._forecast,
            "hits": self._hits,
            "scaling": self._scaling,
            "missed": self._missed,
        }
        arrays.update({f"filters.{k}": v for k, v in self._filters.arrays().items()})
        arrays.update({f"joint.{k}": v for k, v in self._joint.arrays().items()})
        arrays.update({f"judgement.{k}": v for k, v in self._judgement.arrays().items()})
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")
        self._holdings.refresh(self._filters, self._joint)

    def absorb(self, bars: Message) -> None:
        """Judge the forecasts by one slice and run the filters on it, silently."""
        if isinstance(bars, BarsClosed):
            loss = 1.0 - bars.close / self._filters.close[bars.rows]
            count_hits(
                self._hits,
                bars.rows,
                loss=loss,
                forecast=self._forecast[bars.rows][:, VAR_COLUMNS],
            )
            judge_slice(
                self._judgement,
                bars.rows,
                loss=loss,
                forecast=self._forecast,
                tails=self._filters.tails,
            )
            remember_slice(self._joint, self._filters, bars.rows, close=bars.close)
            update_bank(
                self._filters,
                bars.rows,
                close=bars.close,
                out=self._forecast,
                ohl=(bars.open, bars.high, bars.low),
            )
            self._missed[:] = bars.missed
            self._scale_sizes(bars.rows)
            self._holdings.refresh(self._filters, self._joint)

    def _scale_sizes(self, rows: Ints) -> None:
        """Let the size multipliers of ``rows`` follow their volatility, outside a band."""
        slow = slow_volatility(self._filters)
        for row in rows.tolist():
            volatility = float(self._forecast[row, VOLATILITY])
            if volatility != volatility:
                continue
            self._scaling[row] = banded_multiplier(
                float(self._scaling[row]),
                volatility_multiplier(volatility, float(slow[row])),
                band=self._config.size_band_fraction,
            )

    def _on_bars(self, bars: BarsClosed, step: Step) -> None:
        loss = np.full(len(self._symbols), np.nan)
        loss[bars.rows] = 1.0 - bars.close / self._filters.close[bars.rows]
        foreseen = self._forecast[:, VAR99].copy()
        lost = self._holdings.lost(-loss)
        self.absorb(bars)
        self._holdings.journal(lost, step)
        slow = slow_volatility(self._filters)
        for breach in var_breaches(loss, foreseen):
            self._events.raise_event(
                RiskEventKind.VAR_BREACH,
                self._symbols[breach.row],
                step,
                severity=Severity.WARNING,
                observed=breach.loss,
                threshold=breach.forecast,
                text="lost {observed:.2%} in a bar, beyond its 99 % VaR of {threshold:.2%}",
            )
        self._watch_volatility(slow, step)
        self._watch_coverage(step)
        self._watch_clusters(loss > foreseen, step)
        self._watch_staleness(step)
        self._watch_concentration(step)
        for row in bars.rows.tolist():
            self._limits.move(
                row,
                volatility=float(self._forecast[row, VOLATILITY]),
                var99=float(self._forecast[row, VAR99]),
                multiplier=self._multiplier(row),
                step=step,
            )
        self._publish(slow, step)

    def _watch_volatility(self, slow: Floats, step: Step) -> None:
        ratio = self._config.volatility_spike_ratio
        spiking = {
            spike.row: spike.ratio
            for spike in volatility_spikes(self._forecast[:, VOLATILITY], slow, ratio=ratio)
        }
        for row, symbol in enumerate(self._symbols):
            self._events.mark(
                RiskEventKind.VOLATILITY_SPIKE,
                symbol,
                step,
                severity=Severity.WARNING,
                observed=spiking.get(row, 0.0),
                threshold=ratio,
                text="forecast volatility is {observed:.1f} times its usual level",
            )

    def _watch_coverage(self, step: Step) -> None:
        alarm, least_bars = self._config.coverage_alarm_p, self._config.coverage_alarm_bars
        found = {}
        for row, symbol in enumerate(self._symbols):
            least = None
            for level, tail in enumerate(TAILS):
                judged, hits, p = recent_coverage(self._judgement, row, level, tail=tail)
                least = p if judged and (least is None or p < least) else least
                self._events.mark(
                    RiskEventKind.COVERAGE,
                    f"{symbol} {100 - round(100 * tail)} %",
                    step,
                    severity=Severity.WARNING,
                    observed=1.0 - p if judged >= least_bars else 0.0,
                    threshold=1.0 - alarm,
                    text=f"VaR does not hold: {hits} of the last {judged} bars lost more, "
                    f"{tail:.0%} were promised",
                )
            found[symbol] = least
        step.say(NumbersPublished(name="risk.coverage_p", values=found))

    def _watch_clusters(self, breached: npt.NDArray[np.bool_], step: Step) -> None:
        kind, least = RiskEventKind.BREACH_CLUSTER, self._config.breach_cluster_hits
        for row, symbol in enumerate(self._symbols):
            if breached[row] or self._events.marked(kind, symbol):
                self._events.mark(
                    kind,
                    symbol,
                    step,
                    severity=Severity.ERROR,
                    observed=float(latest_hits(self._judgement, row, 1, bars=CLUSTER_BARS)),
                    threshold=float(least),
                    text="lost more than its 99 % VaR {observed:.0f} times in "
                    f"{CLUSTER_BARS} bars",
                )

    def _watch_staleness(self, step: Step) -> None:
        for row, symbol in enumerate(self._symbols):
            begun = self._filters.close[row] == self._filters.close[row]
            self._events.mark(
                RiskEventKind.STALE_DATA,
                symbol,
                step,
                severity=Severity.WARNING,
                observed=float(self._missed[row]) if begun else 0.0,
                threshold=float(self._config.stale_after_bars),
                text="has had no bar for {observed:.0f} slices; it has no forecast until the next",
            )

    def _watch_concentration(self, step: Step) -> None:
        symbol, share = self._holdings.largest_share()
        self._events.mark(
            RiskEventKind.CONCENTRATION,
            DECK,
            step,
            severity=Severity.WARNING,
            observed=share,
            threshold=self._config.concentration_event_fraction,
            text=f"has {{observed:.0%}} of its 99 % VaR from {symbol}",
        )

    def _multiplier(self, row: int) -> float:
        return float(self._scaling[row]) * self._limits.stress(row)

    def _publish(self, slow: Floats, step: Step) -> None:
        volatility = self._forecast[:, VOLATILITY]
        for name, values in (
            ("risk.volatility_fraction", volatility),
            ("risk.var99_fraction", self._forecast[:, VAR99]),
            ("risk.volatility_ratio", np.where(slow > 0.0, volatility / slow, np.nan)),
        ):
            step.say(
                NumbersPublished(
                    name=name,
                    values={
                        symbol: value if value == value else None
                        for symbol, value in zip(self._symbols, values.tolist(), strict=True)
                    },
                )
            )

    def risks(self, query: GetRisk, caller: Caller) -> RisksView:
        """Return the present forecasts and learned limits."""
        if query.symbol is not None and query.symbol not in self._symbols:
            raise unknown_symbol(query.symbol, self._symbols)
        return RisksView(
            instruments=tuple(
                self._view(row)
                for row, symbol in enumerate(self._symbols)
                if query.symbol in (None, symbol)
            )
        )

    def holdings(self, query: GetHoldingsRisk, caller: Caller) -> HoldingsView:
        """Return what is held at the last close may lose in the next bar."""
        return self._holdings.view()

    def _view(self, row: int) -> RiskView:
        have = min(int(self._filters.seen[row].max()), MIN_RESIDUALS)
        stale = int(self._missed[row]) >= self._config.stale_after_bars
        known = have >= MIN_RESIDUALS and not stale
        reason = None if known else f"not enough data: {have} of {MIN_RESIDUALS} residuals"
        if have >= MIN_RESIDUALS and not known:
            reason = f"stale: no bar for {self._missed[row]} slices"
        line = self._forecast[row].tolist()
        version, units = self._limits.in_force(row)
        return RiskView(
            symbol=self._symbols[row],
            volatility=line[VOLATILITY] if known else None,
            var95=line[VAR95] if known else None,
            es95=line[ES95] if known else None,
            var99=line[VAR99] if known else None,
            es99=line[ES99] if known else None,
            multiplier=self._multiplier(row) if known else None,
            position_limit=None if units is None else from_units(units, MONEY_SCALE),
            limit_version=version,
            coverage=tuple(
                coverage_view(
                    since_start(
                        self._judgement, row, level, counts=HitCounts(*counts[:-1]), tail=tail
                    ),
                    recently(self._judgement, row, level, tail=tail),
                    tail=tail,
                )
                for level, (tail, counts) in enumerate(
                    zip(TAILS, self._hits[row].tolist(), strict=True)
                )
            ),
            have=have,
            need=MIN_RESIDUALS,
            reason=reason,
        )

    async def events(
        self, query: GetRiskEvents, caller: Caller, history: History
    ) -> RiskEventsView:
        """Return a page of risk events, newest first."""
        rows = await history.rows("risk.events", **page(query.limit, query.before))
        events = tuple(risk_event_of(row) for row in rows)
        return RiskEventsView(
            events=events, next=events[-1].number if len(events) == query.limit else None
        )

    async def limit_changes(
        self, query: GetLimitChanges, caller: Caller, history: History
    ) -> LimitChangesView:
        """Return a page of learned limits' changes, newest first."""
        rows = await history.rows("risk.limit_changes", **page(query.limit, query.before))
        changes = tuple(limit_change_of(row) for row in rows)
        return LimitChangesView(
            changes=changes, next=changes[-1].version if len(changes) == query.limit else None
        )
