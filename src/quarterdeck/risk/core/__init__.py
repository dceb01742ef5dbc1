"""Risk's pure decisions: forecasts, limits, events and their statistical tests."""
