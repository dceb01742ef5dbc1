"""Optimal portfolios followed at every bar and proposed at fixed distances in bars.

What is recorded does not depend on the processor: weights are in steps of 1e-9 and every figure that
follows from them is rounded to 12 significant digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import (
    HoldingCharged,
    OrderFilled,
    SignalEnded,
    SignalStated,
)
from quarterdeck.kernel.errors import DomainError, NotEnoughData
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import BarsClosed, Floats, Instrument, Ints
from quarterdeck.portfolio.core.attribution import Book, totals
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.estimate import turnover
from quarterdeck.portfolio.core.rolling import RollingMoments
from quarterdeck.portfolio.core.sums import published
from quarterdeck.portfolio.core.targets import FOLLOWED, Targets
from quarterdeck.portfolio.core.window import shrunk_mean
from quarterdeck.portfolio.model import (
    ActiveView,
    AttributionView,
    DriftMeasured,
    DriftOf,
    GetActive,
    GetAttribution,
    GetPortfolio,
    Objective,
    PortfolioView,
    RebalanceProposed,
)
from quarterdeck.portfolio.ports import Forecasts, Regimes
from quarterdeck.portfolio.service.attributing import (
    closes,
    note_agent,
    note_fill,
    note_holding,
    note_turns,
    read_book,
    unit_values,
    view_of,
)
from quarterdeck.portfolio.service.basis import Basis, Sample, basis_of, optimum_of, prior_of
from quarterdeck.portfolio.service.convictions import Convictions
from quarterdeck.portfolio.service.measuring import AgainstBenchmark, benchmark_of
from quarterdeck.portfolio.service.showing import Shares, figures_of, shown
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import PortfolioSection
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, Reader, State


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is expected of the assets per period, from the closes seen so far."""

    mean: Floats
    covariance: Floats
    observations: int
    span_from: Nanos
    span_to: Nanos

    @property
    def warning(self) -> str | None:
        """Why the covariance is weak, or null."""
        condition = condition_number(self.covariance)
        return weakness(self.mean.size, observations=self.observations, condition=condition)


