"""Running a deck in the foreground: what the terminal shows from start to end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from quarterdeck import __version__
from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.app.deck import Deck
from quarterdeck.app.parts import refuse_bad_rules
from quarterdeck.app.plan import EMBEDDED, Plan
from quarterdeck.crew import CREW
from quarterdeck.data import NAMES
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime import memory
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.config import Config
from quarterdeck.runtime.config_file import read_config, shipped_config
from quarterdeck.runtime.folder import BEFORE_UPGRADE, DataFolder
from quarterdeck.runtime.loop import new_loop
from quarterdeck.runtime.program import other_settings
from quarterdeck.server.desk.report import RunReport
from quarterdeck.server.guards import LOOPBACK
from quarterdeck.server.logs import own_logging

PROGRESS_S = 5.0
LIVE_FEEDS = ("ccxt", "alpaca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; ``None`` leaves the configuration's value."""

    config: Path | None
    feed: str
    symbols: tuple[str, ...]
    speed: float | None
    seed: int | None
    fresh: bool
    start: Nanos | None
    end: Nanos | None
    exit_when_done: bool
    report: Path | None
    data_dir: Path
    host: str | None
    port: int | None
    agents: str


def run(options: Options, *, kernel_digest: str) -> int:
    """Run a deck until it is told to end, or with ``--exit-when-done`` until the replay has."""
    own_logging()
    config = _configured(options)
    refuse_bad_rules(config)
    source, name = _source(options.feed)
    _check_report(options.report)
    with DataFolder(options.data_dir) as folder:
        feed = open_replay(
            name,
            symbols=options.symbols or None,
            start=options.start,
            end=options.end,
        )
        if options.fresh:
            folder.move_aside()
        plan = Plan(
            config=config,
            folder=folder,
            feed=feed,
            source=source,
            speed=options.speed,
            members=_members(options.agents),
            worker=config.agents.own_worker,
            any_port=options.port is None and options.config is None,
        )
        deck = Deck(plan, kernel_digest=kernel_digest)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(_lived(deck, options))


async def _lived(deck: Deck, options: Options) -> int:
    clock = SystemClock()
    began = clock.monotonic_s()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, deck.quit)
    _say_what_starts(deck.plan)
    report: list[RunReport] = []

    async def talk() -> None:
        memory.keep_what_is()
        _say_where(deck, seconds=clock.monotonic_s() - began)
        await _progress(deck, options)
        if options.exit_when_done:
            report.append(await deck.report())
            deck.quit()

    await deck.run(talk)
    if options.exit_when_done:
        if not report:
            print("quarterdeck: ended before the replay did; no report", file=sys.stderr)
            return 1
        _say_result(report[0], options.report)
    return 0


def _configured(options: Options) -> Config:
    config = shipped_config() if options.config is None else read_config(options.config)
    if options.seed is not None:
        if not 0 <= options.seed < 2**63:
            raise InvalidInput.of("--seed", options.seed, "0 to 2**63 - 1")
        config = msgspec.structs.replace(
            config, run=msgspec.structs.replace(config.run, seed=options.seed)
        )
    server = config.server
    if options.host is not None:
        server = msgspec.structs.replace(server, host=options.host)
    if options.port is not None:
        if not 0 <= options.port <= 65_535:
            raise InvalidInput.of("--port", options.port, "0 to 65535")
        server = msgspec.structs.replace(server, port=options.port)
    return msgspec.structs.replace(config, server=server)


def _source(feed: str) -> tuple[str, str | None]:
    kind, _, name = feed.partition(":")
    if kind in LIVE_FEEDS:
        raise InvalidInput(
            f"--feed {feed}: not in this version; use replay or replay:FILE",
            field="--feed",
            value=feed,
            accepted="replay or replay:FILE",
        )
    if kind != "replay" or (":" in feed and not name):
        raise InvalidInput.of("--feed", feed, "replay or replay:FILE")
    if not name:
        return EMBEDDED, None
    return (f"embedded {name}" if name in NAMES else Path(name).name), name


def _members(agents: str) -> tuple[str, ...]:
    if agents == "builtin":
        return tuple(sorted(CREW))
    if agents == "none":
        return ()
    names = tuple(sorted({name.strip() for name in agents.split(",") if name.strip()}))
    for name in names:
        if name not in CREW:
            raise InvalidInput.of("--agents", name, f"builtin, none or some of {sorted(CREW)}")
    if not names:
        raise InvalidInput.of("--agents", agents, f"builtin, none or some of {sorted(CREW)}")
    return names


