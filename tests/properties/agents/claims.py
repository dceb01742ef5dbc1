"""Agents that lose answers, repeat themselves, come late and lie, on a deck that is killed again and again.

Every report that was taken is an effect. What must never happen: two effects of one task, a task that
is neither open nor ended, an effect reported by one who did not hold the lease.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from quarterdeck.agents.model import (
    Claim,
    ClaimWork,
    CompleteMany,
    NewTask,
    RenewLease,
    Report,
    ResumeAgent,
    SubmitTasks,
    TaskState,
)
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.config import AgentsSection
from tests.unit.agents.conftest import DOES, OneServiceDeck, agent_caller

CAPABILITIES = ("a", "b", "c")
AGENTS, SLOTS, REFILL_BELOW = 24, 40, 600


@dataclass
class Tally:
    """What was tried and what came of it."""

    claims: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    repeated: int = 0
    answers_lost: int = 0
    attempts_failed_or_expired: int = 0
    kills: int = 0
    moved: int = 0
    double: int = 0
    lost: int = 0


class Trial:
    """One deck, its agents, and the list of what each believes to hold."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tally = Tally()
        self.deck = OneServiceDeck(
            AgentsSection(
                max_open_tasks=100_000,
                max_open_tasks_per_owner=100_000,
                retry_base_ms=200,
                dead_after_agents=4,
                hold_ms=50,
            )
        )
        self.names = [f"agent{n}" for n in range(AGENTS)]
        for number, name in enumerate(self.names):
            mine = CAPABILITIES[: 1 + number % 3]
            self.deck.outside(
                name, *mine, slots=2 if number % 6 == 5 else SLOTS, long_slots=(None, 8)[number % 2]
            )
        self.believed: dict[str, list[Claim]] = {name: [] for name in self.names}
        self.said: list[tuple[str, Report]] = []
        self.batch = 0

    def run(self, claims: int) -> Tally:
        """Go on until so many claims were given, then let everything come to its end and count."""
        turn = 0
        while self.tally.claims < claims:
            turn += 1
            if self.deck.service.board.open < REFILL_BELOW:
                self.submit()
            self.act(self.chance.choice(self.names))
            if turn % 7 == 0:
                self.deck.pass_seconds(self.chance.choice((0, 0, 1, 1, 2, 9)))
            if turn % 50 == 0:
                self.deck.bars()
            if turn % 1_500 == 0:
                self.kill()
            if turn % 300 == 0:
                self.deck.said.clear()
                for name in self.names:
                    self.deck.do("set_state", ResumeAgent(agent=name, reason="go on"))
        self.settle()
        self.count()
        return self.tally

    def submit(self) -> None:
        """Put a batch in, with some that wait for others."""
        self.batch += 1
        tasks = tuple(
            NewTask(
                type=tuple(TaskType)[n % 5],
                title="t",
                capability=self.chance.choice(CAPABILITIES),
                priority=self.chance.choice(tuple(Priority)),
                lease_s=5,
                max_attempts=10,
                deadline_s=self.chance.randrange(1, 30) if n % 3 == 0 else None,
                depends_on=(f"#{n - 1}",) if n and self.chance.random() < 0.1 else (),
            )
            for n in range(200)
        )
        self.deck.do("submit_many", SubmitTasks(idempotency_key=f"b{self.batch}", tasks=tasks))

    def act(self, who: str) -> None:
        """Let one agent do one thing, rightly or wrongly."""
        what, mine = self.chance.random(), self.believed[who]
        if what < 0.45:
            self.claim(who)
        elif what < 0.85 and mine:
            self.report(who, [self.taken(mine) for _ in range(min(len(mine), 12))])
        elif what < 0.90 and self.said:
            # Whoever got no answer says it again, at once or much later.
            again, report = self.chance.choice(self.said)
            self.tally.repeated += 1
            self.hand_in(again, [report])
        elif what < 0.94:
            other = self.believed[self.chance.choice(self.names)]
            if other:
                stolen = self.chance.choice(other)
                self.hand_in(who, [Report(task_id=stolen.task_id, lease_token=stolen.lease_token)])
        elif what < 0.98 and mine:
            held = self.chance.choice(mine)
            self.try_to(
                "renew", RenewLease(task_id=held.task_id, lease_token=held.lease_token), who
            )
        else:
            # Gone for good with everything it holds: the leases end by themselves.
            mine.clear()

    def claim(self, who: str) -> None:
        most, start = self.chance.choice((1, 8, 24)), self.chance.random() < 0.7
        answer = self.deck.do("claim", ClaimWork(most=most, start=start), who)
        if answer.claim is None:
            return
        claims = (answer.claim, *answer.more)
        self.tally.claims += len(claims)
        if self.chance.random() < 0.1:
            self.tally.answers_lost += 1
            return
        self.believed[who] += claims

    def taken(self, mine: list[Claim]) -> Report:
        claim = mine.pop(self.chance.randrange(len(mine)))
        failed = self.chance.random() < 0.08
        return Report(
            task_id=claim.task_id,
            lease_token=claim.lease_token,
            failed=failed,
            reason="no" if failed else "",
        )

    def report(self, who: str, reports: list[Report]) -> None:
        self.hand_in(who, reports)
        self.said += [(who, report) for report in reports if self.chance.random() < 0.2]
        if len(self.said) > 2_000:
            del self.said[:1_000]

    def hand_in(self, who: str, reports: list[Report]) -> None:
        """Hand in, and hold what was taken against who held the lease."""
        board = self.deck.service.board
        holders = {r.task_id: board.tasks.get(r.task_id) for r in reports}
        answer = self.deck.do("complete_many", CompleteMany(reports=tuple(reports)), who)
        for report, settled in zip(reports, answer.settled, strict=True):
            before = holders[report.task_id]
            if settled.state is None:
                self.tally.refused += 1
                continue
            if before is None or before.state is not TaskState.LEASED:
                continue
            if before.agent != who or report.lease_token != before.lease_token:
                if not (before.settled_attempt and before.failed_by == who):
                    self.tally.double += 1
            elif settled.state is TaskState.COMPLETED:
                self.tally.effects[report.task_id] += 1

    def try_to(self, what: str, command: object, who: str) -> None:
        try:
            self.deck.do(what, command, who)
        except DomainError:
            self.tally.refused += 1

    def kill(self) -> None:
        """Let the deck die in the middle of a step, and come back from its file."""
        self.tally.kills += 1
        name = self.chance.choice(self.names)
        step = self.deck.begin(agent_caller(name))
        DOES["claim"](self.deck.service, ClaimWork(most=20), step)
        # The step was not written: nobody got its answer.
        self.deck.service = self.deck.restarted()

    def settle(self) -> None:
        """Let everybody do what is left, patiently."""
        for _ in range(3_000):
            if self.deck.service.board.open == 0:
                return
            for name in self.names:
                self.deck.do("set_state", ResumeAgent(agent=name, reason="go on"))
                answer = self.deck.do("claim", ClaimWork(most=40), name)
                claims = () if answer.claim is None else (answer.claim, *answer.more)
                self.tally.claims += len(claims)
                if claims:
                    self.hand_in(
                        name,
                        [Report(task_id=c.task_id, lease_token=c.lease_token) for c in claims],
                    )
            self.deck.said.clear()
            self.deck.pass_seconds(3)

    def count(self) -> None:
        """Hold what the file says against what was seen."""
        rows = self.deck.connection.execute("SELECT task_id, state, attempt FROM tasks").fetchall()
        done = {row["task_id"] for row in rows if row["state"] == "completed"}
        tally = self.tally
        tally.double += sum(n - 1 for n in tally.effects.values() if n > 1)
        tally.double += len(set(tally.effects) - done)
        ended = ("completed", "failed", "dead")
        tally.lost += sum(row["state"] not in ended for row in rows)
        tally.lost += len(done - set(tally.effects))
        tally.lost += 200 * self.batch - len(rows)
        reasons = self.deck.connection.execute(
            "SELECT COALESCE(SUM(failed), 0) AS n FROM agents"
        ).fetchone()
        tally.attempts_failed_or_expired = int(reasons["n"])
        moves = self.deck.connection.execute("SELECT COALESCE(SUM(moves), 0) AS n FROM tasks")
        tally.moved = int(moves.fetchone()["n"])
        self.deck.connection.close()
