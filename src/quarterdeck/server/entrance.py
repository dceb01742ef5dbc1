"""Logging in with the one-time link, and out again."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from quarterdeck.kernel.time import SECOND
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER, Permission
from quarterdeck.server.auth import COOKIE, SESSION_LIFE, Bootstrap, Sessions, session_cookie
from quarterdeck.server.desk.access import NoteAccess
from quarterdeck.server.endpoints import Endpoint, Turnstile, send_bytes
from quarterdeck.server.guards import check_origin
from quarterdeck.server.ports import Commands
from quarterdeck.server.problems import Refused
from quarterdeck.server.site import send_page

MAX_TOKEN_TEXT = 200
REFUSED_TITLE = "This login link does not work"
REFUSED_TEXT = (
    "A login link works once, within 15 minutes of being printed. This one is wrong, used or too "
    "old. The command quarterdeck login prints a fresh one on the machine the deck runs on."
)
NOTE_EVERY_S = 1.0
"""How often failed logins are recorded at most; those in between are counted in the next record."""


def cookie_header(scope: Scope, value: str, *, max_age_s: int) -> tuple[bytes, bytes]:
    """Return the header that sets the session's cookie."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    text = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}"
    return (b"set-cookie", text.encode("ascii"))


class Login(Endpoint):
    """Opens a session for whoever brings a good one-time token."""

    def __init__(
        self,
        *,
        bootstrap: Bootstrap,
        sessions: Sessions,
        clock: Clock,
        turnstile: Turnstile,
        commands: Commands,
    ) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._commands = commands
        self._failed = 0
        self._noted_s: float | None = None
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
            if scope["method"] == "GET" and tokens:
                await self._note_failure()
            await send_page(send, REFUSED_TITLE, REFUSED_TEXT, status=403)
            return
        # The session is there once its record is on disk.
        await self._commands.submit(NoteAccess(what="login"), OPERATOR_CALLER)
        cookie = cookie_header(scope, self._sessions.open(), max_age_s=SESSION_LIFE // SECOND)
        headers = ((b"location", b"/"), (b"cache-control", b"no-store"), cookie)
        await send_bytes(send, b"", status=303, media="text/plain", headers=headers)

    async def _note_failure(self) -> None:
        self._failed += 1
        now_s = self._clock.monotonic_s()
        if self._noted_s is not None and now_s - self._noted_s < NOTE_EVERY_S:
            return
        self._noted_s, failed, self._failed = now_s, self._failed, 0
        note = NoteAccess(what="login_failed", attempts=failed)
        await self._commands.submit(note, DECK_CALLER)


class Logout(Endpoint):
    """Ends the session that asks for it."""

    def __init__(self, *, sessions: Sessions, turnstile: Turnstile, commands: Commands) -> None:
        self.permissions = {"POST": Permission.PUBLIC}
        self._commands = commands
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
        if self._sessions.valid(cookie):
            # Out first: whatever becomes of the record, the session has ended.
            self._sessions.end(cookie)
            await self._commands.submit(NoteAccess(what="logout"), OPERATOR_CALLER)
        gone = cookie_header(scope, "", max_age_s=0)
        await send_bytes(send, b"{}", headers=((b"cache-control", b"no-store"), gone))
