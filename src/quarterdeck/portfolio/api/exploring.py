"""Answers that take longer than a step may: worked out in a thread from what the step held."""

from __future__ import annotations

import asyncio

from quarterdeck.portfolio.model.exploring import (
    FrontierView,
    GetFrontier,
    GetSensitivity,
    SensitivityView,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.exploring import (
    frontier_answer,
    frontier_question,
    sensitivity_answer,
    sensitivity_question,
)
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from quarterdeck.runtime.policy import Caller, Effect, Operation, Permission
from quarterdeck.runtime.state import History


async def frontier(
    service: RebalancingService, query: GetFrontier, _caller: Caller, _history: History
) -> FrontierView:
    """Return the efficient frontier and where an account stands."""
    question = frontier_question(service, query)
    return await asyncio.to_thread(frontier_answer, question)


async def sensitivity(
    service: PortfolioService, query: GetSensitivity, _caller: Caller, _history: History
) -> SensitivityView:
    """Return how an objective's weights scatter over resampled histories."""
    question = sensitivity_question(service, query)
    return await asyncio.to_thread(sensitivity_answer, question)


FRONTIER = Operation(
    name="portfolio.frontier",
    summary="The efficient frontier, and risk and return of an account against every target.",
    permission=Permission.READ,
    effect=Effect.HISTORY,
    method="GET",
    path="/portfolio/frontier",
    tool="get_frontier",
    input=GetFrontier,
    output=FrontierView,
    function=frontier,
)

SENSITIVITY = Operation(
    name="portfolio.sensitivity",
    summary="How far an objective's weights move when the history is resampled.",
    permission=Permission.READ,
    effect=Effect.HISTORY,
    method="GET",
    path="/portfolio/sensitivity",
    tool="get_sensitivity",
    input=GetSensitivity,
    output=SensitivityView,
    function=sensitivity,
)
