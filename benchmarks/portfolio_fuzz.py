"""Ten thousand random, ill-conditioned and degenerate problems: how many fail, ours and the peers'.

A failure is a crash, weights that break a bound or do not sum to 1, an objective worse than a rival
portfolio, a proof that does not hold, or silence: an answer that is neither proven nor refused. A
refusal counts as one where an optimum exists that another solver finds.
"""

# needs: bench
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np

import quarterdeck as qd
from benchmarks._reporting import Figures, main, progress
from quarterdeck.kernel.errors import DomainError
from quarterdeck.portfolio.core.optimum import Optimum

PROBLEMS = 10_000
PEER_PROBLEMS = 500
"""Peers take a thousand times as long; their share of failures is of the first of the same problems."""

QUADRATIC = ("min-volatility", "max-sharpe", "max-return")
OBJECTIVES = ("min-volatility", "max-sharpe", "risk-parity", "hrp", "max-return")
KINDS = ("plain", "few periods", "collinear", "near collinear", "scales", "constant", "losses")
SLACK = 1e-6
"""Relative distance from a rival that counts as worse."""


@dataclass(frozen=True)
class Problem:
    """One question, made from nothing but its seed."""

    kind: str
    objective: str
    returns: np.ndarray
    cap: float | None
    max_weight: float


@dataclass(frozen=True)
class Within:
    """What a second question about the same returns must keep to."""

    constraints: qd.Constraints
    min_weight: float


def problem(seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 31))
    t = int(rng.integers(n + 5, 200))
    kind = KINDS[int(rng.integers(len(KINDS)))]
    if kind == "few periods":
        t = int(rng.integers(2, n + 3))
    returns = 0.01 * (
        rng.standard_normal((t, 1)) * rng.uniform(0.0, 1.5, n)
        + rng.standard_t(4, (t, n)) * rng.uniform(0.2, 2.0, n)
    )
    returns += 0.0005
    if kind == "collinear" and n > 1:
        returns[:, -1] = returns[:, 0]
    if kind == "near collinear" and n > 1:
        returns[:, -1] = returns[:, 0] * (1.0 + 10.0 ** -rng.uniform(3, 10)) + 1e-9
    if kind == "scales":
        returns *= 10.0 ** rng.uniform(-4, 0, n)
    if kind == "constant":
        returns[:, int(rng.integers(n))] = 0.0
    if kind == "losses":
        returns = -np.abs(returns)
    objective = OBJECTIVES[int(rng.integers(len(OBJECTIVES)))]
    cap = None
    if objective == "max-return":
        cap = float(returns.std(axis=0).max() * rng.uniform(0.2, 1.2)) or 0.01
    bounded = objective in ("min-volatility", "max-sharpe") and rng.random() < 0.4
    most = min(1.0, float(rng.uniform(1.0, 3.0)) / n) if bounded else 1.0
    return Problem(kind, objective, np.ascontiguousarray(returns), cap, most)


def within(seed: int, asked: Problem) -> Within | None:
    """Return constraints that equal weights meet, made from the seed; None for problems without."""
    n = asked.returns.shape[1]
    rng = np.random.default_rng([seed, 1])
    if n < 3 or asked.objective not in QUADRATIC or rng.random() < 0.4:
        return None
    groups = []
    for place in range(int(rng.integers(4))):
        members = rng.permutation(n)[: int(rng.integers(1, n))]
        share = members.size / n
        low, high = share * rng.random(), share + (1.0 - share) * rng.random()
        groups.append(qd.Group(f"g{place}", tuple(members.tolist()), float(low), float(high)))
    short = rng.random() < 0.3
    constraints = qd.Constraints(
        groups=tuple(groups),
        current=np.full(n, 1.0 / n),
        max_turnover=float(rng.uniform(0.0, 0.7)) if rng.random() < 0.4 else None,
        max_change=float(rng.uniform(0.2, 2.0)) / n if rng.random() < 0.4 else None,
        max_gross=1.0 + float(rng.random()) if short else None,
    )
    return Within(constraints, -float(rng.random()) if short else 0.0)


def answered(asked: Problem, kept: Within | None = None) -> str | None:
    """Return what is wrong with our answer, or None where nothing is."""
    least = 0.0 if kept is None else kept.min_weight
    limits = qd.Limits(vol_cap=asked.cap, min_weight=least, max_weight=asked.max_weight)
    constraints = None if kept is None else kept.constraints
    try:
        found = qd.optimize(
            asked.returns, objective=asked.objective, limits=limits, constraints=constraints
        )
    except DomainError as refusal:
        right = refused_rightly(asked, refusal) if kept is None else refused_within(asked, refusal)
        return None if right else f"{asked.kind}: {refusal.message}"
    except Exception as crash:  # noqa: BLE001 - a crash of any kind is what is counted
        return f"{asked.kind}: {crash!r}"
    weights = found.weights
    if not np.isfinite(weights).all() or abs(float(weights.sum()) - 1.0) > 1e-9:
        return f"{asked.kind}: weights sum to {weights.sum()}"
    if weights.min() < least - 1e-9 or weights.max() > asked.max_weight + 1e-9:
        return f"{asked.kind}: weights from {weights.min()} to {weights.max()}"
    if kept is not None and not allowed(weights[None], kept, slack=1e-8).all():
        return f"{asked.kind}: its constraints are not kept"
    return beaten(asked, found, kept)


