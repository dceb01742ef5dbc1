"""Risk: what each instrument may lose in its next bar, and the limits that follow from it.

Says ``LimitsChanged`` and ``RiskEventRaised``. Hears ``BarsClosed``, ``OrderFilled``,
``RegimeChanged`` and ``AgentScored``. Asks nobody.
Keeps the volatility filters, residual windows and judgements (checkpointed), and the learned limits,
positions and the marks of what has been reported (journaled). A learned limit only ever tightens a person's.
"""
