"""The configuration file: read strictly.

An unknown section or key, a wrong type, or a value out of range refuses to start and says what
would be accepted.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.config import (
    MAX_AMOUNT,
    PORTFOLIO_COVARIANCES,
    PORTFOLIO_MEANS,
    PORTFOLIO_OBJECTIVES,
    SELF_TRADE,
    STOP_CANCELS,
    VENUES,
    Config,
)

MAX_CONFIG_BYTES = 1_000_000
LEVELS, MAX_LEVELS = (0.95, 0.99), 8
"""Confidence levels that a deck forecasts whatever else, and how many it may."""


def read_config(path: Path) -> Config:
    """Read a TOML configuration.

    Raises
    ------
    InvalidInput
        If the file cannot be read or any key, type or value is not accepted; it names the key.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InvalidInput.of("config", path, f"a file of at most {MAX_CONFIG_BYTES} bytes")
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput.of("config", path, f"a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput.of("config", path, f"a TOML file ({error})") from None
    return parse_config(raw)


def shipped_config() -> Config:
    """Return the configuration of ``quarterdeck demo``: the one that ``init`` writes, too."""
    return parse_config(tomllib.loads(shipped_text()))


def shipped_text() -> str:
    """Return the commented configuration that comes with the program."""
    return resources.files("quarterdeck").joinpath("data", "quarterdeck.toml").read_text("utf-8")


def parse_config(raw: dict[str, Any]) -> Config:
    """Return the configuration in ``raw``; see :func:`read_config`."""
    _refuse_unknown(raw, Config, at="")
    try:
        config = msgspec.convert(raw, Config, dec_hook=None)
    except msgspec.ValidationError as error:
        text = str(error)
        where = text.rsplit("`$.", 1)[-1].rstrip("`") if "`$." in text else "config"
        raise InvalidInput(
            f"configuration: {text}", field=where, accepted="see docs/reference/configuration.md"
        ) from None
    for section, key in (
        ("paper", "capital"),
        ("limits", "max_order_notional"),
        ("limits", "max_position_notional"),
    ):
        value: Decimal = getattr(getattr(config, section), key)
        if not value.is_finite() or not 0 < value <= MAX_AMOUNT:
            raise InvalidInput.of(
                f"{section}.{key}", value, f"an amount above 0, at most {MAX_AMOUNT}"
            )
    for key, word, accepted in (
        ("self_trade", config.orders.self_trade, SELF_TRADE),
        ("stop_cancels", config.orders.stop_cancels, STOP_CANCELS),
    ):
        if word not in accepted:
            raise InvalidInput.of(f"orders.{key}", word, ", ".join(accepted))
    if config.portfolio.covariance not in PORTFOLIO_COVARIANCES:
        known = ", ".join(PORTFOLIO_COVARIANCES)
        raise InvalidInput.of("portfolio.covariance", config.portfolio.covariance, known)
    if config.portfolio.mean not in PORTFOLIO_MEANS:
        raise InvalidInput.of("portfolio.mean", config.portfolio.mean, ", ".join(PORTFOLIO_MEANS))
    life = config.portfolio.half_life_bars
    if bool(life) is not (config.portfolio.covariance == "ewma"):
        needed = "bars above 0 with the covariance ewma, and 0 with any other"
        raise InvalidInput.of("portfolio.half_life_bars", life, needed)
    levels = config.risk.levels
    if len(levels) > MAX_LEVELS or list(levels) != sorted({*levels, *LEVELS}):
        some = f"up to {MAX_LEVELS} ascending, 0.95 and 0.99 among them: limits rest on these"
        raise InvalidInput.of("risk.levels", ", ".join(map(str, levels)), some)
    asked = config.portfolio.objectives
    if not asked or len(set(asked)) < len(asked) or set(asked) - set(PORTFOLIO_OBJECTIVES):
        some = f"one or more of {', '.join(PORTFOLIO_OBJECTIVES)}, each once"
        raise InvalidInput.of("portfolio.objectives", ", ".join(asked), some)
    if config.portfolio.mean == "views" and not config.portfolio.risk_aversion:
        needed = "a number above 0, which the mean of views needs"
        raise InvalidInput.of("portfolio.risk_aversion", 0.0, needed)
    if config.broker.venue not in VENUES:
        raise InvalidInput.of("broker.venue", config.broker.venue, ", ".join(VENUES))
    dust = config.broker.dust_cash
    if not dust.is_finite() or not 0 <= dust <= 1 or dust != round(dust, 6):
        raise InvalidInput.of("broker.dust_cash", dust, "0 to 1, with at most 6 decimals")
    return config


def _refuse_unknown(raw: dict[str, Any], section: type[msgspec.Struct], *, at: str) -> None:
    known = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in raw.items():
        name = f"{at}{key}"
        if key not in known:
            close = get_close_matches(key, list(known), n=1)
            hint = f"; did you mean {at}{close[0]}?" if close else ""
            raise InvalidInput(
                f"unknown configuration key {name}{hint}",
                field=name,
                value=str(value)[:80],
                accepted=", ".join(sorted(known)),
            )
        kind = known[key]
        if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            _refuse_unknown(value, kind, at=f"{name}.")