def allowed(tried: np.ndarray, kept: Within, *, slack: float) -> np.ndarray:
    """Return which rows keep to the constraints."""
    asked = kept.constraints
    inside = (tried >= kept.min_weight - slack).all(axis=1)
    for group in asked.groups:
        share = tried[:, list(group.members)].sum(axis=1)
        inside &= (share >= group.low - slack) & (share <= group.high + slack)
    moved = np.abs(tried - asked.current)
    if asked.max_turnover is not None:
        inside &= 0.5 * moved.sum(axis=1) <= asked.max_turnover + slack
    if asked.max_change is not None:
        inside &= (moved <= asked.max_change + slack).all(axis=1)
    if asked.max_gross is not None:
        inside &= np.abs(tried).sum(axis=1) <= asked.max_gross + slack
    return np.asarray(inside)


def refused_within(asked: Problem, refusal: DomainError) -> bool:
    """Whether there is no answer under constraints that equal weights meet."""
    variances = asked.returns.var(axis=0)
    match refusal.code:
        case "NO_EXCESS_RETURN":
            # Equal weights are allowed, so they at least may not earn anything.
            return float(asked.returns.mean()) <= 1e-12
        case "NO_RISK":
            return float(variances.max()) == 0.0
        case "RISKLESS_EXCESS":
            # Assets a thousand times apart are no riskless portfolio by themselves.
            return singular(np.cov(asked.returns.T)) or asked.kind == "scales"
        case _:
            return "vol_cap" in refusal.message


def beaten(asked: Problem, found: Optimum, kept: Within | None = None) -> str | None:
    """Return by what a rival portfolio is better, or None where none is."""
    n = asked.returns.shape[1]
    rng = np.random.default_rng(n)
    tried = np.vstack([np.eye(n), np.full((1, n), 1.0 / n), rng.dirichlet(np.full(n, 0.5), 50)])
    tried = np.vstack([tried, 0.99 * found.weights + 0.01 * tried])
    tried = tried[(tried <= asked.max_weight).all(axis=1)]
    if kept is not None:
        tried = tried[allowed(tried, kept, slack=0.0)]
    centred = asked.returns - asked.returns.mean(axis=0)
    # From the returns themselves, which keeps digits that a covariance has lost.
    risks = np.sqrt(((tried @ centred.T) ** 2).sum(axis=1) / (len(centred) - 1))
    own = float(np.sqrt(((centred @ found.weights) ** 2).sum() / (len(centred) - 1)))
    mean = asked.returns.mean(axis=0)
    gains, gain = tried @ mean, float(found.weights @ mean)
    # A covariance holds no variance below its rounding.
    noise = 1e-7 * float(asked.returns.std(axis=0).max())
    slack = SLACK + (found.optimality_gap or 0.0)
    match asked.objective:
        case "min-volatility" if risks.size and (risks < own * (1.0 - slack) - noise).any():
            return f"{asked.kind}: a rival is calmer by {own / risks.min() - 1.0:.1e}"
        case "max-sharpe" if risks.size:
            sure = risks > noise
            if own > noise and (gains[sure] / risks[sure] > gain / own * (1.0 + slack)).any():
                return f"{asked.kind}: a rival has a better ratio"
        case "max-return" if asked.cap is not None:
            if own > asked.cap * (1.0 + 1e-6) + noise:
                return f"{asked.kind}: volatility {own} above {asked.cap}"
            inside = risks <= asked.cap * (1.0 - 1e-9)
            if (gains[inside] > gain + slack * abs(gain) + 1e-12).any():
                return f"{asked.kind}: a rival earns more"
        case "risk-parity":
            shares = found.risk_contributions
            if shares is None or np.abs(shares * n - 1.0).max() > 1e-6:
                return f"{asked.kind}: contributions from {shares}"
    return None


