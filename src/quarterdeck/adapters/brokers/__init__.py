"""Brokers behind the port of execution, and what to do where one does not answer.

``paper`` is the paper venue at the other end of a line; ``asking`` sends an order once and finds out
what became of it.
"""
