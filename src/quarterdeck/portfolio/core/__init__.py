"""Portfolio's pure decisions: estimates, optimal weights and what they cost to reach."""
