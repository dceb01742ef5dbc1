"""What the portfolio service can be asked for."""

from __future__ import annotations

from quarterdeck.portfolio.api.exploring import SENSITIVITY
from quarterdeck.portfolio.api.history import proposals
from quarterdeck.portfolio.model import (
    ActiveView,
    AttributionView,
    GetActive,
    GetAttribution,
    GetPortfolio,
    GetProposals,
    GetViews,
    PortfolioView,
    ProposalsView,
    ViewsView,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.viewing import views
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="portfolio.get",
        summary="The present proposal of every objective.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/portfolio",
        input=GetPortfolio,
        output=PortfolioView,
        function=PortfolioService.portfolio,
    ),
    Operation(
        name="portfolio.proposals",
        summary="Proposals as recorded, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/portfolio/proposals",
        input=GetProposals,
        output=ProposalsView,
        function=proposals,
    ),
    Operation(
        name="portfolio.attribution",
        summary="Where profit and loss came from; the parts add up to the ledger.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/portfolio/attribution",
        input=GetAttribution,
        output=AttributionView,
        function=PortfolioService.attribution,
    ),
    Operation(
        name="portfolio.active",
        summary="What the deck earned against its benchmark and by factor; adds up to the ledger.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/portfolio/attribution/active",
        input=GetActive,
        output=ActiveView,
        function=PortfolioService.against_benchmark,
    ),
    Operation(
        name="portfolio.views",
        summary="Agents' signals as views, what they were worth, and the returns expected with them.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/portfolio/views",
        tool="get_views",
        input=GetViews,
        output=ViewsView,
        function=views,
    ),
    SENSITIVITY,
)
