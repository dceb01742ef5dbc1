"""Logging in with the one-time link, and out again."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from quarterdeck.kernel.time import SECOND
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.policy import Permission
from quarterdeck.server.auth import COOKIE, SESSION_LIFE, Bootstrap, Sessions, session_cookie
from quarterdeck.server.endpoints import Endpoint, Turnstile, send_bytes
from quarterdeck.server.guards import check_origin
from quarterdeck.server.problems import Refused
from quarterdeck.server.site import send_page

MAX_TOKEN_TEXT = 200
REFUSED_TITLE = "This login link does not work"
REFUSED_TEXT = (
    "A login link works once, within 15 minutes of being printed. This one is wrong, used or too "
    "old. Start the deck again, or look at the end of its output, for a fresh link."
)


def cookie_header(scope: Scope, value: str, *, max_age_s: int) -> tuple[bytes, bytes]:
    """Return the header that sets the session's cookie."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    text = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}"
    return (b"set-cookie", text.encode("ascii"))


class Login(Endpoint):
    """Opens a session for whoever brings a good one-time token."""

    def __init__(
        self, *, bootstrap: Bootstrap, sessions: Sessions, clock: Clock, turnstile: Turnstile
    ) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._bootstrap = bootstrap
        self._sessions = sessions
        self._clock = clock
        self._turnstile = turnstile

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Use the token up and go to the dashboard, or say how to get a new one."""
        self._turnstile.admit(scope, Permission.PUBLIC)
        # A HEAD comes from link previews, which must not use the token up.
        tokens = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8).get(
            "token", []
        )
        good = (
            scope["method"] == "GET"
            and len(tokens) == 1
            and len(tokens[0]) <= MAX_TOKEN_TEXT
            and self._bootstrap.redeem(tokens[0], self._clock.now())
        )
        if not good:
            await send_page(send, REFUSED_TITLE, REFUSED_TEXT, status=403)
            return
        cookie = cookie_header(scope, self._sessions.open(), max_age_s=SESSION_LIFE // SECOND)
        headers = ((b"location", b"/"), (b"cache-control", b"no-store"), cookie)
        await send_bytes(send, b"", status=303, media="text/plain", headers=headers)


class Logout(Endpoint):
    """Ends the session that asks for it."""

    def __init__(self, *, sessions: Sessions, turnstile: Turnstile) -> None:
        self.permissions = {"POST": Permission.PUBLIC}
        self._sessions = sessions
        self._turnstile = turnstile

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """End the session and remove its cookie."""
        self._turnstile.admit(scope, Permission.PUBLIC)
        cookie = session_cookie(scope)
        if cookie is None:
            raise Refused(
                401,
                "there is no session to end",
                code="NOT_AUTHENTICATED",
                field="cookie",
                accepted=f"the cookie {COOKIE}",
            )
        check_origin(scope, required=True)
        self._sessions.end(cookie)
        gone = cookie_header(scope, "", max_age_s=0)
        await send_bytes(send, b"{}", headers=((b"cache-control", b"no-store"), gone))
