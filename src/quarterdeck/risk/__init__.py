"""Risk: what each instrument may lose in its next bar, and the limits that follow from it.

Says what it has learned and found (``LimitsChanged`` and ten more, in the table of messages of
ARCHITECTURE.md). Hears ``BarsClosed``, ``OrderFilled``, ``OrderAccepted`` and ``OrderRefused`` (grounding),
``RegimeChanged``, ``RegimesWeighed`` and ``AgentScored``. Asks nobody.
Keeps the volatility filters, residual windows and judgements (checkpointed), and the learned limits,
positions and the marks of what has been reported (journaled). A learned limit only ever tightens a person's.
"""
