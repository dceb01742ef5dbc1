"""Why a task goes to whom it goes, why not to another, and why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from quarterdeck.agents.core import matching
from quarterdeck.agents.core.fleet import TYPES, Fleet
from quarterdeck.agents.core.policy import MICROSECOND, PRESSING
from quarterdeck.agents.core.pool import MARGIN_PPM, Pool
from quarterdeck.agents.core.task import Agent, Demand, Task
from quarterdeck.agents.model import (
    AgentState,
    AgentVerdict,
    Contender,
    Factors,
    TaskState,
    TaskWhy,
    Verdict,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import MILLISECOND, Nanos, rfc3339
from quarterdeck.maths.arrays import Ints

MAX_CONTENDERS = 16
"""How many agents a decision remembers with their room and score; a larger fleet is counted."""
MAX_VERDICTS = 50
"""How many agents an explanation judges one by one; all are counted."""
MAX_NAMES = 10
_NONE = matching.NONE


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The task chosen and by which factors, or none and why; ``kept`` if asking again soon helps.

    It was kept in vain for those who are ``missed``.
    """

    task_id: TaskId | None
    because: str
    factors: Factors | None = None
    kept: bool = False
    bounded: bool = False
    missed: tuple[AgentId, ...] = ()


def choose(agent: Agent, pool: Pool, tasks: Mapping[TaskId, Task], *, machine_at: Nanos) -> Choice:
    """Return the task that ``agent`` gets when it asks for work now; see :func:`choose_many`."""
    return choose_many(agent, pool, tasks, machine_at=machine_at, most=1)[0]


def choose_many(
    agent: Agent, pool: Pool, tasks: Mapping[TaskId, Task], *, machine_at: Nanos, most: int
) -> list[Choice]:
    """Return up to ``most`` tasks that ``agent`` gets when it asks for work now, with all that decided.

    They are those it would get by asking for one after another, perhaps not all of them; where there is
    none the one choice says why.

    Parameters
    ----------
    agent : Agent
        Who asks.
    pool : Pool
        All ready tasks, and the fleet.
    tasks : Mapping
        Tasks by identity.
    machine_at : Nanos
        Machine time, in which waits count.
    most : int
        At least 1.
    """
    if agent.state is not AgentState.READY:
        return [Choice(task_id=None, because=f"{agent.name} is {agent.state}: {agent.reason}")]
    held, _, slots = pool.fleet.room(agent.name)
    if held >= slots:
        return [Choice(task_id=None, because=f"all {slots} slots of {agent.name} are taken")]
    if not len(pool):
        return [Choice(task_id=None, because=_nothing_for(agent))]
    promised = pool.promised(agent.name, machine_at=machine_at)
    if promised is not None:
        # What was promised goes first.
        scene = _Scene(agent, pool, machine_at=machine_at)
        return [scene.choice(tasks[promised], promised=True)]
    # A bound may shut with every task that is given out, and so may what the agent takes of long work.
    most = 1 if pool.bounds.rules or agent.long_slots is not None else most
    names, told = pool.pick(agent.name, machine_at=machine_at, most=most)
    if not names:
        return [_nothing(agent, pool, told=told[0], machine_at=machine_at)]
    scene = _Scene(agent, pool, machine_at=machine_at)
    choices: list[Choice] = []
    for name, row in zip(names, told.tolist(), strict=False):
        task = tasks[name]
        factors = scene.factors(task, row)
        because = _sentence(agent, task, factors)
        missed = _missed(agent, task, row, pool, machine_at=machine_at)
        choices.append(Choice(task_id=name, because=because, factors=factors, missed=missed))
    return choices


def _missed(
    agent: Agent, task: Task, told: Sequence[int], pool: Pool, *, machine_at: Nanos
) -> tuple[AgentId, ...]:
    """Return for whom ``task``, which ``agent`` gets, was kept in vain: who was free and better, and did not ask.

    Only just after that moment: of work that waits longer nobody can say for whom.
    """
    kept_ns = pool.policy.hold_ms * MILLISECOND
    if not kept_ns <= machine_at - task.ready_machine_at < 2 * kept_ns:
        return ()
    best = told[matching.TOLD : matching.TOLD + 2 * matching.TOP]
    known = pool.fleet.known
    return tuple(
        known[place].name
        for place, worth in zip(best[::2], best[1::2], strict=True)
        if place != _NONE and worth > told[0] + MARGIN_PPM and known[place].name != agent.name
    )


