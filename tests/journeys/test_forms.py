"""The forms that open beside a row, used and judged while they are open, in a browser of both sizes.

The books really differ: another process trades on the account at the remote venue of the deck.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, expect

from quarterdeck.adapters.brokers.reach import Reach
from quarterdeck.execution.model.broker import BrokerOrder
from quarterdeck.kernel.vocabulary import Side
from tests.journeys.browsers import AXE, axe_findings, chromium, find_chromium
from tests.journeys.decks import RunningDeck, launch, opened, wait_for, wait_until_trading
from tests.journeys.test_dashboard import SOON_MS, TELEPHONE, WIDE, missing, settled, stop_button

pytestmark = [pytest.mark.journey, pytest.mark.slow]

CONFIG = """\
[broker]
venue = "remote_paper"

[run]
warm_up_bars = 5
"""
SIZES = [(WIDE, "dark"), (TELEPHONE, "light")]


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    folder = tmp_path_factory.mktemp("forms")
    config = folder / "quarterdeck.toml"
    config.write_text(CONFIG, encoding="utf-8")
    data_dir = folder / "deck"
    command = ("serve", "--config", str(config), "--data-dir", str(data_dir), "--port", "0")
    with opened(launch(data_dir, "-m", "quarterdeck", *command, "--speed", "2")) as started:
        wait_until_trading(started)
        trade_behind_its_back(data_dir)
        wait_for(lambda: started.get("/broker")["differences"], "the books differ")
        yield started


def trade_behind_its_back(data_dir: Path) -> None:
    """Buy on the deck's account, as somebody else who has its credentials."""
    reach = msgspec.json.decode((data_dir / "venue.json").read_bytes(), type=Reach)

    async def buy() -> None:
        async with reach.venue(data_dir / "venue.requests") as venue:
            lot = reach.instruments[0].lot_units
            order = BrokerOrder(
                client_id="somebody-else", instrument=0, side=Side.BUY, quantity=3 * lot
            )
            await venue.submit(order)

    asyncio.run(buy())


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
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(f"{deck.url}/login?token={deck.token}")
    expect(stop_button(page)).to_be_visible(timeout=SOON_MS)
    kept = context.storage_state()
    context.close()
    return kept


def open_adjust(page: Page, deck: RunningDeck) -> None:
    """Open the form of a difference, with everything that it can ask."""
    page.goto(f"{deck.url}/trading")
    settled(page)
    page.get_by_role("button", name="Adjust position").first.click(timeout=SOON_MS)
    form = page.get_by_role("form", name="Adjust position")
    expect(form.get_by_label("Why?")).to_be_focused()
    form.get_by_label("Booked to").select_option(index=1)
    expect(form.get_by_label("Price")).to_be_visible()
    expect(form.get_by_role("button", name="Adjust")).to_be_disabled()


def open_stop(page: Page, deck: RunningDeck) -> None:
    """Open the form by which a person stops one agent or instrument."""
    page.goto(f"{deck.url}/risk")
    settled(page)
    page.get_by_label("Stop only").select_option(index=1, timeout=SOON_MS)
    page.get_by_role("button", name=re.compile("^Stop (?!all)")).click()
    expect(page.get_by_label("Why?")).to_be_focused()


@pytest.mark.parametrize(("size", "theme"), SIZES, ids=["desktop", "telephone"])
def test_no_open_form_breaks_a_rule_of_accessibility(
    deck: RunningDeck,
    browser: Browser,
    session: StorageState,
    size: ViewportSize,
    theme: str,
    tmp_path: Path,
) -> None:
    if not AXE.exists():
        missing("axe-core is not installed in web/node_modules (scripts/build_ui installs it)")
    context = browser.new_context(viewport=size, storage_state=session)
    context.add_init_script(f"localStorage.setItem('quarterdeck.theme', '{theme}')")
    page = context.new_page()
    broken, wide = [], []
    for name, opens in (("adjust", open_adjust), ("stop", open_stop)):
        opens(page, deck)
        page.screenshot(path=tmp_path / f"{name}.png")
        broken += [f"{name} {found}" for found in axe_findings(page)]
        width = page.evaluate("document.documentElement.scrollWidth")
        wide += [f"{name} is {width} px wide"] if width > size["width"] else []
    context.close()
    assert broken == []
    assert wide == []


def test_a_difference_is_booked_with_the_keyboard_alone_and_leaves_the_page(
    deck: RunningDeck, browser: Browser, session: StorageState
) -> None:
    context = browser.new_context(viewport=WIDE, storage_state=session)
    page = context.new_page()
    open_adjust(page, deck)
    form = page.get_by_role("form", name="Adjust position")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    page.get_by_role("button", name="Adjust position").first.click()
    page.keyboard.type("somebody else traded")
    page.keyboard.press("Enter")
    expect(form).to_have_count(0, timeout=SOON_MS)
    booked = deck.get("/broker/adjustments")["adjustments"]
    context.close()
    assert [each["reason"] for each in booked][:1] == ["somebody else traded"]
