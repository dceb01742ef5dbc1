"""Who came in, who did not, and who left: each a record of the audit chain; and fresh links to log in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.runtime.policy import Effect, Operation, Permission
from quarterdeck.runtime.sequencer import Step
from quarterdeck.server.desk.model import IssueLoginLink, LoginLink

PARTITION = "paper"


class NoteAccess(Command, frozen=True):
    """Record that somebody logged in or out, or that ``attempts`` failed since the last record."""

    what: Literal["login", "login_failed", "logout"]
    attempts: int = 1


class AccessNoted(Answer, frozen=True):
    """The record is made."""


class AccessDesk:
    """Records access; ``link`` makes a fresh login link. Keeps nothing."""

    def __init__(self, *, link: Callable[[], str]) -> None:
        self._link = link

    def note(self, command: NoteAccess, step: Step) -> AccessNoted:
        """Record what happened at the door."""
        step.record(PARTITION, command.what, attempts=command.attempts)
        return AccessNoted()

    def issue(self, command: IssueLoginLink, step: Step) -> LoginLink:  # noqa: ARG002
        """Return a link that opens the operator's session once; the record does not hold it."""
        step.record(PARTITION, "login_link_issued")
        return LoginLink(url=self._link())


NOTE_ACCESS = Operation(
    name="access.note",
    summary="Record who came in.",
    permission=Permission.OPERATE,
    effect=Effect.COMMAND,
    method="POST",
    path="/access",
    input=NoteAccess,
    output=AccessNoted,
    function=AccessDesk.note,
)
"""Carried out for the server's own door only: no route leads to it."""
