"""Forecasts, learned limits and risk events, slice by slice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from quarterdeck.execution.model import OrderAccepted, OrderFilled, OrderRefused
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.market.model import BarsClosed, Floats, Ints
from quarterdeck.performance.model import AgentScored
from quarterdeck.regime.model import RegimeChanged, RegimesWeighed
from quarterdeck.risk.core.backtest import count_hits, no_counts
from quarterdeck.risk.core.bank import (
    VOLATILITY,
    BankState,
    columns,
    slow_volatility,
    update_bank,
)
from quarterdeck.risk.core.clusters import PairState, follow_pairs
from quarterdeck.risk.core.condition import MarketState, follow_closes, signals_of
from quarterdeck.risk.core.filters import MIN_RESIDUALS
from quarterdeck.risk.core.joint import OWN_WINDOW, JointState, remember_slice, scenarios_of
from quarterdeck.risk.core.judgement import JudgementState, judge_slice
from quarterdeck.risk.core.limits import banded_multiplier, volatility_multiplier
from quarterdeck.risk.core.stress import Instants, past_of
from quarterdeck.risk.core.tails import tails_of
from quarterdeck.risk.core.timeframes import Constants, constants_for
from quarterdeck.risk.core.watch import WatchState, correlations, usual_volume, watch_slice
from quarterdeck.risk.model import (
    GateRestrained,
    GetHoldingsRisk,
    GetRisk,
    HoldingsView,
    RiskScope,
    RisksView,
    RiskView,
)
from quarterdeck.risk.service.clusters import Clusters
from quarterdeck.risk.service.condition import MarketCondition
from quarterdeck.risk.service.credit import Around, Credits
from quarterdeck.risk.service.events import RiskEvents
from quarterdeck.risk.service.fitting import Fitting
from quarterdeck.risk.service.holdings import DECK, Holdings
from quarterdeck.risk.service.levels import Levels
from quarterdeck.risk.service.limits import LearnedLimits
from quarterdeck.risk.service.multipliers import Multipliers
from quarterdeck.risk.service.responses import Responses
from quarterdeck.risk.service.scoring import parts_of
from quarterdeck.risk.service.showing import held_so_far, risk_view
from quarterdeck.risk.service.stressing import Stressing
from quarterdeck.risk.service.watching import Lookout
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.paging import unknown_symbol
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step, StepKind
from quarterdeck.runtime.state import Array, Reader, State


def _bank(n: int, config: RiskSection, constants: Constants) -> BankState:
    return BankState(
        n,
        levels=config.levels,
        guarded=(config.coverage_guard,) * len(config.levels),
        recursions=constants.recursions,
        fitted=config.fitted_every_bars > 0,
    )


class RiskService:
    """Keeps every instrument's limits in step with what it may lose in a bar.

    There is one learned limit per instrument, and it holds for each agent by itself: it is sized for
    the configured ``paper.capital`` (``capital_units``), not for anybody's present equity.
    """

    name: ClassVar[str] = "risk"
    state: ClassVar[Mapping[str, State]] = {
        "_symbols": State.FIXED,
        "config": State.FIXED,
        "_constants": State.FIXED,
        "_tails": State.FIXED,
        "_filters": State.CHECKPOINTED,
        "_forecast": State.CHECKPOINTED,
        "_hits": State.CHECKPOINTED,
        "_judgement": State.CHECKPOINTED,
        "_joint": State.CHECKPOINTED,
        "held": State.JOURNALED,
        "_scaling": State.CHECKPOINTED,
        "_limits": State.JOURNALED,
        "events": State.JOURNALED,
        "_missed": State.CHECKPOINTED,
        "_watch": State.CHECKPOINTED,
        "responses": State.JOURNALED,
        "_lookout": State.FIXED,
        "_market": State.CHECKPOINTED,
        "_pairs": State.CHECKPOINTED,
        "clusters": State.JOURNALED,
        "fitting": State.JOURNALED,
        "_instants": State.CHECKPOINTED,
        "market_condition": State.JOURNALED,
        "levels": State.JOURNALED,
        "multipliers": State.JOURNALED,
        "credits": State.JOURNALED,
    }

    def __init__(
        self,
        *,
        symbols: tuple[str, ...],
        quantity_scales: tuple[int, ...],
        config: RiskSection,
        capital_units: int,
        hard_units: int,
        gross_ratio: float,
        timeframe: str = "1d",
    ) -> None:
        n = len(symbols)
        self._symbols = symbols
        self.config = config
        self._constants = constants_for(timeframe)
        self._tails = tails = tails_of(config.levels)
        self._filters = _bank(n, config, self._constants)
        self._forecast: Floats = np.full((n, columns(len(tails.levels))), np.nan)
        self._hits = no_counts(n, len(tails.levels))
        self._judgement = JudgementState(n, len(tails.levels))
        self._joint = JointState(n)
        self.fitting = Fitting(
            symbols,
            every=config.fitted_every_bars,
            tails=tails,
            bank=self._filters,
            joint=self._joint,
        )
        self.held = Holdings(symbols, quantity_scales=quantity_scales, tails=tails)
        self._scaling: Floats = np.full(n, np.nan)
        self._limits = LearnedLimits(
            symbols, config=config, capital_units=capital_units, hard_units=hard_units
        )
        self._missed: Ints = np.zeros(n, dtype=np.int64)
        self._watch, self._market, self._pairs = WatchState(n), MarketState(n), PairState(n)
        self.clusters = Clusters(symbols, config=config, gross_ratio=gross_ratio, tails=tails)
        self._instants = Instants()
        self.market_condition = MarketCondition()
        self.levels = Levels()
        self.multipliers = Multipliers()
        self.responses = Responses(config, restrain=self._restrain)
        self.credits = Credits(
            config,
            gross_ratio=gross_ratio,
            capital_units=capital_units,
            loss=self.held.may_lose,
            weights=self.held.weights,
            multipliers=self.multipliers,
            restrain=self._restrain,
        )
        self.events = RiskEvents(symbols, responses=self.responses, impact=self._impact)
        self._lookout = Lookout(
            symbols,
            config=config,
            events=self.events,
            tails=tails,
            bank=self._filters,
            judgement=self._judgement,
            watch=self._watch,
        )

    def load(self, reader: Reader) -> None:
        """Take up limits, regimes and marks as they were."""
        self._limits.load(reader)
        self.held.load(reader)
        self.events.load(reader)
        self.responses.load(reader)
        self.market_condition.load(reader)
        self.levels.load(reader)
        self.multipliers.load(reader)
        self.credits.load(reader)
        self.clusters.load(reader)
        self.fitting.load(reader)

    def hear(self, message: Message, step: Step) -> None:
        """Forecast on each slice, follow regimes, watch drawdowns."""
        match message:
            case BarsClosed():
                self._on_bars(message, step)
            case OrderFilled():
                self.held.fill(message, step)
                if step.kind is not StepKind.SLICE:
                    # A remote venue fills between two slices; what is held then is what the next bar moves.
                    self._refresh()
                self._follow_fill(message, step)
                self.events.follow_trade(message, step, most=self.config.losing_streak_trades)
            case OrderAccepted() | OrderRefused():
                self.credits.note_order(message.order, step)
            case RegimesWeighed():
                self.market_condition.weigh(message)
            case RegimeChanged():
                self._limits.follow(message.instrument, message.regime, step)
            case AgentScored():
                self.levels.take(message)
                self._lookout.scored(message, step)

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
        arrays.update({f"instants.{k}": v for k, v in self._instants.arrays().items()})
        arrays.update({f"market.{k}": v for k, v in self._market.arrays().items()})
        arrays.update({f"pairs.{k}": v for k, v in self._pairs.arrays().items()})
        arrays.update({f"watch.{k}": v for k, v in self._watch.arrays().items()})
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")
        self.fitting.restored()
        self._refresh()

    def absorb(self, bars: Message) -> None:
        """Judge the forecasts by one slice and run the filters on it, silently."""
        if isinstance(bars, BarsClosed):
            self.fitting.enter()
            loss = 1.0 - bars.close / self._filters.close[bars.rows]
            count_hits(
                self._hits,
                bars.rows,
                loss=loss,
                forecast=self._forecast[bars.rows][:, 1::2],
            )
            judge_slice(
                self._judgement,
                bars.rows,
                loss=loss,
                forecast=self._forecast,
                tails=self._filters.tails,
            )
            self._instants.at[int(self._joint.slices[0]) % OWN_WINDOW] = bars.at
            remember_slice(self._joint, self._filters, bars.rows, close=bars.close)
            follow_closes(self._market, bars.rows, bars.close)
            watch_slice(
                self._watch,
                bars.rows,
                bars=(bars.open, bars.high, bars.low, bars.close, bars.volume),
                before=self._filters.close,
                volatility=self._forecast[:, VOLATILITY],
            )
            follow_pairs(
                self._pairs,
                bars.rows,
                close=bars.close,
                before=self._filters.close,
                volatility=self._forecast[:, VOLATILITY],
            )
            update_bank(
                self._filters,
                bars.rows,
                close=bars.close,
                out=self._forecast,
                ohl=(bars.open, bars.high, bars.low),
            )
            self._missed[:] = bars.missed
            self._scale_sizes(bars.rows)
            self._refresh()

    def _refresh(self) -> None:
        """Forecast together what is held together and what moves together; changes nothing kept."""
        past = scenarios_of(self._joint, self._filters)
        self.held.refresh(self._filters, past)
        self.clusters.refresh(self._pairs, past, held=self.held.values())

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
                band=self.config.size_band_fraction,
            )

    def _on_bars(self, bars: BarsClosed, step: Step) -> None:
        loss = np.full(len(self._symbols), np.nan)
        loss[bars.rows] = 1.0 - bars.close / self._filters.close[bars.rows]
        foreseen = self._forecast[:, self._tails.var99].copy()
        lost, together = self.held.lost(-loss), self.clusters.lost(loss)
        self.absorb(bars)
        self.held.journal(lost, step)
        slow = slow_volatility(self._filters)
        self.responses.expire(step)
        self._lookout.breaches(loss, foreseen, step)
        self._lookout.volatility(self._forecast[:, VOLATILITY], slow, step)
        self._lookout.coverage(self.held, step)
        self._lookout.filters(step)
        self._lookout.bars(self._missed, step)
        self._lookout.held(self.held, step)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._follow_market(loss / foreseen, slow, together, step)
        for row in bars.rows.tolist():
            factors, var99 = self._factors(row), float(self._forecast[row, self._tails.var99])
            self._limits.move(
                row,
                volatility=float(self._forecast[row, VOLATILITY]),
                var99=var99,
                multiplier=math.prod(factors.values()),
                response=self.responses.multiplier(self._symbols[row]),
                condition=self.market_condition.multiplier(),
                step=step,
            )
            _, units = self._limits.in_force(row)
            self.multipliers.size(self._symbols[row], factors, step, var99=var99, units=units)
        self._publish(slow, step)

    def _follow_market(
        self, ratios: Floats, slow: Floats, together: Mapping[str, float], step: Step
    ) -> None:
        """Learn from losses over their 99 % VaR; see which condition prevails and what level stands."""
        pair = correlations(self._watch)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(slow > 0.0, self._forecast[:, VOLATILITY] / slow, np.nan)
        signals = signals_of(
            self._market,
            ratio=ratio,
            correlation=None if pair is None else pair[0],
            regimes=self.market_condition.regimes(),
        )
        self.market_condition.follow(signals, ratios, step)
        prevailing = self.market_condition.prevailing()
        if prevailing is not None:
            self.multipliers.condition(*prevailing, step)
        parts = parts_of(
            self.held,
            condition=self.market_condition,
            signals=signals,
            events=self.events,
            levels=self.levels,
            config=self.config,
            instruments=len(self._symbols),
        )
        impact = {subject: self.held.may_lose(subject) for subject in parts}
        # The records are this slice's and end with it: whoever else needs them takes them before.
        scored, equity = self.levels.agents(), self.levels.equity()
        deck = self.levels.together(step)
        self.levels.follow(parts, step, impact=impact)
        around = Around(
            condition=self.market_condition.multiplier(),
            correlations=pair,
            scaling=self._scaling,
            close=self._filters.close,
        )
        self.credits.follow(scored, around, step, deck=deck)
        self.clusters.follow(together, equity, step, mode=self.credits.mode)

    def _follow_fill(self, fill: OrderFilled, step: Step) -> None:
        """Let what a position's opening and closing teach of stops be learned."""
        row = fill.instrument
        self.credits.follow_fill(
            fill,
            step,
            held=self.held.quantity(str(fill.agent), row),
            price=float(self._filters.close[row]),
            volatility=float(self._forecast[row, VOLATILITY]),
        )

    def _restrain(self, scope: RiskScope, subject: str, step: Step) -> None:
        """Say what passes at a level from now on: what stands there, and the credit line."""
        whose = DECK if scope is RiskScope.DECK else subject
        lined = scope is not RiskScope.INSTRUMENT
        step.say(
            GateRestrained(
                at=step.at,
                scope=scope,
                subject=subject,
                reducing=self.responses.reducing(scope, subject),
                credit_units=self.credits.units(whose) if lined else None,
                stop_ratio=self.credits.stop_ratio(subject) if scope is RiskScope.AGENT else None,
                size_share=self.credits.size_share(subject) if scope is RiskScope.AGENT else None,
            )
        )

    def stressing(self) -> Stressing:
        """Return what holds the present positions through scenarios."""
        slices = int(self._joint.slices[0])
        equities = self.credits.equities()
        return Stressing(
            self._symbols,
            past=past_of(self._joint.returns, self._instants.at, slices),
            held=self.held.values(),
            equities={DECK: sum(equities.values()), **equities},
        )

    def _impact(self, scope: RiskScope, name: str) -> int | None:
        """Return what the positions concerned may lose in the next bar at 99 %, in money units."""
        if scope is not RiskScope.INSTRUMENT:
            return self.held.may_lose(name or DECK)
        row = self._symbols.index(name)
        return self.held.may_lose_in(row, float(self._forecast[row, self._tails.var99]))

    def _factors(self, row: int) -> dict[str, float]:
        return {
            "volatility": float(self._scaling[row]),
            "regime": self._limits.stress(row),
            "risk events": self.responses.multiplier(self._symbols[row]),
        }

    def _publish(self, slow: Floats, step: Step) -> None:
        volatility = self._forecast[:, VOLATILITY]
        for name, values in (
            ("risk.volatility_fraction", volatility),
            ("risk.var99_fraction", self._forecast[:, self._tails.var99]),
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
            constants=self._constants.name,
            confirmed=self._constants.confirmed,
            instruments=tuple(
                self._view(row, coverage=query.coverage)
                for row, symbol in enumerate(self._symbols)
                if query.symbol in (None, symbol)
            ),
        )

    def holdings(self, query: GetHoldingsRisk, caller: Caller) -> HoldingsView:
        """Return what is held at the last close may lose in the next bar."""
        return self.held.view(
            usual=usual_volume(self._watch) * self._filters.close,
            spike=self.config.volatility_spike_ratio,
        )

    def _view(self, row: int, *, coverage: bool) -> RiskView:
        version, units = self._limits.in_force(row)
        return risk_view(
            self._symbols[row],
            self._forecast[row],
            tails=self._tails,
            have=min(int(self._filters.seen[row].max()), MIN_RESIDUALS),
            missed=int(self._missed[row]),
            stale_after=self.config.stale_after_bars,
            doubt=float(self._filters.doubt[row]),
            multiplier=math.prod(self._factors(row).values()),
            limit=(version, units),
            coverage=(
                held_so_far(self._judgement, row, self._hits[row], tails=self._tails)
                if coverage
                else ()
            ),
        )
