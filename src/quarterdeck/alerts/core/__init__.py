"""Alerts' pure decisions: what a rule may say, and when it fires and rests."""
