"""What the desk offers: operations over several capabilities."""

from __future__ import annotations

from quarterdeck.client.model import Briefing, GetBriefing
from quarterdeck.runtime.policy import Effect, Operation, Permission
from quarterdeck.server.desk.access import AccessDesk
from quarterdeck.server.desk.audit import AuditDesk
from quarterdeck.server.desk.briefing import BriefingDesk
from quarterdeck.server.desk.market import MarketDesk
from quarterdeck.server.desk.model import (
    AuditView,
    ControlReplay,
    GetAudit,
    GetMarket,
    GetOverview,
    GetSession,
    GetSystem,
    IssueLoginLink,
    LoginLink,
    MarketView,
    OverviewView,
    SessionView,
    SystemView,
)
from quarterdeck.server.desk.overview import OverviewDesk
from quarterdeck.server.desk.system import SystemDesk

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="session.link",
        summary="Issue a link that opens the operator's session once, within 15 minutes.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/session/links",
        input=IssueLoginLink,
        output=LoginLink,
        function=AccessDesk.issue,
        created=True,
    ),
    Operation(
        name="overview.show",
        summary="The deck at a glance.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/overview",
        input=GetOverview,
        output=OverviewView,
        function=OverviewDesk.overview,
    ),
    Operation(
        name="briefing.show",
        summary="All that an agent needs for one turn: market, account, open orders, work held.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/briefing",
        input=GetBriefing,
        output=Briefing,
        function=BriefingDesk.briefing,
        tool="get_briefing",
    ),
    Operation(
        name="market.show",
        summary="Price, indicators, regime and risk of some instruments or of all.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/market",
        input=GetMarket,
        output=MarketView,
        function=MarketDesk.market,
        tool="get_market",
    ),
    Operation(
        name="system.show",
        summary="What runs, in which state, and why.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/system",
        input=GetSystem,
        output=SystemView,
        function=SystemDesk.system,
    ),
    Operation(
        name="system.replay",
        summary="Pause, resume or step the replay, and set its speed.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/system/replay",
        input=ControlReplay,
        output=SystemView,
        function=SystemDesk.replay,
    ),
    Operation(
        name="session.show",
        summary="Who the deck takes the caller for.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/session",
        input=GetSession,
        output=SessionView,
        function=SystemDesk.session,
    ),
    Operation(
        name="audit.list",
        summary="The audit chain, newest first.",
        permission=Permission.OPERATE,
        effect=Effect.HISTORY,
        method="GET",
        path="/audit",
        input=GetAudit,
        output=AuditView,
        function=AuditDesk.audit,
    ),
)
