"""The rule book: complete, balanced, and its explanations add up."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.regime.core.features import FEATURES
from quarterdeck.regime.core.rules import (
    REGIME_COUNT,
    RULES,
    TOTAL_WEIGHT,
    contributions,
    evidence_kernel,
    rule_table,
)


def shares_of(features: dict[str, float]) -> np.ndarray:
    row = np.zeros((1, len(FEATURES)))
    for name, value in features.items():
        row[0, FEATURES.index(name)] = value
    shares = np.empty((1, REGIME_COUNT))
    evidence_kernel(np.zeros(1, dtype=np.int64), row, *rule_table(), shares)
    return shares[0]


def test_every_regime_has_rules_of_the_same_total_weight() -> None:
    table = rule_table()
    assert {rule.regime for rule in RULES} == set(REGIMES) - {Regime.UNDETERMINED}
    totals = np.bincount(table.regime, weights=table.weight)
    np.testing.assert_allclose(totals, TOTAL_WEIGHT)
    assert all(rule.weight > 0.0 and rule.width != 0.0 for rule in RULES)


def test_shares_sum_to_one_and_stay_finite_for_any_features() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0.0, 5.0, (500, len(FEATURES)))
    shares = np.empty((500, REGIME_COUNT))
    evidence_kernel(np.arange(500, dtype=np.int64), features, *rule_table(), shares)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert ((shares >= 0.0) & (shares <= 1.0)).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.regime}-{rule.feature}")
def test_a_feature_moving_the_wanted_way_never_lowers_its_rules_evidence(rule: object) -> None:
    at = RULES.index(rule)  # type: ignore[arg-type]
    table = rule_table()
    alone = tuple(column[at : at + 1] for column in table)
    ratio = []
    for step in (-3.0, -1.0, 0.0, 1.0, 3.0):
        row = np.ones((1, len(FEATURES)))
        row[0, table.feature[at]] = table.centre[at] + step * table.width[at]
        shares = np.empty((1, REGIME_COUNT))
        evidence_kernel(np.zeros(1, dtype=np.int64), row, *alone, shares)
        ratio.append(shares[0, table.regime[at]])
    assert ratio == sorted(ratio)
    assert ratio[0] < ratio[-1]


def test_where_nothing_was_measured_no_regime_is_preferred() -> None:
    assert (shares_of({}) == 1.0 / REGIME_COUNT).all()


def test_missing_features_give_missing_shares() -> None:
    shares = np.zeros((1, REGIME_COUNT))
    row = np.full((1, len(FEATURES)), np.nan)
    evidence_kernel(np.zeros(1, dtype=np.int64), row, *rule_table(), shares)
    assert np.isnan(shares).all()


def test_what_made_a_market_volatile_is_its_volatility() -> None:
    row = np.zeros(len(FEATURES))
    for name in ("vol_20", "vol_5", "range_20"):
        row[FEATURES.index(name)] = 0.8
    order, amount = contributions(row, REGIMES.index(Regime.VOLATILE))
    assert FEATURES[order[0]] == "vol_20"
    assert list(amount) == sorted(amount, reverse=True)
    assert amount[0] > 0.0
    assert {FEATURES[k] for k in order} == {rule.feature for rule in RULES}


def test_a_contribution_is_what_the_log_share_loses_without_the_feature() -> None:
    rng = np.random.default_rng(4)
    table, row = rule_table(), rng.normal(size=len(FEATURES))
    order, amount = contributions(row, 2)
    full, held = np.empty((1, REGIME_COUNT)), np.empty((1, REGIME_COUNT))
    zero = np.zeros(1, dtype=np.int64)
    evidence_kernel(zero, row[None, :], *table, full)
    for feature, told in zip(order, amount, strict=True):
        # A rule held at its centre: a huge width makes its reading count as the centre.
        width = np.where(table.feature == feature, 1e300, table.width)
        evidence_kernel(zero, row[None, :], *table._replace(width=width), held)
        assert told == pytest.approx(np.log(full[0, 2]) - np.log(held[0, 2]), abs=1e-9)


def test_only_a_regime_with_evidence_and_data_can_be_explained() -> None:
    with pytest.raises(InvalidInput):
        contributions(np.zeros(len(FEATURES)), REGIME_COUNT)
    with pytest.raises(NotEnoughData):
        contributions(np.full(len(FEATURES), np.nan), 0)
