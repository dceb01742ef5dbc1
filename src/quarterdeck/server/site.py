"""The dashboard's built files, and the few plain pages that need no build."""

from __future__ import annotations

import base64
import hashlib
import html
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Receive, Scope, Send

from quarterdeck.runtime.policy import Permission
from quarterdeck.server.endpoints import Endpoint, send_bytes
from quarterdeck.server.problems import Refused

BUILD = Path(__file__).parent / "ui"
INDEX = "index.html"
IMMUTABLE = (b"cache-control", b"public, max-age=31536000, immutable")
REVALIDATED = (b"cache-control", b"no-cache")
MAX_BUILD_BYTES = 32 * 1024 * 1024
_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.\w+$")
# Fixed here: what a machine's registry says of .js is not always what a browser accepts.
MEDIA = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
}

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;"
    "color-scheme:light dark}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    b"content-security-policy",
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'".encode(),
)
"""A plain page may use its one style and nothing else."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file, held in memory."""

    body: bytes
    media: str
    cache: tuple[bytes, bytes]


def read_build(folder: Path) -> dict[str, Asset]:
    """Return the built files by their path under ``folder``; only these can ever be served."""
    found: dict[str, Asset] = {}
    size = 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if not path.is_file() or path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        body = path.read_bytes()
        size += len(body)
        if size > MAX_BUILD_BYTES:
            raise ValueError(f"the dashboard's build is larger than {MAX_BUILD_BYTES} bytes")
        media = MEDIA.get(path.suffix) or mimetypes.guess_type(name)[0]
        hashed = name.startswith("assets/") and _HASHED.search(name) is not None
        found[name] = Asset(
            body, media or "application/octet-stream", IMMUTABLE if hashed else REVALIDATED
        )
    return found


class Site(Endpoint):
    """Serves the dashboard; every page of it is the one index."""

    def __init__(self, folder: Path = BUILD) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._assets = read_build(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file or the index; what is neither does not exist, whatever the method."""
        name = scope["path"].lstrip("/")
        if scope["method"] not in ("GET", "HEAD") or name.startswith(("api/", "mcp/", "ws/")):
            raise nothing_here(scope)
        await self.serve("GET", scope, receive, send=send)

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Serve one file; a page's path gets the index when a person's browser asks."""
        name = scope["path"].lstrip("/")
        asset = self._assets.get(name or INDEX)
        if asset is None and _wants_page(scope) and "." not in name.rsplit("/", 1)[-1]:
            asset = self._assets.get(INDEX)
            if asset is None:
                await send_page(send, NO_BUILD_TITLE, NO_BUILD_TEXT)
                return
        if asset is None:
            raise nothing_here(scope)
        await send_bytes(send, asset.body, media=asset.media, headers=(asset.cache,))


NO_BUILD_TITLE = "The deck runs; its dashboard is not built"
NO_BUILD_TEXT = (
    "This copy of Quarterdeck has no built dashboard. Build it with scripts/build_ui and restart. "
    "Everything else works: the API is described at /api/v1/openapi.json."
)


def nothing_here(scope: Scope) -> Refused:
    """Return the refusal of a path that leads nowhere."""
    return Refused(
        404,
        "there is no such path",
        code="NO_ROUTE",
        field="path",
        value=scope["path"][:120],
        accepted="a path in /api/v1/openapi.json",
    )


def _wants_page(scope: Scope) -> bool:
    accepts = [value for name, value in scope["headers"] if name.lower() == b"accept"]
    return any(b"text/html" in value for value in accepts)


async def send_page(send: Send, title: str, text: str, *, status: int = 200) -> None:
    """Answer with a plain page of one heading and one paragraph."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></html>"
    )
    await send_bytes(
        send,
        page.encode(),
        status=status,
        media="text/html; charset=utf-8",
        headers=((b"cache-control", b"no-store"), PAGE_POLICY),
    )
