"""What tools say of money and portfolios, cut down to what a model needs."""

from __future__ import annotations

from quarterdeck.kernel.messages import Answer
from quarterdeck.performance.model import MeasuresView, PerformancesView
from quarterdeck.portfolio.model import RebalancePlan, ViewsView
from quarterdeck.portfolio.model.exploring import FrontierView, RiskReturn, SensitivityView
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.replies import Reply, fitted, plain, shortest


def performance_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return the ranking in short."""
    if not isinstance(answer, PerformancesView):
        raise TypeError(f"not a ranking: {type(answer).__name__}")
    lines = [
        plain(
            {
                "rank": line.rank,
                "agent": line.agent,
                "equity": line.equity,
                "return": line.return_fraction,
                "max_drawdown": line.max_drawdown_fraction,
                "sharpe": line.sharpe,
                "trades": line.trades,
            }
        )
        for line in answer.agents
    ]
    measured = [_measured(each) for each in answer.measures]
    reply: Reply = {"agents": lines, "benchmark": answer.benchmark, "measures": measured}
    return fitted(reply, lists=("agents", "measures"))


def _measured(one: MeasuresView) -> str:
    if one.observations < one.need:
        return f"{one.subject}: not enough data, {one.observations} of {one.need} returns"
    figures = {
        "beta": one.beta,
        "correlation": one.correlation,
        "sortino": one.sortino,
        "calmar": one.calmar,
        "volatility": one.volatility,
        "turnover a year": one.turnover,
        "exposure": one.exposure_ratio,
    }
    known = [f"{name} {value:.3g}" for name, value in figures.items() if value is not None]
    return f"{one.subject}: {', '.join(known)}"


def plan_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return a plan's figures, and each trade with the gate's word as one short line."""
    if not isinstance(answer, RebalancePlan):
        raise TypeError(f"not a plan: {type(answer).__name__}")
    lines = [
        f"{each.side} {shortest(each.quantity)} {each.symbol}: "
        + (each.verdict if each.code is None else f"{each.code}, max {each.max_allowed_now}")
        for each in answer.trades
    ]
    reply: Reply = {
        "agent": answer.agent,
        "target": answer.target,
        "equity": shortest(answer.equity),
        "drift": answer.drift,
        "turnover": answer.turnover,
        "cost": shortest(answer.cost),
        "expected_gain": answer.expected_gain,
        "net_gain": answer.net_gain,
        "reason": answer.reason,
        "warning": answer.warning,
        "realised": shortest(answer.realised),
        "taxes": "not counted",
        "trades": lines,
    }
    return fitted(reply, lists=("trades",))


def views_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return what every agent's views were worth, those that are open, and what is expected."""
    if not isinstance(answer, ViewsView):
        raise TypeError(f"not views: {type(answer).__name__}")
    skills = [
        f"{each.agent}: {each.scored} scored, confidence "
        + ("unknown" if each.confidence is None else f"{each.confidence:.3g}")
        for each in answer.skills
    ]
    views = [
        f"{each.agent} {each.symbol} {each.strength:+.3g}, confidence {each.confidence:.3g}"
        for each in answer.views
    ]
    means = {each.symbol: each.expected_return for each in answer.outlook}
    reply: Reply = {"skills": skills, "views": views, "reason": answer.reason}
    return fitted({**reply, "expected_return": plain(means)}, lists=("views", "skills"))


def frontier_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return risk and return of what is held, the targets and the frontier, a line each."""
    if not isinstance(answer, FrontierView):
        raise TypeError(f"not a frontier: {type(answer).__name__}")
    reply: Reply = {
        "account": answer.account,
        "held": None if answer.held is None else _risk_return(answer.held),
        "targets": [_risk_return(each) for each in answer.targets],
        "frontier": [_risk_return(each) for each in answer.frontier],
        "warning": answer.warning,
        "reason": answer.reason,
    }
    return fitted(reply, lists=("frontier", "targets"))


def _risk_return(point: RiskReturn) -> str:
    return f"{point.name}: return {point.expected_return:.4g}, volatility {point.volatility:.4g}"


def sensitivity_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each weight with where nine of ten draws put it, a line each."""
    if not isinstance(answer, SensitivityView):
        raise TypeError(f"not a sensitivity: {type(answer).__name__}")
    lines = [
        f"{each.symbol} {each.weight:.3f}, mean {each.mean:.3f}, {each.low:.3f} to {each.high:.3f}"
        for each in answer.rows
    ]
    reply: Reply = {
        "objective": answer.objective.value,
        "turnover": answer.turnover,
        "draws": answer.draws,
        "unanswered": answer.unanswered,
        "reason": answer.reason,
        "weights": lines,
    }
    return fitted(reply, lists=("weights",))
