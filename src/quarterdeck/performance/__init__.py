"""Performance: what every agent earned, measured from fills and closes alone.

Says ``AgentScored`` for every agent in every slice that trades, and ``NumbersPublished``.
Hears ``AgentRegistered`` (capital), ``OrderFilled`` (fees, round trips), ``EquityMarked`` and
``BarsClosed`` (whether trading is open; heard after the marks of the same slice). Asks nobody.
Keeps one record per agent, its open round trips and the equity of every slice that trades, all
journaled. A Sharpe ratio does not exist before enough observations.
"""