def refused_rightly(asked: Problem, refusal: DomainError) -> bool:
    """Whether there is no answer of the kind asked for."""
    covariance = np.cov(asked.returns.T).reshape((asked.returns.shape[1],) * 2)
    variances = np.diag(covariance)
    match refusal.code:
        case "NO_EXCESS_RETURN":
            mean = np.sort(asked.returns.mean(axis=0))[::-1]
            whole = int(1.0 / asked.max_weight)
            most = asked.max_weight * float(mean[:whole].sum())
            if whole < mean.size:
                most += (1.0 - whole * asked.max_weight) * float(mean[whole])
            return most <= 1e-12
        case "CONSTANT_ASSET" | "NO_RISK":
            return bool((variances <= 1e-13 * variances.max()).any())
        case "RISKLESS_EXCESS":
            return singular(covariance)
        case "NOT_SOLVED" if asked.objective == "risk-parity":
            # A long-only portfolio without risk leaves no contributions to balance.
            return singular(covariance)
        case _:
            if asked.cap is None or "vol_cap" not in refusal.message:
                return False
            calm = qd.optimize(asked.returns, objective="min-volatility")
            return asked.cap < calm.volatility


def singular(covariance: np.ndarray) -> bool:
    values = np.linalg.eigvalsh(covariance)
    return bool(values[0] <= 1e-9 * values[-1])


def peer_failed(asked: Problem, *, name: str) -> bool:
    """Whether a peer crashes, breaks a bound or is beaten on the same problem."""
    import pandas as pd

    try:
        if name == "skfolio":
            weights = by_skfolio(asked)
        else:
            weights = by_pypfopt(asked, pd.DataFrame(asked.returns))
        found = qd.optimize(np.vstack([asked.returns] * 2), objective="equal-weight")
    except Exception:  # noqa: BLE001 - whatever it raises, it gave no answer
        limits = qd.Limits(vol_cap=asked.cap, max_weight=asked.max_weight)
        try:
            qd.optimize(asked.returns, objective=asked.objective, limits=limits)
        except DomainError:
            return False
        return True
    if not np.isfinite(weights).all() or abs(weights.sum() - 1.0) > 1e-4:
        return True
    if weights.min() < -1e-4 or weights.max() > asked.max_weight + 1e-4:
        return True
    own = Optimum(
        weights=weights / weights.sum(),
        expected_return=found.expected_return,
        volatility=found.volatility,
        sharpe=None,
        risk_contributions=None,
        optimality_gap=1e-4,
        ridge=0.0,
        solver=name,
    )
    return asked.objective in ("min-volatility", "max-sharpe") and beaten(asked, own) is not None


def by_skfolio(asked: Problem) -> np.ndarray:
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    goal = ObjectiveFunction.MINIMIZE_RISK
    if asked.objective == "max-sharpe":
        goal = ObjectiveFunction.MAXIMIZE_RATIO
    model = MeanRisk(
        risk_measure=RiskMeasure.VARIANCE, objective_function=goal, max_weights=asked.max_weight
    )
    return np.array(model.fit(asked.returns).weights_)


def by_pypfopt(asked: Problem, frame: object) -> np.ndarray:
    import pypfopt

    mean, cov = frame.mean(), frame.cov()  # type: ignore[attr-defined]
    model = pypfopt.EfficientFrontier(mean, cov, weight_bounds=(0.0, asked.max_weight))
    found = (
        model.max_sharpe(risk_free_rate=0.0)
        if asked.objective == "max-sharpe"
        else model.min_volatility()
    )
    return np.array(list(found.values()))


def measure() -> Figures:
    """Take every figure."""
    warnings.simplefilter("ignore")
    figures: Figures = {"problems": PROBLEMS}
    said, constrained = [], 0
    for seed in range(PROBLEMS):
        if seed % 1_000 == 0:
            progress(f"problem {seed}")
        asked = problem(seed)
        wrong = answered(asked)
        if wrong is not None:
            said.append(f"seed {seed}, {asked.objective}, {wrong}")
        kept = within(seed, asked)
        if kept is None:
            continue
        constrained += 1
        wrong = answered(asked, kept)
        if wrong is not None:
            said.append(f"seed {seed} within constraints, {asked.objective}, {wrong}")
    for line in said[:20]:
        progress(line)
    figures["constrained_problems"] = constrained
    figures["fuzz_failures"] = len(said)
    shared = [
        one
        for one in (problem(seed) for seed in range(PEER_PROBLEMS * 3))
        if one.objective in ("min-volatility", "max-sharpe")
    ][:PEER_PROBLEMS]
    figures["peer_problems"] = len(shared)
    figures["ours_failed_of_peer_problems"] = sum(answered(one) is not None for one in shared)
    for name in ("skfolio", "pypfopt"):
        progress(name)
        figures[f"{name}_failed"] = sum(peer_failed(one, name=name) for one in shared)
    return figures


if __name__ == "__main__":
    sys.exit(main("portfolio_fuzz", measure, claims={"fuzz_failures": "0"}))
