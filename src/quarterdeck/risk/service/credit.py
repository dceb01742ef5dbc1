"""The credit line of every agent and of the deck: learned, told with its causes, and at the gate in the same step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np

from quarterdeck.execution.model import Code, OrderFilled, OrderView
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.money import MONEY_SCALE, from_units, text_of
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.adapt import (
    POLICIES,
    diversification,
    explained,
    grounding,
    learned_from,
    least_gain,
    mixture,
    moved,
    policies,
    weights_of,
)
from quarterdeck.risk.core.learning import LEAST
from quarterdeck.risk.core.limits import banded_limit
from quarterdeck.risk.core.stops import Trade, distance, followed
from quarterdeck.risk.model import (
    Adaptation,
    CreditChanged,
    CreditChangeView,
    CreditsView,
    CreditView,
    LimitEffect,
    PolicyWeight,
    ResetAdaptation,
    RiskScope,
    SetAdaptation,
)
from quarterdeck.risk.service.accounts import Account, fresh
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.service.multipliers import Multipliers
from quarterdeck.risk.service.outcomes import Outcomes
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODEL: Final = "credit 1"
DIGITS: Final = 9
MAX_REASON: Final = 500
Z99: Final = 2.326
"""Standard deviations of a 99 % VaR, by which an outcome is told in units of its forecast."""


class Around(msgspec.Struct, frozen=True):
    """What the market says to every agent at the close of a slice.

    ``condition`` is its condition's multiplier; ``correlations`` the mean correlation of all pairs,
    lately and usually; ``scaling`` and ``close`` are each instrument's.
    """

    condition: float
    correlations: tuple[float, float] | None
    scaling: Floats
    close: Floats


Loss = Callable[[str], int | None]
Weights = Callable[[str], Floats | None]
Restrain = Callable[[RiskScope, str, Step], None]


class Credits:
    """Learners and credit lines by agent; all journaled, one row each."""

    def __init__(
        self,
        config: RiskSection,
        *,
        gross_ratio: float,
        capital_units: int,
        loss: Loss,
        weights: Weights,
        multipliers: Multipliers,
        restrain: Restrain,
    ) -> None:
        self._config = config
        self._gross_ratio = gross_ratio
        self._loss = loss
        self._weights = weights
        self._restrain = restrain
        self._mode = Adaptation(config.adaptation)
        self._number = 0
        self._accounts: dict[str, Account] = {}
        self._multipliers = multipliers
        self._outcomes = Outcomes(
            config,
            accounts=self._accounts,
            capital_units=capital_units,
            multipliers=multipliers,
            restrain=restrain,
        )

    def load(self, reader: Reader) -> None:
        """Take up what was learned, and the mode."""
        for row in reader.rows("risk.adaptation"):
            self._mode = Adaptation(row["mode"])
        self._number = int(reader.rows("risk.last_credit_change")[0]["number"])
        self._outcomes.distances.load(reader)
        self._accounts.clear()
        for row in reader.rows("risk.credit_accounts"):
            self._accounts[str(row["agent"])] = msgspec.json.decode(row["kept"], type=Account)

    def units(self, agent: str) -> int | None:
        """Return the credit line in force in money units; ``None`` where none is."""
        account = self._accounts.get(agent)
        return account.credit_units if account is not None and self._live else None

    @property
    def _live(self) -> bool:
        return self._mode is not Adaptation.SHADOW

    @property
    def mode(self) -> Adaptation:
        """What becomes of what is learned."""
        return self._mode

    def brief(self, agent: str) -> tuple[Decimal | None, float | None, float | None]:
        """Return an agent's line in force, learned share and stop distance; ``None`` where unknown."""
        account, units = self._accounts.get(agent), self.units(agent)
        line = None if units is None else from_units(units, MONEY_SCALE)
        if account is None:
            return line, None, None
        return line, account.learner.held, None if account.stop is None else account.stop.distance

    def equities(self) -> dict[str, int]:
        """Return every agent's money units at the last close, by name."""
        return {name: one.equity for name, one in sorted(self._accounts.items()) if name != DECK}

    def note_order(self, order: OrderView, step: Step) -> None:
        """Count an order, and whether its premise was false."""
        codes = {breach.code for breach in order.decision.breaches}
        for name in (str(order.agent), DECK):
            account = self._accounts.get(name)
            if account is not None and self._mode is not Adaptation.FROZEN:
                account.orders += 1
                account.doubtful += Code.FALSE_PREMISE in codes
                self._keep(name, step)

    def follow_fill(
        self, fill: OrderFilled, step: Step, *, held: int, price: float, volatility: float
    ) -> None:
        """Follow a position from its opening, and learn from it when it closes; ``held`` is after."""
        agent = str(fill.agent)
        account = self._accounts.get(agent)
        if account is None or self._mode is Adaptation.FROZEN:
            return
        trade = account.trades.get(fill.instrument)
        sign, changed = (held > 0) - (held < 0), {agent}
        if trade is not None and sign != trade.sign:
            del account.trades[fill.instrument]
            changed |= self._outcomes.learn(agent, trade, price, step, in_force=self._live)
            trade = None
        if trade is None and sign and volatility > 0.0:
            opened = Trade(sign, price, volatility, 0.0, brake=account.brake)
            account.trades[fill.instrument] = opened
        for name in sorted(changed):
            self._keep(name, step)

    def follow(
        self,
        scores: Mapping[str, AgentScored],
        around: Around,
        step: Step,
        *,
        deck: AgentScored | None = None,
    ) -> None:
        """Learn from every agent's bar, and from the deck's, and move their credit lines."""
        earned = {
            agent: score.equity_units - self._accounts[agent].equity
            for agent, score in scores.items()
            if agent in self._accounts
        }
        # What a newcomer brings is no gain of the deck's.
        earned[DECK] = sum(earned.values())
        together = {} if deck is None else {DECK: deck}
        for agent, score in {**scores, **together}.items():
            account = self._accounts.get(agent)
            if account is None:
                account = self._accounts[agent] = fresh()
                self._outcomes.begin(agent, step, in_force=self._live)
            if self._mode is not Adaptation.FROZEN:
                self._learn(account, earned.get(agent, 0), around)
            self._expect(agent, account, score, around)
            self._move(agent, account, score, around, step)
            self._keep(agent, step)

    def stop_ratio(self, agent: str) -> float | None:
        """Return the furthest stop in force, in 99 % VaR of a bar; ``None`` where none is."""
        account = self._accounts.get(agent)
        if account is None or account.stop is None or not self._live:
            return None
        return account.stop.distance / Z99

    def size_share(self, agent: str) -> float | None:
        """Return what an agent's position limits are scaled by; ``None`` where nothing is in force."""
        return self._multipliers.position_of(agent) if self._live else None

    def set_mode(self, command: SetAdaptation, step: Step) -> CreditsView:
        """Let what is learned be in force, freeze it, or only show it."""
        reason = _reason(command.reason)
        if command.mode is not self._mode:
            self._mode = command.mode
            step.write("risk.adaptation_saved", mode=command.mode.value)
            step.record("paper", "adaptation_set", mode=command.mode.value, reason=reason)
            for name in sorted(self._accounts):
                self._restrain(*_level_of(name), step)
        return self.view()

    def reset(self, command: ResetAdaptation, step: Step) -> CreditsView:
        """Forget what was learned; the next slice begins again, conservatively."""
        reason = _reason(command.reason)
        if command.agent is not None and command.agent not in self._accounts:
            known = ", ".join(sorted(self._accounts)) or "no agent has been scored yet"
            raise NotFound(
                "no such agent", field="agent", value=command.agent[:80], accepted=known[:400]
            )
        for agent in sorted(self._accounts) if command.agent is None else [command.agent]:
            account = self._accounts[agent]
            # The line itself stays where it is until the next slice: forgetting must not loosen it.
            self._accounts[agent] = fresh(account, size=self._multipliers.position_of(agent))
            self._keep(agent, step)
        step.record("paper", "adaptation_reset", agent=command.agent or "all", reason=reason)
        return self.view()

    def view(self) -> CreditsView:
        """Return the line of the deck and of every agent, and what they rest on."""
        return CreditsView(
            mode=self._mode,
            deck=self._view(DECK) if DECK in self._accounts else None,
            agents=tuple(self._view(name) for name in sorted(self._accounts) if name != DECK),
        )

    def _keep(self, agent: str, step: Step) -> None:
        kept = msgspec.json.encode(self._accounts[agent]).decode()
        step.write("risk.credit_account_saved", agent=agent, kept=kept)

    def _learn(self, account: Account, earned: int, around: Around) -> None:
        """Hold what the bar earned against the deviation that was forecast for it."""
        for row, trade in list(account.trades.items()):
            account.trades[row] = followed(trade, float(around.close[row]))
        if account.said and account.var99_units:
            outcome = round(earned * Z99 / account.var99_units, DIGITS)
            account.learner = learned_from(account.learner, outcome, account.said)

    def _expect(self, agent: str, account: Account, score: AgentScored, around: Around) -> None:
        """Note what each policy says for the next bar, and bring the share towards their mixture."""
        held, scale = self._weights(agent), 1.0
        if held is not None and np.abs(held).sum() > 0.0:
            known = np.abs(held) * np.isfinite(around.scaling)
            if known.sum() > 0.0:
                shares = known / known.sum()
                scale = round(float(shares @ np.nan_to_num(around.scaling)), DIGITS)
        account.said = policies(
            volatility=scale,
            condition=around.condition,
            drawdown=round(score.drawdown_fraction, DIGITS),
        )
        account.equity, account.var99_units = score.equity_units, self._loss(agent)
        if self._mode is not Adaptation.FROZEN:
            account.learner = moved(account.learner, mixture(account.learner, account.said))

    def _move(
        self, agent: str, account: Account, score: AgentScored, around: Around, step: Step
    ) -> None:
        factors = {
            "share": account.learner.held,
            "grounding": grounding(account.orders, account.doubtful),
            "correlation": diversification(around.correlations),
            "equity": float(max(score.equity_units, 0)),
        }
        hard = max(0, int(self._gross_ratio * score.equity_units))
        scale = max(LEAST, factors["share"] * factors["grounding"] * factors["correlation"])
        over, under = scale.as_integer_ratio()
        before = account.credit_units
        units = banded_limit(
            None if before is None else min(before, hard),
            hard * over // under,
            band=self._config.limit_band_fraction,
            loosening=0.0 if self._mode is Adaptation.FROZEN else self._config.credit_loosening,
            hard_limit_units=hard,
        )
        if units == before:
            return
        total = math.log(max(units, 1) / max(hard if before is None else before, 1))
        causes = explained(account.factors or None, factors, total)
        account.credit_units, account.factors = units, factors
        self._number += 1
        _journal(
            CreditChanged(
                at=step.at,
                slice=step.slice,
                number=self._number,
                agent=agent,
                previous_units=before,
                credit_units=units,
                share=scale,
                in_force=self._live,
                because=f"{scale:.0%} of {self._gross_ratio:g} times the equity of "
                f"{score.equity_units / 10**MONEY_SCALE:,.2f}"
                + (", of all agents together" if agent == DECK else ""),
                effects=tuple(LimitEffect(cause, change) for cause, change in causes),
                model=MODEL,
                loss99_units=account.var99_units,
            ),
            step,
        )
        self._restrain(*_level_of(agent), step)

    def _view(self, name: str) -> CreditView:
        one = self._accounts[name]
        said = one.said or (0.0,) * len(POLICIES)
        return CreditView(
            agent=name,
            credit=None if one.credit_units is None else from_units(one.credit_units, MONEY_SCALE),
            in_force=self.units(name) is not None,
            share=one.learner.held,
            factors={k: v for k, v in one.factors.items() if k not in ("share", "equity")},
            bars=one.learner.bars,
            least_gain=least_gain(one.learner),
            policies=tuple(
                PolicyWeight(policy=policy, share=share, weight=weight)
                for policy, share, weight in zip(
                    POLICIES, said, weights_of(one.learner), strict=True
                )
            ),
            size=one.sizes.held,
            size_in_force=self.size_share(name) if name != DECK else None,
            stop_distance=distance(one.stops),
            trades=one.stops.trades,
            stop_in_force=None
            if self.stop_ratio(name) is None or one.stop is None
            else one.stop.distance,
        )


