"""Pure numerical cores of the market capability: indicators and the bar ring."""
