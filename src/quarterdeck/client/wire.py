"""Commands and queries as HTTP requests, and responses as answers: no socket is touched here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from quarterdeck.agents.model import (
    ClaimAnswer,
    ClaimWork,
    CompleteWork,
    RenewLease,
    SubmitTask,
    TaskView,
)
from quarterdeck.client.model import Briefing, GetBriefing
from quarterdeck.execution.model import (
    CancelOrder,
    CancelSignal,
    ConflictsView,
    Decision,
    GetConflicts,
    GetOrders,
    GetPositions,
    GetSignals,
    KeepAlive,
    KeepAliveView,
    OrdersView,
    OrderView,
    PositionsView,
    PreviewOrder,
    ReplaceOrder,
    SignalStateView,
    SignalsView,
    SignalView,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.market.model import BarsView, GetBars, GetInstruments, InstrumentsView
from quarterdeck.performance.model import GetPerformance, PerformancesView
from quarterdeck.portfolio.model import GetPortfolio, PortfolioView
from quarterdeck.regime.model import GetRegimes, RegimesView
from quarterdeck.risk.model import GetRisk, RisksView

CONNECT_S = 5.0
ANSWER_S = 15.0
"""How long an answer may take, beyond what a claim was told to wait."""
ATTEMPTS = 4
"""How often a request is sent at most; each time with the same idempotency key."""
FIRST_PAUSE_S = 0.2
"""The pause before the second attempt; it doubles before each further one."""
BUSY_S = 30.0
"""How long in all a deck that is pressed is asked again, each time when it says to come back."""
PRESSED = 429
MAX_ANSWER_BYTES = 64 * 1024 * 1024

_PART = re.compile(r"\{(\w+)\}")
Ask = Command | Query
Given = TypeVar("Given")


class DeckError(Exception):
    """The deck refused, or could not be reached (``code`` is then ``UNREACHABLE``).

    ``code`` is stable; ``field`` and ``accepted`` say what was wrong with which input and what would
    do; ``status`` is the HTTP status, None where there was no answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        accepted: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.field = field
        self.accepted = accepted
        self.status = status


class Route(NamedTuple):
    """Where a command or query goes and what it is answered with.

    ``repeatable`` is whether sending it twice does no more than sending it once.
    """

    method: str
    path: str
    answer: type[Answer] | type[Decision]
    repeatable: bool = True


class Request(NamedTuple):
    """One HTTP request, complete but for the deck's address and the key."""

    method: str
    target: str
    body: bytes | None
    timeout_s: float
    repeatable: bool


class _Problem(msgspec.Struct, frozen=True):
    """A problem detail as far as we read it."""

    code: str
    detail: str = ""
    field: str | None = None
    accepted: str | None = None


ROUTES: Mapping[type[Ask], Route] = MappingProxyType(
    {
        GetBriefing: Route("GET", "/briefing", Briefing),
        # A claim whose answer was lost has given out a lease; a second one would take another.
        ClaimWork: Route("POST", "/tasks/claim", ClaimAnswer, repeatable=False),
        RenewLease: Route("POST", "/tasks/renew", ClaimAnswer),
        CompleteWork: Route("POST", "/tasks/complete", TaskView),
        SubmitTask: Route("POST", "/tasks", TaskView),
        SubmitSignal: Route("POST", "/signals", SignalView),
        PreviewOrder: Route("POST", "/orders/preview", Decision),
        SubmitOrder: Route("POST", "/orders", OrderView),
        CancelOrder: Route("POST", "/orders/{order_id}/cancel", OrderView),
        ReplaceOrder: Route("POST", "/orders/{order_id}/replace", OrderView),
        CancelSignal: Route("POST", "/signals/{signal_id}/cancel", SignalStateView),
        KeepAlive: Route("POST", "/orders/keep-alive", KeepAliveView),
        GetConflicts: Route("GET", "/positions/conflicts", ConflictsView),
        GetSignals: Route("GET", "/signals", SignalsView),
        GetOrders: Route("GET", "/orders", OrdersView),
        GetPositions: Route("GET", "/positions", PositionsView),
        GetInstruments: Route("GET", "/instruments", InstrumentsView),
        GetBars: Route("GET", "/bars/{symbol}", BarsView),
        GetRegimes: Route("GET", "/regimes", RegimesView),
        GetRisk: Route("GET", "/risk", RisksView),
        GetPortfolio: Route("GET", "/portfolio", PortfolioView),
        GetPerformance: Route("GET", "/performance", PerformancesView),
    }
)
"""Everything an agent asks of the deck."""


