"""The stop holds from the moment it is raised, proves itself, and opens only for what was seen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quarterdeck.execution.model import (
    CancelOrder,
    GetOrders,
    GetStop,
    OrderCancelled,
    OrderFilled,
    RaiseStop,
    Rearm,
    TradingHalted,
    TradingResumed,
)
from quarterdeck.kernel.errors import Conflict, NotFound, NotPermitted
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import OrdersSection
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.stopflag import StopFlag
from tests.unit.execution.deck import Deck, agent_caller, codes, open_deck


def two_agents() -> Deck:
    deck = Deck()
    deck.join("a", "b")
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    return deck


def test_a_stop_cancels_what_works_and_refuses_what_comes() -> None:
    deck = two_agents()
    orders = [deck.order("AAA", "buy", 1, by=by) for by in ("a", "b")]
    view = deck.send(RaiseStop(reason="enough"))
    assert (view.stopped, view.epoch, view.acknowledged, view.cancelled) == (True, 1, 0, 2)
    assert (view.by, view.reason) == ("operator", "enough")
    assert view.stop_ms is not None
    assert {each.order_id for each in deck.said(OrderCancelled)} == {
        each.order_id for each in orders
    }
    (said,) = deck.said(TradingHalted)
    assert (said.epoch, said.agent, said.cancelled) == (1, None, 2)
    for by in ("a", "b", "a"):
        assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1, by=by))
    view = deck.ask(GetStop())
    assert (view.accepted_since, view.refused_since) == (0, 3)
    deck.bars({0: 10_000})
    assert deck.said(OrderFilled) == []


def test_reducing_is_refused_too_while_stopped_but_cancelling_passes() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000})
    order = deck.order("AAA", "sell", 5, 105)
    # Raised elsewhere: the order works until the next slice, and can be cancelled before.
    deck.flag.raise_()
    assert codes(deck.order("AAA", "sell", 1)) == ["STALE_EPOCH"]
    ended = deck.send(CancelOrder(idempotency_key="c", order_id=order.order_id), "a")
    assert ended.status is OrderStatus.CANCELLED


def test_a_word_raised_elsewhere_refuses_at_once_and_cancels_before_the_next_fill() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 1)
    deck.flag.raise_()
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))
    view = deck.ask(GetStop())
    assert (view.stopped, view.accepted_since, view.reason) == (
        True,
        0,
        "raised from outside the deck",
    )
    deck.bars({0: 10_000})
    assert deck.said(OrderFilled) == []
    (halted,) = deck.said(TradingHalted)
    assert halted.cancelled == 1
    deck.bars({0: 10_000})
    assert deck.said(TradingHalted) == []


def test_only_the_epoch_that_was_seen_opens_trading_again() -> None:
    deck = open_deck()
    seen = deck.send(RaiseStop(reason="first")).epoch
    deck.flag.raise_()
    with pytest.raises(Conflict) as refusal:
        deck.rearm(epoch=seen, reason="go on")
    assert (refusal.value.code, refusal.value.accepted) == ("EPOCH_CHANGED", "2")
    assert deck.ask(GetStop()).stopped
    view = deck.rearm(epoch=2, reason="go on")
    assert not view.stopped
    (said,) = deck.said(TradingResumed)
    assert said.epoch == 2
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


def test_an_order_made_under_an_earlier_epoch_stays_refused_after_re_arming() -> None:
    deck = open_deck()
    epoch = deck.service.epoch_of("a")
    deck.rearm(epoch=deck.send(RaiseStop(reason="x")).epoch, reason="y")
    assert codes(deck.order("AAA", "buy", 1, epoch=epoch)) == ["STALE_EPOCH"]
    now = deck.service.epoch_of("a")
    assert deck.order("AAA", "buy", 1, epoch=now).status is OrderStatus.WORKING


def test_re_arming_what_is_open_changes_nothing() -> None:
    deck = open_deck()
    steps = len(deck.disk.steps)
    assert not deck.rearm(epoch=0, reason="nothing").stopped
    assert len(deck.disk.steps) == steps


def test_one_agent_is_stopped_alone() -> None:
    deck = two_agents()
    deck.order("AAA", "buy", 1, by="a")
    kept = deck.order("AAA", "buy", 1, by="b")
    before = deck.service.epoch_of("a")
    view = deck.send(RaiseStop(reason="reckless", agent="a"))
    assert (view.stopped, view.stopped_agents, view.cancelled) == (False, ("a",), 1)
    assert view.reason == "reckless"
    assert codes(deck.order("AAA", "buy", 1, by="a")) == ["STALE_EPOCH"]
    assert deck.order("AAA", "buy", 1, by="b").status is OrderStatus.WORKING
    view = deck.ask(GetStop())
    assert (view.accepted_since, view.refused_since) == (0, 1)
    view = deck.rearm(epoch=view.epoch, reason="calm again", agent="a")
    assert view.stopped_agents == ()
    assert deck.service.epoch_of("a") == before + 1
    assert deck.order("AAA", "buy", 1, by="a").status is OrderStatus.WORKING
    deck.bars({0: 10_000})
    assert kept.order_id in {fill.order_id for fill in deck.said(OrderFilled)}


def test_the_deck_s_stop_is_told_before_an_agent_s() -> None:
    deck = two_agents()
    deck.send(RaiseStop(reason="all"))
    view = deck.send(RaiseStop(reason="one", agent="a"))
    assert (view.stopped, view.reason, view.stopped_agents) == (True, "all", ("a",))
    view = deck.rearm(epoch=view.epoch, reason="deck")
    assert (view.stopped, view.reason) == (False, "one")


def test_a_stop_survives_a_restart() -> None:
    deck = two_agents()
    deck.send(RaiseStop(reason="enough"))
    deck.order("AAA", "buy", 1)
    before = deck.ask(GetStop())
    deck.restart()
    assert deck.ask(GetStop()) == before
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))


def test_a_lost_flag_means_stopped_and_cannot_be_re_armed() -> None:
    deck = open_deck()
    deck.flag.lost = True
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))
    with pytest.raises(Conflict, match="start anew"):
        deck.rearm(epoch=-1, reason="try")


def test_a_stop_holds_even_where_the_flag_cannot_be_written() -> None:
    deck = open_deck()

    def fail() -> int:
        raise OSError("read-only")

    deck.flag.raise_ = fail  # type: ignore[method-assign]
    view = deck.send(RaiseStop(reason="now"))
    assert view.stopped
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))
    deck.restart()
    assert deck.ask(GetStop()).stopped
    with pytest.raises(Conflict, match="start anew") as refusal:
        deck.rearm(epoch=0, reason="mended")
    assert refusal.value.code == "STOP_FLAG_LOST"
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))


def test_a_flag_that_was_deleted_stops_for_good(tmp_path: Path) -> None:
    path = tmp_path / "stop.flag"
    flag = StopFlag(path)
    flag.open(new_run=True)
    deck = Deck()
    deck.flag = flag  # type: ignore[assignment]
    deck.restart()
    deck.join("a")
    deck.bars({0: 10_000})
    deck.order("AAA", "buy", 1)
    path.unlink()
    # The open map still shows the old word, so that only the failed raise can stop.
    view = deck.send(RaiseStop(reason="now"))
    assert (view.stopped, view.cancelled, view.reason) == (True, 1, "now")
    for epoch in (view.epoch, 0, 1, -2):
        with pytest.raises(Conflict, match="start anew"):
            deck.rearm(epoch=epoch, reason="mended")
    flag.close()
    deck.flag = StopFlag(path)  # type: ignore[assignment]
    deck.flag.open(new_run=False)
    deck.restart()
    assert deck.ask(GetStop()).stopped
    assert "STALE_EPOCH" in codes(deck.order("AAA", "buy", 1))
    with pytest.raises(Conflict, match="start anew"):
        deck.rearm(epoch=-1, reason="mended")


def test_an_agent_may_neither_stop_nor_re_arm() -> None:
    deck = open_deck()
    with pytest.raises(NotPermitted):
        deck.send(RaiseStop(reason="x"), "a")
    with pytest.raises(NotPermitted):
        deck.send(Rearm(epoch=0, reason="x"), "a")


def test_stopping_an_unknown_agent_is_refused_and_an_overlong_reason_is_not() -> None:
    deck = open_deck()
    with pytest.raises(NotFound):
        deck.send(RaiseStop(reason="x", agent="nobody"))
    assert deck.flag.word == 0
    assert deck.send(RaiseStop(reason="x" * 10_000)).stopped


def test_an_agent_is_shown_the_epoch_its_orders_are_to_name() -> None:
    deck = two_agents()
    for _ in range(2):
        view = deck.send(RaiseStop(reason="one", agent="a"))
        deck.rearm(epoch=view.epoch, reason="on", agent="a")
    seen = {by: deck.ask(GetStop(), agent_caller(by)) for by in ("a", "b")}
    assert {by: view.epoch for by, view in seen.items()} == {"a": 2, "b": 0}
    for by, view in seen.items():
        assert not view.stopped
        order = deck.order("AAA", "buy", 1, by=by, epoch=view.epoch)
        assert order.status is OrderStatus.WORKING
        assert deck.service.working_orders(by) == (order,)


def test_the_deck_follows_a_word_raised_elsewhere_without_raising_it_again() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 1)
    deck.flag.raise_()
    assert not deck.service.knows_of(deck.flag.word)
    view = deck.send(RaiseStop(reason="from the command line"), DECK_CALLER)
    assert (deck.flag.word, view.epoch, view.cancelled) == (1, 1, 1)
    assert view.reason == "from the command line"
    assert deck.service.knows_of(deck.flag.word)
    deck.bars({0: 10_000})
    assert deck.said(TradingHalted) == []


class Racing:
    """A flag that another process raises after every read."""

    def __init__(self) -> None:
        self.word = 0

    def raised(self) -> int:
        self.word += 1
        return self.word - 1

    def raise_(self) -> int:
        self.word += 1
        return self.word


@pytest.mark.parametrize("agent", [None, "a"])
def test_a_command_shows_the_epoch_it_recorded_whatever_is_raised_meanwhile(
    agent: str | None,
) -> None:
    deck = open_deck()
    deck.flag = Racing()  # type: ignore[assignment]
    deck.restart()
    view = deck.send(RaiseStop(reason="now", agent=agent))
    (row,) = deck.connection.execute("SELECT epoch FROM execution_stops").fetchall()
    assert row["epoch"] == view.epoch + (0 if agent is None else 1)
    assert view.reason == "now"


def test_a_stop_raised_again_goes_on_proving_what_it_proved() -> None:
    deck = two_agents()
    deck.order("AAA", "buy", 1)
    first = deck.send(RaiseStop(reason="first"))
    deck.order("AAA", "buy", 1)
    deck.clock.at_slice(1)
    again = deck.send(RaiseStop(reason="second"))
    assert (again.epoch, again.reason) == (2, "second")
    assert (again.since, again.stop_ms) == (first.since, first.stop_ms)
    assert (again.accepted_since, again.refused_since, again.cancelled) == (0, 1, 1)
    deck.flag.raise_()
    assert deck.ask(GetStop()) == msgspec.structs.replace(again, epoch=3)
    deck.bars({0: 10_000})
    shown = deck.ask(GetStop())
    # The deck's own notice does not take the place of a person's reason.
    assert (shown.by, shown.reason, shown.refused_since) == ("operator", "second", 1)
    deck.restart()
    assert deck.ask(GetStop()) == shown
    deck.rearm(epoch=3, reason="on")
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
    fresh = deck.send(RaiseStop(reason="third"))
    assert (fresh.accepted_since, fresh.refused_since, fresh.cancelled) == (0, 0, 1)


def test_an_agent_s_stop_raised_again_goes_on_proving_what_it_proved() -> None:
    deck = two_agents()
    deck.send(RaiseStop(reason="one", agent="a"))
    deck.order("AAA", "buy", 1, by="a")
    deck.send(RaiseStop(reason="two", agent="b"))
    deck.restart()
    view = deck.send(RaiseStop(reason="three", agent="a"))
    assert (view.reason, view.refused_since, view.stopped_agents) == ("three", 1, ("a", "b"))


@pytest.mark.parametrize("noticed", [False, True])
def test_a_word_its_caller_raised_takes_the_caller_s_reason_and_is_not_raised_again(
    noticed: bool,
) -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 1)
    word = deck.flag.raise_()
    deck.order("AAA", "buy", 1)
    if noticed:
        deck.send(RaiseStop(reason="the stop flag was raised outside the deck"), DECK_CALLER)
    view = deck.send(RaiseStop(reason="odd fills", raised=word))
    assert (deck.flag.word, view.epoch, view.stopped, view.cancelled) == (word, word, True, 1)
    assert (view.by, view.reason) == ("operator", "odd fills")
    kinds = [kind for _, kind, *_ in deck.last.audits]
    assert kinds.count("stop_reason") == noticed
    assert kinds.count("trading_halted") == (not noticed)
    assert deck.service.knows_of(word)
    deck.restart()
    assert deck.ask(GetStop()) == view
    deck.bars({0: 10_000})
    assert deck.said(TradingHalted) == []
    assert not deck.rearm(epoch=word, reason="on").stopped


def test_a_word_that_was_re_armed_or_passed_meanwhile_is_raised_anew() -> None:
    deck = open_deck()
    word = deck.flag.raise_()
    deck.rearm(epoch=word, reason="on")
    view = deck.send(RaiseStop(reason="late", raised=word))
    assert (view.stopped, view.epoch) == (True, word + 1)
    deck.flag.raise_()
    assert deck.send(RaiseStop(reason="later", raised=word + 1)).epoch == word + 3


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("open", None),
        ("new", "no bar has closed yet"),
        ("warming up", "the deck is warming up"),
        ("ended", "the feed has ended"),
        ("stopped", "trading is stopped: enough"),
        ("raised elsewhere", "trading is stopped: raised from outside the deck"),
        ("lost", "trading is stopped: the stop flag cannot be read"),
        ("agent", "this agent is stopped"),
    ],
)
def test_the_stop_says_why_no_order_can_pass_exactly_when_none_can(
    case: str, words: str | None
) -> None:
    deck = Deck()
    deck.join("a")
    if case != "new":
        deck.bars({0: 10_000}, warming_up=case == "warming up", last=case == "ended")
    if case in ("stopped", "agent"):
        agent = "a" if case == "agent" else None
        deck.send(RaiseStop(reason="enough", agent=agent))
    if case == "raised elsewhere":
        deck.flag.raise_()
    deck.flag.lost = case == "lost"
    assert deck.ask(GetStop(), agent_caller("a")).closed == words
    assert deck.ask(GetStop()).closed == (None if case == "agent" else words)
    assert (deck.order("AAA", "buy", 1).status is OrderStatus.WORKING) == (words is None)


def test_every_scope_of_a_stop_proves_itself_and_survives_a_restart() -> None:
    deck = two_agents()
    deck.order("AAA", "buy", 10, by="a")
    deck.bars({0: 10_000})
    resting = {
        deck.order("AAA", "buy", 10, 99, by="a").order_id,
        deck.order("BBB", "buy", 10, 49, by="b").order_id,
    }
    deck.send(RaiseStop(reason="odd prints", instrument="AAA"))
    assert deck.order("AAA", "sell", 4, by="a").status is OrderStatus.WORKING
    assert codes(deck.order("AAA", "buy", 1, by="b")) == ["FROZEN"]
    deck.send(RaiseStop(reason="audit", account="paper"))
    assert "STALE_EPOCH" in codes(deck.order("BBB", "buy", 10, 49, by="a"))
    deck.send(RaiseStop(reason="reckless", agent="a"))
    assert "STALE_EPOCH" in codes(deck.order("BBB", "buy", 10, 49, by="a"))
    deck.restart()
    view = deck.ask(GetStop())
    assert (view.stopped, view.stopped_accounts) == (False, ("paper",))
    shown = {
        one.subject: (one.accepted_since, one.reduced_since, one.refused_since, one.cancelled)
        for one in view.stops
    }
    assert shown == {"AAA": (0, 1, 1, 1), "paper": (0, 0, 2, 2), "a": (0, 0, 1, 0)}
    assert all(one.stop_ms is not None and one.by == "operator" for one in view.stops)
    ended = {one.status for one in deck.ask(GetOrders()).orders if one.order_id in resting}
    assert ended == {OrderStatus.CANCELLED}


def test_an_accounts_stop_makes_earlier_orders_stale_and_is_re_armed_alone() -> None:
    deck = two_agents()
    seen = deck.service.epoch_of("b")
    deck.send(RaiseStop(reason="audit", account="paper"))
    assert deck.ask(GetStop(), agent_caller("b")).closed == "the account paper is stopped"
    assert deck.rearm(epoch=0, reason="done", account="paper").stopped_accounts == ()
    assert codes(deck.order("AAA", "buy", 1, by="b", epoch=seen)) == ["STALE_EPOCH"]
    assert deck.order("AAA", "buy", 1, by="b", epoch=seen + 1).status is OrderStatus.WORKING


def test_what_resumes_is_listed_and_nothing_resumes_that_was_not_confirmed() -> None:
    deck = Deck(orders=OrdersSection(self_trade="allow", stop_cancels="opening"))
    deck.join("a", "b")
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000})
    exit_ = deck.order("AAA", "sell", 10, stop_price=90, reduce_only=True)
    deck.order("BBB", "buy", 10, 49)
    deck.send(RaiseStop(reason="one", agent="b"))
    epoch = deck.send(RaiseStop(reason="all")).epoch
    listed = deck.resumes()
    assert (listed.agents, listed.orders) == (("a",), (exit_.order_id,))
    assert (listed.remaining, listed.blocked) == (("agent b",), ())
    # Behind a stop of the deck nothing of an agent resumes.
    assert (deck.resumes(agent="b").agents, deck.resumes(agent="b").remaining) == ((), ("deck",))
    with pytest.raises(Conflict) as refusal:
        deck.send(Rearm(epoch=epoch, reason="blindly"))
    assert refusal.value.code == "CONFIRM_FIRST"
    deck.send(CancelOrder(idempotency_key="c", order_id=exit_.order_id), "a")
    with pytest.raises(Conflict) as refusal:
        deck.send(Rearm(epoch=epoch, reason="late", confirm=listed.confirmation))
    assert (refusal.value.code, deck.ask(GetStop()).stopped) == ("RESUME_CHANGED", True)
    assert not deck.rearm(epoch=epoch, reason="seen").stopped
    assert deck.resumes().blocked == ("deck is not stopped",)


@pytest.mark.parametrize(
    ("harm", "code"), [("unknown", "UNKNOWN_ORDERS"), ("ledger", "NOT_RECONCILED")]
)
def test_nothing_is_re_armed_while_an_order_is_unknown_or_the_books_disagree(
    harm: str, code: str
) -> None:
    deck = Deck(orders=OrdersSection(self_trade="allow", stop_cancels="opening"))
    deck.join("a")
    deck.bars({0: 10_000})
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000})
    exit_ = deck.order("AAA", "sell", 10, stop_price=90, reduce_only=True)
    epoch = deck.send(RaiseStop(reason="all")).epoch
    if harm == "unknown":
        deck.desk.book.move(deck.desk.book.find(exit_.order_id), OrderStatus.UNKNOWN)
    else:
        deck.desk.accounts["a"].cash += 1
    assert deck.resumes().blocked
    with pytest.raises(Conflict) as refusal:
        deck.rearm(epoch=epoch, reason="hopefully")
    assert (refusal.value.code, deck.ask(GetStop()).stopped) == (code, True)
