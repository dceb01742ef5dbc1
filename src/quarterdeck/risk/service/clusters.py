"""Clusters as they are found: what each may lose, what was learned of it, and its limit at the gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from quarterdeck.kernel.money import MONEY_SCALE, from_units, text_of
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.risk.core.adapt import explained
from quarterdeck.risk.core.clusters import PairState, cluster_scale, correlation_within, groups_of
from quarterdeck.risk.core.condition import ConditionWeights, learned_from, nothing_learned
from quarterdeck.risk.core.joint import PortfolioForecast, Scenarios, forecast_portfolios
from quarterdeck.risk.core.limits import banded_limit
from quarterdeck.risk.core.tails import USUAL, Tails
from quarterdeck.risk.model import (
    Adaptation,
    BoundedCluster,
    ClusterChanged,
    ClusterChangeView,
    ClustersBounded,
    ClustersView,
    ClusterView,
    Condition,
    LimitEffect,
)
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.store import losses_of, shares_of
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODEL: Final = "cluster 1"
DIGITS: Final = 9
MOST: Final = 32
"""Clusters that are forecast and bounded, the first by their first member."""
CENTS: Final = Decimal("0.01")


class Cluster(msgspec.Struct):
    """What is kept of one cluster; ``var99`` is what its even spread was forecast to lose."""

    rows: tuple[int, ...]
    weights: ConditionWeights
    var99: float | None = None
    units: int | None = None
    multiplier: float = 1.0
    factors: dict[str, float] = {}


class Kept(msgspec.Struct):
    """All that is written down, in one row; ``said`` is what the gate was told last."""

    number: int = 0
    clusters: dict[str, Cluster] = {}
    said: tuple[BoundedCluster, ...] = ()


class Found(NamedTuple):
    """One cluster at the last close: its rows and its correlation lately and usually."""

    rows: tuple[int, ...]
    now: float
    usual: float


class Clusters:
    """Learners and limits by cluster, journaled; which instruments they are follows from the pairs."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        *,
        config: RiskSection,
        gross_ratio: float,
        tails: Tails = USUAL,
    ) -> None:
        self._symbols = symbols
        self._config = config
        self._gross_ratio = gross_ratio
        self._tails = tails
        self._kept = Kept()
        self._found: dict[str, Found] = {}
        self._forecast: PortfolioForecast | None = None
        self._held: Floats = np.zeros(0)

    def load(self, reader: Reader) -> None:
        """Take up what was learned and what is in force."""
        for row in reader.rows("risk.clusters"):
            self._kept = msgspec.json.decode(row["kept"], type=Kept)

    def refresh(self, pairs: PairState, past: Scenarios, *, held: Mapping[str, Floats]) -> None:
        """See who moves together and forecast it: spread evenly, and as the deck holds it."""
        self._found = {
            self._symbols[rows[0]]: Found(rows, *correlation_within(pairs, rows))
            for rows in groups_of(pairs)[:MOST]
        }
        deck = held.get(DECK, np.zeros(len(self._symbols)))
        lines = np.zeros((2, len(self._found), len(self._symbols)))
        for k, one in enumerate(self._found.values()):
            lines[0, k, list(one.rows)] = 1.0 / len(one.rows)
            lines[1, k, list(one.rows)] = deck[list(one.rows)]
        self._held = np.abs(lines[1]).sum(axis=1)
        self._forecast = None
        if self._found:
            flat = lines.reshape(-1, len(self._symbols))
            self._forecast = forecast_portfolios(past, flat, shares=False)

    def lost(self, loss: Floats) -> dict[str, float]:
        """Return what each known cluster, spread evenly, lost in a bar over its 99 % VaR."""
        found = {}
        for name, one in self._kept.clusters.items():
            moves = loss[list(one.rows)]
            if one.var99 is not None and one.var99 > 0.0 and np.isfinite(moves).all():
                mean = math.fsum(moves.tolist()) / len(one.rows)
                found[name] = round(mean / one.var99, DIGITS) + 0.0
        return found

    def follow(
        self, ratios: Mapping[str, float], equity: int, step: Step, *, mode: Adaptation
    ) -> None:
        """Learn from the bar, take up who moves together now, and move the limits."""
        for name, ratio in ratios.items():
            if mode is not Adaptation.FROZEN:
                one = self._kept.clusters[name]
                one.weights = learned_from(one.weights, np.array([ratio]))
        for name in [each for each in self._kept.clusters if each not in self._found]:
            self._part(name, step, mode=mode)
        for k, (name, found) in enumerate(self._found.items()):
            self._move(k, name, found, equity, step, mode=mode)
        if self._kept.clusters or ratios:
            self._keep(step)
        self.tell(step, mode=mode)

    def forget(self, step: Step) -> None:
        """Begin to learn anew; what is in force stays until the next slice, which cannot loosen it."""
        for one in self._kept.clusters.values():
            one.weights, one.factors = nothing_learned(Condition.VOLATILE), {}
        self._keep(step)

    def tell(self, step: Step, *, mode: Adaptation) -> None:
        """Tell the gate what holds now, if that is not what it was told last."""
        bounded: tuple[BoundedCluster, ...] = ()
        if mode is not Adaptation.SHADOW:
            bounded = tuple(
                BoundedCluster(name, one.rows, one.units, one.multiplier)
                for name, one in sorted(self._kept.clusters.items())
                if one.units is not None
            )
        if bounded != self._kept.said:
            self._kept.said = bounded
            step.say(ClustersBounded(at=step.at, slice=step.slice, clusters=bounded))
            self._keep(step)

    def bounds(self) -> tuple[str, ...]:
        """Return in words what the gate was told last."""
        return tuple(
            f"{'+'.join(self._symbols[row] for row in one.rows[:6])}: at most "
            f"{text_of(one.limit_units, MONEY_SCALE)} gross of all agents"
            for one in self._kept.said
        )

    def view(self) -> ClustersView:
        """Return the clusters by their first member."""
        return ClustersView(
            clusters=tuple(self._view(k, name) for k, name in enumerate(self._found))
        )

    def _keep(self, step: Step) -> None:
        step.write("risk.clusters_saved", kept=msgspec.json.encode(self._kept).decode())

    def _part(self, name: str, step: Step, *, mode: Adaptation) -> None:
        one = self._kept.clusters.pop(name)
        if one.units is not None:
            gone = one.units, None
            self._say(name, one, gone, "its members move apart", (), step, mode=mode)

    def _move(
        self, k: int, name: str, found: Found, equity: int, step: Step, *, mode: Adaptation
    ) -> None:
        one = self._kept.clusters.get(name)
        if one is None:
            one = Cluster(found.rows, nothing_learned(Condition.VOLATILE))
            self._kept.clusters[name] = one
        joined, one.rows = one.rows != found.rows, found.rows
        var = (
            float("nan")
            if self._forecast is None
            else float(self._forecast.var[k, self._tails.at99])
        )
        one.var99 = round(var, DIGITS) + 0.0 if var == var else None
        hard = max(0, int(self._gross_ratio * equity))
        if not hard:
            # Without an agent's record there is no person's limit of money to scale.
            return
        factors = {
            "learned": one.weights.held,
            "correlation": round(cluster_scale(found.now, found.usual, len(found.rows)), DIGITS),
            "equity": float(hard),
        }
        scale = factors["learned"] * factors["correlation"]
        over, under = scale.as_integer_ratio()
        before = one.units
        units = banded_limit(
            None if before is None else min(before, hard),
            hard * over // under,
            band=self._config.limit_band_fraction,
            loosening=0.0 if mode is Adaptation.FROZEN else self._config.credit_loosening,
            hard_limit_units=hard,
        )
        if units == before and not joined:
            return
        total = math.log(max(units, 1) / max(hard if before is None else before, 1))
        causes = explained(one.factors or None, factors, total)
        one.units, one.multiplier, one.factors = units, scale, factors
        text = (
            f"{scale:.0%} of {self._gross_ratio:g} times the equity of all agents; "
            f"correlation {found.now:.2f}, usually {found.usual:.2f}"
        )
        self._say(name, one, (before, units), text, causes, step, mode=mode)

    def _say(
        self,
        name: str,
        one: Cluster,
        moved: tuple[int | None, int | None],
        text: str,
        causes: Sequence[tuple[str, float]],
        step: Step,
        *,
        mode: Adaptation,
    ) -> None:
        self._kept.number += 1
        members = tuple(self._symbols[row] for row in one.rows)
        before, after = moved
        loss = None if one.var99 is None or after is None else int(one.var99 * after)
        change = ClusterChanged(
            at=step.at,
            slice=step.slice,
            number=self._kept.number,
            cluster=name,
            members=members,
            previous_units=before,
            limit_units=after,
            multiplier=one.multiplier,
            in_force=mode is not Adaptation.SHADOW,
            because=f"{', '.join(members[:12])}: {text}",
            effects=tuple(LimitEffect(cause, size) for cause, size in causes),
            model=MODEL,
            loss99_units=loss,
        )
        effects = msgspec.json.encode(change.effects).decode()
        row = msgspec.structs.asdict(change)
        row |= {"effects": effects, "members": msgspec.json.encode(members).decode()}
        row["in_force"] = int(change.in_force)
        step.write("risk.cluster_change_saved", **row)
        step.record(
            "paper",
            "cluster_changed",
            cluster=name,
            limit="parted" if after is None else text_of(after, MONEY_SCALE),
            in_force=change.in_force,
            because=change.because,
            effects=effects,
            model=MODEL,
        )
        step.say(change)

    def _view(self, k: int, name: str) -> ClusterView:
        found, one = self._found[name], self._kept.clusters.get(name)
        forecast, held = self._forecast, k + len(self._found)
        unknown = np.full(len(self._tails.levels), np.nan)
        spread, lost = (unknown, unknown), (unknown, unknown)
        if forecast is not None:
            spread = forecast.var[k], forecast.es[k]
            lost = forecast.var[held], forecast.es[held]
        shares, money = shares_of(self._tails, *spread), losses_of(self._tails, *lost)
        at95, at99 = self._tails.at95, self._tails.at99
        units = None if one is None else one.units
        return ClusterView(
            cluster=name,
            members=tuple(self._symbols[row] for row in found.rows),
            correlation=found.now,
            usual_correlation=found.usual,
            var95=shares[at95].var,
            es95=shares[at95].es,
            var99=shares[at99].var,
            es99=shares[at99].es,
            held=_money(float(self._held[k])),
            held_var95=money[at95].var,
            held_es95=money[at95].es,
            held_var99=money[at99].var,
            held_es99=money[at99].es,
            levels=shares,
            held_levels=money,
            multiplier=None if units is None or one is None else one.multiplier,
            learned=None if one is None else one.weights.held,
            bars=0 if one is None else one.weights.bars,
            limit=None if units is None else from_units(units, MONEY_SCALE),
            in_force=any(each.name == name for each in self._kept.said),
        )


def cluster_change_of(row: Mapping[str, Any]) -> ClusterChangeView:
    """Return the view of one row of ``risk_cluster_changes``."""
    amounts = {
        name: None if row[column] is None else from_units(row[column], MONEY_SCALE)
        for name, column in (
            ("previous", "previous_units"),
            ("limit", "limit_units"),
            ("loss99", "loss99_units"),
        )
    }
    return ClusterChangeView(
        number=row["number"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        cluster=row["cluster"],
        members=msgspec.json.decode(row["members"], type=tuple[str, ...]),
        multiplier=row["multiplier"],
        in_force=bool(row["in_force"]),
        because=row["because"],
        effects=msgspec.json.decode(row["effects"], type=tuple[LimitEffect, ...]),
        model=row["model"],
        **amounts,
    )


def _money(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(CENTS)
