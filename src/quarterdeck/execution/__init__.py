"""Execution: the one way to a position, through a gate that judges everything and asks nobody.

It says OrderAccepted, OrderRefused, OrderFilled, OrderCancelled, OrderReduced, DrillAsked, TradingHalted, TradingResumed,
EquityMarked and its published numbers.
It hears AgentRegistered (capital), BarsClosed (fills, marks, day and bar windows) and
LimitsChanged (learned limits, which only tighten a person's).
It asks the stop switch in every decision, the pace of the feed for when to come back, and a
stopwatch for how long a stop took.
It keeps orders, reservations, the double-entry ledger, positions, marks and the stop: all journaled.
"""
