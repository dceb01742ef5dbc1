"""Writes the reference pages that are made: the configuration, the commands, what was tried so far.

``python docs/generate.py`` writes them; ``--check`` says which differ and exits 1. A house test runs
the same comparison, so a new key or option without its line here fails the build.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.cli.parser import parser
from quarterdeck.runtime.config import Config

HERE = Path(__file__).resolve().parent

MADE = "<!-- Made by docs/generate.py from the program; change it there. -->"

# Bounds that the type does not carry; a house test tries them.
DECIMAL_BOUNDS = "above 0, at most 1e9"

# Key: unit and meaning. `agents.schedule[]` and `alerts.rules[]` are the tables of those lists.
MEANINGS: dict[str, tuple[str, str]] = {
    "run.seed": ("number", "Part of the run's identity; nothing draws on it in this version."),
    "run.warm_up_bars": (
        "bars",
        "Slices replayed at full speed before trading opens; orders before that are refused as NOT_OPEN.",
    ),
    "run.checkpoint_slices": (
        "slices",
        "How often the analytic arrays are saved, and so at most how many slices a restart recomputes.",
    ),
    "paper.capital": ("USD", "Paper capital of an agent that is registered without an amount of its own."),
    "paper.half_spread_bps": (
        "basis points",
        "What a fill is worse than the price it is made from: added for a purchase, taken off for a sale.",
    ),
    "paper.fee_bps": ("basis points of notional", "Fee of every fill, rounded up to the money unit."),
    "paper.maker_fee_fraction": (
        "fraction of paper.fee_bps",
        "What a limit order that rested before it filled pays of the fee.",
    ),
    "paper.unit_fee_usd": (
        "USD for 1.0 of quantity",
        "Fee of every fill besides, whether it rested or not, as for a share or a contract.",
    ),
    "paper.min_fee_usd": (
        "USD an order",
        "What an order pays at least, with its first fill; the gate keeps it free for every working order.",
    ),
    "paper.fee_in_asset": (
        "yes or no",
        "Whether a purchase that closes no short position pays in what it bought: whole units of it are kept, the rest of the fee is paid in the currency.",
    ),
    "paper.order_life_bars": (
        "bars",
        "A resting order that has not filled after so many bars expires; a reduce-only one rests until cancelled.",
    ),
    "paper.latency_bars": ("bars", "The first bar that can fill an order, counted from its own."),
    "paper.max_participation_fraction": (
        "fraction of a bar's volume",
        "What all orders together can fill of one bar; the rest waits. Without volume fills are whole.",
    ),
    "paper.impact_bps": (
        "basis points",
        "What taking a bar's whole volume would move the price against the order; a share of it moves its share.",
    ),
    "paper.queue_fill_fraction": (
        "fraction of a bar's volume",
        "What fills of a limit order that the market touched and did not trade through.",
    ),
    "paper.funding_bps_per_day": (
        "basis points a day",
        "What a long position pays and a short one is paid, of its value at the last close, with every UTC day; negative the other way round. A remote venue is not charged for.",
    ),
    "paper.borrow_bps_per_year": (
        "basis points a year",
        "What a short position pays besides, of its value, by the day.",
    ),
    "paper.models": (
        "list of tables",
        "What is assumed of some instruments instead, as `[[paper.models]]`; what a model leaves out is as of all. The gate keeps the dearest spread and fee of all.",
    ),
    "paper.models[].name": ("name", "The model's own name, as of a venue."),
    "paper.models[].symbols": ("list", "The instruments it is for, each in one model at most; an unknown one refuses to start."),
    **{
        f"paper.models[].{key}": ("as of all", f"Instead of `paper.{key}`.")
        for key in (
            "half_spread_bps", "fee_bps", "maker_fee_fraction", "unit_fee_usd", "min_fee_usd", "fee_in_asset", "latency_bars", "max_participation_fraction",
            "impact_bps", "queue_fill_fraction", "funding_bps_per_day", "borrow_bps_per_year",
        )
    },
    "orders.self_trade": (
        "policy",
        "What happens to an order that could trade with a resting order of our own agents: `cancel_newest` refuses it, `cancel_oldest` cancels the resting one, `decrement` takes what would have traded off both, oldest first, `allow` does nothing.",
    ),
    "orders.stop_cancels": (
        "policy",
        "What a stop cancels: `all` working orders, or the `opening` ones and not those that can only reduce.",
    ),
    "orders.drill_every_hours": (
        "hours",
        "How often the stop is drilled against a shadow account, in machine time; 0 for never. Flat-out replays are never drilled by themselves.",
    ),
    "orders.stop_lets_reduce": ("yes or no", "Whether reduce-only orders pass while trading is stopped."),
    "broker.venue": (
        "venue",
        "Where orders are filled: `internal`, inside the step, or `remote_paper`, a paper venue behind the port through which a broker is reached, with its own memory in the data folder.",
    ),
    "broker.requests_per_bar": (
        "requests per bar",
        "What the remote paper venue takes between two bars; an order that is throttled waits.",
    ),
    "broker.dust_cash": (
        "USD",
        "A cash difference from a remote broker's books up to this, at most 1, is booked to the house's account `dust` by rule; a larger one waits for a person.",
    ),
    "broker.dust_positions": (
        "yes or no",
        "Whether a position difference of less than a lot is booked to the house's account `dust` by rule.",
    ),
    "limits.max_order_notional": ("USD", "Largest order, at its worst-case price (ORDER_NOTIONAL)."),
    "limits.max_position_notional": (
        "USD",
        "Largest position in one instrument, working orders included (POSITION_LIMIT); a learned limit only lowers it.",
    ),
    "limits.max_gross_exposure_ratio": (
        "times equity",
        "Largest worst case of all positions and working orders together (GROSS_EXPOSURE).",
    ),
    "limits.max_orders_per_bar": ("orders per bar", "Orders accepted from one agent in one bar (ORDER_RATE)."),
    "limits.max_daily_loss_fraction": (
        "fraction of equity",
        "Loss since the close of the UTC day before from which on only reducing orders pass (DAILY_LOSS).",
    ),
    "limits.price_collar_fraction": (
        "fraction of price",
        "How far a limit price may be from the last close (PRICE_COLLAR); it also bounds the worst case of a market order.",
    ),
    "limits.max_missed_bars": ("bars", "How many slices an instrument may lack before orders in it are refused (STALE_DATA)."),
    "limits.believed_price_tolerance_fraction": (
        "fraction of price",
        "How far a price that an order says its agent believes may be from the last close (FALSE_PREMISE).",
    ),
    "limits.levels": (
        "list of tables",
        "Further limits, each at one level, as `[[limits.levels]]`; of all levels that an order touches the tightest holds.",
    ),
    "limits.levels[].scope": ("word", "`deck`, `account`, `agent`, `instrument` or `cluster`."),
    "limits.levels[].name": ("name", "One of the limits of [the gate](gate.md); an unknown one refuses to start."),
    "limits.levels[].value": ("text", "The value, in the limit's unit."),
    "limits.levels[].subject": ("name", "Which account, agent, instrument or cluster; nothing for the deck."),
    "limits.clusters": ("list of tables", "Named groups of instruments, as `[[limits.clusters]]`."),
    "limits.clusters[].name": ("name", "The group's own name."),
    "limits.clusters[].symbols": ("list", "The instruments in it; an unknown one refuses to start."),
    "breakers.rapid_losses": ("losing trades", "So many within their window open the breaker of rapid losses; for the deck as many times the agents there are."),
    "breakers.rapid_loss_minutes": ("minutes of market time", "How long a losing trade counts; for five bars at least."),
    "breakers.trades": ("fills", "So many within their window open the breaker of trade frequency; for the deck as many times the agents there are."),
    "breakers.trade_minutes": ("minutes of market time", "How long a fill counts; for its bar at least."),
    "breakers.errors": ("orders", "So many orders that no state of the market could have let pass open the breaker of the error rate."),
    "breakers.error_minutes": ("minutes of market time", "How long such an order counts; for its bar at least."),
    "breakers.drawdown_soft_fraction": ("fraction of peak equity", "From here below the peak only reducing orders pass, until the cool-down; then the peak begins anew."),
    "breakers.drawdown_hard_fraction": ("fraction of peak equity", "From here below the peak nothing passes until a person closes the breaker."),
    "breakers.loop_calls": ("orders", "So often the same order in a row, in one bar or after a refusal, or the same signal in one bar, opens the loop breaker."),
    "breakers.loop_cancels": ("orders", "So many orders cancelled in their own bar open the loop breaker."),
    "breakers.loop_executions": ("fills", "So often the same fill in a row opens the loop breaker."),
    "breakers.volume_spike_ratio": ("times the mean", "A bar of so many times the mean volume of 20 bars opens the instrument's breaker."),
    "breakers.volatility_halt_fraction": ("fraction of price", "A move of so much from one close to the next opens the instrument's breaker."),
    "breakers.cool_down_bars": ("bars", "After so many an open breaker is tried again, half-open: one order a bar passes."),
    "breakers.probe_bars": ("bars", "A half-open breaker closes after so many without an event; one event opens it again."),
    "risk.levels": (
        "confidence levels",
        "Levels of VaR and ES, up to 8 ascending from 0.5 to 0.999; 0.95 and 0.99 are always among them: limits rest on these.",
    ),
    "risk.position_var99_budget_fraction": (
        "fraction of capital",
        "What one position may lose in a bar at 99 % value at risk; the learned position limit follows from it.",
    ),
    "risk.limit_band_fraction": (
        "fraction of the limit",
        "How much a learned limit must change before it moves.",
    ),
    "risk.limit_loosening_fraction": (
        "share of the limit",
        "The most a learned limit rises in a bar; it falls at once.",
    ),
    "risk.size_band_fraction": (
        "share of the multiplier",
        "How much the size multiplier must change before it moves.",
    ),
    "risk.volatility_spike_ratio": (
        "ratio",
        "Forecast over slow volatility from which on a `volatility_spike` event is raised.",
    ),
    "risk.drawdown_event_fraction": (
        "fraction of peak equity",
        "Drawdown of an agent from which on a `drawdown` event is raised.",
    ),
    "risk.coverage_alarm_p": ("p-value", "Kupiec p-value of the last 500 bars below which a forecast is reported"),
    "risk.coverage_alarm_bars": ("bars", "recent judged bars needed before that"),
    "risk.coverage_guard": (
        "true or false",
        "Whether a forecast's scale is corrected slowly while its hits are more than two standard errors off.",
    ),
    "risk.fitted_every_bars": (
        "bars",
        "How often a GJR is fitted to each instrument in a process of its own, as one more expert; 0 for never. Needs `arch`.",
    ),
    "risk.breach_cluster_hits": (
        "losses",
        "Losses beyond the 99 % VaR in 20 judged bars from which on a `breach_cluster` event is raised.",
    ),
    "risk.stale_after_bars": (
        "slices",
        "Slices without a bar from which on an instrument has no forecast and a `stale_data` event is raised.",
    ),
    "risk.concentration_event_fraction": (
        "share of VaR",
        "Share of the deck's 99 % VaR from one instrument from which on a `concentration` event is raised.",
    ),
    "risk.stressed_regime_multiplier": (
        "factor",
        "Applied to the budget and to the size multiplier while the regime is `volatile` or `breakdown`.",
    ),
    "risk.correlation_break_change": ("correlation", "Change of the mean correlation of all pairs from its usual level that raises a `correlation_break` event."),
    "risk.liquidity_drop_fraction": ("fraction of volume", "How far the volume must be below its usual level for a `liquidity_drop` event."),
    "risk.gap_volatilities": ("forecast volatilities", "From a close to the next open, for a `gap` event."),
    "risk.losing_streak_trades": ("trades", "Losing trades of an agent in a row that raise a `losing_streak` event."),
    "risk.model_drift_ratio": ("ratio", "Realised over forecast volatility, or its inverse, that raises a `model_drift` event."),
    "risk.scenarios": ("list of tables", "Scenarios of stress, as `[[risk.scenarios]]`; without any, everything falls and everything rises by a fifth."),
    "risk.scenarios[].name": ("text", "What the scenario is called."),
    "risk.scenarios[].shocks": ("fractions by symbol", "How symbols move: -0.2 is a fall of a fifth; a symbol that the run has not is left out."),
    "risk.scenarios[].others": ("fraction", "How all other symbols move."),
    "risk.adaptation": ("word", "What becomes of learned credit lines at first: `live`, `frozen` or `shadow`; a person can change it while the deck runs."),
    "risk.credit_loosening": ("share of the line", "The most a credit line rises in a bar; it falls at once."),
    "risk.response_multiplier": ("factor", "What the response `tighten` scales a learned limit by."),
    "risk.response_bars": ("bars", "How long `tighten` and `reduce_only` last after an event of a single bar."),
    **{
        f"risk.responses.{kind}": ("rung", f"What answers a `{kind}` event.")
        for kind in (
            "var_breach", "breach_cluster", "volatility_spike", "gap", "liquidity_drop", "stale_data", "coverage",
            "model_drift", "correlation_break", "concentration", "drawdown", "losing_streak",
        )
    },
    "market.timeframes": (
        "names",
        "Coarser timeframes than the feed's own (`5m`, `15m`, `1h`, `4h`, `1d`, `1w`) on which indicators and regimes are kept too.",
    ),
    "market.session": (
        "`HH:MM-HH:MM ZONE`",
        "When coarser bars are made, such as `09:30-16:00 America/New_York`, UTC without a zone: none spans its end, and bars outside it are in none. Empty: whole days in UTC.",
    ),
    "market.stamps": (
        "word",
        "What a slice's time is: the `begin` or the `close` of its bars. `feed` believes the feed: `close` for the embedded intraday bars, `begin` for all else.",
    ),
    "regime.jump_penalty": (
        "log share",
        "What a change of regime must be worth; larger means fewer changes.",
    ),
    "regime.abstain_below_share": (
        "share",
        "The regime is `undetermined` while no regime's share, all of them taken as equally frequent, stays above this.",
    ),
    "portfolio.every_bars": ("slices", "How often portfolios are proposed."),
    "portfolio.window_bars": ("bars", "Joint returns that a proposal is made from, and needed before the first."),
    "portfolio.max_weight": ("fraction", "Largest weight of one instrument; never counted below 1 over their number."),
    "portfolio.objectives": (
        "names",
        "What is proposed: some of `min-volatility`, `max-sharpe`, `risk-parity`, `hrp`, `equal-weight`, `max-return` and `min-cvar`.",
    ),
    "portfolio.vol_cap": (
        "fraction a year",
        "Largest volatility of `max-return`; 0 states none, and the proposal says what it would hold without one.",
    ),
    "portfolio.cvar_confidence": ("fraction", "`min-cvar` makes the mean of the worst 1 less this share of the window's bars least."),
    "portfolio.mean": (
        "text",
        "Expected returns: `sample`, `shrunk` towards that of the calmest portfolio, or `views`, at which the benchmark is best, moved by the signals of agents with measured skill.",
    ),
    "portfolio.risk_aversion": ("number", "Return that a unit of variance must bring; above 0 where `mean` is `views`."),
    "portfolio.covariance": (
        "text",
        "`sample`, `ledoit-wolf`, `ewma`, `forecast` (scaled by the risk forecasts of the next bar) or `regime` (returns weighted by how like the present their regimes were); see [Portfolios](portfolio.md#estimates).",
    ),
    "portfolio.half_life_bars": ("bars", "After which `ewma` counts a return half as much; above 0 with `ewma` only."),
    "portfolio.sectors": ("list of tables", "Named groups that profit and loss is told by, as `[[portfolio.sectors]]`."),
    "portfolio.sectors[].name": ("name", "The sector's own name; what is in none is `other`."),
    "portfolio.sectors[].symbols": ("list", "The instruments in it, each in one sector at most; an unknown one refuses to start."),
    "portfolio.benchmark": (
        "list of tables",
        "What the deck is held against, as `[[portfolio.benchmark]]`; equal weights of all instruments where none is given.",
    ),
    "portfolio.benchmark[].symbol": ("text", "An instrument of the benchmark."),
    "portfolio.benchmark[].weight": ("fraction", "Its weight at every close; all weights sum to 1."),
    "portfolio.mandates": (
        "list of tables",
        "[Mandates](rebalancing.md#mandates) that the deck starts with, as `[[portfolio.mandates]]`; at most 50, one of an agent.",
    ),
    "portfolio.mandates[].name": ("text", "Its name, 1 to 64 printable characters."),
    "portfolio.mandates[].agent": ("text", "Whose account; it begins when the agent joins, at the start for one of the deck's own."),
    "portfolio.mandates[].mode": ("text", "`automatic`, `approval` or `advisory`."),
    "portfolio.mandates[].objective": (
        "text",
        "What the target is best for: `min-volatility`, `max-sharpe`, `risk-parity`, `hrp` or `equal-weight`; this or `weights`.",
    ),
    "portfolio.mandates[].weights": ("fractions by symbol", "A fixed target, as `{ AAPL = 0.6, IBM = 0.3 }`; what is left is cash."),
    "portfolio.mandates[].every": ("text", "Due with a new `day`, `week`, `month`, `quarter` or `year` (UTC, market time)."),
    "portfolio.mandates[].sessions": ("UTC days", "Due after so many with a bar, 1 to 100,000."),
    "portfolio.mandates[].drift": ("fraction", "Due when a weight is so far from its target."),
    "portfolio.mandates[].relative_drift": ("fraction", "The same as a share of the target."),
    "portfolio.mandates[].risk_drift": ("fraction", "Due when a share of the variance is so far from what it is at the target."),
    "portfolio.mandates[].cash_flow": ("fraction of equity", "Due when so much capital was paid in or out; what an agent begins with counts."),
    "portfolio.mandates[].regime_change": ("yes or no", "Due when the regime of an instrument of the target changes."),
    "portfolio.mandates[].slices": ("bars", "Over how many the orders are spread, 1 to 100."),
    "portfolio.mandates[].horizon_bars": ("bars", "How long a rebalance is to last, 1 to 5,000; `every_bars` where none is given."),
    "portfolio.mandates[].risk_aversion": ("number", "Return that a unit of variance must bring, above 0; see the no-trade region."),
    "portfolio.mandates[].limits.min_weight": ("fraction", "Least weight of an instrument; below 0 with shorts."),
    "portfolio.mandates[].limits.max_weight": ("fraction", "Largest weight of an instrument; `portfolio.max_weight` where none is given."),
    "portfolio.mandates[].limits.groups": ("", "What instruments weigh together, as `[[portfolio.mandates.limits.groups]]`; at most 100."),
    "portfolio.mandates[].limits.groups[].name": ("text", "Its name; without `symbols` the sector of that name."),
    "portfolio.mandates[].limits.groups[].low": ("fraction", "Least weight of all together."),
    "portfolio.mandates[].limits.groups[].high": ("fraction", "Largest weight of all together."),
    "portfolio.mandates[].limits.groups[].symbols": ("symbols", "Its instruments."),
    "portfolio.mandates[].limits.max_turnover": ("fraction", "Largest half sum of weight changes of a rebalance, beyond what is only invested out of cash."),
    "portfolio.mandates[].limits.max_change": ("fraction", "Largest change of a weight in a rebalance."),
    "portfolio.mandates[].limits.costs": ("yes or no", "Take the cost of trading, spread over the horizon, off the return; `max-sharpe` and `max-return`."),
    "portfolio.mandates[].limits.max_gross": ("fraction", "Largest sum of absolute weights, with shorts."),
    "portfolio.mandates[].limits.max_assets": ("instruments", "Most that are held."),
    "portfolio.mandates[].limits.whole_lots": ("yes or no", "Weights in whole lots, for at most 25 instruments; not with `min-cvar`."),
    "portfolio.mandates[].limits.vol_cap": ("fraction a year", "Largest volatility; `max-return` needs it."),
    "portfolio.mandates[].limits.confidence": ("fraction", "Of `min-cvar`; `portfolio.cvar_confidence` where none is given."),
    "portfolio.mandates[].limits.risk_budget": ("fractions by symbol", "Shares of the risk, for `risk-parity`, in sum 1."),
    "portfolio.mandates[].limits.benchmark": ("fractions by symbol", "Weights that `tracking` stays near; `portfolio.benchmark` where none are given."),
    "portfolio.mandates[].approve_within_bars": ("bars", "How long a proposal waits for a person, 1 to 5,000."),
    "portfolio.allocation": ("list of tables", "How [capital is shared out](portfolio.md#capital-over-agents) from when its agents have joined, as `[[portfolio.allocation]]`; at most one."),
    "portfolio.allocation[].agents": ("names", "Who shares the capital, 2 to 200; it begins once all have joined."),
    "portfolio.allocation[].objective": ("text", "What the shares are best for, as of `POST /portfolio/allocation`."),
    "portfolio.allocation[].mode": ("text", "`automatic`, `approval` or `advisory`."),
    "portfolio.allocation[].sessions": ("UTC days", "Returns looked at, 20 to 500."),
    "portfolio.allocation[].every": ("text", "Looked at with a new `day`, `week`, `month`, `quarter` or `year` (UTC, market time)."),
    "portfolio.allocation[].drift": ("fraction", "Due at so much turnover to the best shares."),
    "portfolio.allocation[].min_share": ("fraction", "Least share of each agent."),
    "portfolio.allocation[].max_share": ("fraction", "Largest share of each agent."),
    "portfolio.allocation[].vol_cap": ("fraction a session", "Largest deviation of a session's return; `max-return` needs it."),
    "portfolio.allocation[].confidence": ("fraction", "Of `min-cvar`, which needs it."),
    "portfolio.allocation[].groups": ("", "What agents have together, as `[[portfolio.allocation.groups]]`; at most 100."),
    "portfolio.allocation[].groups[].name": ("text", "Its name."),
    "portfolio.allocation[].groups[].agents": ("names", "Its agents, of those above."),
    "portfolio.allocation[].groups[].low": ("fraction", "Least share of all together."),
    "portfolio.allocation[].groups[].high": ("fraction", "Largest share of all together."),
    "portfolio.allocation[].max_turnover": ("fraction", "Largest half sum of changes of shares at a time."),
    "portfolio.allocation[].max_change": ("fraction", "Largest change of a share at a time."),
    "portfolio.periods_per_year": ("bars per year", "By which returns, volatility and Sharpe ratios are annualised."),
    "agents.load_threshold_fraction": (
        "fraction of slots",
        "How many of an agent's slots ordinary work may fill, at least one; critical and urgent work may fill all.",
    ),
    "agents.max_open_tasks": ("tasks", "Tasks in the queue beyond which further ones are refused (QUEUE_FULL)."),
    "agents.max_open_tasks_per_owner": (
        "tasks",
        "The same of one owner: a strategy, or one who submits for none (OWNER_QUEUE_FULL).",
    ),
    "agents.retry_base_ms": (
        "machine milliseconds",
        "Longest rest before the second attempt, doubled for each one after; the rest is drawn between 0 and that.",
    ),
    "agents.retry_most_ms": ("machine milliseconds", "Longest rest before any attempt."),
    "agents.dead_after_agents": ("agents", "A task that so many different agents failed is dead until it is redriven."),
    "agents.hold_ms": ("machine milliseconds", "How long a ready task is kept for an agent with room that scores better than the one that asks."),
    "agents.shares": ("turns", "How many turns an owner (strategy, else submitter) takes where others take one, by its name."),
    "agents.tie_break_seed": ("whole number", "By which one of up to four agents that are equally good is chosen, and how long a retry rests; the same seed, the same choices."),
    "agents.own_worker": ("yes or no", "Whether the deck starts its own worker process once a task asks for a `desk:` capability."),
    "agents.own_worker_slots": ("tasks", "How many tasks that worker does at a time; long ones, in processes of their own, fill a quarter of the slots, at least one."),
    "agents.quarantine_failures": ("attempts", "An agent that failed so often in a row gets no work until it is resumed."),
    **{
        f"agents.priority_weight_s.{name}": ("machine seconds", f"What priority `{name}` is worth.")
        for name in ("critical", "urgent", "high", "medium", "low")
    },
    **{
        f"agents.longest_wait_s.{name}": ("machine seconds", f"Longest wait of a task of priority `{name}`.")
        for name in ("urgent", "high", "medium", "low")
    },
    "agents.schedule": ("list of tables", "Work that comes round, as `[[agents.schedule]]`."),
    "agents.schedule[].name": ("text", "The entry's own name."),
    "agents.schedule[].type": ("word", "`analysis`, `trading`, `monitoring`, `optimization` or `research`."),
    "agents.schedule[].capability": ("text", "What an agent must be able to do to claim the task."),
    "agents.schedule[].title": ("text", "What the task is called."),
    "agents.schedule[].every_bars": ("slices", "The task is made in every slice whose number this divides, unless the last one is still open."),
    "agents.schedule[].priority": ("word", "`critical`, `urgent`, `high`, `medium` or `low`."),
    "agents.schedule[].after": ("name", "An earlier entry whose task of the same slice must complete first."),
    "alerts.rules": (
        "list of tables",
        "The rules a new run starts with, as `[[alerts.rules]]`; later changes are recorded in the run and win.",
    ),
    "alerts.rules[].rule_id": ("text", "The rule's own id: small letters, digits, dots, dashes and underscores."),
    "alerts.rules[].category": (
        "word",
        "`trading`, `risk`, `performance`, `system`, `market`, `agent` or `portfolio`.",
    ),
    "alerts.rules[].severity": ("word", "`info`, `warning`, `error`, `critical` or `emergency`."),
    "alerts.rules[].number": ("name", "The published number that is watched."),
    "alerts.rules[].comparison": ("word", "`above` or `below`: on which side of the threshold it fires."),
    "alerts.rules[].threshold": ("the number's", "Strictly beyond it the rule counts."),
    "alerts.rules[].clear": ("the number's", "Where the episode ends by itself; none means the threshold."),
    "alerts.rules[].for_bars": ("slices", "Consecutive values beyond the threshold before an episode begins; at most 10,000."),
    "alerts.rules[].subject": ("text", "One instrument, agent or `deck`; none means each on its own."),
    "alerts.rules[].text": ("text", "What the episode says; empty means that the deck says what it saw."),
    "server.host": ("address", "Where the deck listens; loopback means this machine alone."),
    "server.port": ("port", "0 takes a free one."),
    "server.allowed_hosts": ("list of names", "Host names it answers to besides the loopback ones and `host`."),
    "server.max_body_bytes": ("bytes", "Largest request body taken."),
    "server.requests_per_minute": ("requests per minute", "Taken from one caller, in machine time."),
}  # fmt: skip

CONFIGURATION_HEAD = f"""# Configuration

