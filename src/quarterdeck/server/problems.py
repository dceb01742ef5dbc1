"""Refusals as problem details (RFC 9457): stable codes, and never a traceback."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotEnoughData,
    NotFound,
    NotPermitted,
    Overloaded,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, for a program and for a person."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    value: str | None = None
    accepted: str | None = None


class Refused(DomainError):
    """A refusal by the server itself, with its own HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        field: str | None = None,
        value: str | None = None,
        accepted: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, code=code, field=field, value=value, accepted=accepted)
        self.status = status
        self.headers = headers


TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Not accepted",
    426: "Upgrade required",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def status_of(error: DomainError) -> int:
    """Return the HTTP status that says what kind of refusal ``error`` is."""
    match error:
        case Refused():
            return error.status
        case InvalidInput():
            return 422
        case NotFound():
            return 404
        case NotPermitted():
            return 403
        case Conflict() | NotEnoughData():
            return 409
        case Overloaded():
            return 429
        case Unavailable():
            return 503
        case _:
            return 409


def problem_of(error: DomainError) -> Problem:
    """Return ``error`` as problem details."""
    status = status_of(error)
    return Problem(
        type=f"urn:quarterdeck:problem:{error.code.lower()}",
        title=TITLES.get(status, "Refused"),
        status=status,
        detail=error.message,
        code=error.code,
        field=error.field,
        value=error.value,
        accepted=error.accepted,
    )


def headers_of(error: DomainError) -> list[tuple[str, str]]:
    """Return the headers that go with ``error``."""
    status = status_of(error)
    headers = list(error.headers) if isinstance(error, Refused) else []
    names = {name.lower() for name, _ in headers}
    if status in (429, 503) and "retry-after" not in names:
        headers.append(("retry-after", str(RETRY_AFTER_S)))
    if status == 401:
        headers.append(("www-authenticate", 'Bearer realm="quarterdeck"'))
    return headers


def internal(reference: str) -> Refused:
    """Return the one answer to a bug; the log has its details under ``reference``."""
    return Refused(
        500,
        f"something went wrong inside the deck; the log has it as {reference}",
        code="INTERNAL",
        field="reference",
        value=reference,
    )
