"""The one stateful class of the capability: the agents, their keys and the board of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from msgspec.structs import replace

from quarterdeck.agents import store
from quarterdeck.agents.core import agenda, intake, keys, lease, news, queue, roster, views
from quarterdeck.agents.core.agenda import Birth, Entry
from quarterdeck.agents.core.board import MAX_FINISHED_KEPT, Board, ended_attempt
from quarterdeck.agents.core.task import Agent, Change, Key, Task
from quarterdeck.agents.model import (
    AgentRegistered,
    AgentState,
    AgentsView,
    AgentView,
    CancelTask,
    Claim,
    ClaimAnswer,
    ClaimWork,
    CompleteWork,
    GetAgent,
    GetAgents,
    GetKeys,
    GetTask,
    GetTasks,
    IssueKey,
    KeyIssued,
    KeysView,
    KeyView,
    PauseAgent,
    RegisterAgent,
    RenewLease,
    ResumeAgent,
    RevokeKey,
    SubmitTask,
    TaskState,
    TasksView,
    TaskView,
)
from quarterdeck.agents.ports import Secrets
from quarterdeck.kernel.errors import Conflict, NotFound, Overloaded
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.market.model import BarsClosed
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import AgentsSection
from quarterdeck.runtime.policy import AGENT_SCOPES, Caller, CallerKind, Permission
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import History, Reader, State

RETRY_AFTER_MS = 500
"""When an agent that got nothing should ask again: a claim is cheap, and work comes with bars."""
MAX_PAGE = 1_000
PARTITION = "paper"
"""Whose audit chain tells of agents, keys and work."""
_BEYOND_LAST = 2**63 - 1


class AgentsService:
    """Knows the agents, gives them keys and hands out the work.

    Leases and key times count in machine time, everything else in market time. ``authenticate`` and
    ``held_claims`` read memory and may be called at any time on the event loop.
    """

    name: ClassVar[str] = "agents"
    state: ClassVar[Mapping[str, State]] = {
        "_load": State.FIXED,
        "_max_open": State.FIXED,
        "_schedule": State.FIXED,
        "_secrets": State.FIXED,
        "_capital": State.FIXED,
        "_builtin_slots": State.FIXED,
        "_agents": State.JOURNALED,
        "_keys": State.JOURNALED,
        "_board": State.JOURNALED,
        "_agenda": State.VIEW,
        "_last_seen": State.VIEW,
    }

    def __init__(
        self,
        *,
        config: AgentsSection,
        secrets: Secrets,
        capital: Decimal,
        builtin_slots: Mapping[str, int],
    ) -> None:
        self._load = config.load_threshold_fraction
        self._max_open = config.max_open_tasks
        self._schedule = config.schedule
        self._secrets = secrets
        self._capital = capital
        self._builtin_slots = builtin_slots
        self._agents: dict[AgentId, Agent] = {}
        self._keys: dict[str, Key] = {}
        self._board = Board()
        self._agenda: tuple[Entry, ...] = ()
        # When an agent last asked for or reported work: of this process's life, so not journaled.
        self._last_seen: dict[AgentId, Nanos] = {}

    def load(self, reader: Reader) -> None:
        """Take up agents, keys and tasks where the database left them."""
        self._agents = {agent.name: agent for agent in store.read_agents(reader)}
        self._keys = {key.prefix: key for key in store.read_keys(reader)}
        self._board = Board.restored(
            store.read_tasks(reader, finished=MAX_FINISHED_KEPT),
            counts=store.read_counts(reader),
            outcomes=store.read_outcomes(reader),
            last_number=store.read_last_number(reader),
        )
        self._agenda = agenda.parsed(self._schedule)

    def hear(self, message: Message, step: Step) -> None:
        """Keep the agenda, end leases, ask for reviews and take up the built-in agents."""
        match message:
            case BarsClosed():
                _tell(
                    self._board.expire(at=step.at, machine_at=step.machine_at),
                    self._board,
                    step=step,
                )
                # Before trading opens nothing comes round: there is nothing to act on.
                if not message.warming_up:
                    _take_turns(self._agenda, self._board, step=step, max_open=self._max_open)
                for numbers in news.numbers_of(self._board, self._agents):
                    step.say(numbers)
            case RegimeChanged():
                _ask_for_review(message, self._board, step=step, max_open=self._max_open)
            case AgentRegistered() if message.agent not in self._agents:
                slots = self._builtin_slots.get(message.agent, 1)
                agent = roster.announced(message, slots=slots)
                self._agents[agent.name] = agent
                store.save_agent(agent, step)
            case _:
                pass

    def register(self, command: RegisterAgent, step: Step) -> KeyIssued:
        """Register an outside agent and issue its first key."""
        agent = roster.admitted(
            command, self._agents, scopes=AGENT_SCOPES, capital=self._capital, at=step.at
        )
        key, issued = roster.keyed(
            agent,
            self._keys,
            scopes=agent.scopes,
            secrets=self._secrets,
            machine_at=step.machine_at,
        )
        self._agents[agent.name] = agent
        self._keys[key.prefix] = key
        store.save_agent(agent, step)
        store.save_key(key, step)
        step.record(
            PARTITION,
            "agent_registered",
            agent=agent.name,
            prefix=key.prefix,
            capabilities=list(agent.capabilities),
            scopes=list(agent.scopes),
            capital_units=agent.capital_units,
        )
        step.say(
            AgentRegistered(
                at=step.at,
                agent=agent.name,
                builtin=False,
                label=agent.label,
                capabilities=agent.capabilities,
                scopes=agent.scopes,
                capital_units=agent.capital_units,
            )
        )
        return issued

    def issue_key(self, command: IssueKey, step: Step) -> KeyIssued:
        """Issue a further key for an outside agent."""
        agent = roster.known(self._agents, command.agent)
        if agent.builtin:
            raise Conflict(
                f"{agent.name} acts inside the deck and has no keys",
                field="agent",
                value=agent.name,
                accepted="an agent that was registered from outside",
            )
        wanted = agent.scopes if command.scopes is None else command.scopes
        key, issued = roster.keyed(
            agent,
            self._keys,
            scopes=intake.scopes(wanted, allowed=agent.scopes),
            secrets=self._secrets,
            machine_at=step.machine_at,
        )
        self._keys[key.prefix] = key
        store.save_key(key, step)
        step.record(
            PARTITION, "key_issued", agent=agent.name, prefix=key.prefix, scopes=list(key.scopes)
        )
        return issued

    def revoke_key(self, command: RevokeKey, step: Step) -> KeyView:
        """Revoke a key; revoking it again is answered as the first time."""
        reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
        key = roster.known_key(self._keys, command.prefix)
        if key.revoked_at is None:
            key = replace(key, revoked_at=step.machine_at, reason=reason)
            self._keys[key.prefix] = key
            store.save_key(key, step)
            step.record(PARTITION, "key_revoked", agent=key.agent, prefix=key.prefix, reason=reason)
        return views.key_view(key)

    def set_state(self, command: PauseAgent | ResumeAgent, step: Step) -> AgentView:
        """Pause or resume an agent; doing it again changes nothing."""
        reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
        agent = roster.known(self._agents, command.agent)
        pause = isinstance(command, PauseAgent)
        wanted = AgentState.PAUSED if pause else AgentState.READY
        if agent.state is not wanted:
            agent = replace(agent, state=wanted, reason=reason if pause else None)
            self._agents[agent.name] = agent
            store.save_agent(agent, step)
            kind = "agent_paused" if pause else "agent_resumed"
            step.record(PARTITION, kind, agent=agent.name, reason=reason)
        return views.agent_view(agent, self._board, last_seen=self._last_seen)

    def submit(self, command: SubmitTask, step: Step) -> TaskView:
        """Put a task into the queue."""
        depends_on = intake.dependencies(command.depends_on)
        title = intake.text(command.title, field="title", longest=intake.MAX_TITLE)
        capability = intake.capability(command.capability, field="capability")
        attempts = intake.whole(
            command.max_attempts, field="max_attempts", least=1, most=intake.MAX_ATTEMPTS
        )
        lease_s = intake.whole(
            command.lease_s, field="lease_s", least=intake.MIN_LEASE_S, most=intake.MAX_LEASE_S
        )
        body = intake.payload(command.input, field="input")
        for dependency in depends_on:
            intake.usable_dependency(dependency, self._board.tasks.get(TaskId(dependency)))
        if self._board.open >= self._max_open:
            raise Overloaded(f"the queue is full: {self._board.open} open tasks", code="QUEUE_FULL")
        birth = _birth(self._board, step)
        task = Task(
            number=birth.number,
            task_id=birth.task_id,
            type=command.type,
            title=title,
            capability=capability,
            priority=command.priority,
            by=step.caller.identity,
            entry=None,
            input=body,
            depends_on=depends_on,
            max_attempts=attempts,
            lease_ns=lease_s * SECOND,
            submitted_at=step.at,
            submitted_slice=step.slice,
            ready_machine_at=step.machine_at,
        )
        _tell(self._board.add(task), self._board, step=step)
        task = self._board.tasks[task.task_id]
        return views.explained(task, self._board, agents=self._agents, load=self._load)

    def claim(self, command: ClaimWork, step: Step) -> ClaimAnswer:
        """Give the caller the best task it can do now, under a lease; never waits."""
        intake.whole(command.wait_ms, field="wait_ms", least=0, most=intake.MAX_WAIT_MS)
        agent = roster.worker(self._agents, step.caller.identity)
        self._last_seen[agent.name] = step.machine_at
        _tell(self._board.expire(at=step.at, machine_at=step.machine_at), self._board, step=step)
        choice = queue.choose(
            agent,
            self._board.ready,
            tasks=self._board.tasks,
            agents=self._agents,
            held=self._board.held_counts(),
            load_threshold=self._load,
        )
        if choice.task_id is None:
            return ClaimAnswer(claim=None, reason=choice.because, retry_after_ms=RETRY_AFTER_MS)
        changes = self._board.lease(
            self._board.tasks[choice.task_id],
            agent.name,
            because=choice.because,
            at=step.at,
            machine_at=step.machine_at,
        )
        _tell(changes, self._board, step=step)
        return ClaimAnswer(claim=views.claim_of(changes[0].task))

    def renew(self, command: RenewLease, step: Step) -> ClaimAnswer:
        """Extend the caller's lease by its length, from now."""
        task = self._board.existing(command.task_id)
        caller = step.caller.identity
        lease.require_holder(task, command.lease_token, agent=caller, machine_at=step.machine_at)
        self._last_seen[caller] = step.machine_at
        changes = self._board.renew(task, until=Nanos(step.machine_at + task.lease_ns))
        _tell(changes, self._board, step=step)
        return ClaimAnswer(claim=views.claim_of(changes[0].task))

    def complete(self, command: CompleteWork, step: Step) -> TaskView:
        """Take the holder's result or failure; a report that comes again changes nothing."""
        task = self._board.existing(command.task_id)
        caller, at, machine_at = step.caller.identity, step.at, step.machine_at
        if lease.is_settled(task, command.lease_token, agent=caller):
            return views.explained(task, self._board, agents=self._agents, load=self._load)
        lease.require_holder(task, command.lease_token, agent=caller, machine_at=machine_at)
        reason = intake.text(
            command.reason, field="reason", longest=intake.MAX_REASON, empty=not command.failed
        )
        result = intake.payload(command.result, field="result")
        self._last_seen[caller] = machine_at
        if command.failed:
            told = f"{caller} failed: {reason}"
            changes = self._board.give_back(
                task, reason=told, reported=True, at=at, machine_at=machine_at
            )
        else:
            changes = self._board.complete(task, result, at=at, machine_at=machine_at)
        _tell(changes, self._board, step=step)
        return views.explained(changes[0].task, self._board, agents=self._agents, load=self._load)

    def cancel(self, command: CancelTask, step: Step) -> TaskView:
        """Cancel an open task; cancelling it again is answered as the first time."""
        reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
        task = self._board.existing(command.task_id)
        if task.state is TaskState.CANCELLED:
            return views.explained(task, self._board, agents=self._agents, load=self._load)
        if task.state.final:
            raise Conflict(
                f"{task.task_id} is {task.state.value} already",
                code="TASK_FINAL",
                field="task_id",
                value=task.task_id,
                accepted="a task that is not final",
            )
        changes = self._board.cancel(task, reason=reason, at=step.at, machine_at=step.machine_at)
        step.record(PARTITION, "task_cancelled", task=task.task_id, reason=reason)
        _tell(changes, self._board, step=step)
        return views.explained(changes[0].task, self._board, agents=self._agents, load=self._load)

    def extend_leases(self, by_ns: int, step: Step) -> None:
        """Let every lease end ``by_ns`` later: the time in which nobody could have renewed it."""
        if by_ns > 0:
            _tell(self._board.extend(by_ns), self._board, step=step)

    def agents(self, query: GetAgents, caller: Caller) -> AgentsView:
        """Return all agents, by name."""
        return AgentsView(
            agents=tuple(
                views.agent_view(self._agents[name], self._board, last_seen=self._last_seen)
                for name in sorted(self._agents)
            ),
            tasks={state.value: count for state, count in self._board.counts.items()},
        )

    def agent(self, query: GetAgent, caller: Caller) -> AgentView:
        """Return one agent."""
        agent = roster.known(self._agents, query.agent)
        return views.agent_view(agent, self._board, last_seen=self._last_seen)

    def keys(self, query: GetKeys, caller: Caller) -> KeysView:
        """Return all keys, oldest first."""
        known = sorted(self._keys.values(), key=lambda key: (key.created_at, key.prefix))
        return KeysView(keys=tuple(views.key_view(key) for key in known))

    async def tasks(self, query: GetTasks, caller: Caller, history: History) -> TasksView:
        """Return a page of tasks, newest first."""
        intake.whole(query.limit, field="limit", least=1, most=MAX_PAGE)
        before = _BEYOND_LAST if query.before is None else query.before
        intake.whole(before, field="before", least=0, most=_BEYOND_LAST)
        rows = await history.rows(
            "agents.tasks_page",
            before=before,
            state=None if query.state is None else query.state.value,
            agent=query.agent,
            limit=query.limit,
        )
        tasks = [store.task_of(row) for row in rows]
        return TasksView(
            tasks=tuple(
                views.explained(task, self._board, agents=self._agents, load=self._load)
                for task in tasks
            ),
            counts={state.value: n for state, n in self._board.counts.items()},
            next=tasks[-1].number if len(tasks) == query.limit else None,
        )

    async def task(self, query: GetTask, caller: Caller, history: History) -> TaskView:
        """Return one task of the whole run."""
        known = self._board.tasks.get(TaskId(query.task_id))
        if known is not None:
            return views.explained(known, self._board, agents=self._agents, load=self._load)
        rows = await history.rows("agents.task", task_id=query.task_id)
        if not rows:
            raise NotFound(
                f"there is no task {query.task_id[:80]!r}",
                field="task_id",
                value=query.task_id[:80],
                accepted="a task of this run",
            )
        return views.explained(
            store.task_of(rows[0]), self._board, agents=self._agents, load=self._load
        )

    def authenticate(self, key: str) -> Caller | None:
        """Return whose key this is, or None if it is unknown, malformed or revoked."""
        kept = self._keys.get(keys.prefix_of(key) or "")
        known = keys.same_key(key, kept.digest if kept is not None else None)
        if kept is None or not known or kept.revoked_at is not None:
            return None
        return Caller(
            identity=kept.agent,
            kind=CallerKind.AGENT,
            permissions=frozenset(Permission(scope) for scope in kept.scopes),
        )

    def held_claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the work that ``agent`` holds, oldest lease first."""
        return tuple(views.claim_of(task) for task in self._board.held_by(agent))


def _tell(changes: Sequence[Change], board: Board, *, step: Step) -> None:
    """Write every change and say what it means."""
    for change in changes:
        store.save_task(change, step)
        if ended_attempt(change.task, change.was):
            agent = (
                change.task.agent
                if change.task.state is TaskState.COMPLETED
                else (change.task.failed_by)
            )
            if agent is not None:
                store.save_outcomes(agent, board.outcomes[agent], step)
        for message in news.news_of(change, at=step.at, slice_index=step.slice):
            step.say(message)


def _take_turns(entries: Sequence[Entry], board: Board, *, step: Step, max_open: int) -> None:
    made: dict[str, TaskId] = {}
    for entry in agenda.due(entries, slice_index=step.slice, running=board.recurring):
        if _has_room(board, step, skipped=entry.name, max_open=max_open):
            task = agenda.recurring(entry, _birth(board, step), made=made)
            made[entry.name] = task.task_id
            _tell(board.add(task), board, step=step)


def _ask_for_review(change: RegimeChanged, board: Board, *, step: Step, max_open: int) -> None:
    for stale in agenda.waiting_reviews(change.symbol, board):
        # Its question has been overtaken: an answer would be about the past.
        reason = f"superseded by the change to {change.regime.value}"
        ended = board.cancel(stale, reason=reason, at=step.at, machine_at=step.machine_at)
        _tell(ended, board, step=step)
    if _has_room(board, step, skipped=f"review of {change.symbol}", max_open=max_open):
        _tell(board.add(agenda.review(change, _birth(board, step))), board, step=step)


def _has_room(board: Board, step: Step, *, skipped: str, max_open: int) -> bool:
    """Return whether the queue takes one more task of the deck's own; record it if not."""
    if board.open < max_open:
        return True
    step.record(PARTITION, "task_skipped", task=skipped, open=board.open)
    return False


def _birth(board: Board, step: Step) -> Birth:
    return Birth(
        number=board.last_number + 1,
        task_id=TaskId(step.new_id("task")),
        slice=step.slice,
        at=step.at,
        machine_at=step.machine_at,
    )