def moved(task: Task, agent: Agent, pool: Pool, *, holder: AgentId, machine_at: Nanos) -> Choice:
    """Return ``task``, which ``holder`` had set aside and which is ready again, as the choice for ``agent``."""
    return _Scene(agent, pool, machine_at=machine_at).choice(task, moved_from=holder)


def _nothing(agent: Agent, pool: Pool, *, told: Ints, machine_at: Nanos) -> Choice:
    """Return why there is no task for ``agent`` now."""
    held, ordinary, slots = pool.fleet.room(agent.name)
    text = _nothing_for(agent)
    if _too_long(agent, pool):
        text = f"{text} but long ones, and {_filled(agent)}"
    kept = bool(told[6])
    if kept:
        text = "the ready tasks are kept a moment for agents that do such work better"
    elif told[3]:
        text = f"the ready tasks failed with {agent.name} last and another agent can take them"
    elif told[2]:
        text = (
            f"{agent.name} holds {held} of its {ordinary} slots for ordinary work; "
            f"the other {slots - ordinary} are kept for urgent tasks"
        )
    refusal = None if kept else _bounded(agent, pool, machine_at=machine_at)
    if refusal is not None:
        return Choice(task_id=None, because=refusal, bounded=True)
    return Choice(task_id=None, because=text, kept=kept)


def _bounded(agent: Agent, pool: Pool, *, machine_at: Nanos) -> str | None:
    """Return which bound keeps ready work from ``agent``, None if none does."""
    if not pool.bounds.rules:
        return None
    work = {(demand, owner) for demand, _, owner, *_ in pool.lanes()}
    for demand, owner in sorted(work, key=repr):
        if agent.fits(demand):
            refusal = pool.bounds.refusal(demand, owner, now=machine_at)
            if refusal is not None:
                return refusal
    return None


def waiting(task: Task, pool: Pool, tasks: Mapping[TaskId, Task], *, machine_at: Nanos) -> str:
    """Return in one sentence why a blocked, delayed or ready task has not started."""
    if task.state is TaskState.BLOCKED:
        waits = [
            d
            for d in task.depends_on
            if (known := tasks.get(TaskId(d))) is not None and not known.state.final
        ]
        return f"waits for {', '.join(waits)}" if waits else "what it waited for has just ended"
    if task.state is TaskState.DELAYED and task.not_before is not None:
        return f"rests until {rfc3339(task.not_before)} (machine time)"
    asked, fleet = ", ".join(task.needs), pool.fleet
    if task.state is TaskState.UNMATCHABLE:
        return _unmatchable(task, pool)
    bound = pool.bounds.refusal(task.demand, task.owner, now=machine_at)
    if bound is not None:
        return f"it has to wait: {bound}"
    able = fleet.able_to(task.demand)
    if able.size == 0 and task.long:
        full = sorted(a.name for a in fleet.known if a.fits(task.demand) and fleet.filled(a.name))
        if full:
            return f"it is long work, of which {_named(full)} {_holds(full)} as much as allowed"
    if able.size == 0:
        resting = sorted(a.name for a in fleet.known if a.fits(task.demand))
        return f"every agent with the capability {asked} is paused: {_named(resting)}"
    rooms = fleet.rooms[able]
    free = able[rooms[:, 0] < rooms[:, 2 if task.urgency in PRESSING else 1]]
    if free.size == 0:
        names = [fleet.known[place].name for place in able[: MAX_NAMES + 1]]
        return f"every agent with the capability {asked} is full or paused: {_named(names)}"
    return f"{_named([fleet.known[place].name for place in free[: MAX_NAMES + 1]])} may claim it"


def _unmatchable(task: Task, pool: Pool) -> str:
    """Return why there is no agent for ``task``: what the nearest ones stand on, or what nobody can do."""
    known, demand = pool.fleet.known, task.demand
    near = sorted((one for one in known if not one.lacks(demand)), key=lambda one: one.name)
    until = "it waits for one that fits"
    if not near:
        nobody = [n for n in demand.needs if not any(n in one.capabilities for one in known)]
        missing = ", ".join(nobody or demand.needs)
        return f"no agent has the capability {missing}{'' if nobody else ' together'}; {until}"
    reasons = "; ".join(f"{one.name}: {one.declines(demand)}" for one in near[:MAX_NAMES])
    more = f"; and {len(near) - MAX_NAMES} others" if len(near) > MAX_NAMES else ""
    return f"nobody who can do it takes it ({reasons}{more}); {until}"


