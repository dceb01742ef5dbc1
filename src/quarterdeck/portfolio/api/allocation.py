"""What can be asked of capital over agents."""

from __future__ import annotations

from quarterdeck.portfolio.model.allocation import (
    AllocationView,
    CarryAllocation,
    EndAllocation,
    GetAllocation,
    SetAllocation,
)
from quarterdeck.portfolio.service.allocating import AllocationService
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="allocation.get",
        summary="How capital is shared out among agents, and what the best shares are now.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        method="GET",
        path="/portfolio/allocation",
        input=GetAllocation,
        output=AllocationView,
        function=AllocationService.allocation,
    ),
    Operation(
        name="allocation.set",
        summary="Let capital be shared out among agents by their returns net of charges.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/portfolio/allocation",
        input=SetAllocation,
        output=AllocationView,
        function=AllocationService.set_allocation,
    ),
    Operation(
        name="allocation.carry",
        summary="Move capital to the best shares now; approves an allocation that waits.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/portfolio/allocation/carry",
        input=CarryAllocation,
        output=AllocationView,
        function=AllocationService.carry_allocation,
    ),
    Operation(
        name="allocation.end",
        summary="Share capital out no longer; what was moved stays.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        method="POST",
        path="/portfolio/allocation/end",
        input=EndAllocation,
        output=AllocationView,
        function=AllocationService.end_allocation,
    ),
)