def base_of(url: str) -> str:
    """Return the address of the deck's API; raise DeckError if ``url`` is none."""
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isprintable() or " " in url:
        raise DeckError(
            "INVALID_INPUT",
            f"not a deck's address: {url!r}",
            field="url",
            accepted="an address such as http://127.0.0.1:8000",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/v1"


def request_of(ask: Ask) -> Request:
    """Return ``ask`` as a request: path fields in the path, the rest as query or JSON body."""
    route = ROUTES[type(ask)]
    fields: dict[str, object] = msgspec.to_builtins(ask)
    names = _PART.findall(route.path)
    given = {name: quote(str(fields.pop(name)), safe="") for name in names}
    target = _PART.sub(lambda match: given[match.group(1)], route.path)
    wait_s = ask.wait_ms / 1_000 if isinstance(ask, ClaimWork) else 0.0
    body = None
    if route.method == "GET":
        pairs = [(name, value) for name, value in fields.items() if value is not None]
        query = urlencode([pair for pair in pairs if pair[1] != []], doseq=True)
        target = f"{target}?{query}" if query else target
    else:
        body = msgspec.json.encode(fields)
    return Request(
        method=route.method,
        target=target,
        body=body,
        timeout_s=ANSWER_S + wait_s,
        repeatable=route.repeatable,
    )


def answer_of(kind: type[Given], *, status: int, body: bytes) -> Given:
    """Return the answer in a response; raise DeckError for a refusal or what is no answer."""
    if len(body) > MAX_ANSWER_BYTES:
        raise DeckError("BAD_ANSWER", f"an answer of {len(body)} bytes", status=status)
    if 200 <= status < 300:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            text = f"the answer is not a {kind.__name__}: {error}"
            raise DeckError("BAD_ANSWER", text, status=status) from None
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        detail = body[:200].decode("utf-8", "replace")
        raise DeckError(f"HTTP_{status}", detail, status=status) from None
    raise DeckError(
        problem.code, problem.detail, field=problem.field, accepted=problem.accepted, status=status
    )


def pauses() -> tuple[float, ...]:
    """Return the pauses between attempts, in seconds."""
    return tuple(FIRST_PAUSE_S * 2**n for n in range(ATTEMPTS - 1))


def again_after_s(status: int, retry_after: str | None, *, waited_s: float) -> float | None:
    """Return when to send again what a pressed deck refused, ``None`` if that is for the caller to judge.

    A deck that is pressed refuses before it begins anything, so whatever was asked may be sent again.
    """
    if status != PRESSED or retry_after is None or not retry_after.isdecimal():
        return None
    pause_s = max(FIRST_PAUSE_S, float(retry_after))
    return pause_s if waited_s + pause_s <= BUSY_S else None


def key_or_fresh(idempotency_key: str | None) -> str:
    """Return the key given, else one that nobody has used."""
    return secrets.token_urlsafe(16) if idempotency_key is None else idempotency_key


def exact(value: Decimal | int | str, *, field: str) -> Decimal:
    """Return ``value`` as a decimal; raise DeckError if it is none, and a float is none."""
    if isinstance(value, float | bool):
        raise DeckError("INVALID_INPUT", f"{field} must not be a float", field=field)
    try:
        number = Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        number = Decimal("NaN")
    if not number.is_finite():
        raise DeckError("INVALID_INPUT", f"{field}: {value!r} is not a number", field=field)
    return number
