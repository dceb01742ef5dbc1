"""The dashboard of a running deck, used as people use it: in a browser, by mouse, keyboard and telephone."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    StorageState,
    ViewportSize,
    expect,
)
from playwright.sync_api import TimeoutError as TooLate

from tests.house.source import ROOT
from tests.journeys.browsers import AXE, PATIENCE_MS, Watched, axe_findings, chromium, find_chromium
from tests.journeys.decks import RunningDeck, running, start, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.slow]

PAGES = ("/", "/agents", "/trading", "/risk", "/market", "/performance", "/alerts", "/system")
SPEED = "2"
"""Bars a second: the history lasts for a quarter of an hour."""
WIDE: ViewportSize = {"width": 1440, "height": 900}
TELEPHONE: ViewportSize = {"width": 390, "height": 844}
SOON_MS = PATIENCE_MS
MOVES_S = 120.0
BROKEN_NUMBER = re.compile(r"\b(NaN|undefined|Infinity|\[object Object\])\b")


def missing(text: str) -> None:
    """A developer may lack what a test needs; continuous integration may not."""
    if os.environ.get("CI"):
        pytest.fail(f"{text}, and continuous integration must not go without it")
    pytest.skip(text)


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    # Not a port of those that connections are given: a deck that comes back must find it free.
    where = ("--speed", SPEED, "--port", str(lasting_port()))
    with running(tmp_path_factory.mktemp("dashboard") / "deck", *where) as started:
        yield started


def lasting_port() -> int:
    """A free port below those that the system gives away by itself."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


@pytest.fixture(autouse=True)
def trading_goes_on(deck: RunningDeck) -> Iterator[None]:
    """Whatever a test did: the next one finds agents that trade."""
    yield
    if deck.get("/gate/stop")["stopped"]:
        rearm(deck)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        missing("there is no Chromium on PATH")
    assert path is not None
    with chromium(path) as started:
        yield started


@pytest.fixture(scope="module")
def session(deck: RunningDeck, browser: Browser) -> StorageState:
    """What a browser keeps after the printed address was opened in it."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(f"{deck.url}/login?token={deck.token}")
    expect(stop_button(page)).to_be_visible(timeout=SOON_MS)
    assert urlsplit(page.url).path == "/"
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def operator(deck: RunningDeck, browser: Browser, session: StorageState) -> Iterator[Watched]:
    """The operator's page at the Overview; it must end without complaint."""
    context = browser.new_context(viewport=WIDE, storage_state=session)
    watched = opened(context, deck)
    yield watched
    context.close()
    assert watched.complaints == []
    assert watched.foreign == []


def opened(context: BrowserContext, deck: RunningDeck, path: str = "/") -> Watched:
    watched = Watched(context.new_page(), deck.url).watch()
    watched.page.goto(f"{deck.url}{path}")
    return watched


def stop_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Stop all trading")


def stop_report(page: Page) -> Locator:
    """What stands on every page as long as trading is stopped; it alone offers to re-arm."""
    return page.get_by_role("region", name="Stop", exact=True).filter(
        has=page.get_by_role("button", name="Re-arm")
    )


def market_day(page: Page) -> Locator:
    return page.locator("header .stale-able.font-semibold").first


def settled(page: Page) -> None:
    """Wait until nothing on the page is loading."""
    expect(page.locator('main [aria-busy="true"]')).to_have_count(0, timeout=SOON_MS)


def go(page: Page, path: str) -> None:
    """Go to a page by its link, which a telephone may hide under "More"."""
    expect(stop_button(page)).to_be_visible(timeout=SOON_MS)
    link = page.locator(f'nav[aria-label="Pages"] a[href="{path}"]:visible')
    if link.count() == 0:
        page.get_by_role("button", name="More").click()
    link.click()
    expect(page).to_have_url(re.compile(re.escape(path) + r"(\?.*)?$"))
    settled(page)


def fact(report: Locator, name: str) -> Locator:
    return report.locator("dl > div", has_text=name).locator("dd")


