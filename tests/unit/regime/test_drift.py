"""Confidence that no longer keeps its word is told of on every timeframe that is in force."""

from __future__ import annotations

from quarterdeck.adapters.feeds.listing import listed
from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.alerts.model import AlertCategory, AlertRaised, Comparison, Rule, RuleId, Severity
from quarterdeck.alerts.service import AlertsService
from quarterdeck.data import EURUSD_1H
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.market.service import MarketService
from quarterdeck.regime.model import PUBLISHED, GetRegimeCalibration
from quarterdeck.regime.service import RegimeService
from quarterdeck.runtime.config import RegimeSection
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from tests.unit.stages import arrived, step_at

ERROR = "regime.calibration_error_fraction"
FOUR_HOURS = "EURUSD 4h"


def drifted() -> Rule:
    return Rule(
        rule_id=RuleId("drifted"),
        category=AlertCategory.MARKET,
        severity=Severity.WARNING,
        number=ERROR,
        comparison=Comparison.ABOVE,
        threshold=0.0,
    )


def test_the_error_of_every_timeframe_is_published_and_alerted_on() -> None:
    feed = open_replay(EURUSD_1H)
    market = MarketService(instruments=listed(feed), timeframe="1h", coarser=("4h",))
    regime = RegimeService(
        symbols=feed.symbols, config=RegimeSection(), timeframe="1h", coarser=("4h",)
    )
    alerts = AlertsService(rules=(drifted(),), numbers=PUBLISHED)
    alerts.begin(step_at(0, feed.slice(0).at))
    raised: list[AlertRaised] = []
    last: dict[str, float | None] = {}
    for index in range(3_000):
        message = arrived(feed, index)
        step = step_at(index, message.at)
        regime.hear(market.closed(message), step)
        for said in step.take_said():
            if isinstance(said, NumbersPublished) and said.name == ERROR:
                alerts.hear(said, step)
                last = dict(said.values)
        raised += [one for one in step.take_said() if isinstance(one, AlertRaised)]
    for subject, timeframe in (("EURUSD", None), (FOUR_HOURS, "4h")):
        view = regime.calibration(GetRegimeCalibration(timeframe=timeframe), OPERATOR)
        assert view.instruments[0].error is not None
        assert last[subject] == view.instruments[0].error
    assert last["EURUSD"] != last[FOUR_HOURS]
    # Hours have their verdicts long before bars of four hours do.
    assert [one.subject for one in raised] == ["EURUSD", FOUR_HOURS]
