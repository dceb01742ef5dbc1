"""The running deck's risk from the command line: events, how they are answered, and taking that back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from quarterdeck.cli.columns import money
from quarterdeck.cli.console import Answer, ask
from quarterdeck.kernel.errors import InvalidInput


def events(data_dir: Path, *, as_json: bool) -> int:
    """Print the last risk events, newest first."""
    found = ask(data_dir, "GET", "/risk/events")["events"]
    return _lines(found, _event, none="no risk event in this run", as_json=as_json)


def responses(data_dir: Path, *, as_json: bool) -> int:
    """Print what stands as an answer to risk events, then all that was answered."""
    found = ask(data_dir, "GET", "/risk/responses")["responses"]
    return _lines(found, _response, none="no risk event was answered yet", as_json=as_json)


def level(data_dir: Path, *, as_json: bool) -> int:
    """Print the level of the deck and of each agent, with the points of its components."""
    found = ask(data_dir, "GET", "/risk/level")["subjects"]
    return _lines(found, _level, none="no level yet: no slice has closed", as_json=as_json)


def brief(data_dir: Path, *, agent: str, as_json: bool) -> int:
    """Print what one agent is told of risk."""
    found = ask(data_dir, "GET", f"/risk/brief?agent={quote(agent, safe='')}")
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"{name.replace('_', ' '):<22}{'-' if shown in (None, '') else shown}")
    return 0


def timeline(data_dir: Path, *, as_json: bool) -> int:
    """Print the last changes of limits, levels and conditions, events and answers, newest first."""
    found = ask(data_dir, "GET", "/risk/timeline")["changes"]
    return _lines(found, _change, none="nothing has changed yet", as_json=as_json)


def condition(data_dir: Path, *, as_json: bool) -> int:
    """Print the market's condition and what each scales limits by."""
    found = ask(data_dir, "GET", "/risk/condition")
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    if found["condition"] is None:
        print("no condition yet: not enough data")
    else:
        print(f"{found['condition']} since {found['since']} (slice {found['since_slice']})")
    for one in found["conditions"]:
        share = "-" if one["share"] is None else f"{one['share']:.0%}"
        print(
            f"{one['condition']:<10}{share:>6}  limits times {one['multiplier']:.3f}, "
            f"learned from {one['bars']} bars"
        )
    return 0


def clusters(data_dir: Path, *, as_json: bool) -> int:
    """Print which instruments move together, what they may lose and what may be held of them."""
    found = ask(data_dir, "GET", "/risk/clusters")["clusters"]
    return _lines(found, _cluster, none="no instruments move together", as_json=as_json)


def metrics(data_dir: Path, *, as_json: bool) -> int:
    """Print what the deck and each agent earned for their risk, and how what they hold stands."""
    earned = ask(data_dir, "GET", "/performance")
    held = ask(data_dir, "GET", "/risk/holdings")["subjects"]
    found = {"benchmark": earned["benchmark"], "measures": earned["measures"], "held": held}
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"benchmark: {found['benchmark']}")
    for row in found["measures"]:
        print(_measured(row))
    for row in held:
        print(_held(row))
    return 0


def fits(data_dir: Path, *, as_json: bool) -> int:
    """Print the latest fit of every instrument, whether it was let in and what it weighs."""
    found = ask(data_dir, "GET", "/risk/fits")
    none = "risk.fitted_every_bars is 0: nothing is fitted"
    if found["every_bars"]:
        none = f"nothing was fitted yet; it is every {found['every_bars']} bars"
    return _lines(found["fits"], _fit, none=none, as_json=as_json)


def forecast(data_dir: Path, *, as_json: bool) -> int:
    """Print what each instrument, cluster and holding may lose in the next bar, at every level."""
    found = {
        "instruments": ask(data_dir, "GET", "/risk")["instruments"],
        "clusters": ask(data_dir, "GET", "/risk/clusters")["clusters"],
        "held": ask(data_dir, "GET", "/risk/holdings")["subjects"],
    }
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    positions = [
        {**one, "who": f"{row['subject']} {one['symbol']}"}
        for row in found["held"]
        for one in row["components"]
    ]
    for name, rows, label in (
        ("instrument, of its price", found["instruments"], "symbol"),
        ("cluster, evenly spread", found["clusters"], "cluster"),
        ("held by, in money", found["held"], "subject"),
        ("position by itself", positions, "who"),
    ):
        if rows:
            print(_heads(name, [one["level"] for one in rows[0]["levels"]]))
        for row in rows:
            print(_losses(row[label], row))
    return 0