def _check_report(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise InvalidInput.of("--report", path, "a file in a folder that exists")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say_what_starts(plan: Plan) -> None:
    warm_up = plan.config.run.warm_up_bars
    if plan.speed is None:
        pace = "as fast as the deck keeps up"
    else:
        minutes = max(len(plan.feed) - warm_up, 0) / plan.speed / 60
        pace = (
            f"{plan.speed:g} bars a second after a warm-up of {warm_up} (about {minutes:.0f} min)"
        )
    _say(f"Quarterdeck {__version__}: paper trading on replayed real market data")
    _say(f"  source   {plan.source}, {plan.span}, {len(plan.feed):,} slices, {pace}")
    _say(f"  symbols  {', '.join(plan.feed.symbols)}")
    _say(f"  agents   {', '.join(plan.members) or 'none built in'}")
    _say(f"  data     {plan.folder.path}")
    if plan.config.server.host.strip("[]").lower() in LOOPBACK:
        _say("  Nothing leaves this machine.")
    else:
        _say(
            f"  WARNING  listening on {plan.config.server.host}: others can reach this deck, and it "
            "has no TLS of its own; put a proxy with TLS before it"
        )


def _say_where(deck: Deck, *, seconds: float) -> None:
    url, wanted, program = deck.url(), deck.plan.config.server, _program()
    found = deck.recovery.resumed
    if found is not None:
        _say(f"  resumed  at slice {found + 1:,} of {len(deck.plan.feed):,}")
    if wanted.port and not url.endswith(f":{wanted.port}"):
        _say(f"  port     {wanted.port} is in use; this deck took a free one")
    before = deck.recovery.before
    if before is not None:
        _say(
            f"  upgraded from {before.version} ({before.code_digest[:12]}); it is in the audit chain"
        )
        changed = other_settings(before.config, deck.engine.program.config)
        if changed:
            _say(f"  settings other than before: {', '.join(changed)}")
    if deck.engine.journal.upgraded:
        _say(f"  kept     the run as it was, in {deck.plan.folder.path / BEFORE_UPGRADE}")
    _say(f"  ready in {seconds:.1f} s")
    print(f"  open     {deck.login_url()}", flush=True)
    print(f"  agents   {url}/mcp (a key: {program} keys create NAME)", flush=True)
    _say(f"  stop     the button on every page, or: {program} stop; Ctrl-C ends")
    stop = deck.stop_state()
    if stop.stopped:
        _say(f"  TRADING IS STOPPED at epoch {stop.epoch} ({stop.reason or 'no reason given'});")
        _say(f"           open it again: {program} rearm --epoch {stop.epoch} --reason TEXT")


def _program() -> str:
    """Return what to type for this program here: its name if the shell finds it, else its path."""
    name = Path(sys.argv[0])
    if name.name != "quarterdeck" or shutil.which("quarterdeck") == str(name):
        return "quarterdeck"
    try:
        return str(name.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(name)


async def _progress(deck: Deck, options: Options) -> None:
    """Wait for the end of the replay, saying now and then how far it is."""
    while True:
        try:
            async with asyncio.timeout(PROGRESS_S):
                await deck.ended.wait()
            break
        except TimeoutError:
            status = deck.feed()
            if options.exit_when_done or sys.stderr.isatty():
                share = (status.slice + 1) / status.slices
                _say(f"  slice {status.slice + 1:,} of {status.slices:,} ({share:.0%})")
    if not options.exit_when_done:
        _say("  The replay has ended. The deck stays up; Ctrl-C ends it, --fresh begins anew.")
        await asyncio.Event().wait()


def _say_result(report: RunReport, path: Path | None) -> None:
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    if path is None:
        sys.stdout.write(text.decode() + "\n")
        return
    try:
        path.write_bytes(text + b"\n")
    except OSError as error:
        raise DomainError(f"--report {path}: {error.strerror}") from None
    orders = report.orders
    _say(
        f"  {report.slices:,} slices in {report.wall_s:.1f} s; orders {orders['submitted']:,} "
        f"submitted, {orders['accepted']:,} accepted, {orders['refused']:,} refused, "
        f"{orders['filled']:,} filled; report in {path}"
    )