def _journal(change: CreditChanged, step: Step) -> None:
    effects = msgspec.json.encode(change.effects).decode()
    step.write(
        "risk.credit_change_saved",
        number=change.number,
        at=change.at,
        slice=change.slice,
        agent=change.agent,
        previous_units=change.previous_units,
        credit_units=change.credit_units,
        share=change.share,
        in_force=int(change.in_force),
        because=change.because,
        effects=effects,
        model=change.model,
        loss99_units=change.loss99_units,
    )
    step.record(
        "paper",
        "credit_changed",
        agent=change.agent,
        credit=text_of(change.credit_units, MONEY_SCALE),
        in_force=change.in_force,
        because=change.because,
        effects=effects,
        model=change.model,
    )
    step.say(change)


def _level_of(name: str) -> tuple[RiskScope, str]:
    return (RiskScope.DECK, "") if name == DECK else (RiskScope.AGENT, name)


def credit_change_of(row: Mapping[str, Any]) -> CreditChangeView:
    """Return the view of one row of ``risk_credit_changes``."""
    previous, loss = row["previous_units"], row["loss99_units"]
    return CreditChangeView(
        number=row["number"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        agent=row["agent"],
        previous=None if previous is None else from_units(previous, MONEY_SCALE),
        credit=from_units(row["credit_units"], MONEY_SCALE),
        share=row["share"],
        in_force=bool(row["in_force"]),
        because=row["because"],
        effects=msgspec.json.decode(row["effects"], type=tuple[LimitEffect, ...]),
        model=row["model"],
        loss99=None if loss is None else from_units(loss, MONEY_SCALE),
    )


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON:
        raise InvalidInput.of("reason", text[:80], f"1 to {MAX_REASON} characters")
    return reason
