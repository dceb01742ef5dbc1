"""Market: what can be traded, and what its prices did.

Says ``BarsClosed`` (one slice of bars with the indicator values of that close) and ``FeedEnded``.
Hears ``SliceArrived`` from the feed.
Asks nobody.
Keeps the indicator recursions and a ring of the last bars of every instrument (checkpointed).
Prices become exact integers here and nowhere else.
"""
