"""The one stateful class of the capability: the agents, their keys and the board of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

from quarterdeck.agents import store
from quarterdeck.agents.core import agenda, keys, moving, news, roster, views
from quarterdeck.agents.core.agenda import Entry
from quarterdeck.agents.core.board import MAX_FINISHED_KEPT, MAX_LOST_KEPT, Board
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.core.skill import Skills
from quarterdeck.agents.core.task import Agent, Judgement, Key
from quarterdeck.agents.core.timetable import Schedule
from quarterdeck.agents.model import (
    AgentRegistered,
    AgentState,
    Claim,
    PauseAgent,
)
from quarterdeck.agents.ports import Equity, Secrets
from quarterdeck.agents.service import people, schedules, scoring
from quarterdeck.agents.service.telling import ask_for_review, take_turns, tell
from quarterdeck.alerts.model import AlertRaised
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, Priority, Regime
from quarterdeck.market.model import BarsClosed
from quarterdeck.portfolio.model import DriftMeasured
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.risk.model import Response, RiskResponded
from quarterdeck.runtime.config import AgentsSection
from quarterdeck.runtime.policy import Caller, CallerKind, Permission
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State


class AgentsService:
    """Knows the agents, gives them keys and hands out the work; what it does is in the files beside.

    Leases and key times count in machine time, everything else in market time. ``authenticate`` and
    ``held_claims`` read memory and may be called at any time on the event loop. ``seen_at`` is the machine
    time of the last step that looked.
    """

    name: ClassVar[str] = "agents"
    state: ClassVar[Mapping[str, State]] = {
        "policy": State.FIXED,
        "max_open": State.FIXED,
        "max_open_of_one": State.FIXED,
        "schedule": State.FIXED,
        "secrets": State.FIXED,
        "capital": State.FIXED,
        "builtin_slots": State.FIXED,
        "equity": State.FIXED,
        "members": State.JOURNALED,
        "issued": State.JOURNALED,
        "board": State.JOURNALED,
        "skills": State.JOURNALED,
        "regimes": State.JOURNALED,
        "schedules": State.JOURNALED,
        "last_fire": State.JOURNALED,
        "judgements": State.JOURNALED,
        "agenda": State.VIEW,
        "last_seen": State.VIEW,
        "seen_at": State.VIEW,
        "seen_slice": State.VIEW,
    }

    def __init__(
        self,
        *,
        config: AgentsSection,
        secrets: Secrets,
        capital: Decimal,
        builtin_slots: Mapping[str, int],
        equity: Equity,
    ) -> None:
        self.policy = policy_of(config)
        self.max_open = config.max_open_tasks
        self.max_open_of_one = config.max_open_tasks_per_owner
        self.schedule = config.schedule
        self.secrets = secrets
        self.capital = capital
        self.builtin_slots = builtin_slots
        self.equity = equity
        self.members: dict[AgentId, Agent] = {}
        self.issued: dict[str, Key] = {}
        self.board = Board(self.policy)
        self.skills = Skills()
        self.regimes: dict[str, Regime] = {}
        self.schedules: dict[str, Schedule] = {}
        self.last_fire = 0
        self.judgements: dict[int, Judgement] = {}
        self.agenda: tuple[Entry, ...] = ()
        # When an agent last asked for or reported work: of this process's life, so not journaled.
        self.last_seen: dict[AgentId, Nanos] = {}
        self.seen_at = Nanos(0)
        self.seen_slice = 0

    def load(self, reader: Reader) -> None:
        """Take up agents, keys and tasks where the database left them."""
        self.members = {agent.name: agent for agent in store.read_agents(reader)}
        self.issued = {key.prefix: key for key in store.read_keys(reader)}
        self.board = Board.restored(
            store.read_tasks(reader, finished=MAX_FINISHED_KEPT, lost=MAX_LOST_KEPT),
            counts=store.read_counts(reader),
            outcomes=store.read_outcomes(reader),
            last_number=store.read_last_number(reader),
            agents=self.members.values(),
            policy=self.policy,
            bounds=store.read_bounds(reader),
            findings=store.read_findings(reader),
        )
        self.skills = Skills(store.read_skills(reader))
        self.regimes = store.read_regimes(reader)
        self.schedules = store.read_schedules(reader)
        self.last_fire = store.read_last_fire(reader)
        self.judgements = store.read_judgements(reader)
        scoring.put_scores(self)
        self.agenda = agenda.parsed(self.schedule)

    def hear(self, message: Message, step: Step) -> None:
        """Keep the agenda, end leases, ask for reviews and take up the built-in agents."""
        match message:
            case BarsClosed():
                self.seen_at, self.seen_slice = step.machine_at, step.slice
                at, machine_at = step.at, step.machine_at
                tell(self, self.board.expire(at=at, machine_at=machine_at), step=step)
                overtaken = self.board.overtake(message.index, at=at, machine_at=machine_at)
                tell(self, overtaken, step=step)
                scoring.judge(self, step=step)
                scoring.fade(self, step=step)
                # Before trading opens nothing comes round: there is nothing to act on.
                if not message.warming_up:
                    take_turns(self, step=step)
                schedules.with_slice(self, step, quiet=message.warming_up)
                for numbers in news.numbers_of(self.board, self.members):
                    step.say(numbers)
            case RegimeChanged():
                scoring.note_regime(self, message, step=step)
                ask_for_review(self, message, step=step)
                schedules.happened(self, message, step)
            case AlertRaised() | DriftMeasured():
                schedules.happened(self, message, step)
            case AgentRegistered() if message.agent not in self.members:
                slots = self.builtin_slots.get(message.agent, 1)
                agent = roster.announced(message, slots=slots)
                self.take_up(agent, step)
            case RiskResponded() if message.response is Response.PAUSE_AGENT:
                paused = PauseAgent(agent=message.subject, reason=f"risk: {message.reason}"[:200])
                people.set_state(self, paused, step)
            case _:
                pass

    def take_up(self, agent: Agent, step: Step) -> None:
        """Take up an agent, new or changed, and write it."""
        self.members[agent.name] = agent
        store.save_agent(agent, step)
        tell(self, self.board.suit(agent, machine_at=step.machine_at), step=step)
        if agent.state is not AgentState.READY:
            # What it has not begun waits for nobody's return.
            left = moving.let_go(self.board, agent, machine_at=step.machine_at)
            tell(self, left, step=step)

    def extend_leases(self, by_ns: int, step: Step) -> None:
        """Let every lease end ``by_ns`` later: the time in which nobody could have renewed it."""
        if by_ns > 0:
            tell(self, self.board.extend(by_ns), step=step)

    def authenticate(self, key: str) -> Caller | None:
        """Return whose key this is, or None if it is unknown, malformed or revoked."""
        kept = self.issued.get(keys.prefix_of(key) or "")
        known = keys.same_key(key, kept.digest if kept is not None else None)
        if kept is None or not known or kept.revoked_at is not None:
            return None
        return _caller_of(kept.agent, kept.scopes)

    def called(self, waiting: Sequence[AgentId]) -> tuple[AgentId, ...]:
        """Return which of the agents that wait for work should ask now, with a task kept for each."""
        known = [name for name in waiting if name in self.members]
        called = self.board.ready.hold_round(known, machine_at=self.seen_at)
        if not self.board.set_aside:
            return called
        resting = (self.members[name] for name in known if name not in called)
        idle = [one.name for one in resting if moving.movable(self.board, one) is not None]
        return tuple(sorted({*called, *idle}))

    def due_by_clock(self, now: Nanos, *, tasks: bool) -> bool:
        """Return whether a schedule of machine time is due at ``now``, or of ``tasks`` the end of a wait."""
        alarm = self.board.alarms.next() if tasks else None
        return (alarm is not None and alarm < now) or any(
            one.next_at is not None and one.next_at <= now and one.trigger.clock is Clock.MACHINE
            for one in self.schedules.values()
        )

    def held_claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the work that ``agent`` holds, oldest lease first."""
        return tuple(views.claim_of(task) for task in self.board.held_by(agent))


@lru_cache(4_096)
def _caller_of(agent: AgentId, scopes: tuple[str, ...]) -> Caller:
    """Return the agent as the caller that one of its keys makes it."""
    return Caller(
        identity=agent,
        kind=CallerKind.AGENT,
        permissions=frozenset(Permission(scope) for scope in scopes),
    )


def policy_of(config: AgentsSection) -> Policy:
    """Return the rules that ``config`` writes."""
    weights, waits = config.priority_weight_s, config.longest_wait_s
    return Policy(
        load_threshold=config.load_threshold_fraction,
        weight_s={p: getattr(weights, p.value) for p in Priority},
        longest_wait_s={p: getattr(waits, p.value) for p in Priority if p is not Priority.CRITICAL},
        retry_base_ms=config.retry_base_ms,
        retry_most_ms=config.retry_most_ms,
        dead_after_agents=config.dead_after_agents,
        quarantine_failures=config.quarantine_failures,
        hold_ms=config.hold_ms,
        shares=config.shares,
        seed=config.tie_break_seed,
    )
