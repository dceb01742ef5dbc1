"""What each command does with its options; heavy modules are imported by the command that needs them."""

from __future__ import annotations

import argparse

from quarterdeck.kernel.errors import InvalidInput


def demo(options: argparse.Namespace) -> int:
    """Run a deck in the foreground."""
    from quarterdeck.runtime import kernels
    from quarterdeck.runtime.stopflag import hold_signal

    # Before any thread begins: all of them leave the signal to the one that stops trading.
    hold_signal()
    # Before anything imports numpy or numba: they read the environment once.
    digest = kernels.prepare()
    from quarterdeck.cli import run
    from quarterdeck.kernel.time import parse_rfc3339

    if options.report is not None and not options.exit_when_done:
        raise InvalidInput.of("--report", options.report, "use with --exit-when-done")
    symbols = _names(options.symbols)
    if options.symbols is not None and not symbols:
        raise InvalidInput.of("--symbols", options.symbols, "one symbol or more, as A,B")
    return run.run(
        run.Options(
            config=options.config,
            feed=options.feed,
            symbols=symbols,
            speed=_speed(options.speed),
            seed=options.seed,
            fresh=options.fresh,
            start=None if options.start is None else parse_rfc3339(options.start, field="--start"),
            end=None if options.end is None else parse_rfc3339(options.end, field="--end"),
            exit_when_done=options.exit_when_done,
            report=options.report,
            data_dir=options.data_dir,
            host=options.host,
            port=options.port,
            agents=options.agents,
        ),
        kernel_digest=digest,
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _speed(text: str) -> float | None:
    from quarterdeck.runtime.pacer import MAX_SPEED, MIN_SPEED

    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = float("nan")
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise InvalidInput.of("--speed", text, f"{MIN_SPEED:g} to {MAX_SPEED:g}, or max")
    return speed


def init(options: argparse.Namespace) -> int:
    """Write the commented configuration."""
    from quarterdeck.runtime.config_file import shipped_text

    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(shipped_text())
    except OSError as error:
        raise InvalidInput.of("file", options.file, f"a new file ({error.strerror})") from None
    print(f"wrote {options.file}; start with: quarterdeck serve --config {options.file}")
    return 0


def status(options: argparse.Namespace) -> int:
    """Show what runs."""
    from quarterdeck.cli import console

    return console.status(options.data_dir, as_json=options.json)


def why(options: argparse.Namespace) -> int:
    """Explain a task."""
    from quarterdeck.cli import console

    return console.why(
        options.data_dir, task=options.task, agent=options.agent, as_json=options.json
    )


def login(options: argparse.Namespace) -> int:
    """Print a fresh login link."""
    from quarterdeck.cli import console

    return console.login(options.data_dir, as_json=options.json)


def doctor(options: argparse.Namespace) -> int:
    """Check this machine."""
    from quarterdeck.cli import doctor

    return doctor.run(options.data_dir, as_json=options.json)


def stop(options: argparse.Namespace) -> int:
    """Stop trading."""
    from quarterdeck.cli import console

    return console.stop(
        options.data_dir,
        scope=console.scope_of(options),
        reason=options.reason,
        cancel=options.cancel,
        as_json=options.json,
    )


def rearm(options: argparse.Namespace) -> int:
    """Open trading again."""
    from quarterdeck.cli import console

    return console.rearm(
        options.data_dir,
        epoch=options.epoch,
        scope=console.scope_of(options),
        reason=options.reason,
        confirm=options.confirm,
        as_json=options.json,
    )


def keys(options: argparse.Namespace) -> int:
    """Create, list or revoke keys."""
    from quarterdeck.cli import console

    match options.action:
        case "create":
            return console.create_key(
                options.data_dir,
                agent=options.agent,
                scopes=_names(options.scopes),
                capabilities=_names(options.capabilities),
                capital=options.capital,
                as_json=options.json,
            )
        case "list":
            return console.list_keys(options.data_dir, as_json=options.json)
        case _:
            return console.revoke_key(
                options.data_dir,
                prefix=options.prefix,
                reason=options.reason,
                as_json=options.json,
            )


def limits(options: argparse.Namespace) -> int:
    """Show, set or confirm limits by level."""
    from quarterdeck.cli import limits

    match options.action:
        case "list":
            return limits.show(options.data_dir, agent=options.agent, as_json=options.json)
        case "names":
            return limits.names(options.data_dir, as_json=options.json)
        case "history":
            return limits.history(options.data_dir, as_json=options.json)
        case "confirm":
            return limits.confirm(
                options.data_dir,
                number=options.change,
                reason=options.reason,
                as_json=options.json,
            )
        case _:
            level = options.level or ("deck", "")
            return limits.change(
                options.data_dir,
                name=options.limit,
                value=getattr(options, "value", None),
                scope=level[0],
                subject=level[1],
                reason=options.reason,
                as_json=options.json,
            )


def breakers(options: argparse.Namespace) -> int:
    """Show circuit breakers or close one."""
    from quarterdeck.cli import breakers

    match options.action:
        case "list":
            return breakers.show(options.data_dir, as_json=options.json)
        case "history":
            return breakers.history(options.data_dir, as_json=options.json)
        case _:
            return breakers.reset(
                options.data_dir,
                kind=options.kind,
                scope=options.scope,
                subject=options.subject,
                reason=options.reason,
                as_json=options.json,
            )


def risks(options: argparse.Namespace) -> int:
    """Show the running deck's risk or take a response back."""
    from quarterdeck.cli import risks

    shown = {
        "events": risks.events,
        "responses": risks.responses,
        "condition": risks.condition,
        "level": risks.level,
        "credit": risks.credit,
        "clusters": risks.clusters,
        "metrics": risks.metrics,
        "fits": risks.fits,
        "forecast": risks.forecast,
        "timeline": risks.timeline,
    }
    if options.action == "brief":
        return risks.brief(options.data_dir, agent=options.agent, as_json=options.json)
    if options.action in shown:
        return shown[options.action](options.data_dir, as_json=options.json)
    if options.action == "stress":
        return risks.stress(
            options.data_dir, shocks=options.shock, others=options.others, as_json=options.json
        )
    if options.action == "adapt":
        return risks.adapt(
            options.data_dir, mode=options.mode, reason=options.reason, as_json=options.json
        )
    return risks.lift(
        options.data_dir,
        response=options.response,
        reason=options.reason,
        as_json=options.json,
    )


def broker(options: argparse.Namespace) -> int:
    """Show how the broker's books stand, settle an order that has no answer, or adjust our books."""
    from quarterdeck.cli import broker

    match options.action:
        case "show":
            return broker.show(options.data_dir, as_json=options.json)
        case "adjustments":
            return broker.adjustments(options.data_dir, as_json=options.json)
        case "adjust":
            return broker.adjust(options.data_dir, options)
        case _:
            return broker.settle(
                options.data_dir,
                order_id=options.order_id,
                reason=options.reason,
                as_json=options.json,
            )


def keep_alive(options: argparse.Namespace) -> int:
    """Show dead-man timers or demand one of an agent."""
    from quarterdeck.cli import broker

    if options.action == "list":
        return broker.keep_alives(options.data_dir, as_json=options.json)
    return broker.demand(
        options.data_dir,
        agent=options.agent,
        seconds=options.seconds,
        reason=options.reason,
        as_json=options.json,
    )


def level(text: str) -> tuple[str, str]:
    """Return the scope and the subject in ``deck`` or ``agent:NAME``."""
    scope, _, subject = text.partition(":")
    return scope, subject


def audit(options: argparse.Namespace) -> int:
    """Verify or export the audit chain."""
    from quarterdeck.cli import audit

    if options.action == "export":
        return audit.export(options.data_dir)
    return audit.verify(options.data_dir, key=options.key, as_json=options.json)


def backup(options: argparse.Namespace) -> int:
    """Copy a data folder while it is in use."""
    from quarterdeck.cli import backup

    return backup.take(options.dir, data_dir=options.data_dir, as_json=options.json)


def restore(options: argparse.Namespace) -> int:
    """Put a backup in place."""
    from quarterdeck.cli import backup

    return backup.put_back(
        options.dir, data_dir=options.data_dir, fresh=options.fresh, as_json=options.json
    )


def simulate(options: argparse.Namespace) -> int:
    """Run simulated decks."""
    from quarterdeck.runtime import kernels

    kernels.prepare()
    from quarterdeck.cli import simulate

    endless = options.minutes is not None
    return simulate.run(
        simulate.Options(
            seeds=20 if options.seeds is None and not endless else options.seeds,
            minutes=options.minutes,
            jobs=options.jobs,
            first=options.first,
            seed=options.seed,
            trace=options.trace,
            counters=options.counters,
        )
    )


def agent(options: argparse.Namespace) -> int:
    """Drive a built-in agent from outside."""
    from quarterdeck.cli import console

    return console.run_agent(
        options.member, url=options.url, key_file=options.key_file, turns=options.turns
    )


def drill(options: argparse.Namespace) -> int:
    """Drill the stop."""
    from quarterdeck.cli import drill

    return drill.run(options.data_dir, last=options.last, as_json=options.json)


def order(options: argparse.Namespace) -> int:
    """Preview, submit, replace or cancel an order as an agent, take a signal back, see conflicts."""
    from quarterdeck.cli import orders

    return orders.run(options)


def optimize(options: argparse.Namespace) -> int:
    """Print an optimal portfolio of the symbols in a file."""
    from quarterdeck.runtime import kernels

    kernels.prepare()
    from quarterdeck.cli import optimise
    from quarterdeck.cli.optimise_estimates import EstimateAsked

    return optimise.run(
        optimise.Options(
            file=options.file,
            objective=options.objective,
            risk_free=options.risk_free,
            vol_cap=options.vol_cap,
            min_weight=options.min_weight,
            max_weight=options.max_weight,
            lookback=options.lookback,
            periods_per_year=options.periods_per_year,
            as_json=options.json,
            plot=options.plot,
            walk_every=options.every if options.walk_forward else None,
            resample=options.resample,
            seed=options.seed,
            frontier=options.frontier,
            estimate=EstimateAsked(
                covariance=options.covariance,
                mean=options.mean,
                half_life=options.half_life,
                gaps=options.gaps,
                min_history=options.min_history,
                market=options.market,
                risk_aversion=options.risk_aversion,
                views=tuple(options.view),
            ),
            asked=optimise.Asked(
                confidence=options.confidence,
                groups=tuple(options.group),
                current=options.current,
                benchmark=options.benchmark,
                max_turnover=options.max_turnover,
                max_change=options.max_change,
                cost_bps=options.cost_bps,
                max_gross=options.max_gross,
                max_assets=options.max_assets,
                risk_budget=options.risk_budget,
                lots=options.lots,
            ),
        )
    )


def regimes(options: argparse.Namespace) -> int:
    """Print the market regimes of the symbols in a file."""
    return _analytic(options, "regimes")


def indicators(options: argparse.Namespace) -> int:
    """Print the indicators of the symbols in a file."""
    return _analytic(options, "indicators")


def _analytic(options: argparse.Namespace, which: str) -> int:
    from quarterdeck.runtime import kernels

    kernels.prepare()
    from quarterdeck.cli import analytics

    chosen = analytics.Options(
        file=options.file,
        symbols=None if options.symbols is None else tuple(options.symbols.split(",")),
        last=options.last,
        timeframe=options.timeframe,
        session=options.session,
        stamps=options.stamps,
        stale_after=options.stale_after,
        talib=tuple(options.talib or ()),
        plot=options.plot,
        as_json=options.json,
    )
    return analytics.regimes(chosen) if which == "regimes" else analytics.indicators(chosen)


def risk(options: argparse.Namespace) -> int:
    """Print what the symbols in a file may lose in their next bar."""
    from quarterdeck.runtime import kernels

    kernels.prepare()
    from quarterdeck.cli import risk

    return risk.run(
        risk.Options(
            file=options.file,
            levels=options.levels,
            guarded=options.guard,
            backtest=options.backtest,
            out=options.out,
            as_json=options.json,
            what_if=options.what_if,
            timeframe=options.timeframe,
        )
    )


def verify(options: argparse.Namespace) -> int:
    """Fold the books anew and compare."""
    from quarterdeck.cli import verify

    return verify.run(options.data_dir, as_json=options.json)
