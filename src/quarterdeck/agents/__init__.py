"""Agents and their work: who they are, which keys are theirs, and which task goes to whom.

Says ``AgentRegistered``, ``TaskSubmitted``, ``TaskReady``, ``TaskAssigned``, ``TaskFinished``,
``TaskFailed`` and ``NumbersPublished``.
Hears ``BarsClosed`` (the agenda and the end of leases), ``RegimeChanged`` (a review),
``AgentRegistered`` (the built-in agents, announced in a run's first step), ``AlertRaised`` and
``DriftMeasured`` (schedules on events) and ``RiskResponded`` (an agent that risk pauses).
Asks for fresh secrets through ``Secrets``, and for nothing else.
Keeps agents, hashed keys and tasks, all journaled; a key's secret is shown once and never kept.
"""
