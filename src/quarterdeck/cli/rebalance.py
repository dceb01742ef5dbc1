"""Mandates and rebalances from the command line, as the operator."""

from __future__ import annotations

import argparse
import json
import secrets
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote

from quarterdeck.cli.console import Answer, ask
from quarterdeck.kernel.errors import InvalidInput


def run(options: argparse.Namespace) -> int:
    """Ask for what was typed and print the answer."""
    folder = options.data_dir
    match options.action:
        case "list":
            found = ask(folder, "GET", "/portfolio/rebalances")
            lines = [_rebalance_line(row) for row in found["rebalances"]]
            return _told(found, lines or ["no account was rebalanced in this run"], options)
        case "mandates":
            found = ask(folder, "GET", "/portfolio/mandates")
            lines = [_mandate_line(row) for row in found["mandates"]]
            lines += [
                f"{row['name']}: does nothing yet, its agent {row['agent']} has not joined"
                for row in found["waiting"]
            ]
            return _told(found, lines or ["no mandate is set"], options)
        case "plan":
            body = {"agent": options.agent, **_target(options)}
            found = ask(folder, "POST", "/portfolio/plan", body)
            return _told(found, _plan_lines(found), options)
        case "mandate":
            found = ask(folder, "POST", "/portfolio/mandates", _mandate(options))
            return _told(found, [_mandate_line(found)], options)
        case "end":
            path = f"/portfolio/mandates/{quote(options.mandate, safe='')}/end"
            found = ask(folder, "POST", path, {"reason": options.reason})
            return _told(found, [f"the mandate {options.mandate} has ended"], options)
        case "propose":
            path = f"/portfolio/mandates/{quote(options.mandate, safe='')}/rebalance"
            found = ask(folder, "POST", path, {})
            return _told(found, [_rebalance_line(found), *_plan_lines(found["plan"])], options)
        case "move":
            return _moved(options)
        case _:
            name = quote(options.rebalance_id, safe="")
            path = f"/portfolio/rebalances/{name}/{options.action}"
            found = ask(folder, "POST", path, {"reason": options.reason})
            return _told(found, [_rebalance_line(found)], options)


def _moved(options: argparse.Namespace) -> int:
    body = {
        "idempotency_key": f"move-{secrets.token_hex(8)}",
        "from_agent": options.from_agent,
        "to_agent": options.to_agent,
        "amount": options.amount,
        "reason": options.reason,
    }
    found = ask(options.data_dir, "POST", "/accounts/move", body)
    line = (
        f"{_money(found['amount'])} moved from {found['from_agent']} to {found['to_agent']}; "
        f"{_money(found['movable'])} could still be moved"
    )
    return _told(found, [line], options)


def weights(text: str, *, option: str = "--weights") -> dict[str, float]:
    """Return the weights in ``A=0.6,B=0.4``."""
    found: dict[str, float] = {}
    for part in text.split(","):
        symbol, equals, share = part.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = float("nan")
        if not equals or not symbol.strip() or value != value or symbol.strip() in found:
            raise InvalidInput.of(option, part, "each symbol once, as AAPL=0.6,IBM=0.4")
        found[symbol.strip()] = value
    return found


def _target(options: argparse.Namespace) -> Answer:
    return {
        "objective": options.objective,
        "weights": None if options.weights is None else weights(options.weights),
        "horizon_bars": options.horizon,
        "risk_aversion": options.risk_aversion,
        "limits": _limits(options),
    }


PLAIN = ("min_weight", "max_weight", "max_turnover", "max_change", "max_gross", "vol_cap")
"""Limits that are typed as they are sent."""


def _limits(options: argparse.Namespace) -> Answer | None:
    """Return the limits typed; None where none were."""
    found: Answer = {
        name: getattr(options, name)
        for name in (*PLAIN, "confidence", "max_assets", "costs", "whole_lots")
        if getattr(options, name) not in (None, False)
    }
    for name in ("risk_budget", "benchmark"):
        text = getattr(options, name)
        if text is not None:
            found[name] = weights(text, option=f"--{name.replace('_', '-')}")
    if options.group:
        found["groups"] = [group_of(text, members="symbols") for text in options.group]
    return found or None


