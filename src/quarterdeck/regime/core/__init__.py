"""Pure numerical cores of the regime capability: features, rules, decoder, levels."""