def _heads(name: str, levels: Sequence[float]) -> str:
    said = [f"{round(100 * level, 9):g} %" for level in levels]
    return f"{name:<26}" + "".join(f"{f'VaR {one}':>14}{f'ES {one}':>14}" for one in said)


def _losses(name: str, row: Answer) -> str:
    cells = [one[figure] for one in row["levels"] for figure in ("var", "es")]
    shown = [
        "-" if cell is None else f"{cell:.2%}" if isinstance(cell, float) else money(cell)
        for cell in cells
    ]
    return f"{name:<26}" + "".join(f"{cell:>14}" for cell in shown) + _reason(row)


def _reason(row: Answer) -> str:
    return f"  {row['reason']}" if row.get("reason") else ""


def stress(data_dir: Path, *, shocks: Sequence[str], others: float, as_json: bool) -> int:
    """Print what is held would lose in every scenario, or in the one that is named."""
    if not shocks and not others:
        found = ask(data_dir, "GET", "/risk/stress")["scenarios"]
    else:
        moves = dict(_shock(one) for one in shocks)
        found = [ask(data_dir, "POST", "/risk/stress", {"shocks": moves, "others": others})]
    return _lines(found, _stress, none="there is no scenario", as_json=as_json)


def credit(data_dir: Path, *, as_json: bool) -> int:
    """Print every agent's credit line and what it rests on."""
    found = ask(data_dir, "GET", "/risk/credit")
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"adaptation is {found['mode']}")
    deck = [] if found["deck"] is None else [found["deck"]]
    lines = [*deck, *found["agents"]]
    return _lines(lines, _credit, none="no agent has been scored yet", as_json=False)


def adapt(data_dir: Path, *, mode: str, reason: str, as_json: bool) -> int:
    """Let what is learned be in force, freeze it, only show it, or forget it."""
    if mode == "reset":
        answer = ask(data_dir, "POST", "/risk/adaptation/reset", {"reason": reason})
    else:
        answer = ask(data_dir, "POST", "/risk/adaptation", {"mode": mode, "reason": reason})
    print(json.dumps(answer, indent=2) if as_json else f"adaptation is {answer['mode']}")
    return 0


def lift(data_dir: Path, *, response: str, reason: str, as_json: bool) -> int:
    """Take a standing response back."""
    path = f"/risk/responses/{quote(response, safe='')}/lift"
    answer = ask(data_dir, "POST", path, {"reason": reason})
    print(json.dumps(answer, indent=2) if as_json else _response(answer))
    return 0


def _lines(
    found: Sequence[Answer], line: Callable[[Answer], str], *, none: str, as_json: bool
) -> int:
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for row in found:
        print(line(row))
    if not found:
        print(none)
    return 0


def _fit(row: Answer) -> str:
    state = "let in" if row["accepted"] else f"refused: {row['reason']}"
    weights = [
        f"{row[name]:.0%} of VaR {name[-2:]}" for name in ("weight95", "weight99") if row[name]
    ]
    persistence = row["shock"] + row["fall_shock"] / 2 + row["memory"]
    return (
        f"{row['at']}  {row['symbol']:<8} {state}; {row['bars']} bars, persistence {persistence:.4f}, "
        f"{', '.join(weights) or 'not heard yet'}; {row['model']}"
    )


def _event(row: Answer) -> str:
    likely = "" if row["probability"] is None else f", chance {row['probability']:.2g}"
    impact = "" if row["impact"] is None else f", {money(row['impact'])} at stake"
    return f"{row['at']}  {row['severity']:<8} {row['text']}{likely}{impact}; {row['response']}"


def _response(row: Answer) -> str:
    subject = row["subject"] or "deck"
    ended = f" {row['ended_at']} by {row['ended_by']}" if row["ended_at"] else ""
    return (
        f"{row['at']}  {row['response_id']}  {row['response']} {subject}: {row['state']}{ended}; "
        f"{row['reason']}"
    ) + ("" if row["state"] in ("over", "lifted") else f"; back with: {row['undo']}")


