"""The server's logging: one line of JSON for each event, on one stream, and nobody else's set-up."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import TextIO

from quarterdeck.kernel.time import MILLISECOND, Nanos, rfc3339

MAX_VALUE = 4_000
_SECRET = re.compile(r"qd_[A-Za-z0-9]+_[A-Za-z0-9_\-]+|token=[^&\s\"']+|Bearer\s+\S+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonLine(logging.Formatter):
    """Formats a record as one line of JSON; keys and tokens in it are blacked out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "ts": rfc3339(Nanos(int(record.created * 1000) * MILLISECOND)),
            "level": record.levelname.lower(),
            "event": redacted(record.getMessage()),
            "component": record.name,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = value if isinstance(value, int | float) else redacted(str(value))
        if record.exc_info:
            line["error"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def redacted(text: str) -> str:
    """Return ``text`` without keys and tokens, cut to a bounded length."""
    return _SECRET.sub("[redacted]", text[:MAX_VALUE])


def own_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> logging.Handler:
    """Make ours the only handler of the root logger and return it.

    Libraries that would set up logging of their own find it done; those that did are undone.
    """
    ours = logging.StreamHandler(sys.stderr if stream is None else stream)
    ours.setFormatter(JsonLine())
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(ours)
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "mcp"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    return ours
