"""The learned limits of all instruments: one move a slice, every change told with its causes."""

from __future__ import annotations

from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.risk.core.explain import MODEL, Basis, effects
from quarterdeck.risk.core.limits import banded_limit, position_limit
from quarterdeck.risk.model import LimitEffect, LimitsChanged
from quarterdeck.risk.store import effects_text
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

STRESSED = (Regime.VOLATILE, Regime.BREAKDOWN)
"""The regimes in which a learned limit is scaled down further."""


class LearnedLimits:
    """One limit per instrument, the same for each agent, with what it rests on; all journaled."""

    def __init__(
        self, symbols: tuple[str, ...], *, config: RiskSection, capital_units: int, hard_units: int
    ) -> None:
        self._symbols = symbols
        self._config = config
        self._capital_units = capital_units
        self._hard_units = hard_units
        self._held: dict[int, tuple[int, int, Basis]] = {}
        self._regimes: dict[int, Regime] = {}
        self._version = 0

    def load(self, reader: Reader) -> None:
        """Take up limits, their grounds and the regimes."""
        for row in reader.rows("risk.limits"):
            instrument = int(row["instrument"])
            self._regimes[instrument] = Regime(row["regime"])
            if row["position_limit_units"] is not None:
                basis = Basis(
                    float(row["volatility"]),
                    float(row["var99"]),
                    float(row["stress"]),
                    float(row["response"]),
                    float(row["condition"]),
                )
                units = int(row["position_limit_units"])
                self._held[instrument] = (int(row["version"]), units, basis)
        self._version = int(reader.rows("risk.last_version")[0]["version"])

    def in_force(self, row: int) -> tuple[int, int | None]:
        """Return version and money units of an instrument's limit; 0 and None before the first."""
        version, units, _ = self._held.get(row, (0, None, None))
        return version, units

    def stress(self, row: int) -> float:
        """Return what the present regime multiplies budget and size by."""
        stressed = self._regimes.get(row, Regime.UNDETERMINED) in STRESSED
        return self._config.stressed_regime_multiplier if stressed else 1.0

    def follow(self, row: int, regime: Regime, step: Step) -> None:
        """Take up a new regime; the limit moves at the next bar."""
        self._regimes[row] = regime
        self._save(row, step)

    def move(
        self,
        row: int,
        *,
        volatility: float,
        var99: float,
        multiplier: float,
        response: float,
        condition: float,
        step: Step,
    ) -> None:
        """Move the limit of one instrument if its forecast asks for it; NaN asks for nothing."""
        if var99 != var99:
            return
        basis = Basis(volatility, var99, self.stress(row), response, condition)
        factor = basis.stress * basis.response * basis.condition
        budget = self._config.position_var99_budget_fraction * factor
        proposed = position_limit(
            var99=var99,
            budget_fraction=budget,
            capital_units=self._capital_units,
            hard_limit_units=self._hard_units,
        )
        _, held, before = self._held.get(row, (0, None, None))
        units = banded_limit(
            held,
            proposed,
            band=self._config.limit_band_fraction,
            loosening=self._config.limit_loosening_fraction,
            hard_limit_units=self._hard_units,
        )
        if units == held:
            return
        self._version += 1
        self._held[row] = (self._version, units, basis)
        self._save(row, step)
        causes = effects(
            before,
            basis,
            units_before=self._hard_units if held is None else held,
            units_after=units,
        )
        self._say(
            LimitsChanged(
                at=step.at,
                slice=step.slice,
                version=self._version,
                instrument=row,
                symbol=self._symbols[row],
                position_limit_units=units,
                previous_units=held,
                multiplier=multiplier,
                var99_fraction=var99,
                because=self._because(row, basis, budget),
                effects=tuple(LimitEffect(one.cause, one.log_change) for one in causes),
                model=MODEL,
                loss99_units=int(var99 * units),
            ),
            step,
        )

    def _because(self, row: int, basis: Basis, budget: float) -> str:
        said = f"99 % VaR {basis.var99:.2%} a bar, budget {budget:.2%} of capital"
        if basis.stress != 1.0:
            said += f" ({self._regimes[row].value} regime)"
        return said if basis.response == 1.0 else f"{said}, tightened by a risk event"

    @staticmethod
    def _say(change: LimitsChanged, step: Step) -> None:
        step.write(
            "risk.limit_change_saved",
            version=change.version,
            slice=change.slice,
            at=change.at,
            symbol=change.symbol,
            position_limit_units=change.position_limit_units,
            previous_units=change.previous_units,
            multiplier=change.multiplier,
            var99=change.var99_fraction,
            because=change.because,
            effects=effects_text(change.effects),
            model=change.model,
            loss99_units=change.loss99_units,
        )
        step.record(
            "paper",
            "limit_changed",
            symbol=change.symbol,
            version=change.version,
            limit=text_of(change.position_limit_units, MONEY_SCALE),
            because=change.because,
            effects=effects_text(change.effects),
            model=change.model,
            loss99=text_of(change.loss99_units, MONEY_SCALE),
        )
        step.say(change)

    def _save(self, row: int, step: Step) -> None:
        version, units, basis = self._held.get(row, (0, None, None))
        step.write(
            "risk.limit_saved",
            instrument=row,
            symbol=self._symbols[row],
            version=version,
            position_limit_units=units,
            regime=self._regimes.get(row, Regime.UNDETERMINED).value,
            at=step.at,
            volatility=None if basis is None else basis.volatility,
            var99=None if basis is None else basis.var99,
            stress=None if basis is None else basis.stress,
            response=None if basis is None else basis.response,
            condition=None if basis is None else basis.condition,
        )
