"""A person's process: stops trading and re-arms it until the deck is gone, noting both sides of each.

Only the standard library, and nothing of ours, so that it starts at once and shares no code.
Called with the deck's address, its operator key, its history file and a seed.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from pathlib import Path


def main(address: str, key: str, history: str, seed: str) -> None:
    """Stop and re-arm in turn; an answer that does not come is left open in the history."""
    chance = random.Random(seed)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=15)
    with Path(history).open("a", encoding="utf-8") as notes:

        def note(what: str, **more: object) -> None:
            notes.write(json.dumps({"what": what, **more}) + "\n")
            notes.flush()

        def ask(path: str, body: dict[str, object] | None) -> dict[str, object] | None:
            try:
                if body is None:
                    connection.request("GET", path, headers=headers)
                else:
                    connection.request("POST", path, json.dumps(body), headers)
                response = connection.getresponse()
                answer: dict[str, object] = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError):
                return None
            return answer if response.status in (200, 201) else {"refused": answer.get("code")}

        while True:
            time.sleep(chance.uniform(0.0, 0.3))
            note("stopping")
            stopped = ask("/api/v1/gate/stop", {"reason": "a test"})
            if stopped is None:
                return
            if "refused" in stopped:
                note("refused", code=stopped["refused"])
                continue
            note("stopped", epoch=stopped["epoch"])
            time.sleep(chance.uniform(0.0, 0.1))
            note("re-arming")
            shown = ask("/api/v1/gate/rearm", None)
            if shown is None:
                return
            again = {"epoch": stopped["epoch"], "confirm": shown.get("confirmation")}
            armed = ask("/api/v1/gate/rearm", {**again, "reason": "a test"})
            if armed is None:
                return
            note("refused" if "refused" in armed else "re-armed")


if __name__ == "__main__":
    main(*sys.argv[1:])
