"""The controls that are off where no level sets their limit."""

from __future__ import annotations

from quarterdeck.execution.core import limits_controls as bound
from quarterdeck.execution.core import limits_evidence as seen
from quarterdeck.execution.core.control import Section, Unit, limited

STANDING = Section(
    bound.standing,
    (
        limited(
            "trading_state",
            Unit.STATE,
            show=seen.state,
            text="trading_state is active at every level; reducing lets only reducing orders pass, "
            "halted none.",
            advice="Wait until a person or the end of a risk event sets it to active; close what is "
            "open.",
        ),
        limited(
            "instruments_allowed",
            Unit.STATE,
            show=seen.allowed,
            binds=bound.allowed_limit,
            text="The instrument is in instruments_allowed at every level and in instruments_restricted "
            "at none; others are only reduced.",
            advice="Trade an instrument that is allowed.",
        ),
        limited(
            "order_types_allowed",
            Unit.STATE,
            show=seen.order_type,
            text="The order's type is in order_types_allowed at every level.",
            advice="Use an order type that is allowed.",
        ),
    ),
)
"""Controls of whether the order may be made at all."""

AMOUNTS = Section(
    bound.amounts,
    (
        limited(
            "max_order_quantity",
            Unit.QUANTITY,
            show=seen.order_quantity,
            text="The quantity is at most max_order_quantity.",
            advice="Split the order, or ask for less.",
        ),
        limited(
            "short_sales_allowed",
            Unit.QUANTITY,
            show=seen.short_sale,
            text="Where short_sales_allowed is no, at most what is held and not yet being sold is sold.",
            advice="Sell at most what is held.",
        ),
        limited(
            "max_concentration_fraction",
            Unit.MONEY,
            show=seen.concentration,
            text="Position plus all working orders on the order's side, at the last close, is at most "
            "max_concentration_fraction of the equity.",
            advice="Reduce the position, or ask for less.",
        ),
        limited(
            "max_net_exposure_ratio",
            Unit.MONEY,
            show=seen.net,
            text="All positions and the working orders on the order's side, signed and added up at the "
            "last closes, are at most max_net_exposure_ratio times the equity.",
            advice="Balance the book, or ask for less.",
        ),
        limited(
            "max_credit_notional",
            Unit.MONEY,
            show=seen.credit,
            text="The agent's worst-case gross exposure is at most max_credit_notional.",
            advice="Reduce another position, or ask for less.",
        ),
        limited(
            "max_var99_fraction",
            Unit.MONEY,
            show=seen.var,
            text="The 99 % value at risk over one bar of the agent's worst-case positions, added up "
            "without any benefit of diversification, is at most max_var99_fraction of its equity; an "
            "instrument without a forecast does not count.",
            advice="Reduce the riskiest position, or ask for less.",
        ),
        limited(
            "max_instrument_notional",
            Unit.MONEY,
            show=seen.crowd,
            text="The worst-case gross exposure of all agents in the instrument is at most "
            "max_instrument_notional.",
            advice="Trade another instrument, or ask for less.",
        ),
        limited(
            "max_cluster_notional",
            Unit.MONEY,
            show=seen.cluster,
            text="The worst-case gross exposure of all agents in each cluster of the instrument is at "
            "most max_cluster_notional, and in the instruments that risk has found to move with it at most "
            "the limit learned for them, by which max_cluster_notional is scaled as well.",
            advice="Trade outside the cluster, or ask for less.",
        ),
        limited(
            "max_account_notional",
            Unit.MONEY,
            show=seen.account,
            text="The worst-case gross exposure of all agents together is at most max_account_notional, "
            "and at most the credit line that risk has learned for the deck.",
            advice="Wait until other agents reduce, or ask for less.",
        ),
        limited(
            "max_same_direction_count",
            Unit.COUNT,
            show=seen.same_direction,
            text="At most max_same_direction_count agents are or may become positioned the same way in "
            "the instrument, this one included.",
            advice="Trade another instrument.",
        ),
        limited(
            "max_open_orders_count",
            Unit.COUNT,
            show=seen.open_orders,
            text="The agent has fewer than max_open_orders_count working orders.",
            advice="Cancel a working order first.",
        ),
        limited(
            "max_open_notional",
            Unit.MONEY,
            show=seen.open_notional,
            text="The worst-case value of the agent's working orders is at most max_open_notional.",
            advice="Cancel a working order, or ask for less.",
        ),
    ),
)
"""Controls of quantity, price and exposure."""