def hold(page: Page, button: Locator) -> None:
    """Press the mouse on the button and keep it there until trading is stopped."""
    box = button.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(stop_report(page)).to_contain_text("Trading is stopped", timeout=SOON_MS)
    page.mouse.up()


def rearm(deck: RunningDeck) -> None:
    deck.rearm()


def until_it_moves_on(deck: RunningDeck, *, slices: int) -> None:
    """Wait until the replay has gone on by some slices."""
    goal = deck.get("/overview")["feed"]["slice"] + slices
    deadline = time.monotonic() + SOON_MS / 1000
    while deck.get("/overview")["feed"]["slice"] < goal:
        assert time.monotonic() < deadline, "the replay stands still"
        time.sleep(0.05)


def test_without_a_session_the_page_says_how_to_get_one(
    deck: RunningDeck, browser: Browser
) -> None:
    context = browser.new_context(viewport=WIDE)
    page = opened(context, deck, "/risk").page
    expect(page.get_by_role("heading", name="Open the address from the terminal")).to_be_visible()
    assert "one-time token" in page.inner_text("main")
    expect(stop_button(page)).to_have_count(0)
    context.close()


def test_a_login_link_used_twice_is_refused_in_plain_words(
    deck: RunningDeck, browser: Browser, session: StorageState
) -> None:
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    answer = page.goto(f"{deck.url}/login?token={deck.token}")
    assert answer is not None
    assert answer.status == 403
    text = page.inner_text("body")
    assert "This login link does not work" in text
    assert "quarterdeck login" in text
    assert context.cookies() == []
    context.close()


def test_the_chart_moves(operator: Watched) -> None:
    before = market_day(operator.page).inner_text()
    assert operator.chart_moves(seconds=MOVES_S) is not None
    expect(market_day(operator.page)).not_to_have_text(before)
    expect(operator.page.get_by_text("Live", exact=True)).to_be_visible()


def empty(panels: Locator) -> list[str | None]:
    """The panels that show nothing."""
    return [
        panel.get_attribute("aria-label")
        for panel in panels.all()
        if not panel.locator("> div").last.inner_text().strip()
        and not panel.locator("> div").last.locator("canvas").count()
    ]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_rows_or_says_why_there_are_none(operator: Watched, path: str) -> None:
    page = operator.page
    go(page, path)
    expect(page.locator('nav a[aria-current="page"]:visible')).to_have_attribute("href", path)
    expect(page.locator('main [role="alert"]')).to_have_count(0)
    panels = page.locator("main section.panel")
    expect(panels.first).to_be_visible()
    # A panel that has just come may still be drawing itself.
    wait_for(lambda: empty(panels) == [], "every panel shows something")
    assert BROKEN_NUMBER.findall(page.inner_text("main")) == []


def test_an_address_inside_the_dashboard_opens_by_itself_and_a_reload_keeps_the_session(
    deck: RunningDeck, operator: Watched
) -> None:
    page = operator.page
    page.goto(f"{deck.url}/trading")
    expect(page.get_by_role("heading", name="Trading")).to_be_visible(timeout=SOON_MS)
    page.reload()
    expect(page.get_by_role("heading", name="Trading")).to_be_visible(timeout=SOON_MS)
    expect(stop_button(page)).to_be_visible()


