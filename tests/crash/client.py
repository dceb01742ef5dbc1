"""A client process: orders until the deck is gone, each noted before it is sent and once answered.

Only the standard library, and nothing of ours, so that it starts at once and shares no code.
Called with the deck's address, its own key, its history file, its name, the cycle and a seed.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PRESSED, PAUSE_S = 429, 0.05
"""What a deck answers whose disk is slower than its steps, and how long it is then left alone."""
SYMBOLS = ("AAPL", "MSFT", "SPY", "NO-SUCH")


def main(address: str, key: str, history: str, name: str, cycle: str, seed: str) -> None:
    """Send what had no answer last time, then new orders, until the connection breaks."""
    chance = random.Random(f"{seed}-{name}-{cycle}")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=15)
    again = list(unanswered(Path(history)))
    with Path(history).open("a", encoding="utf-8") as notes:

        def note(what: str, body: dict[str, str], **more: object) -> None:
            notes.write(json.dumps({"what": what, "body": body, **more}) + "\n")
            notes.flush()

        number = 0
        while True:
            if again:
                body = again.pop()
            else:
                number += 1
                body = {
                    "idempotency_key": f"{name}-{cycle}-{number}",
                    "symbol": chance.choice(SYMBOLS),
                    "side": chance.choice(("buy", "sell")),
                    "quantity": str(chance.randrange(1, 5)),
                    "type": "market",
                }
            note("asked", body)
            try:
                connection.request("POST", "/api/v1/orders", json.dumps(body), headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError):
                # Nobody knows what became of it; the next cycle asks again with the same key.
                note("unknown", body)
                return
            if response.status in (200, 201):
                note("answered", body, order_id=answer["order_id"], status=answer["status"])
                # One in five is sent twice: the second answer must be the first.
                if chance.random() < 0.2:
                    again.append(body)
            else:
                note("refused", body, code=str(answer.get("code")), http=response.status)
                if response.status == PRESSED:
                    time.sleep(PAUSE_S)


def unanswered(history: Path) -> Iterator[dict[str, str]]:
    """Return what was asked and never answered or refused."""
    open_: dict[str, dict[str, str]] = {}
    if history.exists():
        for line in history.read_text("utf-8").splitlines():
            entry = json.loads(line)
            key = entry["body"]["idempotency_key"]
            if entry["what"] in ("asked", "unknown"):
                open_.setdefault(key, entry["body"])
            else:
                open_.pop(key, None)
    yield from open_.values()


if __name__ == "__main__":
    main(*sys.argv[1:])
