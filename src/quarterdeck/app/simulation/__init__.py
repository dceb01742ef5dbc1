"""The deck in a world of our making: virtual time, seeded faults, and invariants after every step.

The same engine, services and crew as in production run on :class:`~.loop.SimLoop`. Everything they
take from outside (clock, disk, stop flag, secrets, feed, agents) is made from one seed, so that a
failure is a number that anybody can repeat. ``docs/reference/simulation.md`` says what is promised.
"""