def group_of(text: str, *, members: str) -> Answer:
    """Return the group typed as ``NAME=A+B:LOW:HIGH``, its members under the name of their field."""
    name, _, rest = text.partition("=")
    parts = rest.split(":")
    try:
        low, high = (float(end) for end in parts[1:])
    except ValueError:
        low = high = float("nan")
    if not name or low != low or high != high:
        sector = ", or NAME=:LOW:HIGH of a sector" if members == "symbols" else ""
        raise InvalidInput.of("--group", text, f"NAME=A+B:LOW:HIGH{sector}")
    named = [one for one in parts[0].split("+") if one]
    return {"name": name, members: named, "low": low, "high": high}


def _mandate(options: argparse.Namespace) -> Answer:
    return {
        "name": options.mandate,
        "agent": options.agent,
        "mode": options.mode,
        "triggers": {
            "every": options.every,
            "sessions": options.sessions,
            "drift": options.drift,
            "relative_drift": options.relative_drift,
            "risk_drift": options.risk_drift,
            "cash_flow": options.cash_flow,
            "regime_change": options.regime_change,
        },
        "slices": options.slices,
        "approve_within_bars": options.approve_within,
        **_target(options),
    }


def _told(found: Answer, lines: Sequence[str], options: argparse.Namespace) -> int:
    print(json.dumps(found, indent=2) if options.json else "\n".join(lines))
    return 0


def _mandate_line(row: Answer) -> str:
    mandate = row["mandate"]
    target = mandate["objective"] or "fixed weights"
    if mandate["limits"] is not None:
        target += " within limits"
    triggers = ", ".join(
        f"{name} {value}"
        for name, value in mandate["triggers"].items()
        if value not in (None, False)
    )
    state = "" if row["held"] is None else f"; held: {row['held']}"
    last = "" if row["last"] is None else f"; last {row['last_at']}: {row['last']}"
    return (
        f"{mandate['name']}: {mandate['agent']} to {target}, {mandate['mode']}, due by "
        f"{triggers or 'asking only'}{state}{last}"
    )


def _rebalance_line(row: Answer) -> str:
    legs = ", ".join(
        f"{leg['side']} {leg['symbol']} {leg['filled']} of {leg['planned']}" for leg in row["legs"]
    )
    reason = "" if row["reason"] is None else f"; {row['reason']}"
    return (
        f"{row['rebalance_id']}  {row['at']}  {row['mandate']} of {row['agent']} {row['status']} "
        f"({row['trigger']}): {legs}{reason}"
    )


def _plan_lines(plan: Answer) -> list[str]:
    gain = plan["reason"] if plan["net_gain"] is None else f"{plan['net_gain']:.2f} net of cost"
    found = plan["found"]
    lines = [
        (
            f"{plan['agent']} to {plan['target']}: equity {_money(plan['equity'])}, drift {plan['drift']:.4f}, "
            f"turnover {plan['turnover']:.4f}, cost {_money(plan['cost'])}, gain {gain}, realised "
            f"{_money(plan['realised'])}"
        ),
        f"{'SYMBOL':<12}{'WEIGHT':>10}{'TARGET':>10}{'WANTED':>10}",
    ]
    for row in plan["rows"]:
        lines.append(
            f"{row['symbol']:<12}{row['weight']:>10.4f}{row['target']:>10.4f}{row['wanted']:>10.4f}"
        )
    for trade in plan["trades"]:
        word = trade["verdict"]
        if trade["code"] is not None:
            word = f"{trade['code']}, at most {trade['max_allowed_now']} now: {trade['reason']}"
        lines.append(
            f"{trade['side']} {trade['quantity']} {trade['symbol']} at {trade['price']}, cost "
            f"{_money(trade['cost'])}: {word}"
        )
    if not plan["trades"]:
        lines.append("nothing to trade")
    if found is not None:
        lines.append(_found_line(found))
    if plan["warning"] is not None:
        lines.append(f"warning: {plan['warning']}")
    return [*lines, plan["tax_note"]]


def _found_line(found: Answer) -> str:
    gap = "no gap" if found["optimality_gap"] is None else f"gap {found['optimality_gap']:.1e}"
    return (
        f"target found by {found['solver']}, {gap}, volatility {found['volatility']:.2%} a year, "
        f"from {found['observations']} returns of {found['span_from']} to {found['span_to']}"
    )


def _money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"
