"""Regime: what kind of market each instrument is in, judged from the past alone.

Says ``RegimeChanged`` with the features that spoke for it, ``CoarserRegimeChanged`` and, for the risk
forecasts, ``RegimesWeighed``. Hears ``BarsClosed``. Asks nobody.
Keeps the feature windows and the decoder's costs (checkpointed) and the history of changes
(journaled). Before enough bars, or while the probabilities are flat, the answer is ``undetermined``.
"""
