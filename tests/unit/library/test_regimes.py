"""The library tells the deck's regimes of any bars, at once or one by one, and draws them."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.cli import main
from quarterdeck.data import DAILY_US, path_of
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.library.plot import HEIGHT, LEGEND, WIDTH, ribbon
from quarterdeck.regime.core.features import MIN_BARS
from quarterdeck.regime.core.history import spans_of, statistics_of


@pytest.fixture(scope="module")
def found():
    return qd.detect_regimes(qd.read_bars(path_of(DAILY_US), symbols=["SPX", "AAPL"]))


def test_one_by_one_gives_what_the_whole_history_gives(found) -> None:
    bars = qd.read_bars(path_of(DAILY_US), symbols=["SPX", "AAPL"])
    detector = qd.RegimeDetector(2)
    for t, one in enumerate(qd.slices(bars)):
        if t == 600:
            break
        told = detector.update((one.open, one.high, one.low, one.close, one.volume), rows=one.rows)
        for now, history in zip(told, found.values(), strict=True):
            assert now.regime is history.regimes[t]
            assert now.confidence == history.confidence(t)
            assert (now.reason is None) is (now.regime is not Regime.UNDETERMINED)


def test_before_enough_bars_the_reason_is_said() -> None:
    one = np.ones(1)
    (now,) = qd.RegimeDetector(1).update((one, one, one, one, one))
    assert (now.regime, now.confidence, now.level) == (Regime.UNDETERMINED, None, None)
    assert now.reason == f"not enough data: 1 of {MIN_BARS} bars"


@pytest.mark.parametrize(
    "bars",
    [
        ([1.0], [1.0], [1.0], [1.0]),
        ([1.0], [1.0], [1.0], [np.nan], [1.0]),
        ([1.0], [1.0], [0.0], [1.0], [1.0]),
        ([1.0], [0.9], [0.9], [1.0], [1.0]),
        ([1.0, 2.0], [2.0], [1.0], [1.0], [1.0]),
    ],
)
def test_a_bar_that_cannot_be_is_refused_and_changes_nothing(bars) -> None:
    detector, one = qd.RegimeDetector(1), np.ones(1)
    with pytest.raises(InvalidInput):
        detector.update(tuple(np.array(column) for column in bars))
    (now,) = detector.update((one, one, one, one, one))
    assert now.reason == f"not enough data: 1 of {MIN_BARS} bars"


def test_the_figures_of_a_history_are_those_of_its_spans(found) -> None:
    labels = found["SPX"].labels
    statistics = found["SPX"].statistics()
    known = labels[labels >= 0]
    for k in range(len(REGIMES)):
        assert statistics.frequency[k] == pytest.approx((known == k).mean())
        left = statistics.transitions[k]
        assert np.isnan(left).all() or left.sum() == pytest.approx(1.0)
        assert not left[k] > 0.0
    assert statistics.spans.sum() == (np.diff(known) != 0).sum() + 1
    whole = [span.last - span.first + 1 for span in spans_of(labels)]
    assert sum(whole) == known.size


def test_no_history_has_no_figures() -> None:
    statistics = statistics_of(spans_of(np.full(5, -1)))
    assert statistics.spans.sum() == 0
    assert np.isnan(statistics.duration).all()
    assert spans_of(np.empty(0, dtype=np.int64)) == []


def test_a_picture_shows_every_regime_it_has_in_its_colour() -> None:
    labels = np.repeat(np.arange(-1, 9), 100)
    told = {"symbol": "A", "first": "2020-01-01", "last": "2020-02-01"}
    content = ribbon(np.exp(np.linspace(0.0, 0.1, labels.size)), labels, **told)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (WIDTH, HEIGHT + LEGEND)
    size = struct.unpack(">I", content[33:37])[0]
    rows = np.frombuffer(zlib.decompress(content[41 : 41 + size]), dtype=np.uint8)
    pixels = rows.reshape(HEIGHT + LEGEND, 1 + 3 * WIDTH)[:, 1:]
    for part in (pixels[:HEIGHT], pixels[HEIGHT:]):
        assert len(np.unique(part.reshape(-1, 3), axis=0)) == 11
    with pytest.raises(NotEnoughData):
        ribbon(np.ones(1), np.zeros(1, dtype=np.int64), **told)


def test_the_commands_tell_what_the_library_tells(found, tmp_path, capsys) -> None:
    file, picture = str(path_of(DAILY_US)), tmp_path / "out.png"
    chosen = [file, "--symbols", "SPX", "--last", "2", "--json"]
    assert main(["regimes", *chosen, "--plot", str(picture)]) == 0
    lines = json.loads(capsys.readouterr().out)["SPX"]
    assert [line["regime"] for line in lines] == [r.value for r in found["SPX"].regimes[-2:]]
    assert lines[-1]["confidence"] == found["SPX"].confidence(-1)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert main(["indicators", *chosen]) == 0
    assert 0.0 < json.loads(capsys.readouterr().out)["SPX"][-1]["rsi"] < 100.0


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--last", "0"], "--last"),
        (["--plot", "out.png"], "--plot"),
        (["--symbols", "NONE"], "NONE"),
        (["--symbols", "SPX", "--plot", "no/such/folder.png"], "--plot"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(more, named, capsys) -> None:
    assert main(["regimes", str(path_of(DAILY_US)), *more]) == 1
    assert named in capsys.readouterr().err
