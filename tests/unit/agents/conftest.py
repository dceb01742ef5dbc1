"""A deck of one service: real steps, real SQL in memory, a machine clock moved by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from quarterdeck.agents.model import (
    AgentRegistered,
    ClaimAnswer,
    ClaimWork,
    CompleteWork,
    KeyIssued,
    RegisterAgent,
    SubmitTask,
    TaskView,
)
from quarterdeck.agents.service import AgentsService, bounds, people, schedules, work
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.ids import AgentId, RunId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.kernel.vocabulary import ConfidenceLevel, Regime, TaskType
from quarterdeck.market.model import BarsClosed
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import AgentsSection
from quarterdeck.runtime.database import ConnectionReader, Sql, create, load_sql
from quarterdeck.runtime.policy import (
    DECK_CALLER,
    OPERATOR_CALLER,
    Caller,
    CallerKind,
    Permission,
)
from quarterdeck.runtime.sequencer import Step, StepKind

SLOTS = {"trend": 3, "breakout": 3}
DOES = {
    function.__name__: function
    for function in (
        people.register, people.issue_key, people.revoke_key, people.set_state, people.change_offer,
        work.submit, work.submit_many, work.redrive, work.dismiss, work.claim, work.renew, work.complete,
        work.complete_many, work.cancel, bounds.set_bound, schedules.add, schedules.remove, schedules.turn,
    )
}  # fmt: skip


@cache
def house_sql() -> Sql:
    """The schema and statements, read once."""
    return load_sql()


class CountingSecrets:
    """Text that never repeats and is the same in every run."""

    def __init__(self) -> None:
        self.drawn = 0

    def token(self, nbytes: int) -> str:
        self.drawn += 1
        return f"{self.drawn:x}".rjust(-(-nbytes * 4 // 3), "k")


class Accounts:
    """What agents own, set by hand."""

    def __init__(self) -> None:
        self.units: dict[str, int] = {}

    def equity_units(self, agent: AgentId) -> int | None:
        return self.units.get(agent)


class Past:
    """History straight from the one connection."""

    def __init__(self, reader: ConnectionReader) -> None:
        self._reader = reader

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        return self._reader.rows(statement, **values)


class OneServiceDeck:
    """Runs steps on an agents service and commits each at once."""

    def __init__(self, config: AgentsSection) -> None:
        self.config = config
        self.sql = house_sql()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        create(self.connection, self.sql)
        self.reader = ConnectionReader(self.connection, self.sql)
        self.history = Past(self.reader)
        self.secrets = CountingSecrets()
        self.accounts = Accounts()
        self.number = 0
        self.slice = -1
        self.machine_at = Nanos(1_000 * SECOND)
        self.said: list[Message] = []
        self.last = self._step(DECK_CALLER)
        self.service = self.restarted()

    def restarted(self) -> AgentsService:
        """A service that knows only what the database holds."""
        service = AgentsService(
            config=self.config,
            secrets=self.secrets,
            capital=Decimal(100_000),
            builtin_slots=SLOTS,
            equity=self.accounts,
        )
        service.load(self.reader)
        return service

    def _step(self, caller: Caller) -> Step:
        def nobody(*_: object) -> Any:
            raise AssertionError("no command is carried inside this step")

        return Step(
            run=RunId("t"),
            number=self.number,
            kind=StepKind.COMMAND,
            slice_index=self.slice,
            at=Nanos((self.slice + 1) * 86_400 * SECOND),
            machine_at=self.machine_at,
            caller=caller,
            carry=nobody,
        )

    def begin(self, caller: Caller = DECK_CALLER) -> Step:
        self.number += 1
        return self._step(caller)

    def commit(self, step: Step) -> None:
        for statement, values in step.rows:
            changed = self.connection.execute(self.sql.statements[statement], dict(values))
            assert changed.rowcount == 1, statement
        self.said += step.messages
        self.last = step

    def hear(self, message: Message) -> Step:
        step = self.begin()
        self.service.hear(message, step)
        self.commit(step)
        return step

    def do(self, function: str, command: object, who: str = "operator") -> Any:
        """Carry out a command; a refused one must have changed nothing."""
        caller = OPERATOR_CALLER if who == "operator" else agent_caller(who)
        step = self.begin(caller)
        try:
            answer = DOES[function](self.service, command, step)
        except DomainError:
            assert not (step.rows)
            assert not (step.messages)
            assert not (step.audits)
            raise
        self.commit(step)
        return answer

    def builtin(self, name: str, *capabilities: str) -> None:
        self.hear(
            AgentRegistered(
                at=Nanos(0),
                agent=AgentId(name),
                builtin=True,
                label=name,
                capabilities=capabilities,
                scopes=("read", "work"),
                capital_units=10**11,
            )
        )

    def outside(self, name: str, *capabilities: str, slots: int = 1, **fields: Any) -> KeyIssued:
        command = RegisterAgent(name=name, capabilities=capabilities, slots=slots, **fields)
        return self.do("register", command)

    def task(self, capability: str = "c", **fields: Any) -> TaskView:
        command = SubmitTask(
            idempotency_key=f"k{self.number}",
            type=fields.pop("type", TaskType.RESEARCH),
            title=fields.pop("title", "look into it"),
            capability=capability,
            **fields,
        )
        return self.do("submit", command)

    def claim(self, who: str) -> ClaimAnswer:
        return self.do("claim", ClaimWork(), who)

    def complete(self, who: str, task_id: str, token: str, **fields: Any) -> TaskView:
        command = CompleteWork(task_id=task_id, lease_token=token, **fields)
        return self.do("complete", command, who)

    def bars(self, *, warming_up: bool = False) -> Step:
        self.slice += 1
        floats, ints = np.empty(0), np.empty(0, dtype=np.int64)
        return self.hear(
            BarsClosed(
                at=Nanos(self.slice),
                index=self.slice,
                timeframe="1d",
                rows=ints,
                open=floats,
                high=floats,
                low=floats,
                close=floats,
                volume=floats,
                price_units=np.empty((0, 4), dtype=np.int64),
                indicators=np.empty((0, 11)),
                missed=ints,
                warming_up=warming_up,
                last=False,
            )
        )

    def regime(self, symbol: str, regime: Regime = Regime.VOLATILE) -> Step:
        return self.hear(
            RegimeChanged(
                at=Nanos(0),
                slice=self.slice,
                instrument=0,
                symbol=symbol,
                previous=Regime.RANGING,
                regime=regime,
                confidence=0.5,
                level=ConfidenceLevel.MEDIUM,
                duration_bars=3,
                triggers=(),
            )
        )

    def pass_seconds(self, seconds: int) -> None:
        self.machine_at = Nanos(self.machine_at + seconds * SECOND)

    def state_of(self, task_id: str) -> str:
        rows = self.reader.rows("agents.task", task_id=task_id)
        return str(rows[0]["state"])


def agent_caller(name: str) -> Caller:
    return Caller(
        identity=AgentId(name),
        kind=CallerKind.AGENT,
        permissions=frozenset({Permission.READ, Permission.WORK}),
    )


def memory(service: AgentsService) -> dict[str, object]:
    """All that decides what the service does next."""
    board = service.board
    return {
        "agents": service.members,
        "keys": service.issued,
        "tasks": board.tasks,
        "counts": board.counts,
        "skills": service.skills.records,
        "regimes": service.regimes,
        "outcomes": board.outcomes,
        "recurring": board.recurring,
        "last": (board.last_number, board.last_finished),
        "pending": board._pending,
        "held": (board._held, set(board.set_aside)),
        "ready": board.ready.content(),
        "finished": (list(board._finished), list(board._lost)),
        "alarms": (board.alarms._at, board.deadlines._at),
        "agenda": service.agenda,
        "findings": board.findings,
        "letters": board.letters,
        "late": board.late,
        "judgements": service.judgements,
        "schedules": (service.schedules, service.last_fire),
    }


@pytest.fixture
def deck() -> Iterator[OneServiceDeck]:
    # Without a rest between attempts, which would be drawn.
    made = OneServiceDeck(AgentsSection(retry_base_ms=0))
    yield made
    made.connection.close()


@pytest.fixture
def deck_with() -> Iterator[Any]:
    made: list[OneServiceDeck] = []

    def make(config: AgentsSection) -> OneServiceDeck:
        made.append(OneServiceDeck(config))
        return made[-1]

    yield make
    for one in made:
        one.connection.close()
