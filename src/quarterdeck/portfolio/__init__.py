"""Portfolio: optimal weights from the closes seen so far, proposed and never ordered.

Says ``RebalanceProposed``. Hears ``BarsClosed``. Asks nobody.
Keeps a window of joint returns (checkpointed) and its proposals (journaled). Until the window is
full, or where an objective has no optimum, there are no weights but the reason.
"""