def test_a_refusal_tells_its_code_and_the_largest_order_that_would_pass(
    deck: RunningDeck, operator: Watched
) -> None:
    page = operator.page
    expect(page.get_by_text("Last refusal").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("Would pass now").first).to_be_visible()
    order = {"idempotency_key": "too-large", "symbol": "IBM", "side": "buy", "quantity": "900000"}
    status, issued = deck.call("POST", "/agents", {"name": "greedy", "capabilities": ["test:x"]})
    assert status == 201, issued
    _, refused = deck.call("POST", "/orders", order, key=issued["key"])
    decision = refused["decision"]
    assert decision["status"] == "refused"
    go(page, "/trading")
    page.get_by_role("button", name="Refused", exact=True).click()
    row = page.locator("tbody tr", has=page.locator(f'code[title="{refused["order_id"]}"]'))
    row.get_by_role("button", expanded=False).click(timeout=SOON_MS)
    expect(row).to_contain_text(decision["code"])
    expect(row).to_contain_text("Would pass now")
    amount = re.compile(r"at most ([\d,.]+) IBM")
    expect(row).to_contain_text(amount)
    largest = amount.search(row.inner_text())
    assert largest is not None
    assert float(largest[1].replace(",", "")) == float(decision["max_allowed_now"]) > 0


def test_a_hand_on_stop_stops_everything_and_rearming_by_hand_starts_it_again(
    deck: RunningDeck, operator: Watched
) -> None:
    page = operator.page
    hint = page.get_by_text("Hold for one second to stop trading.")

    def hinted() -> bool:
        # It is there for some seconds, which a slow machine may sleep through.
        stop_button(page).click()
        return hint.is_visible()

    wait_for(hinted, "a click says how to stop")
    assert deck.get("/gate/stop")["stopped"] is False
    hold(page, stop_button(page))
    report = stop_report(page)
    expect(fact(report, "accepted since")).to_have_text("0")
    accepted = deck.get("/overview")["orders_accepted"]
    until_it_moves_on(deck, slices=6)
    expect(fact(report, "accepted since")).to_have_text("0")
    stopped = deck.get("/gate/stop")
    assert (stopped["stopped"], stopped["accepted_since"]) == (True, 0)
    assert deck.get("/overview")["orders_accepted"] == accepted
    go(page, "/risk")
    expect(stop_report(page)).to_be_visible()

    report.get_by_role("button", name="Re-arm").click()
    dialog = page.get_by_role("dialog", name="Re-arm trading")
    confirm = dialog.get_by_role("button", name="Re-arm", exact=True)
    dialog.get_by_label("Reason").fill("looked at it")
    dialog.get_by_label("Type the epoch").fill(str(stopped["epoch"] + 1))
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Type the epoch").fill(str(stopped["epoch"]))
    expect(confirm).to_be_disabled()
    dialog.get_by_label("I have read what resumes").check()
    confirm.click()
    expect(stop_report(page)).to_have_count(0, timeout=SOON_MS)
    assert deck.get("/gate/stop")["stopped"] is False


def test_stop_is_reached_and_pressed_with_the_keyboard_alone(
    deck: RunningDeck, operator: Watched
) -> None:
    page = operator.page
    expect(stop_button(page)).to_be_visible(timeout=SOON_MS)
    presses = 0
    while not stop_button(page).evaluate("element => element === document.activeElement"):
        presses += 1
        assert presses <= 40, "the focus never came to STOP"
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Press Enter once more to stop trading.")).to_be_visible()
    assert deck.get("/gate/stop")["stopped"] is False

    def stopped_by_enter() -> bool:
        # The button stays armed for some seconds, which a slow machine may sleep through.
        page.keyboard.press("Enter")
        with suppress(TooLate):
            stop_report(page).wait_for(timeout=2_000)
        return stop_report(page).is_visible()

    wait_for(stopped_by_enter, "Enter stops trading")
    expect(stop_report(page)).to_contain_text("Trading is stopped", timeout=SOON_MS)
    rearm(deck)
    expect(stop_report(page)).to_have_count(0, timeout=SOON_MS)


