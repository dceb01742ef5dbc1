"""Optimal portfolios against the libraries people use: CPU time in one process, one thread.

Returns are made from a fixed seed: twenty common factors with fat tails and noise of each asset's own.
``stream`` is one bar with our warm update; the peer has none and refits, so it is never shown without
the ``cold`` ratio, where both start from the same returns.
"""

# needs: bench
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable

from quarterdeck.runtime import kernels

kernels.prepare()

import clarabel
import numpy as np
import pandas as pd
import piqp
import pypfopt
import riskfolio
from scipy import sparse
from skfolio import RiskMeasure
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting

import quarterdeck as qd
from benchmarks._reporting import Figures, main, progress
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.tail import tail_loss

PERIODS = 1_260
BARS = 40
OURS, PEERS, ROUNDS = 15, 3, 9
CHANGE = 0.02
"""Largest change of a weight in the constrained problem."""
THREE = ("min-volatility", "max-sharpe", "risk-parity")


def cpu_ms(work: Callable[[], object], *, repeats: int) -> float:
    """Median CPU milliseconds of ``work``."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1e3 * float(np.median(taken))


def side_by_side(
    ours: Callable[[], object], peers: dict[str, Callable[[], object]], *, rounds: int
) -> tuple[float, dict[str, float]]:
    """Median CPU milliseconds of ours and of each peer, taken in turns so that none has a better minute."""
    taken: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
    for _ in range(rounds):
        taken["ours"].append(cpu_ms(ours, repeats=OURS))
        for name, work in peers.items():
            taken[name].append(cpu_ms(work, repeats=PEERS))
    medians = {name: float(np.median(times)) for name, times in taken.items()}
    return medians.pop("ours"), medians


def market(n: int, *, bars: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    factors = 0.01 * rng.standard_t(5, (bars, 20))
    own = 0.006 * rng.standard_t(5, (bars, n))
    return 0.0004 + factors @ rng.dirichlet(np.full(20, 0.5), n).T + own


def by_piqp(cov: np.ndarray, *, tolerance: float) -> np.ndarray:
    n = len(cov)
    unit = float(np.diag(cov).mean())
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = tolerance
    solver.setup(
        np.asfortranarray(cov / unit), np.zeros(n), np.ones((1, n)), np.ones(1),
        None, None, None, np.zeros(n), np.full(n, np.inf),
    )  # fmt: skip
    solver.solve()
    return np.array(solver.result.x)


def by_clarabel(cov: np.ndarray) -> np.ndarray:
    n = len(cov)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    rows = sparse.csc_matrix(np.vstack([np.ones((1, n)), -np.eye(n)]))
    right = np.append(1.0, np.zeros(n))
    unit = float(np.diag(cov).mean())
    solved = clarabel.DefaultSolver(
        sparse.triu(sparse.csc_matrix(cov / unit)).tocsc(), np.zeros(n), rows, right,
        [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(n)], settings,
    ).solve()  # fmt: skip
    return np.array(solved.x)


def skfolio_three(returns: np.ndarray) -> None:
    MeanRisk(risk_measure=RiskMeasure.VARIANCE).fit(returns)
    MeanRisk(
        risk_measure=RiskMeasure.VARIANCE, objective_function=ObjectiveFunction.MAXIMIZE_RATIO
    ).fit(returns)
    RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(returns)


def by_pypfopt(frame: pd.DataFrame) -> None:
    pypfopt.EfficientFrontier(None, frame.cov()).min_volatility()


def by_riskfolio(frame: pd.DataFrame) -> None:
    portfolio = riskfolio.Portfolio(returns=frame)
    portfolio.assets_stats(method_mu="hist", method_cov="hist")
    portfolio.optimization(model="Classic", rm="MV", obj="MinRisk", hist=True)


def skfolio_constrained(returns: np.ndarray) -> np.ndarray:
    """Bounds, ten sectors with a floor and a ceiling each, and their turnover: each asset's change."""
    n = returns.shape[1]
    names = [f"s{i // 10}" for i in range(n)]
    least = MeanRisk(
        risk_measure=RiskMeasure.VARIANCE,
        min_weights=0.0,
        max_weights=0.05,
        groups=[names],
        linear_constraints=[
            f"{name} {end}" for name in dict.fromkeys(names) for end in ("<= 0.15", ">= 0.05")
        ],
        previous_weights=np.full(n, 1.0 / n),
        max_turnover=CHANGE,
    )
    return np.array(least.fit(returns).weights_)


