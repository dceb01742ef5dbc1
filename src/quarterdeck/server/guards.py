"""What every request passes first: Host, Origin, rate, and the edge that no crash gets through."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quarterdeck.kernel.errors import DomainError
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.config import ServerSection
from quarterdeck.server.auth import header
from quarterdeck.server.problems import MEDIA_TYPE, Refused, headers_of, internal, problem_of

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BUCKETS = 10_000
MAX_GOOD_HOSTS = 64
SLOW_S = 1.0

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        (
            b"default-src 'self'; script-src 'self'; style-src 'self'; "
            b"img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
            b"form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


async def send_problem(send: Send, error: DomainError) -> None:
    """Answer with ``error`` as problem details."""
    problem = problem_of(error)
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in headers_of(error)]
    headers.append((b"cache-control", b"no-store"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def name_of(host: str) -> str:
    """Return the name in a ``host[:port]``, without brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


class HostList:
    """The names this deck answers to; any other Host is a page elsewhere trying its luck."""

    def __init__(self, config: ServerSection) -> None:
        own = set() if config.host in WILDCARDS else {config.host.strip("[]").lower()}
        self._names = LOOPBACK | own | {name_of(name) for name in config.allowed_hosts}
        # Hosts as they came that were good: there are few, and every request names one.
        self._good: set[str] = set()

    def check(self, scope: Scope) -> str:
        """Return the request's Host; refuse one that is missing, repeated or not ours."""
        host = header(scope, b"host")
        if not host:
            raise Refused(400, "the request has no Host", code="NO_HOST", field="host")
        if host in self._good:
            return host
        if name_of(host) not in self._names:
            raise Refused(
                421,
                "this deck does not answer to that host name",
                code="UNKNOWN_HOST",
                field="host",
                value=host[:80],
                accepted="localhost, 127.0.0.1, [::1], or a name in server.allowed_hosts",
            )
        if len(self._good) < MAX_GOOD_HOSTS:
            self._good.add(host)
        return host


def check_origin(scope: Scope, *, required: bool) -> None:
    """Refuse a request that a page of another origin makes.

    ``required`` is for requests that a browser authenticates by itself: without an Origin they
    could come from anywhere.
    """
    origin = header(scope, b"origin")
    if origin is None:
        if not required:
            return
        raise Refused(
            403,
            "a request with a session needs an Origin",
            code="NO_ORIGIN",
            field="origin",
            accepted="the deck's own origin",
        )
    parts = urlsplit(origin) if len(origin) <= 400 else urlsplit("")
    own = (header(scope, b"host") or "").lower()
    if parts.scheme not in ("http", "https") or parts.netloc.lower() != own:
        raise Refused(
            403,
            "the request comes from a page of another origin",
            code="WRONG_ORIGIN",
            field="origin",
            value=origin[:80],
            accepted=f"http://{own}",
        )


class RateLimit:
    """A token bucket for each caller, in machine time; a bucket holds one minute's requests."""

    def __init__(self, *, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Take one token of ``who``, or refuse with the time until there is one."""
        now = self._clock.monotonic_s()
        tokens, at = self._buckets.pop(who, (float(self._per_minute), now))
        rate = self._per_minute / 60
        tokens = min(float(self._per_minute), tokens + max(0.0, now - at) * rate)
        allowed = tokens >= 1.0
        self._buckets[who] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = max(1, round((1.0 - tokens) / rate + 0.5))
            raise Refused(
                429,
                f"more than {self._per_minute} requests a minute",
                code="RATE_LIMITED",
                field="rate",
                value=who[:80],
                accepted=f"at most {self._per_minute} a minute",
                headers=(("retry-after", str(wait_s)),),
            )


class Edge:
    """The outermost layer: checks the Host, adds headers, logs, and turns a crash into one line.

    A crash here is a crash of the server's own code or of a read; a crash inside a step is the
    sequencer's owner's to notice, and it ends the deck whatever is answered here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: HostList,
        clock: Clock,
        log: logging.Logger,
        seen: Callable[[str, int, float], None],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._clock = clock
        self._log = log
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock.monotonic_s()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], *_missing(message)]
            await send(message)

        try:
            self._hosts.check(scope)
            await self._app(scope, receive, answer)
        except DomainError as error:
            if status == 0:
                await send_problem(answer, error)
        except Exception:  # noqa: BLE001 - the outer edge: one safe answer, and the log has it
            reference = secrets.token_hex(4)
            self._log.exception("request.crashed", extra={"ref": reference, **_shown(scope)})
            if status == 0:
                await send_problem(answer, internal(reference))
        finally:
            self._note(scope, status, self._clock.monotonic_s() - started)

    def _note(self, scope: Scope, status: int, took_s: float) -> None:
        self._seen(scope["method"], status, took_s)
        loud = status >= 500 or (took_s > SLOW_S and not scope["path"].endswith("/claim"))
        level = logging.WARNING if loud else logging.DEBUG
        if self._log.isEnabledFor(level):
            self._log.log(
                level,
                "request.answered",
                extra={"status": status, "took_ms": round(took_s * 1000, 1), **_shown(scope)},
            )


def _missing(message: Message) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in message["headers"]}
    return [pair for pair in SECURITY_HEADERS if pair[0] not in present]


def _shown(scope: Scope) -> dict[str, object]:
    # The query is left out: a login link carries its token there.
    return {"method": scope["method"], "path": scope["path"][:200]}
