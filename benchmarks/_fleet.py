"""A simulated fleet of unequal agents whose skill depends on the regime and drifts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.core.pool import Pool
from quarterdeck.agents.core.skill import ANY, SkillKey, Skills, estimate
from quarterdeck.agents.core.task import Agent, Task
from quarterdeck.agents.model import AgentState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import MILLISECOND, Nanos
from quarterdeck.kernel.vocabulary import REGIMES, Priority, TaskType

AGENTS, SLICES, PER_SLICE, SLOTS = 20, 1_500, 4, 3
REGIME_LENGTH, DRIFT = 120, 0.01
KINDS = (TaskType.ANALYSIS, TaskType.TRADING)

Rule = Callable[[float, float, np.random.Generator], float]
"""A score from mean and standard error, for comparison with the deck's own."""


@dataclass
class World:
    """What is true: success probabilities by slice, kind and agent, and the regime of each slice."""

    skill: np.ndarray
    regime: np.ndarray

    @classmethod
    def made(cls, seed: int) -> World:
        """Draw a world: four regimes that take turns, a level per agent, kind and regime, and drift."""
        draw = np.random.default_rng(seed)
        regime = np.repeat(draw.integers(0, 4, SLICES // REGIME_LENGTH + 1), REGIME_LENGTH)[:SLICES]
        level = draw.normal(0.0, 0.7, (1, len(KINDS), AGENTS)) + draw.normal(
            0.0, 0.9, (4, len(KINDS), AGENTS)
        )
        walk = np.cumsum(draw.normal(0.0, DRIFT, (SLICES, len(KINDS), AGENTS)), axis=0)
        return cls(skill=1 / (1 + np.exp(-(level[regime] + walk))), regime=regime)


def task(number: int, kind: TaskType, at: Nanos, pool: Pool) -> Task:
    """Return a fresh ready task."""
    made = Task(
        number=number, task_id=TaskId(f"t{number}"), type=kind, title="t", capability="c",
        priority=Priority.MEDIUM, by=AgentId("deck"), entry=None, input={}, depends_on=(),
        max_attempts=3, lease_ns=10**9, submitted_at=at, submitted_slice=0, ready_machine_at=at,
    )  # fmt: skip
    return pool.released(made, machine_at=at)


def _other(
    skills: Skills, key: SkillKey, now: int, *, rule: Rule, draw: np.random.Generator
) -> int:
    overall = skills.records.get((key[0], key[1], ANY))
    if overall is None:
        return int(1e6 * rule(0.5, 0.25, draw))
    mean, error, _ = estimate(skills.records.get(key, overall), overall, slice_index=now)
    return int(1e6 * rule(mean, error, draw))


def lived(world: World, seed: int, *, rule: Rule | None) -> dict[str, float]:
    """Give every slice's tasks out and return the expected worth got, and by the oracle and in turn.

    Agents ask in an order drawn anew for every slice, with up to two slots taken by other work.
    """
    draw = np.random.default_rng([seed, 7])
    names = [AgentId(f"a{n:02d}") for n in range(AGENTS)]
    pool, skills = Pool(Policy(hold_ms=1_000)), Skills()
    for name in names:
        pool.fleet.set_agent(
            Agent(name=name, label="", builtin=False, state=AgentState.READY, capabilities=("c",),
                  scopes=(), slots=SLOTS + 2, capital_units=0, registered_at=Nanos(0))
        )  # fmt: skip
    got = oracle = in_turn = 0.0
    turn = number = 0
    for now in range(SLICES):
        at = Nanos(now * 60_000 * MILLISECOND)
        regime = REGIMES[world.regime[now]]
        for name in names:
            for kind in KINDS:
                ppm = skills.score_ppm(name, kind, regime)
                if rule is not None:
                    ppm = _other(skills, (name, kind, regime.value), now, rule=rule, draw=draw)
                pool.fleet.set_score(name, kind, ppm)
        busy = draw.integers(0, SLOTS + 1, AGENTS)
        for name, taken in zip(names, busy, strict=True):
            pool.fleet.hold(name, int(taken))
        tasks = {}
        for _ in range(PER_SLICE):
            made = task(number, KINDS[int(draw.integers(len(KINDS)))], at, pool)
            tasks[made.task_id] = made
            pool.add(made)
            number += 1
        free = {n: int(pool.fleet.room(names[n])[1] - busy[n]) for n in range(AGENTS)}
        for made in tasks.values():
            odds = world.skill[now, KINDS.index(made.type)]
            best = max((n for n in free if free[n] > 0), key=lambda n: odds[n])
            free[best] -= 1
            oracle += odds[best]
            while pool.fleet.room(names[turn % AGENTS])[1] <= busy[turn % AGENTS]:
                turn += 1
            in_turn += odds[turn % AGENTS]
            turn += 1
        for later in (0, 2_000):
            for agent in draw.permutation(AGENTS):
                while True:
                    taken, _ = pool.pick(names[agent], machine_at=Nanos(at + later * MILLISECOND))
                    if not taken:
                        break
                    made = tasks.pop(taken[0])
                    pool.remove(made)
                    pool.fleet.hold(names[agent], 1)
                    busy[agent] += 1
                    odds = world.skill[now, KINDS.index(made.type), agent]
                    got += odds
                    good = 1.0 if draw.random() < odds else None
                    skills.note(
                        names[agent],
                        made.type,
                        regime,
                        quality=good,
                        took_ms=100.0,
                        slice_index=now,
                    )
        for name, taken in zip(names, busy, strict=True):
            pool.fleet.hold(name, -int(taken))
        if now % 20 == 0:
            list(skills.refreshed(now))
    return {"got": got, "oracle": oracle, "in_turn": in_turn, "tasks": float(number)}


def compared(seeds: int, *, rule: Rule | None = None) -> dict[str, float]:
    """Return regret over that of taking turns, and failures over the oracle's, over ``seeds`` worlds."""
    totals = dict.fromkeys(("got", "oracle", "in_turn", "tasks"), 0.0)
    for seed in range(seeds):
        for name, value in lived(World.made(seed), seed, rule=rule).items():
            totals[name] += value
    return {
        "regret_share": (totals["oracle"] - totals["got"]) / (totals["oracle"] - totals["in_turn"]),
        "cost_ratio": totals["oracle"] / totals["got"],
    }
