"""Fits that are handed in: judged in their step, journaled, and an expert from the next bar on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.risk.core.bank import BankState
from quarterdeck.risk.core.filters import FITTED
from quarterdeck.risk.core.fitted import LOSS_SLACK, NEED, Fit, judged, rounded, take_fit, unsound
from quarterdeck.risk.core.joint import JointState, log_returns
from quarterdeck.risk.core.tails import Tails
from quarterdeck.risk.model import FitsView, FittedGjr, FitView, TakeFits
from quarterdeck.runtime.paging import unknown_symbol
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

DIGITS: Final = 9
MAX_MODEL: Final = 80
RECORDED: Final = 40
"""Symbols named in one record of the audit chain."""


class Taken(msgspec.Struct, frozen=True):
    """One fit as it is kept; ``slice`` is the last one before it, so that the next is its first."""

    slice: int
    at: Nanos
    symbol: str
    accepted: bool
    reason: str
    bars: int
    loss: float | None
    plain_loss: float | None
    parameters: tuple[float, ...]
    model: str


class Fitting:
    """Keeps the latest fit of each instrument and those that wait for the next slice; all journaled."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        *,
        every: int,
        tails: Tails,
        bank: BankState,
        joint: JointState,
    ) -> None:
        self._symbols = symbols
        self._every = every
        self._tails = tails
        self._bank = bank
        self._joint = joint
        self._number = 0
        self._latest: dict[str, Taken] = {}
        self._waiting: list[Taken] = []

    def load(self, reader: Reader) -> None:
        """Take up the latest fits, and every one that was let in: slices are fed again."""
        rows = [_taken(row) for row in reader.rows("risk.fits")]
        self._number = len(rows)
        self._latest = {one.symbol: one for one in rows}
        self._waiting = [one for one in rows if one.accepted]

    def restored(self) -> None:
        """Forget the fits that a checkpoint has in it."""
        done = int(self._joint.slices[0]) - 1
        self._waiting = [one for one in self._waiting if one.slice >= done]

    def enter(self) -> None:
        """Let the fits in that came after the last slice, before the present one is absorbed."""
        last = int(self._joint.slices[0]) - 1
        for one in self._waiting:
            if one.slice == last:
                row = self._symbols.index(one.symbol)
                take_fit(self._bank, row, Fit(*one.parameters), log_returns(self._joint, row))
        if self._waiting:
            self._waiting = [one for one in self._waiting if one.slice > last]

    def due(self, slice_index: int) -> bool:
        """Return whether the deck should fit anew after a slice."""
        if not self._every or slice_index < NEED:
            return False
        last = max((one.slice for one in self._latest.values()), default=-self._every)
        return slice_index - last >= self._every

    def returns(self) -> dict[str, Floats]:
        """Return the log returns of every instrument that has enough for a fit, oldest first."""
        found = {symbol: log_returns(self._joint, row) for row, symbol in enumerate(self._symbols)}
        return {symbol: values for symbol, values in found.items() if values.size >= NEED}

    def take(self, command: TakeFits, step: Step) -> FitsView:
        """Judge what was handed in; what is not let in is told and leaves the one before in force."""
        self._check(command)
        taken = [self._judged(one, command.model.strip(), step) for one in command.fits]
        for one in taken:
            self._number += 1
            self._latest[one.symbol] = one
            if one.accepted:
                self._waiting.append(one)
            row = msgspec.structs.asdict(one)
            row |= {"accepted": int(one.accepted)}
            row["parameters"] = msgspec.json.encode(one.parameters).decode()
            step.write("risk.fit_saved", number=self._number, **row)
        step.record(
            "paper",
            "fits_taken",
            model=command.model.strip(),
            accepted=_named([one.symbol for one in taken if one.accepted]),
            refused=_named([one.symbol for one in taken if not one.accepted]),
        )
        return self.view()

    def view(self) -> FitsView:
        """Return the latest fit of every instrument."""
        rows = {symbol: row for row, symbol in enumerate(self._symbols)}
        return FitsView(
            every_bars=self._every,
            fits=tuple(
                self._view(rows[symbol], one) for symbol, one in sorted(self._latest.items())
            ),
        )

    def _check(self, command: TakeFits) -> None:
        if not self._every:
            raise Conflict(
                "this deck has no fitted expert",
                field="risk.fitted_every_bars",
                value="0",
                accepted="a deck started with it above 0",
            )
        named = [one.symbol for one in command.fits]
        for symbol in named:
            if symbol not in self._symbols:
                raise unknown_symbol(symbol, self._symbols)
        if not named or len(set(named)) != len(named):
            raise InvalidInput.of("fits", ", ".join(named)[:80], "at least one, each symbol once")
        if not 0 < len(command.model.strip()) <= MAX_MODEL:
            raise InvalidInput.of("model", command.model[:80], f"1 to {MAX_MODEL} characters")

    def _judged(self, given: FittedGjr, model: str, step: Step) -> Taken:
        fit = rounded(
            Fit(given.mean, given.base, given.shock, given.fall_shock, given.memory, given.freedom)
        )
        row = self._symbols.index(given.symbol)
        reason, losses = unsound(fit), None
        returns = log_returns(self._joint, row)
        if reason is None and returns.size < NEED:
            reason = f"not enough data: {returns.size} of {NEED} returns"
        elif reason is None:
            losses = judged(self._bank, fit, returns)
            # A comparison that NaN fails, too.
            if not losses.fitted <= losses.plain + LOSS_SLACK:
                reason = (
                    f"it lost {losses.fitted:.4g} a bar, the recursion that is not fitted "
                    f"{losses.plain:.4g}"
                )
        return Taken(
            slice=step.slice,
            at=step.at,
            symbol=given.symbol,
            accepted=reason is None,
            reason=reason or "",
            bars=returns.size,
            loss=None if losses is None else _known(losses.fitted),
            plain_loss=None if losses is None else _known(losses.plain),
            parameters=tuple(fit),
            model=model,
        )

    def _view(self, row: int, one: Taken) -> FitView:
        weights: list[float | None] = [None, None]
        if self._bank.prior.size > FITTED:
            found = self._bank.weight[row, [self._tails.at95, self._tails.at99], FITTED]
            weights = [weight if weight > 0.0 else None for weight in found.tolist()]
        fit = Fit(*one.parameters)
        return FitView(
            symbol=one.symbol,
            at=rfc3339(one.at),
            slice=one.slice,
            accepted=one.accepted,
            reason=one.reason,
            bars=one.bars,
            loss=one.loss,
            plain_loss=one.plain_loss,
            **fit._asdict(),
            model=one.model,
            weight95=weights[0],
            weight99=weights[1],
        )


def _taken(row: Mapping[str, Any]) -> Taken:
    return Taken(
        slice=row["slice"],
        at=Nanos(row["at"]),
        symbol=row["symbol"],
        accepted=bool(row["accepted"]),
        reason=row["reason"],
        bars=row["bars"],
        loss=row["loss"],
        plain_loss=row["plain_loss"],
        parameters=msgspec.json.decode(row["parameters"], type=tuple[float, ...]),
        model=row["model"],
    )


def _known(loss: float) -> float | None:
    return round(loss, DIGITS) + 0.0 if abs(loss) < float("inf") else None


def _named(symbols: list[str]) -> str:
    more = f" and {len(symbols) - RECORDED} more" if len(symbols) > RECORDED else ""
    return ", ".join(symbols[:RECORDED]) + more
