"""The head that ships is whole, knows what its card says, and explains itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from quarterdeck.data import regime_head
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.regime.core.features import FEATURES
from quarterdeck.regime.core.head import (
    BOUND,
    contributions,
    even_head,
    head_kernel,
    parse_head,
)
from quarterdeck.regime.store import shipped_head

CARD = Path(__file__).parents[3] / "docs" / "reference" / "regimes.md"


def answers(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    posterior, shares = np.empty((len(features), 8)), np.empty((len(features), 8))
    rows = np.arange(len(features), dtype=np.int64)
    head_kernel(rows, features, shipped_head(), BOUND, posterior, shares)
    return posterior, shares


def test_its_card_names_the_very_head_that_ships() -> None:
    assert hashlib.sha256(regime_head()).hexdigest() in CARD.read_text("utf-8")


def test_it_reads_every_feature_its_training_data_had() -> None:
    head = shipped_head()
    assert [FEATURES[k] for k in head.columns] == [n for n in FEATURES if n != "volume"]
    assert head.prior.sum() == pytest.approx(1.0, abs=1e-4)


def test_the_network_is_the_formula() -> None:
    head = shipped_head()
    features = np.random.default_rng(0).normal(size=(40, len(FEATURES)))
    z = np.clip((features[:, head.columns] - head.mean) / head.scale, -BOUND, BOUND)
    logits = np.maximum(z @ head.hidden + head.hidden_bias, 0.0) @ head.output + head.output_bias
    wanted = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted /= wanted.sum(axis=1, keepdims=True)
    balanced = wanted / head.prior
    posterior, shares = answers(features)
    np.testing.assert_allclose(posterior, wanted, atol=1e-12)
    np.testing.assert_allclose(shares, balanced / balanced.sum(axis=1, keepdims=True), atol=1e-12)


def test_contributions_are_what_the_share_loses_without_the_feature() -> None:
    head = shipped_head()
    features = np.random.default_rng(1).normal(size=len(FEATURES))
    order, amount = contributions(head, features, 3)
    assert sorted(order) == sorted(head.columns)
    assert (np.diff(amount) <= 0.0).all()
    without = features.copy()
    place = list(head.columns).index(order[0])
    without[order[0]] = head.mean[place]
    _, shares = answers(np.stack((features, without)))
    assert amount[0] == pytest.approx(np.log(shares[0, 3] / shares[1, 3]), rel=1e-9)


def test_nothing_is_explained_before_there_is_something() -> None:
    with pytest.raises(NotEnoughData):
        contributions(even_head(), np.full(len(FEATURES), np.nan), 0)
    for winner in (-1, 8):
        with pytest.raises(InvalidInput):
            contributions(even_head(), np.ones(len(FEATURES)), winner)


def test_a_head_that_does_not_fit_is_refused_by_name() -> None:
    good = msgspec.json.decode(regime_head())
    for field, value in (
        ("features", ["nonsense", *good["features"][1:]]),
        ("mean", good["mean"][1:]),
        ("hidden", [row[1:] for row in good["hidden"][:1]] + good["hidden"][1:]),
        ("scale", [0.0, *good["scale"][1:]]),
        ("prior", [0.0, *good["prior"][1:]]),
    ):
        with pytest.raises(InvalidInput, match="head"):
            parse_head(msgspec.json.encode(good | {field: value}))
    with pytest.raises(InvalidInput):
        parse_head(b"{")
