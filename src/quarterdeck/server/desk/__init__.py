"""Operations over several capabilities: they read views, and nothing behind them."""
