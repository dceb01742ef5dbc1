"""Quarterdeck: the self-hosted operations deck for AI trading agents."""

__version__ = "0.1.0"
