"""The running deck's portfolios from the command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import urlencode

from quarterdeck.cli.console import Answer, ask
from quarterdeck.cli.rebalance import group_of


def run(options: argparse.Namespace) -> int:
    """Ask for what was typed and print the answer."""
    folder = options.data_dir
    match options.action:
        case "show":
            found = ask(folder, "GET", "/portfolio")
            return _told(
                found, [line for one in found["proposals"] for line in _proposal(one)], options
            )
        case "frontier":
            terms = {"points": options.points, **_given(agent=options.agent)}
            found = ask(folder, "GET", f"/portfolio/frontier?{urlencode(terms)}")
            return _told(found, _frontier(found, plot=options.plot), options)
        case "views":
            found = ask(folder, "GET", "/portfolio/views")
            return _told(found, _views(found), options)
        case "attribution":
            found = ask(folder, "GET", f"/portfolio/attribution?{urlencode({'by': options.by})}")
            return _told(found, _attribution(found), options)
        case "active":
            found = ask(folder, "GET", "/portfolio/attribution/active")
            return _told(found, _active(found), options)
        case "allocation":
            found = ask(folder, "GET", "/portfolio/allocation")
            return _told(found, _allocation(found), options)
        case "allocate":
            found = ask(folder, "POST", "/portfolio/allocation", _arranged(options))
            return _told(found, _allocation(found), options)
        case "carry":
            found = ask(folder, "POST", "/portfolio/allocation/carry", {"reason": options.reason})
            return _told(found, _allocation(found), options)
        case "end-allocation":
            found = ask(folder, "POST", "/portfolio/allocation/end", {"reason": options.reason})
            return _told(found, ["capital is shared out no longer"], options)
        case _:
            terms = {"objective": options.objective, "draws": options.draws, "seed": options.seed}
            found = ask(folder, "GET", f"/portfolio/sensitivity?{urlencode(terms)}")
            return _told(found, _sensitivity(found), options)


def _given(**terms: str | None) -> dict[str, str]:
    return {name: value for name, value in terms.items() if value is not None}


def _told(found: Answer, lines: Sequence[str], options: argparse.Namespace) -> int:
    print(json.dumps(found, indent=2) if options.json else "\n".join(lines))
    return 0


def _proposal(one: Answer) -> list[str]:
    if one["weights"] is None:
        return [f"{one['objective']}: {one['reason']}"]
    held = ", ".join(
        f"{symbol} {weight:.4f}" for symbol, weight in one["weights"].items() if weight
    )
    drift = "" if one["drift"] is None else f", drift {one['drift']:.4f}"
    return [
        f"{one['objective']} of {one['at']}: volatility {one['volatility']:.1%} a year{drift}",
        f"  {held}",
    ]


def _frontier(found: Answer, *, plot: bool) -> list[str]:
    rows = [("held", found["held"])] if found["held"] is not None else []
    rows += [("target", one) for one in found["targets"]]
    rows += [("frontier", one) for one in found["frontier"]]
    rows += [("symbol", one) for one in found["instruments"]]
    lines = [f"{'KIND':<10}{'NAME':<18}{'RETURN':>9}{'VOLATILITY':>12}{'SHARPE':>9}"]
    for kind, one in rows:
        sharpe = "-" if one["sharpe"] is None else f"{one['sharpe']:.2f}"
        lines.append(
            f"{kind:<10}{one['name'][:17]:<18}{one['expected_return']:>9.1%}"
            f"{one['volatility']:>12.1%}{sharpe:>9}"
        )
    if found["reason"] is not None:
        lines.append(found["reason"])
    if found["warning"] is not None:
        lines.append(f"warning: {found['warning']}")
    if plot and rows:
        lines.append(_plot(found))
    return lines


def _plot(found: Answer) -> str:
    # Here, because it is drawn with what needs the numeric libraries.
    from quarterdeck.cli.optimise_views import plotted

    held = [] if found["held"] is None else [found["held"]]
    groups = (
        (".", found["frontier"]),
        ("o", found["instruments"]),
        ("T", found["targets"]),
        ("C", held),
    )
    layers = [
        (mark, [(one["volatility"], one["expected_return"]) for one in group])
        for mark, group in groups
    ]
    return plotted(layers, legend=". frontier, o symbol, T target, C held now")


def _sensitivity(found: Answer) -> list[str]:
    if found["reason"] is not None:
        return [f"{found['objective']}: {found['reason']}"]
    lines = [f"{'SYMBOL':<12}{'WEIGHT':>9}{'MEAN':>9}{'DEVIATION':>11}{'5 %':>9}{'95 %':>9}"]
    for row in found["rows"]:
        lines.append(
            f"{row['symbol']:<12}{row['weight']:>9.4f}{row['mean']:>9.4f}{row['deviation']:>11.4f}"
            f"{row['low']:>9.4f}{row['high']:>9.4f}"
        )
    without = f", {found['unanswered']} without an answer" if found["unanswered"] else ""
    lines.append(
        f"{found['draws']} resampled histories in blocks of {found['block']}{without}; mean turnover "
        f"{found['turnover']:.1%}"
    )
    return lines


def _views(found: Answer) -> list[str]:
    lines = [f"{'AGENT':<24}{'OVER':>6}{'CORRELATION':>13}{'CONFIDENCE':>12}"]
    for row in found["skills"]:
        correlation, confidence = _number(row["correlation"]), _number(row["confidence"])
        lines.append(f"{row['agent'][:23]:<24}{row['scored']:>6}{correlation:>13}{confidence:>12}")
    lines += [
        f"{row['agent']}: {row['symbol']} {row['strength']:+.2f} until slice {row['expires_slice']}, "
        f"confidence {row['confidence']:.3f}"
        for row in found["views"]
    ]
    lines += [
        f"{row['symbol']}: expected {row['expected_return']:+.1%} a year, {row['prior']:+.1%} without views"
        for row in found["outlook"]
    ]
    return lines if found["reason"] is None else [*lines, f"no expected returns: {found['reason']}"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _attribution(found: Answer) -> list[str]:
    lines = [f"{found['by'].upper():<24}{'GAIN':>16}{'COST':>14}{'NET':>16}{'RISK':>9}"]
    for row in [*found["rows"], {**found, "name": "all", "risk_share": None}]:
        risk = "-" if row["risk_share"] is None else f"{row['risk_share']:.1%}"
        lines.append(
            f"{row['name'][:23]:<24}{_money(row['gain']):>16}{_money(row['cost']):>14}"
            f"{_money(row['net']):>16}{risk:>9}"
        )
    return lines


def _active(found: Answer) -> list[str]:
    effects = ("benchmark", "allocation", "selection", "interaction")
    lines = [f"{'SECTOR':<24}" + "".join(f"{name.upper():>16}" for name in effects)]
    for row in found["sectors"]:
        lines.append(
            f"{row['name'][:23]:<24}" + "".join(f"{_money(row[name]):>16}" for name in effects)
        )
    lines += [f"factor {row['name']}: {_money(row['gain'])}" for row in found["factors"]]
    figures = ("specific", "trading", "cost", "net")
    return [*lines, *(f"{name}: {_money(found[name])}" for name in figures)]


def _arranged(options: argparse.Namespace) -> Answer:
    return {
        "mode": options.mode,
        "objective": options.objective,
        "agents": [name.strip() for name in options.agents.split(",")],
        "sessions": options.sessions,
        "every": options.every,
        "drift": options.drift,
        "min_share": options.min_share,
        "max_share": options.max_share,
        "vol_cap": options.vol_cap,
        "confidence": options.confidence,
        "groups": [group_of(text, members="agents") for text in options.group],
        "max_turnover": options.max_turnover,
        "max_change": options.max_change,
    }


def _allocation(found: Answer) -> list[str]:
    asked = found["allocation"]
    told = "no allocation is arranged"
    if found["waiting"]:
        told += f"; the configured one waits for {', '.join(found['waiting'])}"
    if asked is not None:
        told = f"{asked['objective']} of {asked['sessions']} sessions, {asked['mode']}"
        told += "".join(
            f", {one['low']:g} to {one['high']:g} to {one['name']} ({', '.join(one['agents'])})"
            for one in asked["groups"]
        )
        told += "".join(
            f", {text} at most {asked[name]:g}"
            for name, text in (("max_turnover", "turnover"), ("max_change", "change of a share"))
            if asked[name] is not None
        )
    lines = [told, f"{'AGENT':<24}{'SESSIONS':>9}{'EQUITY':>16}{'SHARE':>9}{'BEST':>9}"]
    for row in found["rows"]:
        best = "-" if row["target"] is None else f"{row['target']:.4f}"
        lines.append(
            f"{row['agent'][:23]:<24}{row['sessions']:>9}{_money(row['equity']):>16}"
            f"{row['share']:>9.4f}{best:>9}"
        )
    lines += [
        f"{_money(move['amount'])} would move from {move['from_agent']} to {move['to_agent']}"
        for move in found["moves"]
    ]
    notes = (
        found["reason"],
        found["warning"] and f"warning: {found['warning']}",
        found["due"] and f"due: {found['due']}",
        found["last"],
    )
    return [*lines, *(str(note) for note in notes if note is not None)]


def _money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"
