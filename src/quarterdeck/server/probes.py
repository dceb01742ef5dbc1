"""Probes for whoever keeps the process alive, and figures for whoever watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from quarterdeck.agents.model import GetTasks, TasksView
from quarterdeck.alerts.model import EpisodesView, GetEpisodes
from quarterdeck.execution.model import ExecutionReport, GetExecutionReport, GetStop, StopView
from quarterdeck.kernel.time import SECOND
from quarterdeck.performance.model import GetPerformance, PerformancesView
from quarterdeck.runtime.policy import DECK_CALLER, Permission
from quarterdeck.runtime.supervisor import Phase
from quarterdeck.server.desk.asking import read
from quarterdeck.server.endpoints import Endpoint, Turnstile, send_bytes
from quarterdeck.server.ports import Ports

MAX_AGENTS = 200
"""Most agents that get series of their own; the best ranked are kept."""
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


@dataclass(slots=True)
class Traffic:
    """How many requests were answered, and how: bounded by methods and classes of status."""

    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    seconds: float = 0.0

    def seen(self, method: str, status: int, took_s: float) -> None:
        """Count one answered request."""
        key = (method if method in METHODS else "other", f"{status // 100}xx")
        self.requests[key] = self.requests.get(key, 0) + 1
        self.seconds += took_s


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must be so for the deck to be ready."""

    name: str
    ok: bool
    detail: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe answers; ``degraded`` is ready, but not trading."""

    status: str
    checks: tuple[Check, ...] = ()


class Live(Endpoint):
    """The event loop turns: nothing else is asked."""

    def __init__(self) -> None:
        self.permissions = {"GET": Permission.PUBLIC}

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Answer."""
        await send_bytes(send, msgspec.json.encode(Health(status="alive")))


class Started(Endpoint):
    """Every component was up once."""

    def __init__(self, ports: Ports) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._ports = ports

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Answer 200 once started, 503 before."""
        started = self._ports.health.started()
        body = msgspec.json.encode(Health(status="started" if started else "starting"))
        await send_bytes(send, body, status=200 if started else 503)


class Ready(Endpoint):
    """Every component is up now; a deck whose trading is stopped is ready but degraded."""

    def __init__(self, ports: Ports) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._ports = ports

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Answer 200 when ready, 503 when not, with a line for each check."""
        checks = tuple(
            Check(
                name=line.name,
                ok=line.phase is Phase.READY and line.sound,
                detail=line.detail or line.phase,
            )
            for line in self._ports.health.snapshot()
        )
        ready = self._ports.health.ready()
        status = "ready" if ready else "not ready"
        if ready:
            stop = await read(self._ports.views, GetStop(), caller=DECK_CALLER, kind=StopView)
            trading = Check(
                name="trading",
                ok=not stop.stopped,
                detail=f"stopped: {stop.reason}" if stop.stopped else "open",
            )
            checks = (*checks, trading)
            status = "degraded" if stop.stopped else "ready"
        body = msgspec.json.encode(Health(status=status, checks=checks))
        await send_bytes(send, body, status=200 if ready else 503)


