"""The board of tasks: every change a task can go through, and what each change sets off."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from quarterdeck.agents.core import deadlines, jitter
from quarterdeck.agents.core.alarms import Alarms
from quarterdeck.agents.core.bounds import Bound
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.core.pool import Pool
from quarterdeck.agents.core.task import Agent, Change, Outcomes, Task
from quarterdeck.agents.model import Factors, FailurePolicy, TaskState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import TaskType

MAX_FINISHED_KEPT = 1_000
"""How many finished tasks stay in memory, for repeated reports and for new dependents."""
MAX_LOST_KEPT = 1_000
"""How many more that failed or are dead stay, to be driven again."""
LOST = (TaskState.FAILED, TaskState.DEAD)


_ENDS = {
    FailurePolicy.FAIL: TaskState.FAILED,
    FailurePolicy.CANCEL: TaskState.CANCELLED,
    FailurePolicy.SKIP: TaskState.SKIPPED,
}
"""How a task ends when something it depends on failed, unless it runs anyway."""


def ended_attempt(task: Task, before: Task | None) -> bool:
    """Return whether ``task``, which was ``before``, has just ended an attempt.

    A lease that is cancelled or moved is neither a result nor a failure.
    """
    if before is None or before.state is not TaskState.LEASED or task.moves > before.moves:
        return False
    return task.state in (
        TaskState.COMPLETED,
        TaskState.READY,
        TaskState.DELAYED,
        TaskState.UNMATCHABLE,
        TaskState.FAILED,
        TaskState.DEAD,
    )


class Board:
    """All open tasks and the last finished ones.

    ``recurring`` maps what creates tasks again and again to its open tasks; ``outcomes`` counts per
    agent over the whole run; ``letters`` are the dead tasks that nobody has answered,
    ``late`` the open ones past their deadline; ``open_of`` counts the open tasks of each owner. ``alarms`` are in machine time, ``deadlines`` in slices. A task waits until its open dependencies have completed: ``_pending`` counts them, ``_dependents``
    leads back. A dependency exists before its dependent, so there is no cycle to look for. Every
    method returns the changes it made, in the order in which they must be told.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self.policy = policy or Policy()
        self.ready = Pool(self.policy)
        self.alarms = Alarms()
        self.deadlines = Alarms()
        self.counts: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
        self.outcomes: dict[AgentId, Outcomes] = {}
        self.recurring: dict[str, set[TaskId]] = {}
        self.open_of: dict[str, int] = {}
        self.last_number = 0
        self.last_finished = 0
        self._pending: dict[TaskId, int] = {}
        self._dependents: dict[TaskId, list[TaskId]] = {}
        self._held: dict[AgentId, dict[TaskId, None]] = {}
        self._finished: deque[TaskId] = deque()
        self._lost: deque[TaskId] = deque()
        self.letters: dict[TaskId, None] = {}
        self.late: dict[TaskId, None] = {}
        self.findings: dict[AgentId, int] = {}
        self._unmatchable: dict[TaskId, None] = {}
        self.set_aside: dict[TaskId, None] = {}

    @classmethod
    def restored(
        cls,
        tasks: Iterable[Task],
        *,
        counts: Mapping[TaskState, int],
        outcomes: Mapping[AgentId, Outcomes],
        last_number: int,
        findings: Mapping[AgentId, int],
        agents: Iterable[Agent],
        policy: Policy,
        bounds: Iterable[Bound],
    ) -> Board:
        """Return the board that held ``tasks``: all open ones and the last finished ones."""
        board = cls(policy)
        for agent in agents:
            board.ready.fleet.set_agent(agent)
        for bound in bounds:
            board.ready.bounds.put(bound, ())
        known = sorted(tasks, key=lambda task: task.number)
        for task in known:
            board.tasks[task.task_id] = task
        # In the order of their keys each ready task goes to the end of its lane.
        for task in sorted(known, key=lambda task: (task.order_key, task.number)):
            board._index(task)
            if not task.state.final:
                _count(board.open_of, task.owner, by=1)
        finished = [(task.finish_order, task) for task in known if task.finish_order]
        for order, task in sorted(finished, key=lambda one: one[0]):
            (board._lost if task.state in LOST else board._finished).append(task.task_id)
            board.last_finished = order
        board.counts = {state: counts.get(state, 0) for state in TaskState}
        board.outcomes = dict(outcomes)
        board.findings = dict(findings)
        board.last_number = last_number
        return board

    @property
    def open(self) -> int:
        """How many tasks are not final."""
        return sum(n for state, n in self.counts.items() if not state.final)

    def held_by(self, agent: AgentId) -> tuple[Task, ...]:
        """Return the tasks under lease to ``agent``, oldest lease first."""
        held = [self.tasks[task_id] for task_id in self._held.get(agent, ())]
        return tuple(sorted(held, key=lambda t: (t.started_at or 0, t.number)))

    def add(self, task: Task) -> list[Change]:
        """Add a task numbered ``last_number + 1``; it is ready unless a dependency is open."""
        blocked = any(not self.tasks[TaskId(d)].state.final for d in task.depends_on)
        self.last_number = task.number
        if blocked:
            return [self._put(replace(task, state=TaskState.BLOCKED), None)]
        return [self._put(self.ready.released(task, machine_at=task.ready_machine_at), None)]

    def suit(self, agent: Agent, *, machine_at: Nanos) -> list[Change]:
        """Take up ``agent``, new or changed: free what waited for one like it, and let wait what it alone took.

        Only an agent that gave something up can leave ready work without anybody.
        """
        fleet = self.ready.fleet
        place = fleet.index.get(agent.name)
        before = None if place is None else fleet.known[place]
        fleet.set_agent(agent)
        waiting = sorted((self.tasks[one] for one in self._unmatchable), key=lambda t: t.number)
        changes = [
            self._put(self.ready.released(task, machine_at=machine_at), task)
            for task in waiting
            if agent.fits(task.demand)
        ]
        if before is not None and _gave_up(before, agent):
            ready = self.ready.lanes()
            alone = {key[0] for key in ready if not fleet.has_for(key[0])}
            left = [
                self.tasks[one] for key in ready if key[0] in alone for _, one in ready[key] if one
            ]
            for task in sorted(left, key=lambda task: task.number):
                changes.append(self._put(replace(task, state=TaskState.UNMATCHABLE), task))
        return changes

    def lease(
        self,
        task: Task,
        agent: AgentId,
        *,
        because: str,
        factors: Factors | None,
        at: Nanos,
        machine_at: Nanos,
        begun: bool = True,
    ) -> list[Change]:
        """Give a ready task to ``agent`` as its next attempt; one not ``begun`` may be moved."""
        leased = replace(
            task,
            state=TaskState.LEASED,
            agent=agent,
            attempt=task.attempt + 1,
            because=because,
            factors=factors,
            started_at=at,
            started_machine_at=machine_at,
            lease_until=Nanos(machine_at + task.lease_ns),
            begun=begun,
        )
        return [self._put(leased, task)]

    def revoke(self, task: Task, *, machine_at: Nanos, reason: str | None = None) -> list[Change]:
        """Take a task that is only set aside from its holder, whose word about it counts no more.

        It has used up no attempt and is nobody's failure.
        """
        free = replace(
            task,
            agent=None,
            lease_until=None,
            begun=True,
            moves=task.moves + 1,
            reason=reason or task.reason,
        )
        return [self._put(self.ready.released(free, machine_at=machine_at), task)]

    def renew(
        self, task: Task, *, until: Nanos, progress: float | None = None, note: str = ""
    ) -> list[Change]:
        """Let the lease of ``task`` end at ``until``, and keep its holder's word on how far it is."""
        word = {} if progress is None and not note else {"progress": progress, "note": note}
        return [self._put(replace(task, lease_until=until, begun=True, **word), task)]

    def complete(self, task: Task, result: Json, *, at: Nanos, machine_at: Nanos) -> list[Change]:
        """Finish a leased task and free what waited for it alone."""
        done = replace(task, result=result, reason=None, settled_attempt=task.attempt)
        changes = [self._finish(done, TaskState.COMPLETED, at=at, machine_at=machine_at)]
        return changes + self._follow(changes[0].task, at=at, machine_at=machine_at)

    def give_back(
        self, task: Task, *, reason: str, reported: bool, at: Nanos, machine_at: Nanos
    ) -> list[Change]:
        """End a leased attempt without a result: ready again, or failed when none is left."""
        settled = task.attempt if reported else task.settled_attempt
        tried = task.tried
        if task.agent is not None and task.agent not in tried:
            tried = (*tried, task.agent)
        lost = replace(
            task,
            failed_by=task.agent,
            reason=reason,
            settled_attempt=settled,
            tried=tried,
            progress=None,
            note="",
        )
        end, text = (
            TaskState.FAILED,
            f"attempt {task.attempt - task.moves} of {task.max_attempts} failed: {reason}",
        )
        if len(tried) >= self.policy.dead_after_agents:
            end, text = TaskState.DEAD, f"{len(tried)} agents failed it, the last: {reason}"
        elif task.attempt - task.moves < task.max_attempts:
            rest = jitter.delay_ns(task.number, task.attempt, policy=self.policy)
            until = Nanos(machine_at + rest) if rest else None
            again = replace(lost, agent=None, lease_until=None, not_before=until)
            return [self._put(self.ready.released(again, machine_at=machine_at), task)]
        lost = replace(lost, reason=text)
        changes = [self._finish(lost, end, at=at, machine_at=machine_at)]
        return changes + self._follow(changes[0].task, at=at, machine_at=machine_at)

    def expire(self, *, at: Nanos, machine_at: Nanos) -> list[Change]:
        """Do what was due before ``machine_at``: end leases, delays and tasks that came too late."""
        changes: list[Change] = []
        for task_id in self.alarms.due(machine_at):
            task = self.tasks[task_id]
            if task.expires_at is not None and task.expires_at < machine_at:
                late = "it expired before it was done"
                changes += self.cancel(task, reason=late, at=at, machine_at=machine_at)
            elif (pressed := deadlines.by_clock(task, machine_at)) is not task:
                changes.append(self._put(_raised(pressed, task, self.policy), task))
            elif task.state is TaskState.LEASED and not task.begun:
                left = f"{task.agent} set it aside and did not begin it"
                changes += self.revoke(task, machine_at=machine_at, reason=left)
            elif task.state is TaskState.LEASED:
                reason = f"the lease of {task.agent} ended without a word"
                changes += self.give_back(
                    task, reason=reason, reported=False, at=at, machine_at=machine_at
                )
            else:
                changes.append(self._put(self.ready.released(task, machine_at=machine_at), task))
        return changes

    def overtake(self, slice_index: int, *, at: Nanos, machine_at: Nanos) -> list[Change]:
        """Cancel what the market has overtaken, and raise what is to be done by now or soon."""
        changes: list[Change] = []
        for task_id in self.deadlines.due(slice_index):
            task = self.tasks[task_id]
            if task.expires_slice is not None and task.expires_slice < slice_index:
                late = "the market went on before it was done"
                changes += self.cancel(task, reason=late, at=at, machine_at=machine_at)
            else:
                pressed = deadlines.by_market(task, slice_index)
                changes.append(self._put(_raised(pressed, task, self.policy), task))
        return changes

    def extend(self, by_ns: int) -> list[Change]:
        """Let every lease end ``by_ns`` later."""
        return [
            change
            for task in sorted(self.tasks.values(), key=lambda task: task.number)
            if task.lease_until is not None
            for change in self.renew(task, until=Nanos(task.lease_until + by_ns))
        ]

    def cancel(self, task: Task, *, reason: str, at: Nanos, machine_at: Nanos) -> list[Change]:
        """Cancel an open task; what depends on it fails."""
        gone = replace(task, reason=reason)
        changes = [self._finish(gone, TaskState.CANCELLED, at=at, machine_at=machine_at)]
        return changes + self._follow(changes[0].task, at=at, machine_at=machine_at)

    def _follow(self, first: Task, *, at: Nanos, machine_at: Nanos) -> list[Change]:
        """Free, skip or fail what waited for ``first``, and what waited for that."""
        changes: list[Change] = []
        if first.task_id not in self._dependents:
            return changes
        ended = deque([first])
        while ended:
            cause = ended.popleft()
            # By number: a deadline may have put one of them anew.
            freed_ids = self._dependents.pop(cause.task_id, ())
            for dependent_id in sorted(freed_ids, key=lambda one: self.tasks[one].number):
                waiting = self.tasks.get(dependent_id)
                if waiting is None or waiting.state is not TaskState.BLOCKED:
                    continue
                if cause.state.done or waiting.on_failure is FailurePolicy.RUN:
                    self._pending[dependent_id] -= 1
                    if self._pending[dependent_id] == 0:
                        freed = self.ready.released(waiting, machine_at=machine_at)
                        changes.append(self._put(freed, waiting))
                    continue
                text = f"it depends on {cause.task_id}, which {_became(cause.state)}"
                state = _ENDS[waiting.on_failure]
                told = replace(waiting, reason=text)
                changes.append(self._finish(told, state, at=at, machine_at=machine_at))
                ended.append(changes[-1].task)
        return changes

    def _finish(self, task: Task, state: TaskState, *, at: Nanos, machine_at: Nanos) -> Change:
        before = self.tasks[task.task_id]
        self.last_finished += 1
        after = replace(
            task,
            state=state,
            finished_at=at,
            finished_machine_at=machine_at,
            late=deadlines.by_clock(task, machine_at).late,
            lease_until=None,
            finish_order=self.last_finished,
        )
        change = self._put(after, before)
        lost = state in LOST
        kept = self._lost if lost else self._finished
        kept.append(task.task_id)
        if len(kept) > (MAX_LOST_KEPT if lost else MAX_FINISHED_KEPT):
            gone = kept.popleft()
            del self.tasks[gone]
            self.letters.pop(gone, None)
        return change

    def _put(self, task: Task, before: Task | None) -> Change:
        ended, streak = ended_attempt(task, before), 0
        if before is None:
            _count(self.open_of, task.owner, by=1)
        else:
            self.counts[before.state] -= 1
            self._unindex(before)
            if task.state.final:
                _count(self.open_of, before.owner, by=-1)
            if before.agent is not None and ended:
                completed, failed, streak = self.outcomes.get(before.agent, Outcomes())
                good = task.state is TaskState.COMPLETED
                streak = 0 if good else streak + 1
                self.outcomes[before.agent] = Outcomes(
                    completed + good, failed + (not good), streak
                )
        self.counts[task.state] += 1
        self.tasks[task.task_id] = task
        if task.type is TaskType.MONITORING and task.state is TaskState.COMPLETED:
            self.findings[task.agent or task.by] = found_by(task)
        self._index(task)
        was = before.state if before is not None else None
        return Change(task, was, ended, streak)

    def _index(self, task: Task) -> None:
        if task.entry is not None and not task.state.final:
            self.recurring.setdefault(task.entry, set()).add(task.task_id)
        self.alarms.set(task.task_id, task.number, deadlines.next_instant(task))
        if task.expires_slice is not None or task.deadline_slice is not None:
            self.deadlines.set(task.task_id, task.number, deadlines.next_slice(task))
        if task.late and not task.state.final:
            self.late[task.task_id] = None
        else:
            self.late.pop(task.task_id, None)
        match task.state:
            case TaskState.READY:
                self.ready.add(task)
            case TaskState.UNMATCHABLE:
                self._unmatchable[task.task_id] = None
            case TaskState.DEAD if task.answered is None:
                self.letters[task.task_id] = None
            case TaskState.LEASED if task.agent is not None:
                self._held.setdefault(task.agent, {})[task.task_id] = None
                if not task.begun:
                    self.set_aside[task.task_id] = None
                self.ready.fleet.hold(task.agent, 1, long=task.long)
                self.ready.bounds.hold(task, 1)
            case TaskState.BLOCKED:
                waits = [
                    TaskId(d)
                    for d in task.depends_on
                    if (known := self.tasks.get(TaskId(d))) is not None and not known.state.final
                ]
                self._pending[task.task_id] = len(waits)
                for dependency in waits:
                    self._dependents.setdefault(dependency, []).append(task.task_id)
            case _:
                pass

    def _unindex(self, task: Task) -> None:
        if task.entry is not None:
            self.recurring[task.entry].remove(task.task_id)
            if not self.recurring[task.entry]:
                del self.recurring[task.entry]
        match task.state:
            case TaskState.READY:
                self.ready.remove(task)
            case TaskState.UNMATCHABLE:
                del self._unmatchable[task.task_id]
            case TaskState.LEASED if task.agent is not None:
                del self._held[task.agent][task.task_id]
                self.set_aside.pop(task.task_id, None)
                self.ready.fleet.hold(task.agent, -1, long=task.long)
                self.ready.bounds.hold(task, -1)
                if not self._held[task.agent]:
                    del self._held[task.agent]
            case TaskState.BLOCKED:
                del self._pending[task.task_id]
                for dependency in task.depends_on:
                    waiting = self._dependents.get(TaskId(dependency), [])
                    if task.task_id in waiting:
                        waiting.remove(task.task_id)
                        if not waiting:
                            del self._dependents[TaskId(dependency)]
            case _:
                pass


def _raised(task: Task, before: Task, policy: Policy) -> Task:
    """Return ``task``, which was ``before``, in the order of its present urgency: as old as it was."""
    if task.state is not TaskState.READY:
        return task
    gained = policy.weight_us(task.urgency) - policy.weight_us(before.urgency)
    return replace(task, order_key=task.order_key - gained)


def found_by(task: Task) -> int:
    """Return how many findings the result of a monitoring task names."""
    found = (task.result or {}).get("findings")
    return len(found) if isinstance(found, list | tuple) else 0


def _count(open_of: dict[str, int], owner: str, *, by: int) -> None:
    count = open_of.get(owner, 0) + by
    if count:
        open_of[owner] = count
    else:
        del open_of[owner]


def _gave_up(before: Agent, after: Agent) -> bool:
    """Return whether an agent offers less than it did, whatever its state."""
    return (before.capabilities, before.accepts, before.markets, before.cost_units, before.autonomy) != (
        after.capabilities, after.accepts, after.markets, after.cost_units, after.autonomy,
    )  # fmt: skip


def _became(state: TaskState) -> str:
    return {TaskState.FAILED: "failed", TaskState.DEAD: "failed"}.get(state, f"was {state.value}")
