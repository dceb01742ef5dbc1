"""The page of the gate's codes is made from the code.

``python -m tests.unit.execution.test_reference`` writes it.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from quarterdeck.execution.core.breakers import CODES, WATCHES
from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.model import BreakerKind
from quarterdeck.runtime.config import LimitsSection
from tests.properties.execution.checklist import rows as checklist_rows
from tests.unit.execution.deck import open_deck

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "read-a-refusal.md"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gate.md"

_HEAD = """\
# The gate's codes

Every order is judged by all of these controls at once; a refusal lists each one that said no, in
this order, and the largest quantity that would pass all of them now. How to read one is told in
[Read a refusal](../how-to/read-a-refusal.md). This page is made from the code.

| code | unit | clock | an order passes when | what to do |
| --- | --- | --- | --- | --- |
"""

_LIMITS = """
## Limits that can be set

At the level of the deck, the account, an agent, an instrument or a cluster of instruments; of all
levels that an order touches the tightest holds, and a refusal names it as `level`. How to change one
is told in [Change a limit](../how-to/change-a-limit.md).

| limit | unit | tighter is | clock | code | |
| --- | --- | --- | --- | --- | --- |
"""

_CHECKLIST = """
## The checklist

What a professional expects of a gate, by the numbers of our checklist: 1 to 36 before an order is taken,
38, 40 and 42 while it works. `INVALID_INPUT`, `NOT_REPLACEABLE` and `STOP_LOSS_REQUIRED` are answers of the
request itself; every other code is a row above. A test holds that each has a property that it refuses.

| no. | asked | refused with | beside that |
| --- | --- | --- | --- |
"""

_BREAKERS = """
## Circuit breakers

A breaker watches, opens with a reason and evidence, and refuses with its code while it is open. All
windows count in market time: an event counts while it is younger than its window or belongs to the
present bar, a loss for at least five bars. An agent's breaker holds that agent back, the deck's
everybody, an instrument's orders in it. `loop` and `drawdown_hard` let nothing pass and are closed by
a person only; the others let reducing orders pass. After `cool_down_bars` an open breaker is tried again
(half-open: one order a bar passes); an event opens it at once, `probe_bars` without one close it.
The peak of `drawdown_soft` begins anew then. Thresholds are keys of `[breakers]`; `GET /breakers`,
`quarterdeck breakers` and the page Risk & safety show how they stand, and every change is journaled
and in the audit chain.

| breaker | code | opens when |
| --- | --- | --- |
"""

_FOOT = """
## Rules the controls share

- **Worst-case price.** A market order counts at the last close plus the collar
  (`price_collar_fraction`), a limit purchase at its limit, a limit sale like a market sale (it may
  fill above its limit) or at its limit if that is higher. A fill is at the next bar's prices, which
  may lie beyond the collar: it is then booked as it happened. A stop counts from its stop price where
  that is higher.
- **Fills.** A bar's prices are taken for the middle of the spread, and each unknown is decided against
  the order; every assumption is a key of `[paper]`. A market order fills at the next bar's open, half a
  spread and its share of the market impact against it, up to `max_participation_fraction` of the bar's
  volume; the rest goes on to the next bar. A limit order fills in a bar that traded through its limit,
  half a spread included; a bar that only touches it fills `queue_fill_fraction` of its volume. A stop
  is triggered when the bar reaches it and fills at the stop, or at the open of a bar that gapped beyond
  it. A stop-limit order triggered inside a bar fills in that bar at the stop or not at all. Where a
  stop-loss and a take-profit lie in one bar, the stop-loss comes first, unless the bar opened beyond
  the take-profit.
- **Reduce-only** orders, among them the two that may be attached to an order, never fill more than the
  position held on the other side, reserve nothing and end when there is nothing left to reduce.
- **Learned limits.** A learned position limit only tightens a person's. Until a first one has been
  learned for an instrument, the person's limit holds alone; from then on the last one learned holds
  until it changes, however long ago it was learned. `GET /gate` lists those in force.
- **Working orders** count as if all of one side filled and none of the other, from the moment they
  are accepted: the decision and its reservation are one step.
- **Levels.** A limit that no level sets is off; those of `[limits]` are the deck's and always set. A
  change that allows anything more waits for its confirmation, at most an hour of machine time; any
  other is in force with the next decision. `limit_version` of an order is the number of the limit set
  that judged it: it grows with every change of a limit, a learned one too.
- **The reduce rule.** An order of at most the position held on the other side, less what already
  works on its own side, only reduces. It passes the limits of exposure (`POSITION_LIMIT`,
  `CONCENTRATION`, `GROSS_EXPOSURE`, `DAILY_LOSS`, `BUYING_POWER`), a list of instruments and the state
  `reducing` whatever they stand at. While trading is stopped it is refused like any other;
  cancelling an order always passes.
- **Shorts.** Free cash is the cash, less twice the value of all short positions (their proceeds are
  not spendable, and as much again is their margin), less what working orders may open at their
  worst-case price and fee.
- **Headroom.** `max_allowed_now` is a multiple of the lot: that quantity passes, one lot more does
  not. Where the smallest quantity that `MIN_NOTIONAL` wants is above it, it is 0.
- **The arithmetic of a breach.** Where `limit`, `used` and `attempted` are all given,
  `used + attempted > limit`; `used` is negative while the position is held on the other side.
- **Waiting.** `retry_at_bars` is given when every breach ends by waiting: `ORDER_RATE` at the next
  bar, `DAILY_LOSS` with the first bar of the next UTC day, counted in bars without gaps.
  `retry_after_s` is machine seconds until then at the present speed of the feed, null while it is
  paused or has no set speed; it is given with the answer and not kept. `retry_at_market` is the start
  of that UTC day; the instant of a next bar is not known beforehand, so there it is null.
- **Epochs.** The epoch in force for an agent is the raised stop word plus the number of times that
  agent was stopped, so that it grows with every stop that concerns it.
- **A stop that stands** may be raised again: the epoch grows, what it proves still counts from its
  first raise, and the last person's reason is shown. Where the stop flag is lost, or could not be
  raised, trading stays stopped in this run and cannot be re-armed: start anew with a new data folder.
"""


def page() -> str:
    """The whole page."""
    rows = "".join(
        f"| `{control.code.value}` | {control.unit.value} | {control.clock.value} "
        f"| {control.text} | {control.advice} |\n"
        for control in CONTROLS
    )
    limits = "".join(
        f"| `{limit.name}` | {limit.kind.value} | {limit.tighter.value} | {limit.clock.value} "
        f"| `{limit.code.value}` | {limit.meaning} |\n"
        for limit in LIMITS.values()
    )
    breakers = "".join(
        f"| `{kind.value}` | `{CODES[kind].value}` | {WATCHES[kind]} |\n" for kind in BreakerKind
    )
    checklist = _CHECKLIST + checklist_rows()
    return _HEAD + rows + _LIMITS + limits + _BREAKERS + breakers + checklist + _FOOT


def test_the_page_of_codes_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_refusal_that_is_explained_is_the_one_the_gate_gives() -> None:
    deck = open_deck(limits=LimitsSection(max_position_notional=Decimal(20_000)))
    deck.order("AAA", "buy", 150)
    decision = deck.order("AAA", "buy", 120).decision
    text = HOW_TO.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    assert msgspec.json.decode(text) == msgspec.json.decode(msgspec.json.encode(decision))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
