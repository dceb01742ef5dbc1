"""Who is asking: agents by their keys, the operator by a session that a one-time token opens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from starlette.types import Scope

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import HOUR, MINUTE, SECOND, Nanos
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.folder import write_whole
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller, Permission
from quarterdeck.server.ports import Keys
from quarterdeck.server.problems import Refused

COOKIE = "qd_session"
TOKEN_LIFE = 15 * MINUTE
SESSION_LIFE = 12 * HOUR
SECRET_BYTES = 32
MAX_TOKENS = 16
MAX_KEY_TEXT = 256


def read_secret(path: Path) -> bytes:
    """Return the secret that signs sessions; it is made, readable by its owner alone, if absent.

    Raises
    ------
    InvalidInput
        If the file is not a secret of ours or others may read it.
    """
    if not path.exists():
        return new_secret(path)
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise InvalidInput.of(
            "session secret", path.name, f"{SECRET_BYTES} bytes; remove the file to have one made"
        )
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InvalidInput.of("session secret", path.name, "a file of mode 0600 (chmod 600)")
    return secret


def new_secret(path: Path) -> bytes:
    """Put a fresh secret in place of whatever is there and return it: all sessions end."""
    secret = secrets.token_bytes(SECRET_BYTES)
    write_whole(path, secret)
    return secret


class Bootstrap:
    """The one-time tokens that open the operator's sessions; only their hashes are kept."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, Nanos] = OrderedDict()

    def issue(self, now: Nanos) -> str:
        """Return a fresh token: 256 bits, good once within the next 15 minutes."""
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = Nanos(now + TOKEN_LIFE)
        while len(self._open) > MAX_TOKENS:
            self._open.popitem(last=False)
        return token

    def redeem(self, token: str, now: Nanos) -> bool:
        """Use ``token`` up; return whether it was good."""
        digest = _digest(token)
        # Every candidate is compared in constant time: the answer's timing tells nothing.
        matches = [known for known in self._open if hmac.compare_digest(known, digest)]
        return bool(matches) and self._open.pop(matches[0]) > now


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Sessions:
    """Signed sessions: a random identity and an expiry, checked without a table.

    ``renew`` makes the secret that replaces the present one when somebody logs out: there is one
    operator, and what was logged out must stay so after a restart.
    """

    def __init__(self, *, secret: bytes, renew: Callable[[], bytes], clock: Clock) -> None:
        self._secret = secret
        self._renew = renew
        self._clock = clock

    def open(self) -> str:
        """Return the cookie of a new session, good for 12 hours."""
        expires = (self._clock.now() + SESSION_LIFE) // SECOND
        return self._signed(f"{secrets.token_hex(16)}.{expires}")

    def valid(self, cookie: str) -> bool:
        """Return whether ``cookie`` is a session of ours that has neither ended nor expired."""
        body, _, _ = cookie.rpartition(".")
        if not hmac.compare_digest(self._signed(body).encode(), cookie.encode("utf-8", "replace")):
            return False
        expires = body.partition(".")[2]
        return int(expires) * SECOND > self._clock.now()

    def end(self, cookie: str) -> None:
        """Log out: every session of the operator ends."""
        if self.valid(cookie):
            self._secret = self._renew()

    def _signed(self, body: str) -> str:
        signature = hmac.digest(self._secret, body.encode("utf-8", "replace"), "sha256")
        return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class Via(StrEnum):
    """How a caller was authenticated."""

    KEY = "key"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller, by which means, and what to check again later."""

    caller: Caller
    via: Via
    proof: str


class Doorman:
    """Authenticates requests. A key that is wrong is refused even where a session would do."""

    def __init__(self, *, keys: Keys, sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    def identify(self, scope: Scope) -> Identity | None:
        """Return who is asking, or ``None`` when nobody says so.

        Raises
        ------
        Refused
            401 when a key or scheme is offered that is not good.
        """
        authorization = header(scope, b"authorization")
        if authorization is not None:
            scheme, _, key = authorization.partition(" ")
            key = key.strip()
            caller = None
            if scheme.lower() == "bearer" and 0 < len(key) <= MAX_KEY_TEXT and key.isascii():
                caller = self._keys.authenticate(key)
            if caller is None:
                raise Refused(
                    401,
                    "the key is unknown or revoked",
                    code="WRONG_KEY",
                    field="authorization",
                    accepted="Authorization: Bearer <an agent's key>",
                )
            return Identity(caller, Via.KEY, key)
        cookie = session_cookie(scope)
        if cookie is not None and self._sessions.valid(cookie):
            return Identity(OPERATOR_CALLER, Via.SESSION, cookie)
        return None

    def still(self, identity: Identity) -> bool:
        """Return whether ``identity`` is as good now as when it was established."""
        if identity.via is Via.SESSION:
            return self._sessions.valid(identity.proof)
        return self._keys.authenticate(identity.proof) == identity.caller

    def require(self, scope: Scope, permission: Permission) -> Identity | None:
        """Return who is asking; refuse who lacks ``permission`` (401 for nobody, 403 else)."""
        if permission is Permission.PUBLIC:
            return None
        identity = self.identify(scope)
        if identity is None:
            raise Refused(
                401,
                "this needs an agent's key or the operator's session",
                code="NOT_AUTHENTICATED",
                field="authorization",
                accepted="Authorization: Bearer <an agent's key>, or a session from the login link",
            )
        identity.caller.require(permission)
        return identity


def header(scope: Scope, name: bytes) -> str | None:
    """Return the one value of a header, or ``None``; one that is there twice is refused."""
    # The names are in lower case: ASGI says so.
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise Refused(
            400,
            f"the header {name.decode()} is there {len(values)} times",
            code="REPEATED_HEADER",
            field=name.decode(),
        )
    return values[0].decode("latin-1") if values else None


def session_cookie(scope: Scope) -> str | None:
    """Return the session's cookie, if there is one."""
    for key, value in scope["headers"]:
        if key == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None:
                return found.value
    return None
