"""Proposals of optimal portfolios, at fixed distances in bars.

What is recorded does not depend on the processor: weights are in steps of 1e-9 and every figure that
follows from them is rounded to 12 significant digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np

from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import BarsClosed, Floats, Ints
from quarterdeck.portfolio.core.estimate import sample_covariance, turnover
from quarterdeck.portfolio.core.optimise import equal_weight, max_sharpe, min_volatility
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.sums import published
from quarterdeck.portfolio.model import (
    GetPortfolio,
    GetProposals,
    Objective,
    PortfolioView,
    ProposalRecord,
    ProposalsView,
    ProposalView,
    RebalanceProposed,
)
from quarterdeck.runtime.config import PortfolioSection
from quarterdeck.runtime.paging import page
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, History, Reader, State

RISK_FREE = 0.0
"""The risk-free rate of every Sharpe ratio here: no rate is known, so excess is over zero."""

Shares = dict[str, float]


class PortfolioService:
    """Keeps a window of joint returns and proposes from it."""

    name: ClassVar[str] = "portfolio"
    state: ClassVar[Mapping[str, State]] = {
        "_symbols": State.FIXED,
        "_config": State.FIXED,
        "_closes": State.CHECKPOINTED,
        "_returns": State.CHECKPOINTED,
        "_count": State.CHECKPOINTED,
        "_number": State.JOURNALED,
        "_latest": State.JOURNALED,
        "_reasons": State.JOURNALED,
    }

    def __init__(self, *, symbols: tuple[str, ...], config: PortfolioSection) -> None:
        n = len(symbols)
        self._symbols = symbols
        self._config = config
        self._closes: Floats = np.full(n, np.nan)
        self._returns: Floats = np.full((config.window_bars, n), np.nan)
        self._count: Ints = np.zeros(1, dtype=np.int64)
        self._number = 0
        self._latest: dict[Objective, tuple[RebalanceProposed, Shares]] = {}
        self._reasons: dict[Objective, str] = {}

    def load(self, reader: Reader) -> None:
        """Take up the last proposals."""
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
        """Take the slice into the window and propose when it is time."""
        if not isinstance(message, BarsClosed):
            return
        self.absorb(message)
        have = int(self._count[0])
        if have >= self._config.window_bars and message.index % self._config.every_bars == 0:
            for objective in Objective:
                self._propose(objective, step)
        latest = self._latest.get(Objective.MAX_SHARPE)
        step.say(
            NumbersPublished(
                name="portfolio.turnover_fraction",
                values={"deck": None if latest is None else latest[0].turnover},
            )
        )

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        return {"closes": self._closes, "returns": self._returns, "count": self._count}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")

    def absorb(self, bars: Message) -> None:
        """Append the slice's joint return; one that not all instruments have is left out."""
        if not isinstance(bars, BarsClosed):
            return
        before = self._closes.copy()
        self._closes[bars.rows] = bars.close
        joint = self._closes / before - 1.0
        if bars.rows.size == len(self._symbols) and np.isfinite(joint).all():
            self._returns[int(self._count[0]) % self._config.window_bars] = joint
            self._count[0] += 1

    def _propose(self, objective: Objective, step: Step) -> None:
        try:
            optimum = self._optimum(objective)
        except DomainError as refusal:
            self._reasons[objective] = refusal.message
            step.write("portfolio.reason_saved", objective=objective.value, reason=refusal.message)
            return
        if self._reasons.pop(objective, ""):
            step.write("portfolio.reason_saved", objective=objective.value, reason="")
        year = self._config.periods_per_year
        expected = None if optimum.expected_return is None else optimum.expected_return * year
        before = self._latest.get(objective)
        proposal = RebalanceProposed(
            at=step.at,
            slice=step.slice,
            proposal_id=step.new_id("prp"),
            objective=objective,
            symbols=self._symbols,
            weights=tuple(optimum.weights.tolist()),
            expected_return=_published(expected),
            volatility=published(optimum.volatility * math.sqrt(year)),
            sharpe=_published(optimum.sharpe, times=math.sqrt(year)),
            turnover=None
            if before is None
            else published(turnover(np.array(before[0].weights), optimum.weights)),
            optimality_gap=_published(optimum.optimality_gap),
            observations=self._config.window_bars,
            solver=optimum.solver,
        )
        shares: Shares = {}
        if optimum.risk_contributions is not None:
            rounded = map(published, optimum.risk_contributions.tolist())
            shares = dict(zip(self._symbols, rounded, strict=True))
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

    def _optimum(self, objective: Objective) -> Optimum:
        covariance = sample_covariance(self._returns)
        mean = self._returns.mean(axis=0)
        n, cap = len(self._symbols), self._config.max_weight
        # A cap below 1/n admits no portfolio at all; equal weights are then the only sensible one.
        cap = max(cap, 1.0 / n)
        match objective:
            case Objective.MIN_VOLATILITY:
                found = min_volatility(covariance, lower=0.0, upper=cap, rounded=True)
                return measured(
                    found.weights,
                    covariance,
                    mean=mean,
                    risk_free=RISK_FREE,
                    optimality_gap=found.optimality_gap,
                    ridge=found.ridge,
                    solver=found.solver,
                )
            case Objective.MAX_SHARPE:
                return max_sharpe(
                    mean, covariance, risk_free=RISK_FREE, lower=0.0, upper=cap, rounded=True
                )
            case Objective.EQUAL_WEIGHT:
                return measured(
                    equal_weight(n),
                    covariance,
                    mean=mean,
                    risk_free=RISK_FREE,
                    optimality_gap=None,
                    ridge=0.0,
                    solver="none",
                )

    def portfolio(self, query: GetPortfolio, caller: Caller) -> PortfolioView:
        """Return the present proposal of every objective."""
        return PortfolioView(proposals=tuple(self._view(objective) for objective in Objective))

    def _view(self, objective: Objective) -> ProposalView:
        have, need = min(int(self._count[0]), self._config.window_bars), self._config.window_bars
        latest = self._latest.get(objective)
        reason = self._reasons.get(objective) or None
        if latest is None:
            reason = reason or (
                f"not enough data: {have} of {need} joint returns"
                if have < need
                else f"the next proposal is due within {self._config.every_bars} bars"
            )
            return ProposalView(
                objective=objective,
                at=None,
                weights=None,
                expected_return=None,
                volatility=None,
                sharpe=None,
                turnover=None,
                risk_contributions=None,
                optimality_gap=None,
                observations=have,
                need=need,
                solver=None,
                reason=reason,
            )
        proposal, shares = latest
        return ProposalView(
            objective=objective,
            at=rfc3339(proposal.at),
            weights=dict(zip(proposal.symbols, proposal.weights, strict=True)),
            expected_return=proposal.expected_return,
            volatility=proposal.volatility,
            sharpe=proposal.sharpe,
            turnover=proposal.turnover,
            risk_contributions=shares or None,
            optimality_gap=proposal.optimality_gap,
            observations=proposal.observations,
            need=need,
            solver=proposal.solver,
            reason=reason,
        )

    async def proposals(
        self, query: GetProposals, caller: Caller, history: History
    ) -> ProposalsView:
        """Return a page of proposals, newest first."""
        rows = await history.rows("portfolio.proposals", **page(query.limit, query.before))
        records = tuple(_record_of(row) for row in rows)
        return ProposalsView(
            proposals=records, next=records[-1].number if len(records) == query.limit else None
        )


def _published(figure: float | None, *, times: float = 1.0) -> float | None:
    return None if figure is None else published(figure * times)


def _record_of(row: Mapping[str, Any]) -> ProposalRecord:
    proposal = msgspec.json.decode(row["proposal"], type=RebalanceProposed)
    return ProposalRecord(
        number=row["number"],
        proposal_id=proposal.proposal_id,
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        objective=proposal.objective,
        weights=dict(zip(proposal.symbols, proposal.weights, strict=True)),
        expected_return=proposal.expected_return,
        volatility=proposal.volatility,
        sharpe=proposal.sharpe,
        turnover=proposal.turnover,
    )
