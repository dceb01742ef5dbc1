"""A picture of prices with a ribbon of regimes, as the bytes of a PNG file."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import NotEnoughData
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.library import letters
from quarterdeck.maths.arrays import Floats, Ints

Pixels = npt.NDArray[np.uint8]

WIDTH: Final = 1_200
HEIGHT: Final = 480
MARGIN: Final = 16
LEGEND: Final = 72
"""Pixels below the prices, for their name and the colours'."""

COLOURS: Final[dict[Regime, tuple[str, tuple[int, int, int]]]] = {
    Regime.TRENDING_UP: ("green", (139, 197, 120)),
    Regime.TRENDING_DOWN: ("red", (226, 120, 110)),
    Regime.RANGING: ("sand", (226, 212, 170)),
    Regime.VOLATILE: ("purple", (184, 140, 214)),
    Regime.LOW_VOLATILITY: ("pale blue", (190, 220, 240)),
    Regime.BREAKOUT: ("teal", (72, 172, 160)),
    Regime.BREAKDOWN: ("dark red", (160, 50, 60)),
    Regime.RECOVERY: ("orange", (244, 176, 90)),
    Regime.UNDETERMINED: ("grey", (228, 228, 228)),
}
"""What each regime is painted in, by name and as red, green and blue."""

_INK = (30, 36, 48)


def ribbon(close: Floats, labels: Ints, *, symbol: str, first: str, last: str) -> bytes:
    """Return a PNG of the closes, on a logarithmic scale, over their regimes; -1 stays white.

    Below it stand what was drawn, from ``first`` to ``last``, and what each colour means; at the left its
    highest and lowest close.
    """
    if close.size < 2:
        raise NotEnoughData("closes to draw", have=close.size, need=2)
    picture: Pixels = np.full((HEIGHT + LEGEND, WIDTH, 3), 255, dtype=np.uint8)
    inner = WIDTH - 2 * MARGIN
    bar_of = np.arange(inner) * close.size // inner
    palette = np.array([rgb for _, rgb in COLOURS.values()] + [(255, 255, 255)], dtype=np.uint8)
    picture[MARGIN : HEIGHT - MARGIN, MARGIN:-MARGIN] = palette[labels[bar_of]][None, :, :]
    x = np.log(close)
    low, span = float(x.min()), max(float(np.ptp(x)), 1e-12)
    level = HEIGHT - 2 * MARGIN - 9
    y = (MARGIN + 4 + (1.0 - (x - low) / span) * level).astype(np.int64)
    for column in range(inner):
        # All closes from the column before to this one, so that the line has no holes.
        begin = max(int(bar_of[column - 1]) if column else 0, 0)
        piece = y[begin : int(bar_of[column]) + 1]
        picture[piece.min() : piece.max() + 2, MARGIN + column] = _INK
    _write(picture, f"{close.max():.6g}", x=MARGIN + 4, y=MARGIN + 4)
    _write(picture, f"{close.min():.6g}", x=MARGIN + 4, y=HEIGHT - MARGIN - letters.HEIGHT)
    _write(picture, f"{symbol}  {first} - {last}", x=MARGIN, y=HEIGHT - 8)
    _legend(picture)
    return png(picture)


def _legend(picture: Pixels) -> None:
    """Write what each colour means, in rows of five."""
    step = (WIDTH - 2 * MARGIN) // 5
    for place, (regime, (_, rgb)) in enumerate(COLOURS.items()):
        x, y = MARGIN + place % 5 * step, HEIGHT + 18 + place // 5 * 24
        picture[y : y + 14, x : x + 20] = rgb
        _write(picture, regime.value.replace("_", " "), x=x + 26, y=y - 1)


def _write(picture: Pixels, text: str, *, x: int, y: int) -> None:
    dots = letters.written(text)[:, : WIDTH - MARGIN - x]
    picture[y : y + letters.HEIGHT, x : x + dots.shape[1]][dots] = _INK


def png(picture: Pixels) -> bytes:
    """Return ``picture`` (height, width, 3) as a PNG file."""
    height, width, _ = picture.shape
    rows = np.concatenate(
        (np.zeros((height, 1), dtype=np.uint8), picture.reshape(height, width * 3)), axis=1
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
    )
