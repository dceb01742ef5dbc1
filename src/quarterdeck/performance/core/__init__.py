"""Performance's pure measurements: returns over time and trades closed."""
