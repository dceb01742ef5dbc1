"""Alerts: rules on published numbers, and the episodes they raise.

Says ``AlertRaised``, ``AlertAcknowledged`` and ``AlertResolved``. Hears ``NumbersPublished``, all
of every capability. Asks nobody. Keeps rules, how far each rule is with each subject, and every
episode, all journaled: the configured rules are stored when a run is born, after that the stored
ones win. A number that is not known neither raises nor resolves anything.
"""