def _level(row: Answer) -> str:
    if row["level"] is None:
        return f"{row['subject']:<16} not known yet"
    points = ", ".join(
        f"{one['component']} {one['points']:.1f}"
        for one in row["components"]
        if one["points"] is not None
    )
    return f"{row['subject']:<16}{row['level']:<10}{row['score']:>6.1f} of 100: {points}"


def _change(row: Answer) -> str:
    before = "" if row["previous"] is None else f"{row['previous']} -> "
    causes = ", ".join(f"{one['component']} {one['points']:+.2f}" for one in row["causes"])
    why = f"{row['because']}; {causes}" if causes else row["because"]
    return f"{row['at']}  {row['kind']:<9} {row['subject']:<12} {before}{row['now']}: {why}"


def _credit(row: Answer) -> str:
    least = "not known yet" if row["least_gain"] is None else f"{row['least_gain']:+.4f}"
    factors = ", ".join(f"{name} {value:.2f}" for name, value in row["factors"].items())
    return (
        f"{row['agent']:<16}{money(row['credit']):>16}  share {row['share']:.2f}, {factors or '-'}; "
        f"{row['bars']} bars, more would gain at least {least}; positions at {row['size']:.0%} of their "
        f"limits, in force {_or_dash(row['size_in_force'], 2)}; stops at {row['stop_distance']:.1f} "
        f"volatilities ({row['trades']} trades), furthest {_or_dash(row['stop_in_force'])}"
    )


def _or_dash(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _measured(row: Answer) -> str:
    figures = {
        "beta": row["beta"],
        "correlation": row["correlation"],
        "volatility a year": row["volatility"],
        "Sharpe": row["sharpe"],
        "Sortino": row["sortino"],
        "Calmar": row["calmar"],
        "turnover a year": row["turnover"],
        "exposure": row["exposure_ratio"],
    }
    shown = ", ".join(f"{name} {_or_dash(value, 2)}" for name, value in figures.items())
    return (
        f"{row['subject']:<16}{shown}; {row['drawdown_fraction']:.1%} below its highest, at most "
        f"{row['max_drawdown_fraction']:.1%}; {row['observations']} returns"
        + (f" of {row['need']} needed" if row["observations"] < row["need"] else "")
    )


def _held(row: Answer) -> str:
    share = "-" if row["concentration"] is None else f"{row['concentration']:.0%}"
    return (
        f"{row['subject']:<16}holds {money(row['gross'])} gross, {money(row['net'])} net; volatility "
        f"{_or_dash(row['volatility_ratio'], 2)} of the usual ({row['volatility_regime'] or '-'}), largest "
        f"share of the VaR {share}, at most {_or_dash(row['volume_bars'], 2)} bars of usual volume"
    )


def _cluster(row: Answer) -> str:
    var = "-" if row["var99"] is None else f"{row['var99']:.2%} (ES {row['es99']:.2%})"
    held = "" if row["held_var99"] is None else f", may lose {money(row['held_var99'])}"
    limit = "no limit yet" if row["limit"] is None else f"at most {money(row['limit'])}"
    return (
        f"{', '.join(row['members'])}: correlation {row['correlation']:.2f}, usually "
        f"{row['usual_correlation']:.2f}; 99 % VaR {var}; held {money(row['held'])}{held}; {limit}"
        + ("" if row["in_force"] else ", not in force")
    )


def _shock(text: str) -> tuple[str, float]:
    symbol, _, move = text.partition("=")
    try:
        return symbol, float(move)
    except ValueError:
        raise InvalidInput.of("--shock", text[:80], "SYMBOL=FRACTION, like SPX=-0.2") from None


def _stress(row: Answer) -> str:
    span = "" if row["start"] is None else f" ({row['start'][:10]} to {row['end'][:10]})"
    if row["reason"] is not None:
        return f"{row['name']}{span}: {row['reason']}"
    losses = []
    for one in row["losses"]:
        share = one["equity_fraction"]
        part = "" if share is None else f" ({share:.1%} of equity)"
        losses.append(
            f"{one['subject']} {'not known' if one['loss'] is None else money(one['loss'])}{part}"
        )
    missing = f"; says nothing of {', '.join(row['unknown'])}" if row["unknown"] else ""
    return f"{row['name']}{span}: " + ", ".join(losses) + missing