def ours_constrained(returns: np.ndarray, *, summed: float | None = None) -> Optimum:
    """The same problem, or one with a bound on the sum of changes instead, which the peer lacks."""
    n = returns.shape[1]
    return qd.optimize(
        returns,
        objective="min-volatility",
        limits=qd.Limits(max_weight=0.05),
        constraints=qd.Constraints(
            groups=tuple(
                qd.Group(f"s{i}", tuple(range(10 * i, 10 * i + 10)), 0.05, 0.15)
                for i in range(n // 10)
            ),
            current=np.full(n, 1.0 / n),
            max_turnover=summed,
            max_change=CHANGE if summed is None else None,
        ),
    )


def peers_tail(returns: np.ndarray, table: pd.DataFrame) -> dict[str, Callable[[], np.ndarray]]:
    """The least CVaR at 95 % by each peer."""

    def by_riskfolio_tail() -> np.ndarray:
        portfolio = riskfolio.Portfolio(returns=table)
        portfolio.assets_stats(method_mu="hist", method_cov="hist")
        found = portfolio.optimization(model="Classic", rm="CVaR", obj="MinRisk", hist=True)
        return found.to_numpy().ravel()

    def by_pypfopt_tail() -> np.ndarray:
        frontier = pypfopt.EfficientCVaR(table.mean(), table, beta=0.95)
        return np.array(list(frontier.min_cvar().values()))

    return {
        "skfolio": lambda: np.array(
            MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95).fit(returns).weights_
        ),
        "pypfopt": by_pypfopt_tail,
        "riskfolio": by_riskfolio_tail,
    }


def gap_of(cov: np.ndarray, ours: np.ndarray) -> float:
    """How much worse our volatility is than the better of two solvers made feasible, relative."""
    best = math.inf
    for found in (by_piqp(cov, tolerance=1e-10), by_clarabel(cov)):
        weights = np.maximum(found, 0.0)
        weights /= weights.sum()
        best = min(best, math.sqrt(weights @ cov @ weights))
    return max(math.sqrt(ours @ cov @ ours) / best - 1.0, 0.0)


def streamed(returns: np.ndarray) -> tuple[float, float]:
    """CPU milliseconds of a bar, and the largest error of a risk contribution on the way."""
    rolling = qd.RollingOptimizer(returns.shape[1], window=PERIODS)
    for row in returns[:PERIODS]:
        rolling.update(row)
    for objective in THREE:
        rolling.weights(objective)
    taken, worst = [], 0.0
    for row in returns[PERIODS:]:
        began = time.process_time()
        rolling.update(row)
        found = [rolling.weights(objective) for objective in THREE]
        taken.append(time.process_time() - began)
        cov, weights = rolling.moments.covariance(), found[-1]
        shares = weights * (cov @ weights) / (weights @ cov @ weights)
        worst = max(worst, float(np.abs(shares * len(shares) - 1.0).max()))
    return 1e3 * float(np.median(taken)), worst