def explained(
    task: Task,
    pool: Pool,
    *,
    why: str,
    machine_at: Nanos,
    asked: AgentId | None,
) -> TaskWhy:
    """Return the whole explanation of ``task``: where it stands, the factors, and every agent's part.

    ``asked`` narrows the agents to one; ``why`` is the sentence that its state gives.
    """
    ahead = None
    if task.state is TaskState.READY:
        ahead = pool.ahead(task, machine_at=machine_at)
        due = pool.is_due(task, machine_at=machine_at)
        why += f"; {ahead} tasks for {', '.join(task.needs)} go before it"
        why += "; it has waited so long that it goes before all that have not" if due else ""
    fleet = pool.fleet
    known = fleet.known if asked is None else [fleet.known[fleet.index[asked]]]
    judged = [_verdict(agent, task, pool) for agent in sorted(known, key=lambda a: a.name)]
    counts: dict[str, int] = {}
    for one in judged:
        counts[one.verdict.value] = counts.get(one.verdict.value, 0) + 1
    rank = {verdict: place for place, verdict in enumerate(Verdict)}
    judged.sort(key=lambda one: (rank[one.verdict], one.agent))
    return TaskWhy(
        task_id=task.task_id,
        state=task.state,
        why=why,
        ahead=ahead,
        factors=task.factors,
        agents=tuple(judged[:MAX_VERDICTS]),
        counts=counts,
    )


def _verdict(agent: Agent, task: Task, pool: Pool) -> AgentVerdict:
    kind, text = _judged(agent, task, pool)
    return AgentVerdict(agent=agent.name, verdict=kind, text=text)


def _judged(agent: Agent, task: Task, pool: Pool) -> tuple[Verdict, str]:
    """Return what speaks for or against ``agent``: at the assignment if it was looked at, or now."""
    if task.agent == agent.name:
        return Verdict.CHOSEN, task.because or ""
    lacking = [need for need in task.needs if need not in agent.capabilities]
    if lacking:
        return Verdict.LACKS_CAPABILITY, f"it lacks {', '.join(lacking)}"
    declined = agent.declines(task.demand)
    if declined is not None:
        return Verdict.DECLINES, declined
    if task.state is TaskState.READY and agent.state is not AgentState.READY:
        return Verdict.NOT_READY, f"it is {agent.state}: {agent.reason}"
    if task.failed_by == agent.name:
        return Verdict.FAILED_IT, "it failed the task last and goes after all who can take it"
    if task.state is TaskState.READY and task.long and pool.fleet.filled(agent.name):
        return Verdict.NO_ROOM, _filled(agent)
    held, limit, when = _room(agent, task, pool)
    if held >= limit:
        kept = agent.slots - limit
        text = f"{when} it held {held} of {limit} slots for work of this priority"
        return Verdict.NO_ROOM, f"{text}; {kept} are kept for urgent tasks" if kept else text
    if task.state is TaskState.READY:
        score = pool.fleet.scores[TYPES.index(task.type), pool.fleet.index[agent.name]] / 1e6
        text = f"it may claim it now: {held} of {limit} slots in use; scores {score:.2f}"
        return Verdict.CAN_TAKE, text
    return Verdict.OUTRUN, f"{when} it held {held} of {limit} slots, and {_outdone(agent, task)}"


def _filled(agent: Agent) -> str:
    return f"{agent.name} fills {agent.long_slots} of its {agent.slots} slots with long work"


def _holds(names: Sequence[str]) -> str:
    return "hold" if len(names) > 1 else "holds"


def _too_long(agent: Agent, pool: Pool) -> bool:
    """Return whether long work is ready that ``agent`` would take if it did not hold so much of it."""
    if not pool.fleet.filled(agent.name):
        return False
    return any(key[0].long and agent.fits(key[0]) for key in pool.lanes())


def _outdone(agent: Agent, task: Task) -> str:
    """Return what told ``agent`` from the one that got ``task``: who asked, and what each scored."""
    factors = task.factors
    if factors is None:
        return "did not ask first"
    text = "did not ask first"
    if factors.promised:
        text = f"a round kept it for {factors.agent}"
    elif factors.moved_from is not None:
        text = f"it moved to {factors.agent}, which was idle and asked"
    scores = {seen.agent: seen.score_ppm / 1e6 for seen in factors.considered}
    if agent.name in scores and factors.agent in scores:
        text += f"; it scored {scores[agent.name]:.2f} against {scores[factors.agent]:.2f}"
    return text


def _room(agent: Agent, task: Task, pool: Pool) -> tuple[int, int, str]:
    if task.factors is not None and task.state is not TaskState.READY:
        for seen in task.factors.considered:
            if seen.agent == agent.name:
                return seen.held, seen.limit, "when it was given out"
    held, ordinary, slots = pool.fleet.room(agent.name)
    return held, slots if task.urgency in PRESSING else ordinary, "now"


