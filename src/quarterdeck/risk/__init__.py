"""Risk: what each instrument may lose in its next bar, and the limits that follow from it.

Says ``LimitsChanged`` and ``RiskEventRaised``. Hears ``BarsClosed``, ``RegimeChanged`` and
``AgentScored``. Asks nobody.
Keeps the volatility filters and residual windows (checkpointed), the learned limits and the marks
of what has been reported (journaled). A learned limit only ever tightens a person's.
"""
