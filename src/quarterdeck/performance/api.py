"""What can be asked about performance."""

from __future__ import annotations

from quarterdeck.performance.model import EquityView, GetEquity, GetPerformance, PerformancesView
from quarterdeck.performance.service import PerformanceService
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="performance.list",
        summary="Every agent's record over the run, best return first.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/performance",
        input=GetPerformance,
        output=PerformancesView,
        function=PerformanceService.performance,
        tool="get_performance",
    ),
    Operation(
        name="performance.equity",
        summary="Equity and drawdown curves by agent, thinned evenly to the points asked for.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        method="GET",
        path="/performance/equity",
        input=GetEquity,
        output=EquityView,
        function=PerformanceService.equity,
    ),
)
