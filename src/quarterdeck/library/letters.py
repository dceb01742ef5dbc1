"""Small letters for pictures: five columns of seven dots each, so that a picture needs no other package."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_COLUMNS: Final = (
    "0:3e5149453e 1:00427f4000 2:4261514946 3:2141454b31 4:1814127f10 5:2745454539 6:3c4a494930 "
    "7:0171090503 8:3649494936 9:064949291e a:2054545478 b:7f48444438 c:3844444420 d:384444487f "
    "e:3854545418 f:087e090102 g:0c5252523e h:7f08040478 i:00447d4000 j:2040443d00 k:7f10284400 "
    "l:00417f4000 m:7c04180478 n:7c08040478 o:3844444438 p:7c14141408 q:081414187c r:7c08040408 "
    "s:4854545420 t:043f444020 u:3c4040207c v:1c2040201c w:3c4030403c x:4428102844 y:0c5050503c "
    "z:4464544c44 -:0808080808 .:0060600000 /:2010080402"
)
_DOTS: Final = {
    glyph[0]: np.array(
        [
            [(int(glyph[2 + 2 * k : 4 + 2 * k], 16) >> row) & 1 for k in range(5)]
            for row in range(8)
        ],
        dtype=np.bool_,
    )
    for glyph in _COLUMNS.split()
}
_BLANK: Final = np.zeros((8, 5), dtype=np.bool_)

HEIGHT: Final = 16
"""Pixels from the top of a line of text to its foot."""


def written(text: str) -> npt.NDArray[np.bool_]:
    """Return ``text`` in small letters as dots (16, 12 a letter); a space for what has no letter here."""
    columns = [
        part
        for letter in text.lower()
        for part in (_DOTS.get(letter, _BLANK), np.zeros((8, 1), dtype=np.bool_))
    ]
    dots = np.concatenate(columns, axis=1) if columns else np.zeros((8, 0), dtype=np.bool_)
    return np.repeat(np.repeat(dots, 2, axis=0), 2, axis=1)