{MADE}

`quarterdeck init` writes a commented file and `quarterdeck serve --config FILE` runs it; `quarterdeck demo` runs on exactly that file, with the values below and a schedule
and alert rules for the built-in agents. The file is TOML. An unknown section or key, a wrong type or a value out of range refuses to start and names the key, the value and what would be
accepted. Amounts may be written as numbers or as text; text is exact. Options of the command line (`--seed`, `--host`, `--port`) win over the file.

Everything except `[server]` is part of the run's identity: a data folder that holds a run of another configuration is refused, and the
refusal names what differs. *bars* and *slices* count in market time, whatever the speed of the replay.

Four environment variables are read: `QUARTERDECK_DATA_DIR` (the data folder of every command), `QUARTERDECK_CACHE_DIR` (where compiled kernels are
kept), and by the scripts alone `QUARTERDECK_VENV` and `QUARTERDECK_PYTHON` (the environment and the interpreter it is made with).
"""

COMMANDS_HEAD = f"""# Commands

{MADE}

Results go to standard output, progress to standard error. Exit 0 is success, 1 a refusal or a failed check, 2 wrong usage, 130 an
interruption; a refusal is exactly one line on standard error. `--json` prints JSON where a command prints a table or a sentence. Options
are written out in full: abbreviations are not accepted.
"""


def pages() -> dict[str, Callable[[], str]]:
    """Return the generated pages by their path under ``docs/``."""
    return {
        "reference/configuration.md": configuration,
        "reference/cli.md": commands,
        "reference/counters.md": counters,
    }


def every_key() -> Iterator[tuple[str, msgspec.inspect.Field, str]]:
    """Yield every key by its dotted name, with its field and what its section is for."""
    kind = msgspec.inspect.type_info(Config)
    assert isinstance(kind, msgspec.inspect.StructType)
    yield from _keys(kind, at="")


def _keys(kind: msgspec.inspect.StructType, *, at: str) -> Iterator[tuple[str, Any, str]]:
    for field in kind.fields:
        name = f"{at}{field.name}"
        if isinstance(field.type, msgspec.inspect.StructType):
            yield from _keys(field.type, at=f"{name}.")
            continue
        yield name, field, kind.cls.__doc__ or ""
        item = getattr(field.type, "item_type", None)
        if isinstance(item, msgspec.inspect.StructType):
            yield from _keys(item, at=f"{name}[].")


def configuration() -> str:
    """Return the page of every configuration key."""
    sections: dict[str, tuple[str, list[str]]] = {}
    for name, field, about in every_key():
        table, _, key = name.rpartition(".")
        unit, meaning = MEANINGS[name]
        row = f"| `{key}` | {_default(field)} | {_bounds(field.type)} | {unit} | {meaning} |"
        sections.setdefault(table, (about, []))[1].append(row)
    parts = [CONFIGURATION_HEAD]
    for table, (about, rows) in sections.items():
        plain = table.replace("[]", "")
        title = f"[[{plain}]]" if table.endswith("[]") else f"[{plain}]"
        parts.append(
            f"## `{title}`\n\n{_prose(about)}\n\n"
            "| key | default | accepted | unit | meaning |\n| --- | --- | --- | --- | --- |\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


def _prose(docstring: str) -> str:
    return " ".join(docstring.split()).replace("``", "`")


def _default(field: Any) -> str:
    if field.required:
        return "required"
    match field.default:
        case None:
            return "none"
        case () | "" | msgspec.NODEFAULT:
            # A table is made anew each time and has no default of its own: it begins empty.
            return "empty"
        case Decimal() as amount:
            return f"`{amount}`"
        case str() as text:
            return f'`"{text}"`'
        case number:
            return f"`{number}`"


def _bounds(kind: Any) -> str:
    info = msgspec.inspect
    match kind:
        case info.UnionType():
            return " or ".join(
                _bounds(one) for one in kind.types if not isinstance(one, info.NoneType)
            )
        case info.DecimalType():
            return f"amount, {DECIMAL_BOUNDS}"
        case info.IntType() | info.FloatType():
            word = "whole number" if isinstance(kind, info.IntType) else "number"
            bounds = [
                f"{said} {_plain(bound)}"
                for said, bound in (
                    ("above", kind.gt),
                    ("at least", kind.ge),
                    ("below", kind.lt),
                    ("at most", kind.le),
                )
                if bound is not None
            ]
            return ", ".join([word, *bounds])
        case info.LiteralType():
            return ", ".join(f"`{one}`" for one in kind.values)
        case info.VarTupleType():
            return "list"
        case info.DictType():
            return f"table of {_bounds(kind.value_type)}"
        case _:
            return "text"


def _plain(number: float) -> str:
    return (
        "2^63 - 1"
        if number == 2**63 - 1
        else f"{number:,g}"
        if number < 1e6
        else f"{int(number):,}"
    )


def commands() -> str:
    """Return the page of every command and option."""
    parts = [COMMANDS_HEAD, *_command(parser())]
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser, *, about: str = "") -> Iterator[str]:
    children: dict[str, argparse.ArgumentParser] = {}
    helps: dict[str, str] = {}
    rows = []
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to look
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            children = dict(action.choices)
            helps = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
        elif not isinstance(action, argparse._HelpAction):  # noqa: SLF001
            rows.append(f"| `{_shown(action)}` | {_said(action)} |")
    said = parser.description or about
    example = (parser.epilog or "").removeprefix("example: ")
    text = f"## `{parser.prog}`\n\n{said[:1].upper()}{said[1:].rstrip('.')}.\n"
    if rows:
        text += "\n| argument | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    if example:
        text += f"\n    {example}\n"
    yield text
    for name, child in children.items():
        yield from _command(child, about=helps.get(name, ""))


def _shown(action: argparse.Action) -> str:
    value = action.metavar or (None if action.choices is None else "|".join(action.choices))
    if not action.option_strings:
        name = str(value or action.dest).replace("|", "\\|")
        return f"[{name}]" if action.nargs == "?" else name
    takes = "" if action.nargs == 0 else f" {value or action.dest.upper()}"
    return (", ".join(action.option_strings) + takes).replace("|", "\\|")


def _said(action: argparse.Action) -> str:
    values = {name: value for name, value in vars(action).items() if name != "prog"}
    said = (action.help or _UNSAID.get(action.dest, "")) % values
    said = said.replace("|", "\\|")
    if action.option_strings and action.required:
        return f"{said} (required)"
    told = action.default not in (None, False, "", [], argparse.SUPPRESS)
    if action.option_strings and told and "default" not in said:
        return f"{said} (default `{action.default}`)"
    if action.nargs == "?" and action.default is not None:
        return f"{said} (default `{action.default}`)"
    return said


# Positional arguments whose command says it all.
_UNSAID = {
    "file": "the file to write; it must not exist yet",
    "action": "what to do; there is one action",
    "version": "print the version",
}


# Rig: what it does, and the counts of it that are shown, in order.
RIGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "simulation": (
        (
            "Whole decks from seeds, with faults; [what an event is](simulation.md). A violation counts where it "
            "was found; none is open: its seed is run again once it is mended."
        ),
        ("seeds", "events", "effects", "lives", "violations"),
    ),
    "kill_loop": (
        "SIGKILL of the real server under load; every cycle's history is checked.",
        ("kills", "answered", "lost", "duplicated", "broken", "without_an_answer"),
    ),
    "power_loss": (
        "Images of the disk without what was never synced, taken after events of a trading workload.",
        ("images", "events", "lives", "lost", "torn", "unreadable", "unbalanced", "broken_chains"),
    ),
    "faults": (
        "The N-th write, sync, open or rename fails; acknowledged and present, or refused and absent.",
        ("tried", "failed"),
    ),
}


def counters() -> str:
    """Return the page of what the rigs have done so far."""
    known = json.loads((HERE / "counters.json").read_text("utf-8"))
    lines = [
        MADE.replace("from the program", "from docs/counters.json"),
        "",
        "# What was tried so far",
        "",
        "Added up by the tools themselves, by commit; nothing here is typed. `+changes` says that the sources were",
        "not what the commit holds.",
    ]
    for rig in (*RIGS, *sorted(set(known) - set(RIGS))):
        about, names = RIGS.get(rig, ("", ()))
        entries = known.get(rig, {})
        if not entries:
            continue
        other = {n for entry in entries.values() for n, v in entry.items() if type(v) is int} - {
            "next_seed"
        }
        columns = (*names, *sorted(other - set(names)))
        rows = [
            (f"`{commit}`", *(int(entry.get(name, 0)) for name in columns))
            for commit, entry in sorted(entries.items())
        ]
        rows.append(
            ("all", *(sum(int(row[i]) for row in rows) for i in range(1, len(columns) + 1)))
        )
        lines += ["", f"## {rig.replace('_', ' ').capitalize()}", "", about, ""]
        lines.append("| commit | " + " | ".join(name.replace("_", " ") for name in columns) + " |")
        lines.append("| --- " + "| ---: " * len(columns) + "|")
        lines += [f"| {row[0]} | " + " | ".join(f"{n:,}" for n in row[1:]) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which are not up to date."""
    stale = []
    for name, made in pages().items():
        path, text = HERE / name, made()
        if arguments == ["--check"]:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for name in stale:
        sys.stderr.write(f"docs/{name} is not what the program says; run python docs/generate.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