class PortfolioService:
    """Follows the moments of joint returns, the best weights of every bar, and proposes from them."""

    name: ClassVar[str] = "portfolio"
    state: ClassVar[Mapping[str, State]] = {
        "symbols": State.FIXED,
        "objectives": State.FIXED,
        "sectors": State.FIXED,
        "cap": State.FIXED,
        "_config": State.FIXED,
        "periods_per_year": State.FIXED,
        "_budget": State.FIXED,
        "_unit_values": State.FIXED,
        "_forecasts": State.FIXED,
        "_regimes": State.FIXED,
        "_prices": State.CHECKPOINTED,
        "_book": State.JOURNALED,
        "_against": State.JOURNALED,
        "convictions": State.JOURNALED,
        "_turned": State.VIEW,
        "_closes": State.CHECKPOINTED,
        "_bars": State.CHECKPOINTED,
        "_instants": State.CHECKPOINTED,
        "_moments": State.CHECKPOINTED,
        "_targets": State.CHECKPOINTED,
        "_labels": State.CHECKPOINTED,
        "_began": State.CHECKPOINTED,
        "_number": State.JOURNALED,
        "_latest": State.JOURNALED,
        "_reasons": State.JOURNALED,
    }

    def __init__(
        self,
        *,
        instruments: Sequence[Instrument],
        config: PortfolioSection,
        forecasts: Forecasts,
        regimes: Regimes,
    ) -> None:
        n = len(instruments)
        self._forecasts, self._regimes = forecasts, regimes
        self.symbols = tuple(one.symbol for one in instruments)
        self._unit_values = unit_values(instruments)
        self._prices: Ints = np.zeros(n, dtype=np.int64)
        self._book = Book()
        self._against = AgainstBenchmark(benchmark_of(config, self.symbols))
        self.convictions = Convictions()
        # The regimes that began in this slice, until its bars are heard; never kept beyond the step.
        self._turned: list[RegimeChanged] = []
        self._config = config
        self.objectives = tuple(Objective(name) for name in config.objectives)
        self.periods_per_year = config.periods_per_year
        # A cap below 1/n admits no portfolio at all; equal weights are then the only sensible one.
        self._budget = Budget.of(n, lower=0.0, upper=max(config.max_weight, 1.0 / n))
        self.cap = float(self._budget.upper[0])
        told = self._against.benchmark
        self.sectors = {
            name: tuple(row for row, one in enumerate(told.sector_of) if one == sector)
            for sector, name in enumerate(told.names)
        }
        self._closes: Floats = np.full(n, np.nan)
        # How many bars each instrument had, to name those that joint returns wait for.
        self._bars: Ints = np.zeros(n, dtype=np.int64)
        self._instants: Ints = np.zeros(config.window_bars, dtype=np.int64)
        self._moments = RollingMoments(config.window_bars, n=n)
        self._targets = Targets(n)
        # The regimes of the last close, and for every joint return those that its bar began in.
        self._labels: Ints = np.full(n, -1, dtype=np.int64)
        self._began: Ints = np.full((config.window_bars, n), -1, dtype=np.int64)
        self._number = 0
        self._latest: dict[Objective, tuple[RebalanceProposed, Shares]] = {}
        self._reasons: dict[Objective, str] = {}

    def load(self, reader: Reader) -> None:
        """Take up the last proposals and the attribution."""
        self._book = read_book(reader)
        self._against.load(reader)
        self.convictions.load(reader)
        self._number = int(reader.rows("portfolio.last_number")[0]["number"])
        self._latest = {
            Objective(row["objective"]): (
                msgspec.json.decode(row["proposal"], type=RebalanceProposed),
                msgspec.json.decode(row["risk_contributions"], type=Shares),
            )
            for row in reader.rows("portfolio.latest")
        }
        self._reasons = {
            Objective(row["objective"]): str(row["reason"])
            for row in reader.rows("portfolio.reasons")
        }

    def hear(self, message: Message, step: Step) -> None:
        """Count what was traded; take a slice into the window and propose when it is time."""
        match message:
            case AgentRegistered():
                note_agent(self._book, message, step)
                self._against.join(message.capital_units, step)
            case OrderFilled():
                worth = int(self._unit_values[message.instrument])
                note_fill(self._book, message, unit_value=worth, step=step)
                signed = message.position_units
                self._against.fill(
                    message.instrument,
                    step,
                    quantity=signed,
                    value=signed * message.price_units * worth,
                    fee=message.fee_units,
                )
            case HoldingCharged():
                note_holding(self._book, message, step)
                self._against.charge(sum(message.cost_units), step)
            case RegimeChanged():
                self._turned.append(message)
            case SignalStated():
                row = self.symbols.index(message.symbol)
                self.convictions.stated(
                    message,
                    step,
                    instrument=row,
                    price=int(self._prices[row]),
                    deviation=self.deviation(row),
                )
            case SignalEnded():
                row = self.symbols.index(message.symbol)
                self.convictions.ended(message, step, instrument=row)
            case BarsClosed():
                self._close(message, step)
            case _:
                pass

    def _close(self, message: BarsClosed, step: Step) -> None:
        before, betas = self._worths(), self._against.betas(self._moments)
        self.absorb(message)
        after = self._worths()
        self._against.close(
            step, before=tuple(before.values()), after=tuple(after.values()), betas=betas
        )
        self.convictions.close(self._prices, step)
        turned, self._turned = self._turned, []
        note_turns(self._book, turned, worths=after, step=step)
        if self._moments.full and message.index % self._config.every_bars == 0:
            sample = self.sample()
            basis = _basis(sample)
            for objective in self.objectives:
                self._propose(objective, step, sample=sample, basis=basis)
        self._tell_drifts(step)
        latest = self._latest.get(Objective.MAX_SHARPE)
        told = {
            "turnover": None if latest is None else latest[0].turnover,
            "drift": self._drift(Objective.MAX_SHARPE),
        }
        for name, value in told.items():
            step.say(NumbersPublished(name=f"portfolio.{name}_fraction", values={"deck": value}))

    def _tell_drifts(self, step: Step) -> None:
        for objective in self.objectives:
            drift = self._drift(objective)
            if drift is not None:
                what, subject = DriftOf.PROPOSAL, objective.value
                step.say(
                    DriftMeasured(
                        at=step.at, slice=step.slice, of=what, subject=subject, drift=drift
                    )
                )

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        return {
            "closes": self._closes,
            "bars": self._bars,
            "prices": self._prices,
            "instants": self._instants,
            "targets": self._targets.weights,
            "labels": self._labels,
            "began": self._began,
            **self._moments.arrays(),
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")

    def absorb(self, bars: Message) -> None:
        """Take the slice's joint return in; one that not all instruments have is left out."""
        if not isinstance(bars, BarsClosed):
            return
        closes(bars, self._prices)
        before, began = self._closes.copy(), self._labels.copy()
        self._closes[bars.rows] = bars.close
        self._bars[bars.rows] += 1
        self._labels[:] = self._regimes.labels()
        joint = self._closes / before - 1.0
        if bars.rows.size != len(self.symbols) or not np.isfinite(joint).all():
            return
        slot = int(self._moments.count[0]) % self._config.window_bars
        self._instants[slot], self._began[slot] = bars.at, began
        self._moments.take(joint)
        if self._moments.full:
            # What is estimated otherwise than from the window's sample is answered at proposals only.
            skipped: tuple[str, ...] = ()
            if self._config.covariance != "sample":
                skipped = FOLLOWED
            elif self._config.mean != "sample":
                skipped = ("max-sharpe",)
            self._targets.follow(self._moments, budget=self._budget, skipped=skipped)

    def outlook(self) -> Outlook | None:
        """Return mean and covariance per period at the last close; ``None`` until the window is full."""
        if not self._moments.full:
            return None
        mean, covariance = self._moments.mean.copy(), self._moments.covariance()
        if self._config.mean == "views":
            market = self._against.benchmark.weights
            prior = prior_of(self._config, covariance, market=market)
            mean = self.convictions.mean(covariance, prior=prior)
        if self._config.mean == "shrunk":
            try:
                mean = shrunk_mean(mean, covariance, periods=self._config.window_bars)
            except DomainError:
                # Then no target of a maximum Sharpe ratio is proposed either.
                return None
        turn = int(self._moments.count[0]) % self._config.window_bars
        return Outlook(
            mean=mean,
            covariance=covariance,
            observations=self._config.window_bars,
            span_from=Nanos(int(self._instants[turn])),
            span_to=Nanos(int(self._instants[turn - 1])),
        )

    def deviation(self, row: int) -> float:
        """Return the deviation of an instrument's return per bar; 0 until the window is full."""
        return math.sqrt(float(self._moments.covariance()[row, row])) if self._moments.full else 0.0

    def held(self) -> tuple[Floats, int]:
        """Return what all agents hold together as shares of their equity, and that in money units."""
        return self._against.held(tuple(self._worths().values()))

    def _worths(self) -> dict[int, int]:
        """Return the money units that a quantity unit of each instrument is worth at the last close."""
        return dict(enumerate((self._prices * self._unit_values).tolist()))

    def earned(self) -> dict[str, int]:
        """Return what every agent has earned after costs by the attribution, in money units."""
        return totals(self._book, self._worths())

    def parts_earned(self) -> int:
        """Return what the parts against the benchmark add up to, in money units."""
        return self._against.active.net(tuple(self._worths().values()))

    def attribution(self, query: GetAttribution, caller: Caller) -> AttributionView:
        """Return where profit and loss came from; the parts add up to the ledger."""
        against = self._against.benchmark
        return view_of(
            self._book,
            by=query.by,
            worths=self._worths(),
            symbols=self.symbols,
            sectors=tuple(against.names[sector] for sector in against.sector_of),
            covariance=self._moments.covariance() if self._moments.full else None,
        )

    def against_benchmark(self, query: GetActive, caller: Caller) -> ActiveView:
        """Return what the deck earned against its benchmark and by factor."""
        worths = tuple(self._worths().values())
        return self._against.view(worths, self._against.betas(self._moments))

    def sample(self) -> Sample:
        """Return what the objectives of this close are answered from, or refuse a short window."""
        need = self._config.window_bars
        if not self._moments.full:
            raise NotEnoughData("joint returns", have=self._moments.have, need=need)
        turn = int(self._moments.count[0]) % need
        return Sample(
            config=self._config,
            symbols=self.symbols,
            cap=self.cap,
            window=self._moments.window(),
            span_from=Nanos(int(self._instants[turn])),
            span_to=Nanos(int(self._instants[turn - 1])),
            volatilities=self._forecasts.volatilities().copy(),
            began=np.roll(self._began, -turn, axis=0),
            present=self._labels.copy(),
            market=self._against.benchmark.weights,
            opinions=self.convictions.opinions(),
        )

    def _propose(
        self, objective: Objective, step: Step, *, sample: Sample, basis: Basis | DomainError
    ) -> None:
        try:
            if isinstance(basis, DomainError):
                raise basis
            optimum = optimum_of(objective, sample, (basis.mean, basis.covariance))
        except DomainError as refusal:
            self._reasons[objective] = refusal.message
            step.write("portfolio.reason_saved", objective=objective.value, reason=refusal.message)
            return
        if self._reasons.pop(objective, ""):
            step.write("portfolio.reason_saved", objective=objective.value, reason="")
        before = self._latest.get(objective)
        proposal = RebalanceProposed(
            at=step.at,
            slice=step.slice,
            proposal_id=step.new_id("prp"),
            objective=objective,
            symbols=self.symbols,
            **figures_of(
                optimum,
                year=self._config.periods_per_year,
                before=None if before is None else before[0].weights,
            ),
            observations=self._config.window_bars,
            span_from=basis.span_from,
            span_to=basis.span_to,
            condition=basis.condition,
            warning=basis.warning,
        )
        shares: Shares = {}
        if optimum.risk_contributions is not None:
            rounded = map(published, optimum.risk_contributions.tolist())
            shares = dict(zip(self.symbols, rounded, strict=True))
        self._number += 1
        self._latest[objective] = (proposal, shares)
        step.write(
            "portfolio.proposal_saved",
            number=self._number,
            proposal_id=proposal.proposal_id,
            slice=step.slice,
            at=step.at,
            objective=objective.value,
            proposal=msgspec.json.encode(proposal),
            risk_contributions=msgspec.json.encode(shares),
        )
        step.say(proposal)

    def _drift(self, objective: Objective) -> float | None:
        latest, target = self._latest.get(objective), self._targets.of(objective.value)
        if latest is None or target is None:
            return None
        return published(turnover(np.array(latest[0].weights), target))

    def portfolio(self, query: GetPortfolio, caller: Caller) -> PortfolioView:
        """Return the present proposal of every objective."""
        have, need = self._moments.have, self._config.window_bars
        waiting = (
            f"not enough data: {have} of {need} joint returns{_sparse(self.symbols, self._bars)}"
            if have < need
            else f"the next proposal is due within {self._config.every_bars} bars"
        )
        return PortfolioView(
            proposals=tuple(
                shown(
                    objective,
                    self._latest.get(objective),
                    reason=self._reasons.get(objective) or None,
                    waiting=waiting,
                    have=have,
                    need=need,
                    symbols=self.symbols,
                    target=self._targets.of(objective.value),
                    drift=self._drift(objective),
                )
                for objective in self.objectives
            )
        )


def _sparse(symbols: Sequence[str], bars: Ints) -> str:
    """Name the instruments without which no return is joint: those with the fewest bars."""
    most, least = int(bars.max()), int(bars.min())
    if least == most:
        return ""
    names = ", ".join(
        name for name, count in zip(symbols, bars.tolist(), strict=True) if count == least
    )[:400]
    had = f"only {least} of {most} bars" if least else "no bar yet"
    return f"; {had} of {names}"


def _basis(sample: Sample) -> Basis | DomainError:
    try:
        return basis_of(sample)
    except DomainError as refusal:
        return refusal
