"""What agents are worth, learned from every outcome and put where the matcher looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quarterdeck.agents import store
from quarterdeck.agents.core import contents
from quarterdeck.agents.core.skill import EVERYBODY, SkillKey
from quarterdeck.agents.core.task import Judgement, Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import MILLISECOND
from quarterdeck.kernel.vocabulary import REGIMES, Regime, TaskType
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

REFRESH_SLICES = 20
"""How often records that nobody added to are let fade."""


Noted = dict[tuple[AgentId, TaskType], dict[SkillKey, None]]
"""The records that outcomes have changed, by whose they are and of which type."""


def note_outcome(
    service: AgentsService, task: Task, agent: AgentId, noted: Noted, *, step: Step
) -> None:
    """Take in how an attempt of ``agent`` ended; what trading is worth shows some bars later."""
    if _to_be_judged(service, task, agent, step=step):
        return
    changed = service.skills.add(
        agent,
        task.type,
        _regime_of(service, task),
        quality=contents.quality(task) if task.state is TaskState.COMPLETED else None,
        took_ms=_took_ms(task, step),
        slice_index=step.slice,
    )
    noted.setdefault((agent, task.type), {}).update(dict.fromkeys(changed))


def take_in(service: AgentsService, noted: Noted, *, step: Step) -> None:
    """Score everybody anew of whom outcomes were noted: once, however many there were."""
    for (agent, kind), keys in noted.items():
        more = service.skills.rescored(agent, kind, slice_index=step.slice, besides=keys)
        _take_up(service, (*keys, *more), step=step)


def judge(service: AgentsService, *, step: Step) -> None:
    """Take in what trading was worth whose time has come."""
    for number, one in sorted(service.judgements.items()):
        if one.due_slice > step.slice:
            continue
        after = service.equity.equity_units(one.agent)
        del service.judgements[number]
        store.remove_judgement(number, step)
        if after is None:
            continue
        changed = service.skills.note(
            one.agent,
            TaskType.TRADING,
            one.regime,
            quality=contents.trading_quality(before=one.equity_units, after=after),
            took_ms=one.took_ms,
            slice_index=step.slice,
        )
        _take_up(service, changed, step=step)


def _to_be_judged(service: AgentsService, task: Task, agent: AgentId, *, step: Step) -> bool:
    """Return whether the worth of ``task`` shows later, and remember to look then."""
    if task.type is not TaskType.TRADING or task.state is not TaskState.COMPLETED:
        return False
    equity = service.equity.equity_units(agent)
    if equity is None:
        return False
    service.judgements[task.number] = made = Judgement(
        number=task.number,
        agent=agent,
        regime=_regime_of(service, task),
        equity_units=equity,
        took_ms=_took_ms(task, step),
        due_slice=step.slice + contents.JUDGED_AFTER_BARS,
    )
    store.save_judgement(made, step)
    return True


def _took_ms(task: Task, step: Step) -> float:
    started = task.started_machine_at or step.machine_at
    return max(0, step.machine_at - started) / MILLISECOND


def fade(service: AgentsService, *, step: Step) -> None:
    """Let what is known fade, every few slices."""
    if step.slice % REFRESH_SLICES == 0:
        _take_up(service, tuple(service.skills.refreshed(step.slice)), step=step)


def note_regime(service: AgentsService, change: RegimeChanged, *, step: Step) -> None:
    """Remember an instrument's regime; where another one prevails now, agents are worth what they
    are worth in that.
    """
    service.regimes[change.symbol] = change.regime
    step.write("agents.regime_saved", symbol=change.symbol, regime=change.regime.value)
    if prevailing(service.regimes.values()) is not service.board.ready.fleet.regime:
        put_scores(service)


def put_scores(service: AgentsService) -> None:
    """Put every agent's scores in the prevailing regime where the matcher looks."""
    fleet = service.board.ready.fleet
    fleet.regime = prevailing(service.regimes.values())
    for agent in service.members:
        for kind in TaskType:
            fleet.set_score(agent, kind, service.skills.score_ppm(agent, kind, fleet.regime))


def prevailing(regimes: Iterable[Regime]) -> Regime | None:
    """Return the regime that most instruments are in, of equals the first named; None without any.

    >>> prevailing([Regime.RANGING, Regime.VOLATILE, Regime.VOLATILE]).value
    'volatile'
    """
    counts = Counter(regimes)
    return min(counts, key=lambda one: (-counts[one], REGIMES.index(one)), default=None)


def _take_up(service: AgentsService, changed: Iterable[SkillKey], *, step: Step) -> None:
    fleet, done = service.board.ready.fleet, set[tuple[AgentId, TaskType]]()
    for key in changed:
        store.save_skill(key, service.skills.records, step)
        agent, kind, _ = key
        if agent != EVERYBODY and (agent, kind) not in done:
            done.add((agent, kind))
            fleet.set_score(agent, kind, service.skills.score_ppm(agent, kind, fleet.regime))


def _regime_of(service: AgentsService, task: Task) -> Regime | None:
    symbol = task.input.get("symbol")
    known = service.regimes.get(symbol) if isinstance(symbol, str) else None
    return known or service.board.ready.fleet.regime
