"""Commands that talk to a running deck, and the stop, which also works when it does not answer.

The deck writes ``deck.json`` into its data folder, readable by its owner only: its address and a
local operator key. Whoever can read that file owns the deck's files anyway.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quarterdeck.cli.columns import lined_up, second
from quarterdeck.kernel.errors import DomainError, InvalidInput, NotFound, Unavailable

TIMEOUT_S = 10.0
SEEN_S, UNHEARD_S = 5.0, 1.0
"""How long the stop waits to be confirmed by a deck that said where it is, and where none did."""
BUSY_S = 30.0
"""How long in all a deck that is pressed is asked again, each time when it says to come back."""
PRESSED = 429

Answer = dict[str, Any]


def status(data_dir: Path, *, as_json: bool) -> int:
    """Print what runs, in which state and why."""
    from quarterdeck.cli.work import standing

    deck = running_deck(data_dir)
    system, stop = call_deck(deck, "GET", "/system"), call_deck(deck, "GET", "/gate/stop")
    work = call_deck(deck, "GET", "/work")
    if as_json:
        print(json.dumps({"system": system, "stop": stop, "work": work}, indent=2))
        return 0
    feed = system["feed"]
    version, run = system["versions"]["quarterdeck"], system["run"]["run"]
    print(f"deck      {deck['url']}  version {version}  run {run}")
    print(f"feed      {feed['state']}  slice {feed['slice'] + 1} of {feed['slices']}  {feed['at']}")
    print(f"trading   {_stop_line(stop)}")
    print(f"audit     {_head_line(system['audit_head'])}")
    print("\n".join(standing(work, head="work")))
    parts = [
        (part["name"], part["phase"], second(part["since"]), part["detail"])
        for part in system["components"]
    ]
    print("\n".join(lined_up(parts)))
    return 0


def why(data_dir: Path, *, task: str, agent: str | None, as_json: bool) -> int:
    """Print why a task stands where it stands, and every agent's part in it."""
    path = f"/tasks/{urllib.parse.quote(task, safe='')}/why"
    if agent is not None:
        path += "?" + urllib.parse.urlencode({"agent": agent})
    answer = call_deck(running_deck(data_dir), "GET", path)
    if as_json:
        print(json.dumps(answer, indent=2))
        return 0
    print(f"{answer['task_id']} is {answer['state']}: {answer['why']}")
    for part in answer["agents"]:
        print(f"{part['agent']:<24}{part['verdict']:<18}{part['text']}")
    return 0


def login(data_dir: Path, *, as_json: bool) -> int:
    """Print a fresh link that opens the operator's session once."""
    link = call_deck(running_deck(data_dir), "POST", "/session/links", {})
    print(json.dumps(link, indent=2) if as_json else link["url"])
    return 0


def scope_of(options: argparse.Namespace) -> dict[str, str]:
    """Return which account, agent or instrument was named; nothing for the whole deck."""
    names = ("account", "agent", "instrument")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def stop(data_dir: Path, *, scope: dict[str, str], reason: str, cancel: bool, as_json: bool) -> int:
    """Stop trading and print the proof; the flag is raised even if the server never answers.

    With ``cancel`` this process then cancels what rests at a remote venue itself.
    """
    if cancel and scope:
        raise InvalidInput.of("--cancel", "given", "a stop of the whole deck")
    if not scope:
        status = _stop_all(data_dir, reason=reason, as_json=as_json)
        if cancel:
            from quarterdeck.cli.cancel_all import cancel_all

            gone = cancel_all(data_dir)
            print(f"cancelled at the venue from this process: {len(gone)} orders", file=sys.stderr)
        return status
    answer = call_deck(running_deck(data_dir), "POST", "/gate/stop", {"reason": reason, **scope})
    print(json.dumps(answer, indent=2) if as_json else _stop_line(answer))
    return 0


def _stop_all(data_dir: Path, *, reason: str, as_json: bool) -> int:
    from quarterdeck.runtime import stopflag

    began = time.monotonic()
    path = data_dir / "stop.flag"
    try:
        epoch = stopflag.raise_flag(path)
    except OSError as error:
        return _stop_without_flag(data_dir, error, reason=reason, as_json=as_json)
    in_force_ms = (time.monotonic() - began) * 1000
    patience_s = SEEN_S if (data_dir / "deck.json").exists() else UNHEARD_S
    confirmed = _confirmed(path, epoch, within_s=patience_s)
    answer: Answer | None = None
    if confirmed:
        try:
            # The word is raised: the server records who and why, and raises nothing again.
            body: Answer = {"reason": reason, "raised": epoch}
            answer = call_deck(running_deck(data_dir), "POST", "/gate/stop", body)
        except DomainError as refusal:
            print(f"the server did not record it: {refusal.message}", file=sys.stderr)
    if answer is None:
        _leave_reason(data_dir, stopflag.leave_reason, epoch=epoch, reason=reason)
    result = {
        "epoch": epoch,
        "flag_raised_ms": round(in_force_ms, 2),
        "seen_by_deck": confirmed,
        "recorded": answer,
    }
    if as_json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"STOP raised in {in_force_ms:.1f} ms (epoch {epoch})")
    if not confirmed:
        print(
            f"no running deck confirmed it within {patience_s:g} s; a deck that starts now starts stopped"
        )
    elif answer is not None:
        print(_stop_line(answer))
    return 0