class Metrics(Endpoint):
    """The deck's figures in the Prometheus text format, taken when they are asked for."""

    def __init__(
        self,
        ports: Ports,
        *,
        traffic: Traffic,
        turnstile: Turnstile,
        permission: Permission,
        clients: Iterable[object],
    ) -> None:
        self.permissions = {"GET": permission}
        self._ports = ports
        self._traffic = traffic
        self._turnstile = turnstile
        self._clients = clients

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Collect on the loop, write out beside it."""
        self._turnstile.admit(scope, self.permissions["GET"])
        families = [*self._process(), *(await self._trading())]
        body = await asyncio.to_thread(_written, families)
        await send_bytes(send, body, media="text/plain; version=0.0.4; charset=utf-8")

    def _process(self) -> Iterator[Metric]:
        ports, feed = self._ports, self._ports.pacer.status()
        journal = ports.facts.journal()
        yield _gauge(
            "quarterdeck_build_info", "Version", [(("version",), (ports.facts.version,), 1)]
        )
        yield _gauge(
            "quarterdeck_ready", "1 when every component is up", [_plain(ports.health.ready())]
        )
        yield _gauge(
            "quarterdeck_component_ready",
            "1 when the component is up",
            [
                (("component",), (line.name,), float(line.phase is Phase.READY))
                for line in ports.health.snapshot()
            ],
        )
        yield _gauge("quarterdeck_feed_slice", "Index of the last slice", [_plain(feed.slice)])
        yield _gauge("quarterdeck_feed_slices", "Slices of the replay", [_plain(feed.slices)])
        yield _gauge("quarterdeck_feed_at_seconds", "Market time", [_plain(feed.at / SECOND)])
        yield _gauge(
            "quarterdeck_journal_durable_step",
            "Newest step on disk",
            [_plain(journal.durable_step)],
        )
        yield _gauge(
            "quarterdeck_journal_pending_steps",
            "Steps in memory only",
            [_plain(journal.pending_steps)],
        )
        yield _counter("quarterdeck_journal_commits", "Transactions", [_plain(journal.commits)])
        yield _counter(
            "quarterdeck_http_requests",
            "Requests answered",
            [
                (("method", "status"), key, count)
                for key, count in sorted(self._traffic.requests.items())
            ],
        )
        yield _counter(
            "quarterdeck_http_request_seconds",
            "Time spent answering",
            [_plain(self._traffic.seconds)],
        )
        yield _gauge(
            "quarterdeck_ws_clients", "Live clients", [_plain(sum(1 for _ in self._clients))]
        )

    async def _trading(self) -> list[Metric]:
        ports = self._ports
        if not ports.health.ready():
            return []
        views, caller = ports.views, DECK_CALLER
        report = await read(views, GetExecutionReport(), caller=caller, kind=ExecutionReport)
        stop = await read(views, GetStop(), caller=caller, kind=StopView)
        tasks = await read(views, GetTasks(limit=1), caller=caller, kind=TasksView)
        alerts = await read(views, GetEpisodes(limit=1), caller=caller, kind=EpisodesView)
        ranks = await read(views, GetPerformance(), caller=caller, kind=PerformancesView)
        best = ranks.agents[:MAX_AGENTS]
        outcomes = (
            ("submitted", report.submitted),
            ("accepted", report.accepted),
            ("refused", report.refused),
            ("filled", report.filled),
        )
        return [
            _gauge(
                "quarterdeck_emergency_stop", "1 while trading is stopped", [_plain(stop.stopped)]
            ),
            _counter(
                "quarterdeck_orders", "Orders", [(("outcome",), (o,), n) for o, n in outcomes]
            ),
            _counter(
                "quarterdeck_gate_refusals",
                "Refused orders by code",
                [(("code",), (code,), n) for code, n in sorted(report.refusals.items())],
            ),
            _gauge(
                "quarterdeck_tasks",
                "Tasks by state",
                [(("state",), (state,), n) for state, n in sorted(tasks.counts.items())],
            ),
            _gauge(
                "quarterdeck_alert_episodes_open",
                "Unresolved episodes",
                [(("severity",), (name,), n) for name, n in sorted(alerts.open.items())],
            ),
            _gauge(
                "quarterdeck_equity",
                "Equity",
                [(("agent",), (a.agent,), float(a.equity)) for a in best],
            ),
            _gauge(
                "quarterdeck_drawdown_ratio",
                "Loss from the highest equity",
                [(("agent",), (a.agent,), a.drawdown_fraction) for a in best],
            ),
        ]


Sample = tuple[tuple[str, ...], tuple[str, ...], float]


def _plain(value: float) -> Sample:
    return ((), (), float(value))


def _gauge(name: str, text: str, samples: list[Sample]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=samples[0][0] if samples else None)
    for _, labels, value in samples:
        family.add_metric(labels, value)
    return family


def _counter(name: str, text: str, samples: list[Sample]) -> Metric:
    family = CounterMetricFamily(name, text, labels=samples[0][0] if samples else None)
    for _, labels, value in samples:
        family.add_metric(labels, value)
    return family


class _Families(Collector):
    """Hands finished families to the writer."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._families


def _written(families: list[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families))
    return generate_latest(registry)
