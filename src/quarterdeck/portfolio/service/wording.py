"""Mandates and rebalances as people see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quarterdeck.kernel.money import from_units
from quarterdeck.kernel.time import rfc3339
from quarterdeck.market.model import Instrument
from quarterdeck.portfolio.core.programme import Rebalance
from quarterdeck.portfolio.model import LegView, MandateView, RebalanceView
from quarterdeck.portfolio.ports import Open
from quarterdeck.portfolio.service.programmes import Charge


def mandate_view(charge: Charge, live: Rebalance | None) -> MandateView:
    """Return a mandate with the rebalance that is under way for it."""
    return MandateView(
        mandate=charge.mandate,
        set_by=charge.set_by,
        set_at=rfc3339(charge.set_at),
        held=charge.held,
        last=charge.last,
        last_at=None if charge.last_at is None else rfc3339(charge.last_at),
        rebalance_id=None if live is None else live.rebalance_id,
        target=charge.target,
    )


def rebalance_view(
    rebalance: Rebalance, instruments: Sequence[Instrument], *, working: Mapping[str, Open]
) -> RebalanceView:
    """Return a rebalance with how far each of its trades is."""
    legs = []
    doubtful = 0
    for leg in rebalance.legs:
        scale = instruments[leg.instrument].quantity_scale
        doubtful += sum(working[each].in_doubt for each in leg.orders if each in working)
        legs.append(
            LegView(
                symbol=leg.symbol,
                side=leg.side,
                planned=from_units(leg.planned, scale),
                filled=from_units(leg.filled, scale),
                working=from_units(leg.open(working), scale),
                orders=len(leg.orders),
            )
        )
    reason = rebalance.reason
    if doubtful and not rebalance.status.final:
        reason = f"waits for {doubtful} orders whose outcome is not known"
    return RebalanceView(
        number=rebalance.number,
        rebalance_id=rebalance.rebalance_id,
        mandate=rebalance.mandate,
        agent=rebalance.agent,
        trigger=rebalance.trigger,
        mode=rebalance.mode,
        status=rebalance.status,
        at=rfc3339(rebalance.at),
        slice=rebalance.slice,
        plan=rebalance.plan,
        legs=tuple(legs),
        slices=rebalance.slices,
        sent=rebalance.sent,
        expires_slice=rebalance.expires_slice,
        refused=rebalance.refused,
        reason=reason,
        by=rebalance.by,
        ended_at=None if rebalance.ended_at is None else rfc3339(rebalance.ended_at),
    )