def _leave_reason(data_dir: Path, leave: Callable[..., None], *, epoch: int, reason: str) -> None:
    try:
        leave(data_dir / "stop.reason", epoch=epoch, reason=reason)
    except OSError as error:
        # The stop is in force; only the words for it are lost, and that is said.
        print(f"the reason could not be left for the deck: {error.strerror}", file=sys.stderr)


def _stop_without_flag(data_dir: Path, error: OSError, *, reason: str, as_json: bool) -> int:
    """Stop through the server: a deck whose flag is gone is stopped, and can say so."""
    try:
        answer = call_deck(running_deck(data_dir), "POST", "/gate/stop", {"reason": reason})
    except DomainError as refusal:
        raise NotFound(
            f"{data_dir / 'stop.flag'}: {error.strerror}, and no server could be told "
            f"({refusal.message}); a deck whose flag is missing or short is stopped, and without a "
            "data folder there is nothing to stop (name it with --data-dir)",
            field="data-dir",
        ) from None
    if as_json:
        print(json.dumps({"epoch": answer["epoch"], "recorded": answer}, indent=2))
    else:
        print(
            f"the flag cannot be raised ({error.strerror}); the server says: {_stop_line(answer)}"
        )
    return 0


def _confirmed(path: Path, epoch: int, *, within_s: float) -> bool:
    from quarterdeck.runtime import stopflag

    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if stopflag.seen(path) >= epoch:
                return True
        except OSError:
            return False
        time.sleep(0.002)
    return False


def _head_line(line: str | None) -> str:
    if line is None:
        return "no head signed yet"
    head = json.loads(line)
    return (
        f"head {head['number']} signed over record {head['sequence']} of {head['partition']}: "
        f"{head['hash']}"
    )


def _stop_line(stop: Answer) -> str:
    """Return where trading stands, and a line for every stop that stands."""
    first = f"{'STOPPED' if stop['stopped'] else 'armed'}, epoch {stop['epoch']}"
    if stop["stopped"] and not any(one["scope"] == "deck" for one in stop["stops"]):
        first += f": {stop['reason']}"
    return "\n".join([first, *(_standing_line(one) for one in stop["stops"])])


def _standing_line(one: Answer) -> str:
    took = "" if one["stop_ms"] is None else f", in force after {one['stop_ms']:.2f} ms"
    reduced = f", reducing {one['reduced_since']}" if one["reduced_since"] else ""
    what = f"{one['scope']} {one['subject']}".rstrip()
    return (
        f"  {what} stopped at epoch {one['epoch']} since {one['since']} by {one['by']}{took}; "
        f"accepted since {one['accepted_since']}{reduced}, refused {one['refused_since']}, "
        f"cancelled {one['cancelled']}; reason: {one['reason']}"
    )


def rearm(
    data_dir: Path,
    *,
    epoch: int,
    scope: dict[str, str],
    reason: str,
    confirm: str | None,
    as_json: bool,
) -> int:
    """Open trading again for exactly the epoch named; unconfirmed, only show what would resume."""
    deck = running_deck(data_dir)
    if confirm is None:
        listed = call_deck(deck, "GET", f"/gate/rearm?{urllib.parse.urlencode(scope)}")
        if listed["epoch"] != epoch:
            raise DomainError(
                f"the epoch raised is {listed['epoch']}, not {epoch}", code="EPOCH_CHANGED"
            )
        print(json.dumps(listed, indent=2) if as_json else _resume_lines(listed))
        return 0
    body: Answer = {"epoch": epoch, "reason": reason, "confirm": confirm, **scope}
    answer = call_deck(deck, "POST", "/gate/rearm", body)
    print(json.dumps(answer, indent=2) if as_json else _stop_line(answer))
    return 0


def _resume_lines(listed: Answer) -> str:
    what = f"{listed['scope']} {listed['subject']}".rstrip()
    lines = [
        f"re-arming {what} would let go on:",
        f"  agents      {', '.join(listed['agents']) or 'none'}",
        f"  orders      {', '.join(listed['orders']) or 'none; cancelled ones stay cancelled'}",
    ]
    if listed["instruments"]:
        lines.append(f"  instruments {', '.join(listed['instruments'])}")
    if listed["remaining"]:
        lines.append(f"still stopped afterwards: {', '.join(listed['remaining'])}")
    if listed["blocked"]:
        lines.append(f"refused now: {'; '.join(listed['blocked'])}")
    else:
        lines.append(
            f"nothing is re-armed yet; repeat the command with --confirm {listed['confirmation']}"
        )
    return "\n".join(lines)


