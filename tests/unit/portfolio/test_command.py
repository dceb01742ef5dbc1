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