def test_an_alert_is_taken_on_by_a_click(deck: RunningDeck, operator: Watched) -> None:
    rule = {
        "rule_id": "journey", "category": "performance", "severity": "warning",
        "number": "performance.return_fraction", "comparison": "above", "threshold": -1.0,
        "subject": "trend", "text": "the journey's own alert",
    }  # fmt: skip
    status, answer = deck.call("POST", "/alerts/rules", {"rule": rule})
    assert status == 200, answer
    page = operator.page
    go(page, "/alerts")
    row = page.locator("tbody tr", has_text="the journey's own alert").first
    row.get_by_role("button", name="Take on").click(timeout=SOON_MS)
    expect(row).to_contain_text("acknowledged", timeout=SOON_MS)
    expect(row).to_contain_text("by operator")
    episodes = deck.get("/alerts?state=acknowledged")["episodes"]
    assert "the journey's own alert" in [episode["text"] for episode in episodes]
    status, answer = deck.call("DELETE", "/alerts/rules/journey")
    assert status == 200, answer


def test_a_telephone_shows_every_page_without_sideways_scrolling_and_with_stop_in_sight(
    deck: RunningDeck, browser: Browser, session: StorageState
) -> None:
    context = browser.new_context(
        viewport=TELEPHONE, storage_state=session, has_touch=True, is_mobile=True
    )
    watched = opened(context, deck)
    page = watched.page
    wrong = []
    for path in PAGES:
        go(page, path)
        width = page.evaluate(
            "Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)"
        )
        if width > TELEPHONE["width"]:
            wrong.append(f"{path} is {width} px wide")
        box = stop_button(page).bounding_box()
        if box is None or not (0 <= box["x"] <= 390 - box["width"] and 0 <= box["y"] <= 844):
            wrong.append(f"{path}: STOP is at {box}")
    hold(page, stop_button(page))
    context.close()
    assert wrong == []
    assert watched.complaints == []
    assert watched.foreign == []


@pytest.mark.parametrize(("size", "theme"), [(WIDE, "dark"), (TELEPHONE, "light")])
def test_no_page_breaks_a_rule_of_accessibility(
    deck: RunningDeck, browser: Browser, session: StorageState, size: ViewportSize, theme: str
) -> None:
    if not AXE.exists():
        named = "axe-core" in json.loads((ROOT / "web" / "package.json").read_text()).get(
            "devDependencies", {}
        )
        if named and shutil.which("npm") is not None:
            missing("axe-core is not installed in web/node_modules (scripts/build_ui installs it)")
        pytest.skip("axe-core is not among the dashboard's packages here")
    context = browser.new_context(viewport=size, storage_state=session)
    context.add_init_script(f"localStorage.setItem('quarterdeck.theme', '{theme}')")
    page = opened(context, deck).page
    broken = []
    for path in PAGES:
        go(page, path)
        broken += [f"{path} {found}" for found in axe_findings(page)]
    context.close()
    assert broken == []


def test_a_page_left_open_comes_back_by_itself_when_the_deck_was_started_again(
    deck: RunningDeck, browser: Browser, session: StorageState
) -> None:
    context = browser.new_context(viewport=WIDE, storage_state=session)
    page = opened(context, deck).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)
    page.evaluate("window.sameDocument = true")
    deck.end()
    expect(page.get_by_text("Offline", exact=True)).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("The line to the deck is down.")).to_be_visible()
    left = market_day(page).inner_text()
    again = start(deck.data_dir, "--speed", SPEED, "--port", str(urlsplit(deck.url).port))
    deck.process, deck.listener = again.process, again.listener
    again.wait_until_open()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)
    expect(market_day(page)).not_to_have_text(left, timeout=SOON_MS)
    assert page.evaluate("window.sameDocument") is True
    context.close()


@pytest.mark.parametrize("size", [WIDE, TELEPHONE])
def test_the_bar_with_stop_never_scrolls_off_the_screen(
    deck: RunningDeck, browser: Browser, session: StorageState, size: dict[str, int]
) -> None:
    context = browser.new_context(viewport=size, storage_state=session)  # type: ignore[arg-type]
    page = opened(context, deck).page
    for path in PAGES:
        page.goto(f"{deck.url}{path}")
        expect(stop_button(page)).to_be_visible(timeout=SOON_MS)
        settled(page)
        tall = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert tall <= 0, f"{path} is {tall} px higher than the window"
    context.close()