class _Scene:
    """All that speaks for the tasks that one agent gets by one asking; ``_taken`` counts them."""

    __slots__ = (
        "_agent",
        "_among",
        "_fleet",
        "_machine_at",
        "_place",
        "_policy",
        "_pool",
        "_seen",
        "_taken",
    )

    def __init__(self, agent: Agent, pool: Pool, *, machine_at: Nanos) -> None:
        self._agent = agent
        self._pool = pool
        self._fleet: Fleet = pool.fleet
        self._policy = pool.policy
        self._machine_at = machine_at
        self._place = pool.fleet.index[agent.name]
        self._among = pool.among(agent.name)
        self._taken = 0
        # Nobody else's room changes meanwhile: who is able for a demand is looked at once.
        self._seen: dict[Demand, list[int]] = {}

    def choice(
        self, task: Task, *, promised: bool = False, moved_from: AgentId | None = None
    ) -> Choice:
        """Return a task that does not go by the order as the choice, with the factors and why."""
        told = self._pool.told(self._agent.name, task, machine_at=self._machine_at).tolist()
        made = replace(self.factors(task, told), promised=promised, moved_from=moved_from)
        because = _sentence(self._agent, task, made)
        return Choice(task_id=task.task_id, because=because, factors=made)

    def factors(self, task: Task, told: Sequence[int]) -> Factors:
        """Return the factors of the next task, of which ``matching.pick`` told so much."""
        whole, demand = task.urgency in PRESSING or bool(told[5]), task.demand
        able = self._seen.get(demand)
        if able is None:
            able = self._seen[demand] = self._fleet.able_to(demand).tolist()
        shown: Sequence[int] = able
        if len(able) > MAX_CONTENDERS:
            best = told[matching.TOLD : matching.TOLD + 2 * matching.TOP : 2]
            shown = [place for place in best if place != _NONE]
        held, ordinary, slots = self._fleet.room(self._agent.name)
        ready, weight = task.ready_machine_at, self._policy.weight_us(task.urgency)
        made = Factors(
            agent=self._agent.name,
            score_ppm=told[0],
            regime=self._fleet.regime,
            held=held + self._taken,
            limit=slots if whole else ordinary,
            able=len(able),
            with_room=told[4],
            among=self._among - self._taken,
            waited_ms=max(0, self._machine_at - ready) // MILLISECOND,
            turn_ms=(task.order_key + weight) // 1_000 - ready // MICROSECOND // 1_000,
            worth_s=weight // 1_000_000,
            past_due=bool(told[5]),
            raised=task.raised,
            considered=tuple(self._contender(place, task, whole=whole) for place in shown),
        )
        self._taken += 1
        return made

    def _contender(self, place: int, task: Task, *, whole: bool) -> Contender:
        fleet = self._fleet
        held, ordinary, slots, _ = fleet.rooms[place].tolist()
        return Contender(
            agent=fleet.known[place].name,
            score_ppm=int(fleet.scores[TYPES.index(task.type), place]),
            held=held + self._taken if place == self._place else held,
            limit=slots if whole else ordinary,
        )


def _sentence(agent: Agent, task: Task, factors: Factors) -> str:
    rank = "overdue" if factors.past_due else f"by priority {task.urgency.value}, then age"
    rank += ", as its deadline is near" if task.urgency is not task.priority else ""
    order = f"first of {factors.among} ready {rank}"
    chosen = f"asked first of {factors.with_room} with room"
    if factors.promised:
        order = f"kept for it out of {factors.among} ready"
        chosen = f"together those who waited do most so, {factors.with_room} with room"
    elif factors.moved_from is not None:
        order = f"moved from {factors.moved_from}, which had not begun it"
        chosen = f"idle, one of {factors.with_room} with room"
    text = (
        f"{agent.name} can do {', '.join(task.needs)}; {order}; "
        f"{factors.held + 1} of {factors.limit} slots in use; "
        f"{chosen}; scores {factors.score_ppm / 1e6:.2f}"
    )
    if factors.regime is not None:
        text += f" in regime {factors.regime.value.replace('_', ' ')}"
    if task.attempt:
        text += f"; attempt {task.attempt - task.moves + 1} of {task.max_attempts}"
    return text if task.failed_by is None else f"{text} after {task.failed_by} failed it"


def _nothing_for(agent: Agent) -> str:
    if not agent.capabilities:
        return "the agent offers no capability, and no ready task does without"
    return f"no ready task asks for {', '.join(agent.capabilities)}"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else f"{shown} and others"
