"""Instruments that move together, what they may lose, and what may be held of them."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.model.forecasts import LevelLoss, LevelRisk
from quarterdeck.risk.model.limits import LimitEffect


class BoundedCluster(msgspec.Struct, frozen=True):
    """One cluster as the gate holds orders to it.

    ``rows`` are its instruments, ``limit_units`` the largest gross exposure of all agents in it, and
    ``multiplier`` in (0, 1] what a person's limit of a cluster is scaled by there.
    """

    name: str
    rows: tuple[int, ...]
    limit_units: int
    multiplier: float


class ClustersBounded(Message, frozen=True):
    """The clusters in force, all of them; it replaces what was said before."""

    at: Nanos
    slice: int
    clusters: tuple[BoundedCluster, ...]


class ClusterChanged(Message, frozen=True):
    """The limit of a cluster moved, its members changed, or it parted (``limit_units`` null).

    ``effects`` are the three largest causes, ``model`` what computed it, ``loss99_units`` the expected
    effect: what the whole limit, spread evenly, may lose in a bar at 99 %.
    """

    at: Nanos
    slice: int
    number: int
    cluster: str
    members: tuple[str, ...]
    previous_units: int | None
    limit_units: int | None
    multiplier: float
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99_units: int | None


class GetClusters(Query, frozen=True):
    """Ask for the instruments that move together."""


class ClusterView(Answer, frozen=True):
    """One cluster, named by its first member; null where not known yet.

    ``correlation`` is the mean of its pairs lately, ``usual_correlation`` usually. ``var95`` to
    ``es99`` are of one unit of money spread evenly over it; ``held`` is the gross value of what all
    agents hold in it and ``held_var95`` to ``held_es99`` what that may lose in the next bar, in money.
    ``levels`` and ``held_levels`` are the same at every level that is forecast.
    ``multiplier`` is ``learned`` from the bars times what a risen correlation leaves.
    """

    cluster: str
    members: tuple[str, ...]
    correlation: float
    usual_correlation: float
    var95: float | None
    es95: float | None
    var99: float | None
    es99: float | None
    held: Decimal
    held_var95: Decimal | None
    held_es95: Decimal | None
    held_var99: Decimal | None
    held_es99: Decimal | None
    levels: tuple[LevelRisk, ...]
    held_levels: tuple[LevelLoss, ...]
    multiplier: float | None
    learned: float | None
    bars: int
    limit: Decimal | None
    in_force: bool


class ClustersView(Answer, frozen=True):
    """The clusters by their first member; instruments that move alone are in none."""

    clusters: tuple[ClusterView, ...]


class GetClusterChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of clusters (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class ClusterChangeView(Answer, frozen=True):
    """One change as recorded; the fields are those of ``ClusterChanged``."""

    number: int
    at: str
    slice: int
    cluster: str
    members: tuple[str, ...]
    previous: Decimal | None
    limit: Decimal | None
    multiplier: float
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99: Decimal | None


class ClusterChangesView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[ClusterChangeView, ...]
    next: int | None
