"""Keys: ``qd_<prefix>_<secret>``, known to the deck by their hash alone."""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from quarterdeck.agents.ports import Secrets

PREFIX_LENGTH = 8
SECRET_BYTES = 32
"""256 bits: guessing is hopeless, so a plain SHA-256 is a sufficient store."""

_FORM = re.compile(r"qd_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_NOBODY = bytes(32)


class FreshKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key at the only moment its text exists: ``text`` is shown, ``digest`` is kept."""

    text: str
    prefix: str
    digest: bytes


def fresh_key(secrets: Secrets) -> FreshKey:
    """Return a new key.

    Parameters
    ----------
    secrets : Secrets
        Asked for 32 bytes for the secret and 8 for the prefix, which is public.

    Returns
    -------
    FreshKey
        Its prefix is 8 hexadecimal digits; the caller checks that it is not taken.
    """
    prefix = hashlib.sha256(secrets.token(8).encode()).hexdigest()[:PREFIX_LENGTH]
    text = f"qd_{prefix}_{secrets.token(SECRET_BYTES)}"
    return FreshKey(text=text, prefix=prefix, digest=digest_of(text))


def digest_of(text: str) -> bytes:
    """Return the SHA-256 under which the key ``text`` is stored.

    >>> digest_of("qd_0").hex()[:8]
    '1c4e389b'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def prefix_of(text: str) -> str | None:
    """Return the prefix of a well-formed key, ``None`` of anything else.

    >>> prefix_of("qd_0123abcd_" + "x" * 43)
    '0123abcd'
    >>> prefix_of("qd_0123abcd_short") is None
    True
    """
    match = _FORM.fullmatch(text)
    return match.group(1) if match is not None else None


def same_key(text: str, digest: bytes | None) -> bool:
    """Return whether ``text`` is the key kept as ``digest``, in time that tells nothing.

    ``None`` stands for an unknown key: it takes as long and is never the same.
    """
    equal = hmac.compare_digest(digest_of(text), _NOBODY if digest is None else digest)
    return equal and digest is not None