def create_key(
    data_dir: Path,
    *,
    agent: str,
    scopes: tuple[str, ...],
    capabilities: tuple[str, ...],
    capital: str | None,
    as_json: bool,
) -> int:
    """Register an agent with a key, or issue a further key to one that is there."""
    deck = running_deck(data_dir)
    known = {entry["agent"] for entry in call_deck(deck, "GET", "/agents")["agents"]}
    if agent in known:
        issued = call_deck(deck, "POST", "/keys", {"agent": agent, "scopes": list(scopes)})
    else:
        body: Answer = {
            "name": agent,
            "scopes": list(scopes),
            "capabilities": list(capabilities),
        }
        if capital is not None:
            body["capital"] = capital
        issued = call_deck(deck, "POST", "/agents", body)
    if as_json:
        print(json.dumps(issued, indent=2))
        return 0
    print(f"key for {issued['agent']} (shown once): {issued['key']}")
    print(
        f"Claude Code: claude mcp add --transport http quarterdeck {deck['url']}/mcp "
        f'--header "Authorization: Bearer {issued["key"]}"'
    )
    return 0


def list_keys(data_dir: Path, *, as_json: bool) -> int:
    """Print all keys without their secrets."""
    keys = call_deck(running_deck(data_dir), "GET", "/keys")["keys"]
    if as_json:
        print(json.dumps(keys, indent=2))
        return 0
    if not keys:
        print("no keys; make one with: quarterdeck keys create NAME")
        return 0
    print(f"{'PREFIX':<12}{'AGENT':<24}{'SCOPES':<36}STATE")
    for key in keys:
        state = f"revoked {key['revoked_at']}" if key["revoked_at"] else "valid"
        print(f"{key['prefix']:<12}{key['agent']:<24}{','.join(key['scopes']):<36}{state}")
    return 0


def revoke_key(data_dir: Path, *, prefix: str, reason: str, as_json: bool) -> int:
    """Refuse a key from now on."""
    path = f"/keys/{urllib.parse.quote(prefix, safe='')}/revoke"
    answer = call_deck(running_deck(data_dir), "POST", path, {"reason": reason})
    print(json.dumps(answer, indent=2) if as_json else f"revoked {prefix}")
    return 0


def run_agent(member: str, *, url: str, key_file: Path, turns: int | None) -> int:
    """Drive a built-in agent's turns from outside, over REST; without ``turns`` until interrupted."""
    from quarterdeck.cli.orders import key_in
    from quarterdeck.client.deck import Deck
    from quarterdeck.client.runner import run_member
    from quarterdeck.client.wire import DeckError
    from quarterdeck.crew import CREW

    if member not in CREW:
        raise InvalidInput.of("member", member, ", ".join(sorted(CREW)))
    if turns is not None and turns < 1:
        raise InvalidInput.of("--turns", turns, "1 or more")
    key = key_in(key_file)
    try:
        with Deck(url, key) as deck:
            run_member(deck, CREW[member], turns=sys.maxsize if turns is None else turns)
    except DeckError as refusal:
        raise DomainError(f"{url}: {refusal.detail}", code=refusal.code) from None
    return 0


def ask(data_dir: Path, method: str, path: str, body: Answer | None = None) -> Answer:
    """Return what the running deck answers to one request."""
    return call_deck(running_deck(data_dir), method, path, body)


def running_deck(data_dir: Path) -> dict[str, str]:
    """Return address and key of the deck that runs on ``data_dir``."""
    try:
        found: dict[str, str] = json.loads((data_dir / "deck.json").read_text("utf-8"))
    except OSError:
        raise NotFound(
            f"no deck runs on {data_dir}; start one with 'quarterdeck demo', or name its folder "
            "with --data-dir",
            field="data-dir",
            value=str(data_dir),
        ) from None
    except ValueError:
        raise Unavailable(
            f"{data_dir / 'deck.json'} cannot be read as JSON; start the deck again, which writes it",
            field="data-dir",
        ) from None
    return found


def call_deck(deck: dict[str, str], method: str, path: str, body: Answer | None = None) -> Answer:
    """Call the deck and return its answer; a refusal is raised.

    A deck that is pressed refuses before it begins anything: it is asked again when it says so.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the address is the deck's own, from deck.json
        f"{deck['url']}/api/v1{path}",
        data=data,
        method=method,
        headers={"Authorization": f"Bearer {deck['key']}", "Content-Type": "application/json"},
    )
    # Whatever proxy the environment names: a deck is reached directly.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    left_s = BUSY_S
    while True:
        try:
            with opener.open(request, timeout=TIMEOUT_S) as response:
                answer: Answer = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            after = error.headers.get("retry-after", "")
            pause_s = max(1.0, float(after)) if after.isdecimal() else BUSY_S
            if error.code != PRESSED or left_s <= pause_s:
                raise _refusal(error) from None
            error.close()
        except OSError as error:
            raise Unavailable(
                f"the deck at {deck['url']} does not answer ({error}); is it still running?"
            ) from None
        left_s -= pause_s
        time.sleep(pause_s)


def _refusal(error: urllib.error.HTTPError) -> DomainError:
    try:
        problem = json.load(error)
    except ValueError:
        return Unavailable(f"the deck answered {error.code} without saying why")
    return DomainError(
        str(problem.get("detail") or problem.get("title")), code=str(problem.get("code"))
    )
