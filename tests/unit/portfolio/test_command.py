"""The command line's portfolio is the library's, per year."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.cli import main

START = 1_600_000_000


def closes(path: Path, *, gap: bool = False) -> np.ndarray:
    rng = np.random.default_rng(5)
    prices = 50.0 * np.exp(np.cumsum(0.001 + 0.01 * rng.standard_normal((200, 3)), axis=0))
    lines = ["ts,A,B,C"]
    for day, row in enumerate(prices):
        cells = [repr(float(price)) for price in row]
        if gap and day == 100:
            cells[1] = ""
        lines.append(f"{START + 86_400 * day}," + ",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return prices


@pytest.mark.parametrize(
    "objective", ["max-sharpe", "min-volatility", "equal-weight", "risk-parity", "hrp"]
)
def test_the_command_prints_what_the_library_says(
    objective: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = closes(tmp_path / "c.csv")
    assert main(["optimize", str(tmp_path / "c.csv"), "--objective", objective, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = qd.optimize(prices[1:] / prices[:-1] - 1.0, objective=objective)
    assert said["symbols"] == ["A", "B", "C"]
    np.testing.assert_allclose(said["weights"], found.weights, atol=1e-9)
    assert said["volatility"] == pytest.approx(found.volatility * math.sqrt(252.0))
    assert sum(said["risk_contributions"]) == pytest.approx(1.0)


def test_a_volatility_cap_is_per_year_and_the_table_names_every_symbol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closes(tmp_path / "c.csv", gap=True)
    asked = ["optimize", str(tmp_path / "c.csv"), "--objective", "max-return", "--vol-cap", "0.13"]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["volatility"] <= 0.13 * (1.0 + 1e-9)
    assert main(asked) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()[1:4]] == ["A", "B", "C"]
    assert "198 joint returns" in said.err


def test_what_cannot_be_answered_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closes(tmp_path / "c.csv")
    for options in (["--objective", "max-return"], ["--lookback", "500"], ["--lookback", "1"]):
        assert main(["optimize", str(tmp_path / "c.csv"), *options]) == 1
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_constraints_are_kept_to_and_bad_ones_name_what_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closes(tmp_path / "c.csv")
    asked = ["optimize", str(tmp_path / "c.csv"), "--objective", "min-cvar", "--json"]
    grouped = ["--group", "ab=A+B:0.1:0.4", "--current", "A=0.5,C=0.5", "--max-turnover", "0.2"]
    assert main([*asked, *grouped]) == 0
    said = json.loads(capsys.readouterr().out)
    assert 0.1 - 1e-9 <= said["weights"][0] + said["weights"][1] <= 0.4 + 1e-9
    assert said["cvar"] > 0.0
    assert said["warning"] is None
    assert said["observations"] == 199
    for bad, word in (
        (["--group", "ab=A+Z:0:1"], "Z"),
        (["--group", "ab"], "NAME=A+B+C:LOW:HIGH"),
        (["--current", "A=x"], "number"),
        (["--max-turnover", "0.1"], "current"),
        (["--max-change", "0.1"], "current"),
        (["--group", "a=A:0.6:1", "--group", "b=B:0.6:1"], "group a"),
    ):
        assert main([*asked, *bad]) == 1
        assert word in capsys.readouterr().err


def test_a_walk_forward_always_shows_equal_weights_and_the_frontier_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closes(tmp_path / "c.csv")
    asked = ["optimize", str(tmp_path / "c.csv"), "--objective", "min-volatility"]
    walk = [*asked, "--walk-forward", "--lookback", "60", "--cost-bps", "10"]
    assert main([*walk, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"min-volatility", "equal-weight"}
    assert said["min-volatility"]["cost"] > 0.0
    assert main(walk) == 0
    assert "equal-weight" in capsys.readouterr().out
    assert main([*asked, "--walk-forward", "--lookback", "60"]) == 1
    assert "--cost-bps" in capsys.readouterr().err
    assert main([*asked, "--plot"]) == 0
    drawing = capsys.readouterr().out
    assert drawing.count("o") >= 3
    assert "X" in drawing
    assert "% a year" in drawing


def asked(path: Path, *terms: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    assert main(["optimize", str(path), "--json", *terms]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def long_closes(path: Path, *, late: int = 0) -> None:
    rng = np.random.default_rng(7)
    prices = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((400, 3)), axis=0))
    lines = ["ts,A,B,C"]
    for day, row in enumerate(prices):
        cells = [repr(float(price)) for price in row]
        if day < late:
            cells[2] = ""
        lines.append(f"{START + 86_400 * day}," + ",".join(cells))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("covariance", ["forecast", "regime"])
def test_what_is_known_of_the_next_bar_conditions_the_covariance(
    covariance: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    long_closes(path)
    terms = ("--objective", "min-volatility")
    plain, _ = asked(path, *terms, capsys=capsys)
    told, _ = asked(path, *terms, "--covariance", covariance, capsys=capsys)
    assert told["weights"] != plain["weights"]
    assert sum(told["weights"]) == pytest.approx(1.0)
    if covariance == "regime":
        assert 2 <= told["observations"] < plain["observations"]
    refused = ["optimize", str(path), *terms, "--covariance", covariance, "--walk-forward"]
    assert main([*refused, "--lookback", "100", "--cost-bps", "1"]) == 1
    assert "--covariance" in capsys.readouterr().err


def test_gaps_are_handled_pairwise_or_the_symbol_is_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    long_closes(path, late=300)
    terms = ("--objective", "min-volatility")
    joint, _ = asked(path, *terms, capsys=capsys)
    assert joint["observations"] == 99
    pairs, said = asked(path, *terms, "--gaps", "pairwise", capsys=capsys)
    assert pairs["observations"] == 99
    assert pairs["repaired"] >= 0.0
    assert "399 returns" in said
    fewer, said = asked(path, *terms, "--min-history", "200", capsys=capsys)
    assert fewer["symbols"] == ["A", "B"]
    assert "left out, with fewer than 200 closes: C" in said
    long_closes(path, late=390)
    assert main(["optimize", str(path), *terms, "--gaps", "pairwise"]) == 1
    assert "A and C" in capsys.readouterr().err
    assert main(["optimize", str(path), *terms, "--covariance", "forecast"]) == 1
    assert "forecast of C" in capsys.readouterr().err


def test_views_a_risk_budget_and_lots_are_reached_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    long_closes(path)
    market = ("--mean", "equilibrium", "--market", "A=0.5,B=0.3,C=0.2", "--risk-aversion", "3")
    calm, _ = asked(path, *market, capsys=capsys)
    # The market is the best portfolio of its own equilibrium.
    np.testing.assert_allclose(calm["weights"], [0.5, 0.3, 0.2], atol=1e-6)
    bold, _ = asked(path, *market, "--view", "A/C=0.001:0.5", capsys=capsys)
    assert bold["weights"][0] > 0.5 > 0.2 > bold["weights"][2]
    even, _ = asked(
        path, "--objective", "risk-parity", "--risk-budget", "A=0.6,B=0.3,C=0.1", capsys=capsys
    )
    np.testing.assert_allclose(even["risk_contributions"], [0.6, 0.3, 0.1], atol=1e-9)
    whole, _ = asked(
        path, "--objective", "min-volatility", "--lots", "A=0.1,B=0.05,C=0.2", capsys=capsys
    )
    counts = np.array(whole["weights"]) / [0.1, 0.05, 0.2]
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    for terms, field in (
        (("--view", "Z=1:0.5"), "--view"),
        (("--view", "A=x:0.5"), "--view"),
        (("--mean", "equilibrium"), "market"),
        (("--objective", "risk-parity", "--risk-budget", "A=1"), "risk_budget"),
        (("--min-history", "1"), "--min-history"),
    ):
        assert main(["optimize", str(path), *terms]) == 1
        assert field in capsys.readouterr().err


def test_weights_scatter_over_resampled_histories_alike_for_one_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    prices = closes(path)
    terms = ("--objective", "min-volatility", "--resample", "40", "--seed", "3")
    told, _ = asked(path, *terms, capsys=capsys)
    found = told["sensitivity"]
    assert found["draws"] == 40
    assert found["unanswered"] == 0
    assert sum(found["mean"]) == pytest.approx(1.0)
    assert all(low <= high for low, high in zip(found["low"], found["high"], strict=True))
    again, _ = asked(path, *terms, capsys=capsys)
    assert again["sensitivity"] == found
    other, _ = asked(path, *terms[:-1], "4", capsys=capsys)
    assert other["sensitivity"] != found
    # Twice the history says more, so the weights scatter less.
    returns = prices[1:] / prices[:-1] - 1.0
    ask = {"objective": "min-volatility", "draws": 100, "seed": 1}
    short = qd.sensitivity(returns[:60], **ask)
    long = qd.sensitivity(returns, **ask)
    assert long.deviation.sum() < short.deviation.sum()
    assert main(["optimize", str(path), *terms[:2], "--resample", "1"]) == 1
    assert "draws" in capsys.readouterr().err
    assert main(["optimize", str(path), *terms[:2], "--resample", "20"]) == 0
    assert "20 resampled histories" in capsys.readouterr().out


def test_what_is_held_is_placed_beside_the_frontier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    prices = closes(path)
    held = ("--objective", "tracking", "--benchmark", "A=1", "--current", "A=0.5,B=0.5")
    told, _ = asked(path, "--frontier", "9", *held, capsys=capsys)
    volatilities = [point["volatility"] for point in told["frontier"]]
    gains = [point["expected_return"] for point in told["frontier"]]
    assert len(volatilities) == 9
    assert volatilities == sorted(volatilities)
    assert gains == sorted(gains)
    weights = np.array([0.5, 0.5, 0.0])
    returns = (prices[1:] / prices[:-1] - 1.0) @ weights
    assert told["current"]["volatility"] == pytest.approx(returns.std(ddof=1) * math.sqrt(252.0))
    assert told["current"]["volatility"] >= volatilities[0]
    assert main(["optimize", str(path), "--frontier", "1"]) == 1
    assert "--frontier" in capsys.readouterr().err
    assert main(["optimize", str(path), "--plot", *held]) == 0
    assert "C" in capsys.readouterr().out.split("volatility")[-2]
