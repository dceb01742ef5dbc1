"""The command line's forecasts are the library's, and the library's are the deck's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

import quarterdeck as qd
from quarterdeck.cli import main
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.risk.core.bank import batch_bank
from quarterdeck.risk.core.timeframes import constants_for

START = 1_600_000_000


def write(path: Path, *, days: int = 420) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(6)
    prices = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((days, 3)), axis=0))
    prices[:200, 2] = np.nan
    lines = ["ts,A,B,C"]
    for day, row in enumerate(prices):
        cells = ["" if math.isnan(price) else repr(float(price)) for price in row]
        lines.append(f"{START + 86_400 * day}," + ",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return prices


def test_the_command_prints_what_the_library_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = write(tmp_path / "c.csv")
    assert main(["risk", str(tmp_path / "c.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    deck = batch_bank(prices)
    for i, line in enumerate(said["forecasts"][:2]):
        assert line["volatility"] == deck[-1, i, 0]
        assert line["var"] == deck[-1, i, 1::2].tolist()
        assert line["es"] == deck[-1, i, 2::2].tolist()
    short = said["forecasts"][2]
    assert (short["volatility"], short["var"]) == (None, [None, None])
    assert short["reason"] == "not enough data: 81 of 301 bars are missing"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_every_bar_has_its_row_of_each_level_in_order(tmp_path: Path, ending: str) -> None:
    write(tmp_path / "c.csv")
    out = tmp_path / f"made.{ending}"
    assert main(["risk", str(tmp_path / "c.csv"), "--levels", "0.9,0.975", "--out", str(out)]) == 0
    rows = duckdb.sql(f"select * from '{out}'").fetchall()
    bars = qd.read_bars(tmp_path / "c.csv")
    made = qd.forecast_risk(bars, levels=(0.9, 0.975))
    assert len(rows) == 2 * len(bars)
    for place in (0, 5, 900, 2 * len(bars) - 1):
        bar, level = divmod(place, 2)
        _, symbol, shown, var, es = rows[place]
        assert symbol == bars.symbols[bars.symbol_index[bar]]
        assert shown == (0.9, 0.975)[level]
        for value, expected in ((var, made.var[bar, level]), (es, made.es[bar, level])):
            assert value is None if math.isnan(expected) else value == expected
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_the_backtest_judges_each_forecast_by_the_bar_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = write(tmp_path / "c.csv")
    assert main(["risk", str(tmp_path / "c.csv"), "--backtest", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)["backtest"]
    made, loss = batch_bank(prices), 1.0 - prices[1:] / prices[:-1]
    for place, line in enumerate(judged):
        i, level = divmod(place, 2)
        var = made[:-1, i, 1 + 2 * level]
        known = np.isfinite(var)
        hits = int((loss[known, i] > var[known]).sum())
        assert (line["observations"], line["hits"]) == (int(known.sum()), hits)
    assert main(["risk", str(tmp_path / "c.csv"), "--backtest"]) == 0
    assert "dq_p" in capsys.readouterr().out


def test_the_incremental_twin_is_bit_equal(tmp_path: Path) -> None:
    write(tmp_path / "c.csv")
    bars = qd.read_bars(tmp_path / "c.csv")
    made = qd.forecast_risk(bars)
    twin = qd.RiskForecaster(3)
    last = np.full((3, 5), np.nan)
    for one in qd.slices(bars):
        last = twin.update(one, closes_only=True)
    for index in range(3):
        row = int(np.flatnonzero(bars.symbol_index == index)[-1])
        expected = [made.volatility[row], *np.stack((made.var[row], made.es[row]), 1).ravel()]
        np.testing.assert_array_equal(last[index], expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--levels", "0.99,0.95"], "levels"),
        (["--levels", "many"], "--levels"),
        (["--levels", "nan"], "levels"),
        (["--timeframe", "0h"], "--timeframe"),
        (["--timeframe", "an hour"], "--timeframe"),
        (["--timeframe", "1h", "--what-if", "never"], "--what-if"),
        (["--out", "made.txt"], "--out"),
        (["--out", "/nowhere/made.csv"], "--out"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "c.csv")
    assert main(["risk", str(tmp_path / "c.csv"), *options]) == 1
    assert said in capsys.readouterr().err


def test_a_timeframe_takes_its_own_constants_and_says_that_they_are_not_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = write(tmp_path / "c.csv")
    found = {}
    for length in ("1h", "5m", "1d"):
        assert main(["risk", str(tmp_path / "c.csv"), "--timeframe", length, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        made = batch_bank(prices, recursions=constants_for(length).recursions)
        assert said["forecasts"][0]["var"] == made[-1, 0, 1::2].tolist()
        found[length] = (said["timeframe"], said["constants"], said["confirmed"])
    assert found == {
        "1h": ("1h", "hours", False),
        "5m": ("5m", "minutes", False),
        "1d": ("1d", "daily", True),
    }


def test_without_a_timeframe_it_is_the_usual_distance_of_the_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "c.csv")
    text = (tmp_path / "c.csv").read_text().splitlines()
    head, *rows = text
    hours = [f"{START + 3_600 * hour},{row.split(',', 1)[1]}" for hour, row in enumerate(rows)]
    (tmp_path / "h.csv").write_text("\n".join([head, *hours]) + "\n")
    for name, constants in (("c.csv", "daily"), ("h.csv", "hours")):
        assert main(["risk", str(tmp_path / name), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["constants"] == constants


def test_too_little_history_says_how_much_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "c.csv", days=300)
    assert main(["risk", str(tmp_path / "c.csv")]) == 1
    assert "301" in capsys.readouterr().err


def test_what_if_shows_every_policy_beside_the_constant_size_of_its_volatility(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, days = np.random.default_rng(9), 900
    # Calm, then a stretch three times as wild that falls.
    spread = np.where((np.arange(days) > 600) & (np.arange(days) < 700), 0.03, 0.01)
    drift = np.where(spread > 0.02, -0.005, 0.0005)
    closes = 50.0 * np.exp(np.cumsum(drift + spread * rng.standard_normal(days)))
    lines = [
        "ts,A",
        *(f"{START + 86_400 * day},{close!r}" for day, close in enumerate(closes.tolist())),
    ]
    path = tmp_path / "c.csv"
    path.write_text("\n".join(lines) + "\n")
    bars = qd.read_bars(path)
    first, last = (rfc3339(Nanos(int(bars.ts[k])))[:10] for k in (500, 800))
    assert main(["risk", str(path), "--what-if", f"{first}..{last}", "--json"]) == 0
    fixed, volatility, credit = json.loads(capsys.readouterr().out)["what_if"]
    assert [one["policy"] for one in (fixed, volatility, credit)] == [
        "fixed",
        "volatility",
        "credit",
    ]
    assert fixed["mean_size"] == 1.0
    assert fixed["drawdown"] == fixed["constant"]
    # The bars are stamped at noon, so the last day's is after the span.
    held = closes[501:800] / closes[500:799] - 1.0
    assert fixed["bars"] == held.size
    assert fixed["gain"] == pytest.approx(closes[799] / closes[500] - 1.0)
    assert fixed["worst_bar"] == pytest.approx(-held.min())
    assert volatility["mean_size"] < 0.9
    assert volatility["drawdown"] < fixed["drawdown"]
    assert credit["mean_size"] <= 0.6


@pytest.mark.parametrize(
    ("span", "named"),
    [("2020", "--what-if"), ("2021-01-01..2020-01-01", "what_if"), ("2020-10-01..x", "x")],
)
def test_a_span_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], span: str, named: str
) -> None:
    write(tmp_path / "c.csv")
    assert main(["risk", str(tmp_path / "c.csv"), "--what-if", span]) == 1
    said = capsys.readouterr()
    assert named in said.err
    assert said.out == ""
