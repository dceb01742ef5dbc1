"""A deck that keeps several timeframes: one can be chosen on the page, and every panel speaks of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.journeys.browsers import PATIENCE_MS, Watched, axe_findings, chromium, find_chromium
from tests.journeys.decks import RunningDeck, launch, opened

pytestmark = [pytest.mark.journey, pytest.mark.slow]

WIDE: ViewportSize = {"width": 1440, "height": 900}
TELEPHONE: ViewportSize = {"width": 390, "height": 844}
SOON_MS = PATIENCE_MS


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    folder: Path = tmp_path_factory.mktemp("timeframes")
    config = folder / "quarterdeck.toml"
    config.write_text(
        '[market]\ntimeframes = ["5m"]\nsession = "17:00-15:15 America/Chicago"\n', encoding="utf-8"
    )
    command = ["-m", "quarterdeck", "serve", "--config", str(config), "--feed", "replay:es_1m"]
    command += ["--data-dir", str(folder / "deck"), "--port", "0", "--speed", "max"]
    with opened(launch(folder / "deck", *command)) as started:
        yield started


def test_the_market_page_speaks_of_the_timeframe_that_was_chosen(deck: RunningDeck) -> None:
    path = find_chromium()
    if path is None:
        assert not os.environ.get("CI"), "continuous integration must not go without Chromium"
        pytest.skip("there is no Chromium on PATH")
    assert deck.get("/regimes")["timeframes"] == ["1m", "5m"]
    with chromium(path) as browser:
        page = browser.new_page(viewport=WIDE)
        watched = Watched(page, deck.url).watch()
        page.goto(f"{deck.url}/login?token={deck.token}")
        expect(page.get_by_role("button", name="Stop all trading")).to_be_visible(timeout=SOON_MS)
        page.goto(f"{deck.url}/market")
        titles = ("Regimes", "All instruments together", "Regime statistics", "Calibration")
        for timeframe, size in (("5m", WIDE), ("1m", TELEPHONE), ("5m", TELEPHONE)):
            page.set_viewport_size(size)
            page.get_by_label("Bars of").select_option(timeframe)
            for title in titles:
                panel = page.get_by_role("region", name=title, exact=True)
                told = panel.get_by_text(f"bars of {timeframe}")
                expect(told).to_be_visible(timeout=SOON_MS)
            assert axe_findings(page) == []
        assert watched.complaints == []
