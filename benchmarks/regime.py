"""RegimeBench: how well regimes are told, on data nobody chose anything on. Seeds are fixed.

SIM trains heads on simulated markets of three families, whose regimes are known bar by bar, beside all
peers. REAL-BB tells bull and bear markets of stocks and of an index. REAL-LABELS and VOL train heads on half of the embedded stocks until 2004-08 and test on the other
half from a year later on, with the row of sign-flipped prices beside them. CAUSALITY removes, alters and
streams what comes after a bar. What was chosen on validation data, and how many variants were tried,
stands in docs/reference/regimes.md.
"""

# needs: bench

from __future__ import annotations

import sys
import time

from benchmarks._reporting import Figures, main, progress
from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np  # noqa: E402

from benchmarks._regimes import bulls, causality, real, simulated  # noqa: E402
from benchmarks._regimes.scoring import balanced_accuracy  # noqa: E402
from quarterdeck.market.model import INDICATOR_NAMES  # noqa: E402
from quarterdeck.regime.core.detector import (  # noqa: E402
    aligned,
    nothing_found,
    regime_state,
    update_regimes,
)
from quarterdeck.regime.core.features import MIN_BARS  # noqa: E402
from quarterdeck.regime.store import shipped_head  # noqa: E402

SYMBOLS, TIMED_BARS = 1_000, 60


def us_per_symbol_bar() -> float:
    """Return CPU microseconds per symbol and bar: features, head and decoder, 1,000 symbols."""
    rng = np.random.default_rng(1)
    count = MIN_BARS + TIMED_BARS
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (count, SYMBOLS)), axis=0))
    before = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(close, before) * 1.003, np.minimum(close, before) * 0.997
    volume = rng.uniform(1e5, 1e6, close.shape)
    indicators = rng.uniform(1.0, 60.0, (SYMBOLS, len(INDICATOR_NAMES)))
    state, out, head = regime_state(SYMBOLS), nothing_found(SYMBOLS), shipped_head()
    rows, took = np.arange(SYMBOLS), []
    for t in range(count):
        bars = aligned(before[t], high[t], low[t], close[t], volume[t])
        began = time.process_time()
        update_regimes(state, rows, bars, indicators, out, head=head)
        took.append(time.process_time() - began)
    return float(np.median(took[-TIMED_BARS:]) / SYMBOLS * 1e6)


def real_labels() -> Figures:
    """Return the figures of REAL-LABELS and VOL, each with its sign-flipped row."""
    progress("REAL-LABELS: training the two halves")
    tests = real.told(flipped=False)
    figures: Figures = {f"real_label_{k}": v for k, v in real.real_figures(tests).items()}
    figures["vol_r2_gain"], figures["vol_r2_gain_t"] = real.volatility_gain(tests)
    progress("the label rule, causally")
    rule = balanced_accuracy(
        np.concatenate([one.truth for one in tests]),
        np.concatenate([real.causal_rule(one) for one in tests]),
    )
    figures["real_label_causal_rule_balanced_accuracy"] = rule
    own = figures["real_label_balanced_accuracy"]
    figures["real_label_gain_over_causal_rule"] = float(own or 0.0) - rule
    progress("the same on sign-flipped prices")
    flipped = real.told(flipped=True)
    null = real.real_figures(flipped)
    figures["real_label_signflip_balanced_accuracy"] = null["balanced_accuracy"]
    figures["real_label_signflip_ece"] = null["ece"]
    figures["vol_r2_gain_signflip"], figures["vol_r2_gain_signflip_t"] = real.volatility_gain(
        flipped
    )
    return figures


def measure() -> Figures:
    """Take all figures."""
    progress("speed")
    figures: Figures = {"us_per_symbol_bar": us_per_symbol_bar()}
    progress("CAUSALITY")
    figures["prefix_differences"] = causality.prefix_differences()
    figures["streaming_differences"] = causality.streaming_differences()
    progress("REAL-BB")
    figures.update(bulls.figures())
    figures.update(simulated.figures())
    figures.update(real_labels())
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "regime",
            measure,
            claims={
                "us_per_symbol_bar": "at most 15",
                "prefix_differences": "0",
                "sim_prefix_differences": "0",
                "streaming_differences": "0",
                "sim_a_balanced_accuracy": "at least .57",
                "sim_a_switch_ratio": "at most 3.0",
                "sim_a_missed_share": "at most .24",
                "sim_a_vs_hmm16_ratio": "at least 1.40",
                "sim_mean_abc_balanced_accuracy": "at least .49",
                "sim_unseen_vs_hmm16_ratio": "at least 1.15",
                "selective_accuracy_at_80pct": "at least .64",
                "ece_own": "at most .03",
                "ece_unseen": "shown",
                "bb_sp500_minus_ma200": "at least -.02",
                "bb_sp500_switches_per_year": "at most 2",
                "bb_stocks_minus_ma200": "at least .02",
                "bb_stocks_switches_per_year": "at most 3.1",
                "real_label_balanced_accuracy": "at least .53",
                "real_label_gain_over_causal_rule": "at least .06",
                "real_label_signflip_balanced_accuracy": "shown: no trend exists there",
                "vol_r2_gain": "at least .01",
                "vol_r2_gain_t": "at least 2.5",
            },
        )
    )
