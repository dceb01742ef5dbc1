"""The errors that cross capability borders.

    * DomainError            understood and refused; its text is for the caller
      + InvalidInput         a field has a value that is not accepted
      + NotEnoughData        the answer needs more history than there is
      + NotFound             the thing named does not exist
      + NotPermitted         the caller may not do this
      + Conflict             the request contradicts what is already recorded
      + Overloaded           a bound was reached; later may succeed
      + Unavailable          a part that must be ready is not

Anything else that is raised is a bug and is left to crash.
"""

from __future__ import annotations


class DomainError(Exception):
    """Understood and refused.

    ``code`` is stable and public; ``field``, ``value`` and ``accepted`` say what was wrong with
    which input and what would have been accepted, each ``None`` where the refusal has none.
    """

    code = "REFUSED"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        value: str | None = None,
        accepted: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.field = field
        self.value = value
        self.accepted = accepted


class InvalidInput(DomainError):
    """A field has a value that is not accepted; nothing was changed."""

    code = "INVALID_INPUT"

    @classmethod
    def of(cls, field: str, value: object, accepted: str) -> InvalidInput:
        """Return the refusal of ``value`` in ``field``; the text is built from the three parts."""
        shown = str(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return cls(
            f"{field}: {shown!r} is not accepted; expected {accepted}",
            field=field,
            value=shown,
            accepted=accepted,
        )


class NotEnoughData(DomainError):
    """The answer needs more history than there is; ``have`` and ``need`` count observations."""

    code = "NOT_ENOUGH_DATA"

    def __init__(self, what: str, *, have: int, need: int) -> None:
        super().__init__(f"not enough data for {what}: have {have}, need {need}")
        self.have = have
        self.need = need


class NotFound(DomainError):
    """The thing named does not exist."""

    code = "NOT_FOUND"


class NotPermitted(DomainError):
    """The caller may not do this."""

    code = "NOT_PERMITTED"


class Conflict(DomainError):
    """The request contradicts what is already recorded."""

    code = "CONFLICT"


class Overloaded(DomainError):
    """A named bound was reached; the same request may succeed later."""

    code = "OVERLOADED"


class Unavailable(DomainError):
    """A part that must be ready for this is not."""

    code = "UNAVAILABLE"


def one_line(text: str) -> str:
    """Return ``text`` with every run of white space as one blank: a refusal is one line."""
    return " ".join(text.split())