def measure() -> Figures:
    """Take every figure."""
    warnings.simplefilter("ignore")
    figures: Figures = {}
    returns = market(500, bars=PERIODS + BARS)
    first = np.ascontiguousarray(returns[:PERIODS])
    progress("500 assets, streaming")
    stream, parity = streamed(returns)
    progress("500 assets, cold")
    peer = cpu_ms(lambda: skfolio_three(first), repeats=1)
    cold = cpu_ms(lambda: [qd.optimize(first, objective=name) for name in THREE], repeats=3)
    figures["stream_500_three_objectives_ms"] = stream
    figures["stream_500_vs_skfolio_ratio"] = peer / stream
    figures["cold_500_three_objectives_vs_skfolio_ratio"] = peer / cold
    cov = np.cov(first.T)
    ours = cpu_ms(lambda: long_only.least_volatile(cov), repeats=OURS)
    figures["cold_500_min_vol_ms"] = ours
    figures["cold_500_min_vol_vs_piqp_ratio"] = (
        cpu_ms(lambda: by_piqp(cov, tolerance=1e-8), repeats=PEERS) / ours
    )
    least = MeanRisk(risk_measure=RiskMeasure.VARIANCE)
    figures["cold_500_min_vol_vs_skfolio_ratio"] = (
        cpu_ms(lambda: least.fit(first), repeats=1) / ours
    )
    progress("500 assets, hierarchical")
    hrp = cpu_ms(lambda: qd.optimize(first, objective="hrp"), repeats=PEERS)
    frame = pd.DataFrame(first)
    rivals = (
        lambda: HierarchicalRiskParity().fit(first),
        lambda: pypfopt.HRPOpt(frame).optimize(),
    )
    figures["hrp_500_vs_best_peer_ratio"] = min(cpu_ms(one, repeats=1) for one in rivals) / hrp
    progress("100 assets, from returns")
    few = np.ascontiguousarray(market(100, bars=PERIODS))
    table = pd.DataFrame(few)
    ours, theirs = side_by_side(
        lambda: qd.optimize(few, objective="min-volatility"),
        {
            "skfolio": lambda: least.fit(few),
            "pypfopt": lambda: by_pypfopt(table),
            "riskfolio": lambda: by_riskfolio(table),
        },
        rounds=ROUNDS,
    )
    figures["from_returns_100_ms"] = ours
    for name, taken in theirs.items():
        figures[f"from_returns_100_vs_{name}_ratio"] = taken / ours
    progress("100 assets, constrained")
    ours, theirs = side_by_side(
        lambda: ours_constrained(few),
        {"skfolio": lambda: skfolio_constrained(few)},
        rounds=ROUNDS,
    )
    figures["constrained_100_ms"] = ours
    figures["constrained_100_vs_skfolio_ratio"] = theirs["skfolio"] / ours
    cov = np.cov(few.T)
    mine, rival = ours_constrained(few), skfolio_constrained(few)
    against = mine.volatility / math.sqrt(rival @ cov @ rival) - 1.0
    figures["turnover_sum_100_ms"] = cpu_ms(
        lambda: ours_constrained(few, summed=0.2), repeats=PEERS
    )
    progress("100 assets, least CVaR")
    ours = cpu_ms(lambda: qd.optimize(few, objective="min-cvar"), repeats=PEERS)
    figures["min_cvar_100_ms"] = ours
    rivals = peers_tail(few, table)
    times, losses = {}, {}
    for name, work in rivals.items():
        losses[name] = tail_loss(-(few @ work()), confidence=0.95)
        times[name] = cpu_ms(work, repeats=1)
    figures["min_cvar_100_vs_best_peer_ratio"] = min(times.values()) / ours
    loss = qd.optimize(few, objective="min-cvar").cvar or math.inf
    figures["min_cvar_gap"] = max(loss / min(losses.values()) - 1.0, 0.0)
    figures["max_objective_gap"] = max(
        *(
            gap_of(np.cov(one.T), qd.optimize(one, objective="min-volatility").weights)
            for one in (first, few)
        ),
        mine.optimality_gap or 0.0,
        against,
        figures["min_cvar_gap"],
    )
    figures["max_risk_contribution_error"] = parity
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "portfolio",
            measure,
            claims={
                "stream_500_three_objectives_ms": "at most 1.5",
                "stream_500_vs_skfolio_ratio": "at least 2,000",
                "cold_500_min_vol_vs_piqp_ratio": "at least 30",
                "cold_500_min_vol_vs_skfolio_ratio": "at least 500",
                "hrp_500_vs_best_peer_ratio": "at least 100",
                "from_returns_100_vs_skfolio_ratio": "at least 40",
                "from_returns_100_vs_pypfopt_ratio": "at least 15",
                "from_returns_100_vs_riskfolio_ratio": "at least 80",
                "constrained_100_vs_skfolio_ratio": "at least 20",
                "min_cvar_100_vs_best_peer_ratio": "at least 4",
                "max_objective_gap": "at most 1e-8",
                "max_risk_contribution_error": "at most 1e-9",
            },
        )
    )
