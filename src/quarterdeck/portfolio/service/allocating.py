"""Shares capital out among agents by the optimiser, on approval or by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec
import numpy as np

from quarterdeck.agents.model import AgentRegistered, TaskFailed, TaskFinished
from quarterdeck.execution.model import CapitalMoved, MoveCapital
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import DAY, Nanos, rfc3339
from quarterdeck.market.model import BarsClosed, Floats
from quarterdeck.portfolio.core.allocation import (
    KEPT,
    Account,
    joint_history,
    moves,
    session_return,
    shared_sessions,
    targets,
)
from quarterdeck.portfolio.core.budget import ROUNDING
from quarterdeck.portfolio.core.certificate import condition_number, weakness
from quarterdeck.portfolio.core.estimate import sample_covariance, turnover
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.sums import published
from quarterdeck.portfolio.core.triggers import period_of, session_of
from quarterdeck.portfolio.model.allocation import (
    AllocationView,
    CapitalMove,
    CarryAllocation,
    EndAllocation,
    GetAllocation,
    SetAllocation,
    ShareRow,
)
from quarterdeck.portfolio.model.rebalancing import Mode
from quarterdeck.portfolio.ports import Charges, Treasury
from quarterdeck.portfolio.service.configured import allocation_of
from quarterdeck.portfolio.service.sharing import best_shares, check_allocation, present_shares
from quarterdeck.runtime.config_allocation import AllocationEntry
from quarterdeck.runtime.policy import DECK_CALLER, Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State

PARTITION: Final = "portfolio"
MOST_REASON: Final = 500


class Standing(msgspec.Struct):
    """What was arranged, by whom, and what it came to; ``since`` is when it was last looked at."""

    allocation: SetAllocation
    since: Nanos
    due: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """The best shares of the present close, in the order of the agents arranged."""

    found: Optimum
    mean: Floats
    deviation: Floats
    span: tuple[int, int]
    condition: float | None
    warning: str | None


class AllocationService:
    """Keeps agents' returns by session and the standing allocation; all of it is journaled."""

    name: ClassVar[str] = "allocation"
    state: ClassVar[Mapping[str, State]] = {
        "_treasury": State.FIXED,
        "_charges": State.FIXED,
        "_configured": State.FIXED,
        "_accounts": State.JOURNALED,
        "_series": State.JOURNALED,
        "_session": State.JOURNALED,
        "_standing": State.JOURNALED,
    }

    def __init__(
        self,
        *,
        treasury: Treasury,
        charges: Charges,
        configured: Sequence[AllocationEntry] = (),
    ) -> None:
        self._configured = allocation_of(configured)
        self._treasury = treasury
        self._charges = charges
        self._accounts: dict[str, Account] = {}
        self._series: dict[str, dict[int, float]] = {}
        self._session = -1
        self._standing: Standing | None = None

    def load(self, reader: Reader) -> None:
        """Take everything up where the database left it."""
        self._accounts = {
            str(row["agent"]): msgspec.json.decode(row["account"], type=Account)
            for row in reader.rows("portfolio.session_accounts")
        }
        self._series = {}
        for row in reader.rows("portfolio.session_returns"):
            self._series.setdefault(str(row["agent"]), {})[int(row["session"])] = float(
                row["value"]
            )
        for row in reader.rows("portfolio.allocation"):
            self._session = int(row["session"])
            kept = row["standing"]
            self._standing = None if kept is None else msgspec.json.decode(kept, type=Standing)

    def hear(self, message: Message, step: Step) -> None:
        """Count what is charged and moved; at the first close of a session count what it earned.

        What the configuration names begins when the last of its agents joins, which is once in a run.
        """
        match message:
            case AgentRegistered():
                named = self._configured
                begins = named is not None and message.agent in named.agents
                if (
                    named is not None
                    and begins
                    and self._standing is None
                    and not _missing(self._treasury, named)
                ):
                    self._arrange(named, step)
            case TaskFinished() | TaskFailed():
                self._charge(message.agent, step)
            case CapitalMoved():
                for agent, sign in ((message.from_agent, -1), (message.to_agent, 1)):
                    if agent in self._accounts:
                        self._accounts[agent].flows += sign * message.amount_units
                        self._save_account(agent, step)
            case BarsClosed() if not message.warming_up:
                if session_of(step.at) > self._session:
                    self._begin(step)
                    self._look(step)
            case _:
                pass

    def _charge(self, agent: AgentId | None, step: Step) -> None:
        units = None if agent is None else self._charges.charge_units(agent)
        if agent is not None and units and agent in self._accounts:
            self._accounts[agent].charges += units
            self._save_account(agent, step)

    def _begin(self, step: Step) -> None:
        """Close the session before, from its first close to the first one of this."""
        for agent in self._treasury.agents():
            equity = self._treasury.equity(agent)
            account = self._accounts.get(agent)
            value = None if account is None else session_return(account, equity)
            if value is not None:
                series = self._series.setdefault(agent, {})
                series[self._session] = value
                for old in sorted(series)[:-KEPT]:
                    del series[old]
                step.write(
                    "portfolio.session_return_saved",
                    agent=agent,
                    session=self._session,
                    value=value,
                )
                step.write(
                    "portfolio.session_returns_cut", agent=agent, before=min(series, default=0)
                )
            self._accounts[agent] = Account(base=equity)
            self._save_account(agent, step)
        self._session = session_of(step.at)
        self._save(step)

    def _look(self, step: Step) -> None:
        """See at a session's first close whether it is due; move capital, or wait to be approved.

        What waits is no longer due once the turnover has fallen below what was asked for.
        """
        standing = self._standing
        if standing is None:
            return
        asked, waits = standing.allocation, standing.due is not None
        if asked.every is None and asked.drift is None:
            return
        every = None if waits else asked.every
        if every is not None and period_of(step.at, every) <= period_of(standing.since, every):
            return
        try:
            apart = _apart(self._treasury, asked, self._best(asked))
        except DomainError as refusal:
            if not waits:
                self._came_to(standing, refusal.message, step)
            return
        if asked.drift is not None and apart < asked.drift:
            told = f"turnover {apart:.4f} is below {asked.drift:g}"
            if waits:
                standing.due = None
                self._came_to(standing, f"no longer due: {told}", step)
            elif asked.every is not None:
                self._came_to(standing, told, step)
        elif asked.mode is Mode.AUTOMATIC:
            self._came_to(standing, self._carry("by its mandate", DECK_CALLER, step), step)
        elif not waits:
            standing.due = f"{rfc3339(step.at)}: turnover {apart:.4f}"
            self._came_to(standing, f"proposed, {asked.mode.value}", step)

    def _came_to(self, standing: Standing, told: str, step: Step) -> None:
        asked = standing.allocation
        if asked.every is None and standing.last == told and standing.due is None:
            return
        standing.since, standing.last = step.at, told
        self._save(step)

    def _best(self, asked: SetAllocation) -> Shares:
        lived = shared_sessions(self._series, asked.agents, sessions=asked.sessions)
        returns = joint_history(self._series, asked.agents, sessions=asked.sessions)
        mean, covariance = returns.mean(axis=0), sample_covariance(returns)
        found = best_shares(
            asked,
            returns,
            mean=mean,
            covariance=covariance,
            equities=_present(self._treasury, asked.agents),
        )
        for agent, share in zip(asked.agents, found.weights.tolist(), strict=True):
            if not asked.min_share - ROUNDING <= share <= asked.max_share + ROUNDING:
                raise DomainError(
                    f"the only {asked.objective.value} shares give {share:.1%} to {agent}; allowed "
                    f"are {asked.min_share:.1%} to {asked.max_share:.1%}",
                    code="OUTSIDE_BOUNDS",
                )
        condition = condition_number(covariance)
        return Shares(
            found,
            mean,
            np.sqrt(np.diag(covariance)),
            span=(lived[0], lived[-1]),
            condition=condition,
            warning=weakness(len(asked.agents), observations=len(lived), condition=condition),
        )

    def _moves(self, asked: SetAllocation, best: Shares) -> tuple[list[CapitalMove], int]:
        """Return what would be moved, in whole units, and what could not be."""
        present = _present(self._treasury, asked.agents)
        wanted = targets(best.found.weights, total=sum(present))
        free = [self._treasury.movable(agent) for agent in asked.agents]
        found = [
            CapitalMove(
                from_agent=AgentId(asked.agents[giver]),
                to_agent=AgentId(asked.agents[taker]),
                amount=from_units(amount, MONEY_SCALE),
            )
            for giver, taker, amount in moves(present, wanted, free)
        ]
        lacking = sum(
            max(want - have, 0) for have, want in zip(present, wanted, strict=True)
        ) - sum(amount for _, _, amount in moves(present, wanted, free))
        return found, lacking

    def _carry(self, reason: str, caller: Caller, step: Step) -> str:
        """Move capital to the present shares; return what it came to."""
        assert self._standing is not None
        asked = self._standing.allocation
        planned, _ = self._moves(asked, self._best(asked))
        carried, told = 0, ""
        for each in planned:
            command = MoveCapital(
                idempotency_key=step.new_id("alc"),
                from_agent=each.from_agent,
                to_agent=each.to_agent,
                amount=each.amount,
                reason=f"allocation by {asked.objective.value}: {reason}"[:MOST_REASON],
            )
            try:
                step.carry(command, caller)
                carried += 1
            except DomainError as refusal:
                told = f"; refused: {refusal.message}"
        step.record(PARTITION, "allocation_carried", moves=carried, reason=reason)
        return f"{carried} of {len(planned)} moves, {reason}{told}"

    def set_allocation(self, command: SetAllocation, step: Step) -> AllocationView:
        """Arrange by what, among whom and when capital is shared out."""
        check_allocation(command)
        known = self._treasury.agents()
        for agent in command.agents:
            if agent not in known:
                raise NotFound(
                    f"no agent {agent[:64]!r} with an account",
                    field="agents",
                    value=agent[:64],
                    accepted=", ".join(known[:20]) or "no agent has an account yet",
                )
        self._arrange(command, step)
        return self._view()

    def _arrange(self, asked: SetAllocation, step: Step) -> None:
        self._standing = Standing(allocation=asked, since=step.at)
        self._save(step)
        terms = msgspec.json.encode(asked, order="sorted").decode()
        step.record(PARTITION, "allocation_set", terms=terms)

    def end_allocation(self, command: EndAllocation, step: Step) -> AllocationView:
        """Share capital out no longer."""
        _reason(command.reason)
        self._arranged()
        self._standing = None
        self._save(step)
        step.record(PARTITION, "allocation_ended", reason=command.reason)
        return self._view()

    def carry_allocation(self, command: CarryAllocation, step: Step) -> AllocationView:
        """Move capital to the shares that are best at this close, or refuse with the reason."""
        _reason(command.reason)
        standing = self._arranged()
        if standing.allocation.mode is Mode.ADVISORY:
            raise Conflict("the allocation is advisory: it is shown only", code="NOT_APPROVABLE")
        told = self._carry(command.reason, step.caller, step)
        standing.due = None
        standing.since, standing.last = step.at, told
        self._save(step)
        return self._view()

    def allocation(self, _query: GetAllocation, _caller: Caller) -> AllocationView:
        """Return what is arranged and what it would come to now."""
        return self._view()

    def _arranged(self) -> Standing:
        if self._standing is None:
            raise Conflict("no allocation is arranged", code="NO_ALLOCATION")
        return self._standing

    def _view(self) -> AllocationView:
        standing = self._standing
        agents = self._treasury.agents() if standing is None else standing.allocation.agents
        best: Shares | None = None
        apart, left, planned, reason = None, None, tuple[CapitalMove, ...](), None
        if standing is not None:
            try:
                best = self._best(standing.allocation)
                apart = _apart(self._treasury, standing.allocation, best)
                found, lacking = self._moves(standing.allocation, best)
                planned, left = tuple(found), from_units(lacking, MONEY_SCALE)
            except DomainError as refusal:
                reason = refusal.message
        proof = None if best is None else best.found
        return AllocationView(
            allocation=None if standing is None else standing.allocation,
            rows=self._rows(agents, best),
            moves=planned,
            turnover=apart,
            left=left,
            optimality_gap=None if proof is None else _figure(proof.optimality_gap),
            kkt_residual=None if proof is None else _figure(proof.kkt_residual),
            solver=None if proof is None else proof.solver,
            span_from=None if best is None else _day(best.span[0]),
            span_to=None if best is None else _day(best.span[1]),
            condition=None if best is None else best.condition,
            warning=None if best is None else best.warning,
            reason=reason,
            due=None if standing is None else standing.due,
            last=None if standing is None else standing.last,
            cvar=None if proof is None else _figure(proof.cvar),
            waiting=() if standing is not None else _missing(self._treasury, self._configured),
        )

    def _rows(self, agents: Sequence[str], best: Shares | None) -> tuple[ShareRow, ...]:
        present = _present(self._treasury, agents)
        total = sum(present)
        return tuple(
            ShareRow(
                agent=AgentId(agent),
                sessions=len(self._series.get(agent, {})),
                charges=from_units(
                    self._accounts[agent].charges if agent in self._accounts else 0, MONEY_SCALE
                ),
                equity=from_units(present[row], MONEY_SCALE),
                movable=from_units(self._treasury.movable(agent), MONEY_SCALE),
                share=published(present[row] / total) if total > 0 else 0.0,
                target=None if best is None else float(best.found.weights[row]),
                expected_return=None if best is None else published(float(best.mean[row])),
                volatility=None if best is None else published(float(best.deviation[row])),
            )
            for row, agent in enumerate(agents)
        )

    def _save_account(self, agent: str, step: Step) -> None:
        step.write(
            "portfolio.session_account_saved",
            agent=agent,
            account=msgspec.json.encode(self._accounts[agent]),
        )

    def _save(self, step: Step) -> None:
        standing = None if self._standing is None else msgspec.json.encode(self._standing)
        step.write("portfolio.allocation_saved", one=1, session=self._session, standing=standing)


def _apart(treasury: Treasury, asked: SetAllocation, best: Shares) -> float:
    present = present_shares(_present(treasury, asked.agents))
    return published(turnover(present, best.found.weights))


def _missing(treasury: Treasury, configured: SetAllocation | None) -> tuple[str, ...]:
    """Return the agents that what is configured waits for."""
    known = treasury.agents()
    return () if configured is None else tuple(one for one in configured.agents if one not in known)


def _figure(figure: float | None) -> float | None:
    return None if figure is None else published(figure)


def _day(session: int) -> str:
    return rfc3339(Nanos(session * DAY))


def _present(treasury: Treasury, agents: Sequence[str]) -> list[int]:
    return [treasury.equity(agent) for agent in agents]


def _reason(text: str) -> None:
    if not text.strip() or len(text) > MOST_REASON:
        raise InvalidInput.of("reason", text, f"1 to {MOST_REASON} characters")
