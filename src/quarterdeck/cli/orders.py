"""Orders and signals from the command line, as the agent whose key is given: over REST, like any other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quarterdeck.cli.columns import money
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.messages import Answer

Row = dict[str, Any]

if TYPE_CHECKING:
    from quarterdeck.client.asks import Terms
    from quarterdeck.client.deck import Deck
    from quarterdeck.execution.model import Decision


def key_in(file: Path) -> str:
    """Return the key that a file holds and nothing else."""
    try:
        key = file.read_text("utf-8").strip()
    except OSError as error:
        raise InvalidInput.of("--key-file", file, f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        key = ""
    if not key.isprintable() or not key.isascii() or not key:
        raise InvalidInput.of("--key-file", file, "a file that holds one key and nothing else")
    return key


def run(options: argparse.Namespace) -> int:
    """Ask for what was typed and print the answer; a refusal by the gate exits with 1."""
    from quarterdeck.client.deck import Deck
    from quarterdeck.client.wire import DeckError

    key = key_in(options.key_file)
    try:
        with Deck(options.url, key) as deck:
            answer: Answer | Decision
            match options.action:
                case "list" | "signals":
                    answer = _listed(deck, options)
                case "signal":
                    answer = deck.signal(
                        options.symbol,
                        options.direction,
                        strength=options.strength,
                        horizon_bars=options.bars,
                        reason=options.reason,
                        expires_at=options.until,
                        idempotency_key=options.key,
                    )
                case "preview" | "submit":
                    answer = _ordered(deck, options)
                case "replace":
                    answer = deck.replace(
                        options.order_id,
                        quantity=options.quantity,
                        limit_price=options.limit,
                        stop_price=options.stop,
                        idempotency_key=options.key,
                    )
                case "cancel":
                    answer = deck.cancel(options.order_id, idempotency_key=options.key)
                case "cancel-signal":
                    answer = deck.cancel_signal(options.signal_id, idempotency_key=options.key)
                case "keep-alive":
                    answer = deck.keep_alive(options.seconds)
                case _:
                    answer = deck.conflicts()
    except DeckError as refusal:
        accepted = f"; accepted: {refusal.accepted}" if refusal.accepted else ""
        raise DomainError(f"{refusal.detail}{accepted}", code=refusal.code) from None
    return _shown(answer, as_json=options.json)


def _listed(deck: Deck, options: argparse.Namespace) -> Answer:
    from quarterdeck.execution.model import GetOrders, GetSignals, OrdersView, SignalsView

    agent, status, limit = deck.briefing().agent, options.status, options.limit
    if options.action == "list":
        return deck.ask(GetOrders(agent=agent, status=status, limit=limit), OrdersView)
    return deck.ask(GetSignals(agent=agent, status=status, limit=limit), SignalsView)


def _ordered(deck: Deck, options: argparse.Namespace) -> Answer | Decision:
    terms: Terms = {
        "limit_price": options.limit,
        "stop_price": options.stop,
        "time_in_force": options.time_in_force,
        "reduce_only": options.reduce_only,
        "post_only": options.post_only,
        "stop_loss": options.stop_loss,
        "take_profit": options.take_profit,
        "believed_price": options.believed,
        "believed_at": options.believed_at,
    }
    asked = (options.symbol, options.side)
    if options.action == "preview":
        return deck.preview(*asked, quantity=options.quantity, **terms)
    return deck.order(
        *asked,
        quantity=options.quantity,
        signal_id=options.signal,
        idempotency_key=options.key,
        **terms,
    )


def _shown(answer: Answer | Decision, *, as_json: bool) -> int:
    plain = msgspec.to_builtins(answer, builtin_types=(Decimal,))
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _told(plain))
    decision = getattr(answer, "decision", answer)
    return 1 if getattr(decision, "status", None) == "refused" else 0


def _told(plain: Row) -> list[str]:
    """Return a line for each thing of a list, or the fields of one."""
    for name, line, none in (
        ("orders", _order, "no such order"),
        ("signals", _signal, "no such signal"),
        ("conflicts", _conflict, "no instrument is held by several agents"),
    ):
        if name in plain:
            return [line(row) for row in plain[name]] or [none]
    return _lines(plain)


def _order(row: Row) -> str:
    priced = "".join(
        f" {name} {row[field]}"
        for name, field in (("limit", "limit_price"), ("stop", "stop_price"))
        if row[field] is not None
    )
    at = "" if row["average_price"] is None else f" at {row['average_price']}"
    code = row["decision"]["code"]
    state = row["status"].replace("_", " ") + (f", {code}" if code else "")
    return (
        f"{row['order_id']}  {row['submitted_at']}  {row['side']} {row['quantity']} {row['symbol']}"
        f"{priced or ' at market'}: {state}; {row['filled']} filled{at}"
    )


def _signal(row: Row) -> str:
    reason = f"; {row['reason']}" if row["reason"] else ""
    return (
        f"{row['signal_id']}  {row['at']}  {row['symbol']} {row['direction']} {row['strength']:g}, "
        f"until slice {row['expires_slice']}: {row['status']}{reason}"
    )


def _conflict(row: Row) -> str:
    sides = [
        f"{side} {money(str(row[side]))} by {', '.join(row[f'{side}s'])}"
        for side in ("long", "short")
        if row[f"{side}s"]
    ]
    return (
        f"{row['symbol']}: {'; '.join(sides)}; net {money(str(row['net']))}, netting would save "
        f"{money(str(row['saved']))}"
    )


def _lines(plain: Row | Sequence[Any], *, indent: str = "") -> list[str]:
    """Return nested values as indented lines, leaving out what is null or empty."""
    found: list[str] = []
    pairs = plain.items() if isinstance(plain, dict) else enumerate(plain, start=1)
    for name, value in pairs:
        if value is None or value in ([], (), {}, ""):
            continue
        nested = isinstance(value, dict)
        if isinstance(value, list | tuple):
            nested = not all(isinstance(one, str) for one in value)
            value = value if nested else ", ".join(value)
        if nested:
            found += [f"{indent}{name}:", *_lines(value, indent=f"{indent}  ")]
        else:
            found.append(f"{indent}{name}: {value}")
    return found or [f"{indent}none"]
