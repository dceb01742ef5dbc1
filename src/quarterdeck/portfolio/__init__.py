"""Portfolio: optimal weights from the closes seen so far, and where profit and loss came from.

Says ``RebalanceProposed``, a proposal and never an order, ``RebalanceMoved`` and ``DriftMeasured``. Hears
``BarsClosed``, ``OrderFilled``, ``HoldingCharged``, ``SignalStated`` and ``SignalEnded`` (views),
``RegimeChanged``, ``AgentRegistered``, and what allocation needs of tasks, capital and halts. Asks for the
risk forecasts and regimes of the slice. Keeps moments of joint returns and the best
weights of the last bar (checkpointed), its proposals and the attribution's book (journaled). Until the
window is full, or where an objective has no optimum, there are no weights but the reason.
"""
