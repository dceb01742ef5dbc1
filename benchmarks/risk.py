"""Tail forecasts on data their constants never saw: 2008-2022, against RiskMetrics and a fitted GJR.

The constants come from benchmarks/risk_constants.py and data before 2008. Pass shares are of series whose
p-value is above 0.05; losses are medians over series of the mean quantile loss, ours over the peer's.
The fitted peer is arch's GJR-GARCH(1,1)-t with filtered historical simulation, refit every 250 bars on at
most 2,000, its explosive fits refused and its residuals refiltered with the present parameters.
"""

# needs: bench
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import sys
import time

from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np
import numpy.typing as npt

from benchmarks._reporting import Figures, main, progress
from benchmarks._risk_data import SPLIT, daily_bars, panel
from benchmarks._risk_peers import arch_fhs, newey_west_t, risk_metrics
from benchmarks._risk_score import Score, score
from quarterdeck.risk.core.bank import batch_bank

FloatArray = npt.NDArray[np.float64]

ALPHAS = (0.05, 0.01)
NAMES = ("95", "99")
LAST = "2022-12-31"


def as_log(forecast: FloatArray, level: int) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES of a level as log losses, shape (t,) each."""
    var, es = forecast[:, 1 + 2 * level], forecast[:, 2 + 2 * level]
    return -np.log1p(-var), -np.log1p(-es)


def judged(
    close: FloatArray, made: tuple[FloatArray, FloatArray], alpha: float, first: int
) -> Score:
    """Judge forecasts made at each close on the bars from ``first`` on."""
    lost = -np.diff(np.log(close))[first - 1 :]
    var, es = (part[first - 1 : -1] for part in made)
    return score(lost, np.ascontiguousarray(var), np.ascontiguousarray(es), alpha)


def three(close: FloatArray, forecast: FloatArray, first: int) -> list[tuple[Score, Score, Score]]:
    """Return ours, RiskMetrics' and the fitted peer's scores at each level."""
    r = np.diff(np.log(close))
    fitted = arch_fhs(r, ALPHAS)
    found = []
    for j, alpha in enumerate(ALPHAS):
        plain, peer = (
            tuple(np.concatenate(([np.nan], part)) for part in made)
            for made in (risk_metrics(r, alpha), fitted[j])
        )
        found.append(
            tuple(judged(close, made, alpha, first) for made in (as_log(forecast, j), plain, peer))
        )
    return found


def shares(figures: Figures, name: str, scores: list[Score], suffix: str) -> None:
    """Write the pass shares of one level."""
    figures[f"kupiec_pass_{suffix}{name}"] = float(np.mean([s.kupiec for s in scores]))
    figures[f"cc_pass_{suffix}{name}"] = float(np.mean([s.conditional for s in scores]))
    figures[f"dq_pass_{suffix}{name}"] = float(np.mean([s.dynamic for s in scores]))


def stocks_and_index(figures: Figures) -> None:
    """Confirmation A: 20 stocks and the S&P 500, 2008-2022, one universe."""
    days, names, closes = panel()
    first = int(np.searchsorted(days, np.datetime64(SPLIT)))
    began = time.process_time()
    forecasts = batch_bank(closes)
    figures["us_per_asset_bar"] = 1e6 * (time.process_time() - began) / closes.size
    rows = []
    for i, name in enumerate(names):
        progress(f"{name} {i + 1}/{len(names)}")
        rows.append(three(np.ascontiguousarray(closes[:, i]), forecasts[:, i], first))
    for j, level in enumerate(NAMES):
        ours, plain, peer = ([row[j][k] for row in rows] for k in range(3))
        shares(figures, level, ours, "")
        shares(figures, level, peer, "gjr_fhs_")
        figures[f"hit_share_{level}"] = float(np.mean([s.hit for s in ours]))
        figures[f"loss_vs_gjr_fhs_{level}"] = ratio(ours, peer)
        figures[f"loss_vs_riskmetrics_{level}"] = ratio(ours, plain)
        figures[f"fz_vs_gjr_fhs_{level}"] = float(
            np.median([a.fz - b.fz for a, b in zip(ours, peer, strict=True)])
        )
        unit = np.array([s.loss for s in plain])[:, None]
        lost = [np.stack([s.losses for s in side]) / unit for side in (ours, peer)]
        figures[f"panel_t_{level}"] = newey_west_t((lost[0] - lost[1]).mean(axis=0))
        figures[f"worst_series_loss{'' if j == 0 else '_99'}"] = max(
            a.loss / b.loss for a, b in zip(ours, plain, strict=True)
        )


def ratio(ours: list[Score], peer: list[Score]) -> float:
    """Return the median over series of the loss ratio."""
    return float(np.median([a.loss / b.loss for a, b in zip(ours, peer, strict=True)]))


def with_ranges(figures: Figures) -> None:
    """Confirmation B: nine daily series with open, high and low, 2008-2021, each by itself."""
    rows = []
    for symbol, (days, bars) in daily_bars().items():
        progress(f"{symbol} with its ranges")
        o, h, low, c = (np.ascontiguousarray(part) for part in bars)
        forecast = batch_bank(c[:, None], ohl=(o[:, None], h[:, None], low[:, None]))[:, 0]
        first = max(int(np.searchsorted(days, np.datetime64(SPLIT))), 1_002)
        rows.append(three(c, forecast, first))
    for j, level in enumerate(NAMES):
        if not rows:
            figures[f"ohlc_loss_vs_gjr_fhs_{level}"] = None
            continue
        ours, plain, peer = ([row[j][k] for row in rows] for k in range(3))
        shares(figures, level, ours, "ohlc_")
        figures[f"ohlc_loss_vs_gjr_fhs_{level}"] = ratio(ours, peer)
        figures[f"ohlc_loss_vs_riskmetrics_{level}"] = ratio(ours, plain)


def measure() -> Figures:
    """Take every figure."""
    figures: Figures = {}
    batch_bank(np.ones((2, 1)))
    stocks_and_index(figures)
    with_ranges(figures)
    return figures


CLAIMS = {
    "kupiec_pass_95": "at least 0.95",
    "kupiec_pass_99": "at least 0.95",
    "cc_pass_95": "at least 0.85",
    "cc_pass_99": "at least 0.85",
    "dq_pass_95": "at least 0.71",
    "dq_pass_99": "at least 0.66",
    "loss_vs_gjr_fhs_95": "at most 0.990",
    "loss_vs_gjr_fhs_99": "at most 0.985",
    "panel_t_95": "at most -2",
    "worst_series_loss": "at most 1.01",
    "ohlc_loss_vs_gjr_fhs_95": "at most 0.985",
    "us_per_asset_bar": "at most 15",
}

if __name__ == "__main__":
    sys.exit(main("risk", measure, claims=CLAIMS))
