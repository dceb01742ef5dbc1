"""Performance: what every agent earned, measured from fills and closes alone.

Says ``AgentScored`` for every agent in every slice that trades, and ``NumbersPublished``.
Hears ``AgentRegistered`` (capital), ``OrderFilled`` (fees, round trips), ``EquityMarked`` and
``BarsClosed`` (whether trading is open; heard after the marks of the same slice). Asks nobody.
Keeps one record per agent, its open round trips, the equity of every slice that trades and the sums
that its measures are made of, all journaled, and the last closes, checkpointed, for the return of the
benchmark. A ratio does not exist before enough observations.
"""
