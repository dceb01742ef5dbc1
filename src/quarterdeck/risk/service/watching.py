"""What is looked at in every slice, and the events that come of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.market.model import Floats, Ints
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.bank import WINDOW, BankState
from quarterdeck.risk.core.events import var_breaches, volatility_spikes
from quarterdeck.risk.core.filters import BASE
from quarterdeck.risk.core.judgement import JudgementState, latest_hits, recent_coverage
from quarterdeck.risk.core.tails import Tails, label
from quarterdeck.risk.core.watch import (
    WatchState,
    change_probability,
    cluster_probability,
    correlations,
    drift_ratio,
    volume_drop,
)
from quarterdeck.risk.model import RiskEventKind, RiskScope
from quarterdeck.risk.service.events import BACK, Concerned, Evidence, RiskEvents
from quarterdeck.risk.service.holdings import DECK, Holdings
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step

CLUSTER_BARS = 20
"""Judged bars among which hits of the 99 % forecast make a cluster."""
THE_DECK = Concerned(RiskScope.DECK)


class Lookout:
    """Holds each slice against the thresholds; it keeps nothing, but reads what the service keeps."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        *,
        config: RiskSection,
        tails: Tails,
        events: RiskEvents,
        bank: BankState,
        judgement: JudgementState,
        watch: WatchState,
    ) -> None:
        self._symbols = symbols
        self._config = config
        self._tails = tails
        self._events = events
        self._bank = bank
        self._judgement = judgement
        self._watch = watch

    def breaches(self, loss: Floats, foreseen: Floats, step: Step) -> None:
        """Report every loss beyond its 99 % forecast, and those that come in clusters."""
        kind, least = RiskEventKind.BREACH_CLUSTER, self._config.breach_cluster_hits
        for breach in var_breaches(loss, foreseen):
            self._events.raise_event(
                RiskEventKind.VAR_BREACH,
                self._of(breach.row),
                step,
                evidence=Evidence(
                    breach.loss,
                    breach.forecast,
                    "lost {observed:.2%} in a bar, beyond its 99 % VaR of {threshold:.2%}",
                    probability=self._tails.shares[self._tails.at99],
                ),
            )
        breached = loss > foreseen
        for row, symbol in enumerate(self._symbols):
            if breached[row] or self._events.marked(kind, symbol):
                hits = latest_hits(self._judgement, row, self._tails.at99, bars=CLUSTER_BARS)
                text = f"lost more than its 99 % VaR {{observed:.0f}} times in {CLUSTER_BARS} bars"
                likely = cluster_probability(
                    CLUSTER_BARS, hits, self._tails.shares[self._tails.at99]
                )
                self._events.mark(
                    kind,
                    self._of(row),
                    step,
                    beyond=hits >= least,
                    evidence=Evidence(float(hits), float(least), text, probability=likely),
                )

    def volatility(self, now: Floats, slow: Floats, step: Step) -> None:
        """Report a volatility far above its usual level."""
        ratio = self._config.volatility_spike_ratio
        spiking = np.zeros(len(self._symbols))
        for spike in volatility_spikes(now, slow, ratio=ratio):
            spiking[spike.row] = spike.ratio
        text = "forecast volatility is {observed:.1f} times its usual level"
        self._events.mark_rows(
            RiskEventKind.VOLATILITY_SPIKE,
            spiking,
            step,
            threshold=ratio,
            evidence=lambda row: Evidence(float(spiking[row]), ratio, text),
        )

    def coverage(self, holdings: Holdings, step: Step) -> None:
        """Report forecasts whose hits are too unlikely, and publish how likely the instruments' are."""
        found = {}
        for row, symbol in enumerate(self._symbols):
            least = None
            for level, tail in enumerate(self._tails.shares):
                seen = recent_coverage(self._judgement, row, level, tail=tail)
                judged, _, p = seen
                least = p if judged and (least is None or p < least) else least
                self._held_to(RiskScope.INSTRUMENT, symbol, level, seen, step)
            found[symbol] = least
        for level in range(len(self._tails.shares)):
            self._held_to(RiskScope.DECK, "", level, holdings.recent_hits(level), step)
        step.say(NumbersPublished(name="risk.coverage_p", values=found))

    def _held_to(
        self, scope: RiskScope, name: str, level: int, seen: tuple[int, int, float], step: Step
    ) -> None:
        """Report one forecast whose recent hits are too unlikely."""
        alarm, (judged, hits, p) = self._config.coverage_alarm_p, seen
        concerned = Concerned(scope, name, detail=label(self._tails.levels[level]))
        beyond = judged >= self._config.coverage_alarm_bars and 1.0 - p >= 1.0 - alarm
        if beyond == self._events.marked(RiskEventKind.COVERAGE, concerned.shown):
            # Nothing has changed, as nearly always: the words are not put together.
            return
        promised = label(self._tails.shares[level])
        text = f"VaR does not hold: {hits} of the last {judged} bars lost more, {promised} were promised"
        self._events.mark(
            RiskEventKind.COVERAGE,
            concerned,
            step,
            beyond=beyond,
            # No limit may depend on which levels are shown beside those that limits rest on.
            evidence=Evidence(
                1.0 - p,
                1.0 - alarm,
                text,
                probability=p,
                told=level not in (self._tails.at95, self._tails.at99),
            ),
        )

    def filters(self, step: Step) -> None:
        """Report filters that no longer follow, and correlations that are not what they were."""
        ratio = drift_ratio(self._watch)
        most, least = self._config.model_drift_ratio, self._config.correlation_break_change
        self._events.mark_rows(
            RiskEventKind.MODEL_DRIFT,
            ratio,
            step,
            threshold=most,
            evidence=lambda row: Evidence(
                float(ratio[row]),
                most,
                "moves {observed:.1f} times "
                + ("more" if self._watch.drift[row] > 1.0 else "less")
                + " than its forecast volatility says",
            ),
        )
        pair = correlations(self._watch)
        if pair is not None:
            fast, slow = pair
            self._events.mark(
                RiskEventKind.CORRELATION_BREAK,
                THE_DECK,
                step,
                beyond=abs(fast - slow) >= least,
                evidence=Evidence(
                    abs(fast - slow),
                    least,
                    f"sees its instruments move together by {fast:.2f} lately, {slow:.2f} usually",
                    probability=change_probability(fast, slow),
                ),
            )

    def bars(self, missed: Ints, step: Step) -> None:
        """Report gaps, volumes that are gone, and instruments without bars."""
        gap, most = np.abs(self._watch.gap), self._config.gap_volatilities
        for row in np.flatnonzero(gap >= most).tolist():
            self._events.raise_event(
                RiskEventKind.GAP,
                self._of(row),
                step,
                evidence=Evidence(
                    float(gap[row]),
                    most,
                    "opened {observed:.1f} forecast volatilities "
                    + ("above" if self._watch.gap[row] > 0.0 else "below")
                    + " its last close",
                    probability=self._rarity(row, float(gap[row])),
                ),
            )
        drop, deep = volume_drop(self._watch), self._config.liquidity_drop_fraction
        self._events.mark_rows(
            RiskEventKind.LIQUIDITY_DROP,
            drop,
            step,
            threshold=deep,
            evidence=lambda row: Evidence(
                float(drop[row]), deep, "has a volume {observed:.0%} below its usual level"
            ),
        )
        begun, after = np.isfinite(self._bank.close), float(self._config.stale_after_bars)
        self._events.mark_rows(
            RiskEventKind.STALE_DATA,
            np.where(begun, missed.astype(np.float64), 0.0),
            step,
            threshold=after,
            evidence=lambda row: Evidence(
                float(missed[row]),
                after,
                "has had no bar for {observed:.0f} slices; it has no forecast until the next",
            ),
        )

    def held(self, holdings: Holdings, step: Step) -> None:
        """Report that too much of the deck's risk is in one instrument."""
        symbol, share = holdings.largest_share()
        most = self._config.concentration_event_fraction
        kind = RiskEventKind.CONCENTRATION
        least = BACK * most if self._events.marked(kind, DECK) else most
        self._events.mark(
            kind,
            THE_DECK,
            step,
            beyond=share >= least,
            evidence=Evidence(share, most, f"has {{observed:.0%}} of its 99 % VaR from {symbol}"),
        )

    def scored(self, score: AgentScored, step: Step) -> None:
        """Report an agent's drawdown."""
        deep = self._config.drawdown_event_fraction
        self._events.mark(
            RiskEventKind.DRAWDOWN,
            Concerned(RiskScope.AGENT, str(score.agent)),
            step,
            beyond=score.drawdown_fraction >= deep,
            evidence=Evidence(
                score.drawdown_fraction, deep, "equity is {observed:.1%} below its peak"
            ),
        )

    def _of(self, row: int) -> Concerned:
        return Concerned(RiskScope.INSTRUMENT, self._symbols[row])

    def _rarity(self, row: int, size: float) -> float:
        """Return the share of the instrument's own moves that were as large, this one among them."""
        seen = min(int(self._bank.seen[row, BASE]), WINDOW)
        moves: npt.NDArray[np.float64] = np.abs(self._bank.residuals[row, BASE, :seen])
        return (int(np.count_nonzero(moves >= size)) + 1) / (seen + 1)
