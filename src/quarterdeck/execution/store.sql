-- schema --
CREATE TABLE execution_session (
  id INTEGER PRIMARY KEY,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  timeframe TEXT NOT NULL,  -- hashed
  warming_up INTEGER NOT NULL,  -- hashed
  ended INTEGER NOT NULL,  -- hashed
  acknowledged INTEGER NOT NULL,  -- hashed
  handled INTEGER NOT NULL,  -- hashed
  account_stopped INTEGER NOT NULL,  -- hashed
  account_stops INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_marks (
  instrument INTEGER PRIMARY KEY,  -- hashed
  price_units INTEGER NOT NULL,  -- hashed
  missed INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_limits (
  instrument INTEGER PRIMARY KEY,  -- hashed
  position_limit_units INTEGER NOT NULL,  -- hashed
  version INTEGER NOT NULL,  -- hashed
  var99_parts INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_moving (
  one INTEGER PRIMARY KEY,  -- hashed
  clusters TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_learned_levels (
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  trading_state INTEGER,  -- hashed
  max_credit_notional INTEGER,  -- hashed
  max_stop_distance_ratio INTEGER,  -- hashed
  max_account_notional INTEGER,  -- hashed
  position_share_parts INTEGER,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_levels (
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  name TEXT NOT NULL,  -- hashed
  value TEXT,  -- hashed
  PRIMARY KEY (scope, subject, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_limit_set (
  id INTEGER PRIMARY KEY,  -- hashed
  version INTEGER NOT NULL,  -- hashed
  changes INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_limit_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  status TEXT NOT NULL,  -- hashed
  version INTEGER NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  name TEXT NOT NULL,  -- hashed
  value TEXT,  -- hashed
  previous TEXT,  -- hashed
  actor TEXT NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  confirmed_by TEXT,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  machine_at INTEGER NOT NULL  -- unhashed
) STRICT;
CREATE TABLE execution_breakers (
  kind TEXT NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  trips INTEGER NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  evidence TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  peak_units INTEGER NOT NULL,  -- hashed
  events TEXT NOT NULL,  -- hashed
  PRIMARY KEY (kind, scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_breaker_events (
  number INTEGER PRIMARY KEY,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  evidence TEXT NOT NULL,  -- hashed
  actor TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_calls (
  agent TEXT PRIMARY KEY,  -- hashed
  call TEXT NOT NULL,  -- hashed
  calls INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  refused INTEGER NOT NULL,  -- hashed
  churn INTEGER NOT NULL,  -- hashed
  execution TEXT NOT NULL,  -- hashed
  executions INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_markets (
  instrument INTEGER PRIMARY KEY,  -- hashed
  closes TEXT NOT NULL,  -- hashed
  volumes TEXT NOT NULL,  -- hashed
  regime TEXT  -- hashed
) STRICT;
CREATE TABLE execution_windows (
  agent TEXT PRIMARY KEY,  -- hashed
  counts TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_accounts (
  agent TEXT PRIMARY KEY,  -- hashed
  number INTEGER NOT NULL,  -- hashed
  capital_units INTEGER NOT NULL,  -- hashed
  cash_units INTEGER NOT NULL,  -- hashed
  realised_units INTEGER NOT NULL,  -- hashed
  fees_units INTEGER NOT NULL,  -- hashed
  day_open_units INTEGER NOT NULL,  -- hashed
  marked_units INTEGER NOT NULL,  -- hashed
  stops INTEGER NOT NULL,  -- hashed
  stopped INTEGER NOT NULL,  -- hashed
  orders_in_bar INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_positions (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  cost_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument)
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_tallies (
  agent TEXT PRIMARY KEY,  -- hashed
  accepted INTEGER NOT NULL,  -- hashed
  refused INTEGER NOT NULL,  -- hashed
  filled INTEGER NOT NULL,  -- hashed
  refused_recently INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_refusals (
  agent TEXT NOT NULL,  -- hashed
  code TEXT NOT NULL,  -- hashed
  orders INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_orders (
  number INTEGER PRIMARY KEY,  -- hashed
  order_id TEXT NOT NULL UNIQUE,  -- hashed
  account TEXT NOT NULL,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  instrument INTEGER,  -- hashed
  side TEXT NOT NULL,  -- hashed
  type TEXT NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  limit_units INTEGER,  -- hashed
  worst_units INTEGER NOT NULL,  -- hashed
  filled_units INTEGER NOT NULL,  -- hashed
  value_units INTEGER NOT NULL,  -- hashed
  status TEXT NOT NULL,  -- hashed
  decision TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  final_at INTEGER,  -- hashed
  task_id TEXT,  -- hashed
  signal_id TEXT,  -- hashed
  idempotency_key TEXT NOT NULL,  -- hashed
  limit_version INTEGER NOT NULL,  -- hashed
  stop_units INTEGER,  -- hashed
  time_in_force TEXT NOT NULL,  -- hashed
  reduce_only INTEGER NOT NULL,  -- hashed
  post_only INTEGER NOT NULL,  -- hashed
  triggered INTEGER NOT NULL,  -- hashed
  stop_loss_units INTEGER,  -- hashed
  take_profit_units INTEGER,  -- hashed
  parent_id TEXT,  -- hashed
  leg TEXT,  -- hashed
  replaces TEXT,  -- hashed
  live_slice INTEGER NOT NULL,  -- hashed
  session_day INTEGER,  -- hashed
  sent_units INTEGER,  -- hashed
  ending TEXT,  -- hashed
  epoch INTEGER NOT NULL,  -- hashed
  covered_units INTEGER NOT NULL,  -- hashed
  commission_units INTEGER NOT NULL  -- hashed
) STRICT;
CREATE INDEX execution_orders_by_agent ON execution_orders (agent, number);
CREATE TABLE execution_fills (
  number INTEGER PRIMARY KEY,  -- hashed
  fill_id TEXT NOT NULL UNIQUE,  -- hashed
  account TEXT NOT NULL,  -- hashed
  order_id TEXT NOT NULL,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  side TEXT NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  price_units INTEGER NOT NULL,  -- hashed
  fee_units INTEGER NOT NULL,  -- hashed
  realised_units INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  fee_asset_units INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_ledger (
  number INTEGER PRIMARY KEY,  -- hashed
  entry TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  account TEXT NOT NULL,  -- hashed
  asset TEXT NOT NULL,  -- hashed
  amount_units INTEGER NOT NULL,  -- hashed
  scale INTEGER NOT NULL,  -- hashed
  memo TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_stops (
  number INTEGER PRIMARY KEY,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  epoch INTEGER NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  actor TEXT NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  cancelled INTEGER NOT NULL,  -- hashed
  accepted INTEGER NOT NULL,  -- hashed
  reduced INTEGER NOT NULL,  -- hashed
  refused INTEGER NOT NULL,  -- hashed
  machine_at INTEGER NOT NULL,  -- unhashed
  stop_ms REAL  -- unhashed
) STRICT;
CREATE TABLE execution_signals (
  number INTEGER PRIMARY KEY,  -- hashed
  signal_id TEXT NOT NULL UNIQUE,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  direction TEXT NOT NULL,  -- hashed
  strength REAL NOT NULL,  -- hashed
  horizon_bars INTEGER NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  task_id TEXT,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  status TEXT NOT NULL,  -- hashed
  final_at INTEGER,  -- hashed
  expires_at INTEGER  -- hashed
) STRICT;
CREATE TABLE execution_frozen (
  instrument INTEGER PRIMARY KEY,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_venue (
  id INTEGER PRIMARY KEY,  -- hashed
  sequence INTEGER NOT NULL,  -- hashed
  compared_slice INTEGER  -- hashed
) STRICT;
CREATE TABLE execution_venue_fills (
  fill_id TEXT PRIMARY KEY,  -- hashed
  order_id TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_differences (
  subject TEXT PRIMARY KEY,  -- hashed
  ours INTEGER NOT NULL,  -- hashed
  theirs INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_adjustments (
  number INTEGER PRIMARY KEY,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  ours INTEGER NOT NULL,  -- hashed
  theirs INTEGER NOT NULL,  -- hashed
  agent TEXT,  -- hashed
  actor TEXT NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE execution_deadmen (
  agent TEXT PRIMARY KEY,  -- hashed
  demanded_s REAL,  -- hashed
  within_s REAL,  -- hashed
  until INTEGER  -- unhashed
) STRICT, WITHOUT ROWID;
CREATE TABLE execution_drills (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  faults TEXT NOT NULL,  -- hashed
  orders INTEGER NOT NULL,  -- hashed
  accepted INTEGER NOT NULL,  -- hashed
  refused INTEGER NOT NULL,  -- unhashed
  cancelled INTEGER NOT NULL,  -- hashed
  machine_at INTEGER NOT NULL,  -- unhashed
  in_force_ms REAL NOT NULL,  -- unhashed
  done_ms REAL NOT NULL  -- unhashed
) STRICT;

-- deadman_saved --
INSERT INTO execution_deadmen (agent, demanded_s, within_s, until)
VALUES (:agent, :demanded_s, :within_s, :until)
ON CONFLICT (agent) DO UPDATE SET
  demanded_s = excluded.demanded_s, within_s = excluded.within_s, until = excluded.until

-- deadmen --
SELECT agent, demanded_s, within_s, until FROM execution_deadmen ORDER BY agent

-- drill_saved --
INSERT INTO execution_drills
  (number, at, faults, orders, accepted, refused, cancelled, machine_at, in_force_ms, done_ms)
VALUES
  (:number, :at, :faults, :orders, :accepted, :refused, :cancelled, :machine_at, :in_force_ms,
   :done_ms)

-- last_drill --
SELECT number, faults, orders, accepted, refused, cancelled, machine_at, in_force_ms, done_ms
FROM execution_drills ORDER BY number DESC LIMIT 1

-- last_proof --
SELECT machine_at FROM execution_drills WHERE faults = '[]' ORDER BY number DESC LIMIT 1

-- venue_saved --
INSERT INTO execution_venue (id, sequence, compared_slice) VALUES (1, :sequence, :compared_slice)
ON CONFLICT (id) DO UPDATE SET
  sequence = excluded.sequence, compared_slice = excluded.compared_slice

-- venue --
SELECT sequence, compared_slice FROM execution_venue

-- venue_fill_saved --
INSERT INTO execution_venue_fills (fill_id, order_id) VALUES (:fill_id, :order_id)

-- venue_fills --
SELECT fill_id FROM execution_venue_fills ORDER BY fill_id

-- difference_saved --
INSERT INTO execution_differences (subject, ours, theirs, at)
VALUES (:subject, :ours, :theirs, :at)
ON CONFLICT (subject) DO UPDATE SET
  ours = excluded.ours, theirs = excluded.theirs, at = excluded.at

-- difference_ended --
DELETE FROM execution_differences WHERE subject = :subject

-- differences --
SELECT subject, ours, theirs FROM execution_differences ORDER BY subject

-- adjustment_saved --
INSERT INTO execution_adjustments (number, subject, ours, theirs, agent, actor, reason, at, slice)
VALUES (:number, :subject, :ours, :theirs, :agent, :actor, :reason, :at, :slice)

-- adjustments_before --
SELECT number, subject, ours, theirs, agent, actor, reason, at, slice
FROM execution_adjustments WHERE number < :before ORDER BY number DESC LIMIT :limit

-- frozen_saved --
INSERT INTO execution_frozen (instrument, reason, at) VALUES (:instrument, :reason, :at)
ON CONFLICT (instrument) DO UPDATE SET reason = excluded.reason, at = excluded.at

-- frozen_ended --
DELETE FROM execution_frozen WHERE instrument = :instrument

-- frozen --
SELECT instrument, reason FROM execution_frozen ORDER BY instrument

-- session_saved --
INSERT INTO execution_session
  (id, slice, at, timeframe, warming_up, ended, acknowledged, handled, account_stopped,
   account_stops)
VALUES (1, :slice, :at, :timeframe, :warming_up, :ended, :acknowledged, :handled,
  :account_stopped, :account_stops)
ON CONFLICT (id) DO UPDATE SET
  slice = excluded.slice, at = excluded.at, timeframe = excluded.timeframe,
  warming_up = excluded.warming_up, ended = excluded.ended,
  acknowledged = excluded.acknowledged, handled = excluded.handled,
  account_stopped = excluded.account_stopped, account_stops = excluded.account_stops

-- session --
SELECT slice, at, timeframe, warming_up, ended, acknowledged, handled, account_stopped,
  account_stops
FROM execution_session

-- mark_saved --
INSERT INTO execution_marks (instrument, price_units, missed)
VALUES (:instrument, :price_units, :missed)
ON CONFLICT (instrument) DO UPDATE SET price_units = excluded.price_units, missed = excluded.missed

-- marks --
SELECT instrument, price_units, missed FROM execution_marks ORDER BY instrument

-- limit_saved --
INSERT INTO execution_limits (instrument, position_limit_units, version, var99_parts, at)
VALUES (:instrument, :position_limit_units, :version, :var99_parts, :at)
ON CONFLICT (instrument) DO UPDATE SET
  position_limit_units = excluded.position_limit_units, version = excluded.version,
  var99_parts = excluded.var99_parts, at = excluded.at

-- limits --
SELECT instrument, position_limit_units, version, var99_parts FROM execution_limits ORDER BY instrument

-- moving_saved --
INSERT INTO execution_moving (one, clusters) VALUES (1, :clusters)
ON CONFLICT (one) DO UPDATE SET clusters = excluded.clusters

-- moving --
SELECT clusters FROM execution_moving

-- learned_level_saved --
INSERT INTO execution_learned_levels
(scope, subject, trading_state, max_credit_notional, max_stop_distance_ratio, max_account_notional,
position_share_parts, at)
VALUES (:scope, :subject, :trading_state, :max_credit_notional, :max_stop_distance_ratio,
:max_account_notional, :position_share_parts, :at)
ON CONFLICT (scope, subject) DO UPDATE SET trading_state = excluded.trading_state,
  max_credit_notional = excluded.max_credit_notional,
  max_stop_distance_ratio = excluded.max_stop_distance_ratio,
  max_account_notional = excluded.max_account_notional,
  position_share_parts = excluded.position_share_parts, at = excluded.at

-- learned_levels --
SELECT scope, subject, trading_state, max_credit_notional, max_stop_distance_ratio,
max_account_notional, position_share_parts
FROM execution_learned_levels
ORDER BY scope, subject

-- level_saved --
INSERT INTO execution_levels (scope, subject, name, value) VALUES (:scope, :subject, :name, :value)
ON CONFLICT (scope, subject, name) DO UPDATE SET value = excluded.value

-- levels --
SELECT scope, subject, name, value FROM execution_levels ORDER BY scope, subject, name

-- limit_set_saved --
INSERT INTO execution_limit_set (id, version, changes) VALUES (1, :version, :changes)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, changes = excluded.changes

-- limit_set --
SELECT version, changes FROM execution_limit_set

-- change_saved --
INSERT INTO execution_limit_changes
  (number, status, version, scope, subject, name, value, previous, actor, reason, confirmed_by, at,
   machine_at)
VALUES
  (:number, :status, :version, :scope, :subject, :name, :value, :previous, :actor, :reason,
   :confirmed_by, :at, :machine_at)

-- change_amended --
UPDATE execution_limit_changes
SET status = :status, version = :version, confirmed_by = :confirmed_by
WHERE number = :number

-- pending_changes --
SELECT number, scope, subject, name, value, previous, actor, reason, machine_at
FROM execution_limit_changes WHERE status = 'pending' ORDER BY number

-- changes_before --
SELECT number, status, version, scope, subject, name, value, previous, actor, reason, confirmed_by,
  at
FROM execution_limit_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- breaker_saved --
INSERT INTO execution_breakers
  (kind, scope, subject, state, trips, reason, evidence, at, slice, peak_units, events)
VALUES
  (:kind, :scope, :subject, :state, :trips, :reason, :evidence, :at, :slice, :peak_units, :events)
ON CONFLICT (kind, scope, subject) DO UPDATE SET
  state = excluded.state, trips = excluded.trips, reason = excluded.reason,
  evidence = excluded.evidence, at = excluded.at, slice = excluded.slice,
  peak_units = excluded.peak_units, events = excluded.events

-- breakers --
SELECT kind, scope, subject, state, trips, reason, evidence, at, slice, peak_units, events
FROM execution_breakers ORDER BY kind, scope, subject

-- breaker_event_saved --
INSERT INTO execution_breaker_events
  (number, kind, scope, subject, state, reason, evidence, actor, at, slice)
VALUES (:number, :kind, :scope, :subject, :state, :reason, :evidence, :actor, :at, :slice)

-- breaker_events_before --
SELECT number, kind, scope, subject, state, reason, evidence, actor, at, slice
FROM execution_breaker_events WHERE number < :before ORDER BY number DESC LIMIT :limit

-- calls_saved --
INSERT INTO execution_calls (agent, call, calls, slice, refused, churn, execution, executions)
VALUES (:agent, :call, :calls, :slice, :refused, :churn, :execution, :executions)
ON CONFLICT (agent) DO UPDATE SET
  call = excluded.call, calls = excluded.calls, slice = excluded.slice,
  refused = excluded.refused, churn = excluded.churn, execution = excluded.execution,
  executions = excluded.executions

-- calls --
SELECT agent, call, calls, slice, refused, churn, execution, executions
FROM execution_calls ORDER BY agent

-- window_saved --
INSERT INTO execution_windows (agent, counts) VALUES (:agent, :counts)
ON CONFLICT (agent) DO UPDATE SET counts = excluded.counts

-- windows --
SELECT agent, counts FROM execution_windows ORDER BY agent

-- market_saved --
INSERT INTO execution_markets (instrument, closes, volumes, regime)
VALUES (:instrument, :closes, :volumes, :regime)
ON CONFLICT (instrument) DO UPDATE SET
  closes = excluded.closes, volumes = excluded.volumes, regime = excluded.regime

-- markets --
SELECT instrument, closes, volumes, regime FROM execution_markets ORDER BY instrument

-- account_saved --
INSERT INTO execution_accounts
  (agent, number, capital_units, cash_units, realised_units, fees_units, day_open_units,
   marked_units, stops, stopped, orders_in_bar)
VALUES
  (:agent, :number, :capital_units, :cash_units, :realised_units, :fees_units, :day_open_units,
   :marked_units, :stops, :stopped, :orders_in_bar)
ON CONFLICT (agent) DO UPDATE SET
  capital_units = excluded.capital_units, cash_units = excluded.cash_units, realised_units = excluded.realised_units,
  fees_units = excluded.fees_units, day_open_units = excluded.day_open_units,
  marked_units = excluded.marked_units, stops = excluded.stops, stopped = excluded.stopped,
  orders_in_bar = excluded.orders_in_bar

-- accounts --
SELECT agent, number, capital_units, cash_units, realised_units, fees_units, day_open_units,
  marked_units, stops, stopped, orders_in_bar
FROM execution_accounts ORDER BY number

-- position_saved --
INSERT INTO execution_positions (agent, instrument, quantity_units, cost_units)
VALUES (:agent, :instrument, :quantity_units, :cost_units)
ON CONFLICT (agent, instrument) DO UPDATE SET
  quantity_units = excluded.quantity_units, cost_units = excluded.cost_units

-- positions --
SELECT agent, instrument, quantity_units, cost_units FROM execution_positions
WHERE quantity_units <> 0 ORDER BY agent, instrument

-- tally_saved --
INSERT INTO execution_tallies (agent, accepted, refused, filled, refused_recently)
VALUES (:agent, :accepted, :refused, :filled, :refused_recently)
ON CONFLICT (agent) DO UPDATE SET
  accepted = excluded.accepted, refused = excluded.refused, filled = excluded.filled,
  refused_recently = excluded.refused_recently

-- tallies --
SELECT agent, accepted, refused, filled, refused_recently FROM execution_tallies ORDER BY agent

-- refusals_saved --
INSERT INTO execution_refusals (agent, code, orders) VALUES (:agent, :code, :orders)
ON CONFLICT (agent, code) DO UPDATE SET orders = excluded.orders

-- refusals --
SELECT agent, code, orders FROM execution_refusals ORDER BY agent, code

-- order_saved --
INSERT INTO execution_orders
  (number, order_id, account, agent, symbol, instrument, side, type, quantity_units, limit_units,
   worst_units, filled_units, value_units, status, decision, at, slice, final_at, task_id,
   signal_id, idempotency_key, limit_version, stop_units, time_in_force, reduce_only, post_only,
   triggered, stop_loss_units, take_profit_units, parent_id, leg, replaces, live_slice, session_day,
   epoch, covered_units, commission_units)
VALUES
  (:number, :order_id, :account, :agent, :symbol, :instrument, :side, :type, :quantity_units,
   :limit_units, :worst_units, 0, 0, :status, :decision, :at, :slice, :final_at, :task_id,
   :signal_id, :idempotency_key, :limit_version, :stop_units, :time_in_force, :reduce_only,
   :post_only, :triggered, :stop_loss_units, :take_profit_units, :parent_id, :leg, :replaces,
   :live_slice, :session_day, :epoch, :covered_units, :commission_units)

-- order_changed --
UPDATE execution_orders
SET status = :status, quantity_units = :quantity_units, filled_units = :filled_units,
  value_units = :value_units, final_at = :final_at, triggered = :triggered,
  live_slice = :live_slice, session_day = :session_day, sent_units = :sent_units, ending = :ending,
  covered_units = :covered_units, commission_units = :commission_units
WHERE number = :number

-- remembered_orders --
SELECT number, order_id, agent, symbol, instrument, side, type, quantity_units, limit_units,
  worst_units, filled_units, value_units, status, decision, at, slice, final_at, task_id,
  signal_id, idempotency_key, limit_version,
  stop_units, time_in_force, reduce_only, post_only, triggered, stop_loss_units, take_profit_units,
  parent_id, leg, replaces, live_slice, session_day, epoch, sent_units, ending,
  covered_units, commission_units
FROM execution_orders
WHERE number > (SELECT max(number) FROM execution_orders) - :recent OR final_at IS NULL
ORDER BY number

-- orders_before --
SELECT number, order_id, agent, symbol, instrument, side, type, quantity_units, limit_units,
  worst_units, filled_units, value_units, status, decision, at, slice, final_at, task_id,
  signal_id, idempotency_key, limit_version,
  stop_units, time_in_force, reduce_only, post_only, triggered, stop_loss_units, take_profit_units,
  parent_id, leg, replaces, live_slice, session_day, epoch, sent_units, ending,
  covered_units, commission_units
FROM execution_orders
WHERE number < :before
  AND (:agent IS NULL OR agent = :agent)
  AND (:status IS NULL OR status = :status)
ORDER BY number DESC LIMIT :limit

-- order_by_id --
SELECT number, order_id, agent, symbol, instrument, side, type, quantity_units, limit_units,
  worst_units, filled_units, value_units, status, decision, at, slice, final_at, task_id,
  signal_id, idempotency_key, limit_version,
  stop_units, time_in_force, reduce_only, post_only, triggered, stop_loss_units, take_profit_units,
  parent_id, leg, replaces, live_slice, session_day, epoch, sent_units, ending,
  covered_units, commission_units
FROM execution_orders WHERE order_id = :order_id

-- sent_orders --
SELECT order_id FROM execution_orders WHERE sent_units IS NOT NULL ORDER BY number

-- fill_saved --
INSERT INTO execution_fills
  (number, fill_id, account, order_id, agent, symbol, instrument, side, quantity_units,
   price_units, fee_units, realised_units, at, slice, fee_asset_units)
VALUES
  (:number, :fill_id, :account, :order_id, :agent, :symbol, :instrument, :side, :quantity_units,
   :price_units, :fee_units, :realised_units, :at, :slice, :fee_asset_units)

-- fills_before --
SELECT number, fill_id, order_id, agent, symbol, instrument, side, quantity_units, price_units,
  fee_units, realised_units, at, slice, fee_asset_units
FROM execution_fills
WHERE number < :before
  AND (:agent IS NULL OR agent = :agent)
  AND (:symbol IS NULL OR symbol = :symbol)
ORDER BY number DESC LIMIT :limit

-- line_saved --
INSERT INTO execution_ledger (number, entry, at, account, asset, amount_units, scale, memo)
VALUES (:number, :entry, :at, :account, :asset, :amount_units, :scale, :memo)

-- lines_before --
SELECT number, entry, at, account, asset, amount_units, scale, memo
FROM execution_ledger WHERE number < :before ORDER BY number DESC LIMIT :limit

-- balances --
SELECT account, asset, sum(amount_units) AS amount_units FROM execution_ledger
GROUP BY account, asset

-- unbalanced_entries --
SELECT entry, asset FROM execution_ledger
GROUP BY entry, asset HAVING sum(amount_units) <> 0

-- stop_saved --
INSERT INTO execution_stops
  (number, kind, epoch, scope, subject, actor, reason, at, cancelled, accepted, reduced, refused,
   machine_at, stop_ms)
VALUES
  (:number, :kind, :epoch, :scope, :subject, :actor, :reason, :at, :cancelled, :accepted, :reduced,
   :refused, :machine_at, :stop_ms)

-- stop_amended --
UPDATE execution_stops SET actor = :actor, reason = :reason WHERE number = :number

-- stop_counted --
UPDATE execution_stops SET accepted = :accepted, reduced = :reduced, refused = :refused
WHERE number = :number

-- last_stops --
SELECT number, epoch, scope, subject, actor, reason, at, cancelled, accepted, reduced, refused,
  machine_at, stop_ms
FROM execution_stops
WHERE number IN
  (SELECT max(number) FROM execution_stops WHERE kind = 'raised' GROUP BY scope, subject)
ORDER BY number

-- last_numbers --
SELECT
  (SELECT coalesce(max(number), 0) FROM execution_fills) AS fills,
  (SELECT coalesce(max(number), 0) FROM execution_ledger) AS lines,
  (SELECT coalesce(max(number), 0) FROM execution_stops) AS stops,
  (SELECT coalesce(max(number), 0) FROM execution_signals) AS signals,
  (SELECT coalesce(max(number), 0) FROM execution_breaker_events) AS breakers,
  (SELECT coalesce(max(number), 0) FROM execution_adjustments) AS adjustments

-- signal_saved --
INSERT INTO execution_signals
  (number, signal_id, agent, symbol, direction, strength, horizon_bars, reason, task_id, at, slice,
   status, final_at, expires_at)
VALUES
  (:number, :signal_id, :agent, :symbol, :direction, :strength, :horizon_bars, :reason, :task_id,
   :at, :slice, :status, :final_at, :expires_at)

-- signal_changed --
UPDATE execution_signals SET status = :status, final_at = :final_at WHERE number = :number

-- open_signals --
SELECT number, signal_id, agent, symbol, direction, strength, horizon_bars, reason, task_id, at,
  slice, status, final_at, expires_at
FROM execution_signals WHERE final_at IS NULL ORDER BY number

-- signals_before --
SELECT number, signal_id, agent, symbol, direction, strength, horizon_bars, reason, task_id, at,
  slice, status, final_at, expires_at
FROM execution_signals
WHERE number < :before
  AND (:agent IS NULL OR agent = :agent)
  AND (:symbol IS NULL OR symbol = :symbol)
  AND (:status IS NULL OR status = :status)
ORDER BY number DESC LIMIT :limit

-- last_rows --
SELECT
  (SELECT coalesce(max(number), 0) FROM execution_fills) AS fills,
  (SELECT coalesce(max(number), 0) FROM execution_ledger) AS lines,
  (SELECT coalesce(max(number), 0) FROM execution_orders) AS orders

-- capitals --
SELECT number, agent, capital_units FROM execution_accounts
WHERE number > :after ORDER BY number LIMIT 1000

-- fills_folded --
SELECT agent, instrument, side, sum(kept) AS quantity, sum(kept * price_units) AS value,
  sum(fee_units) AS fees, sum(realised_units) AS realised, count(*) AS fills
FROM (SELECT agent, instrument, side, price_units, fee_units, realised_units,
    quantity_units - CASE side WHEN 'buy' THEN fee_asset_units ELSE -fee_asset_units END AS kept
  FROM execution_fills WHERE number > :after AND number <= :upto)
GROUP BY agent, instrument, side

-- fill_missing --
SELECT min(f.number) + 1 AS number
FROM (SELECT :after AS number UNION ALL
  SELECT number FROM execution_fills WHERE number > :after) AS f
WHERE NOT EXISTS (SELECT 1 FROM execution_fills AS n WHERE n.number = f.number + 1)

-- lines_folded --
SELECT account, asset, sum(amount_units) AS amount, count(*) AS lines
FROM execution_ledger WHERE number > :after AND number <= :upto GROUP BY account, asset

-- lines_counted --
SELECT count(*) AS lines FROM execution_ledger WHERE number > :after AND number <= :upto

-- line_missing --
SELECT min(l.number) + 1 AS number
FROM (SELECT :after AS number UNION ALL
  SELECT number FROM execution_ledger WHERE number > :after) AS l
WHERE NOT EXISTS (SELECT 1 FROM execution_ledger AS n WHERE n.number = l.number + 1)

-- entries_unbalanced_between --
SELECT entry, asset, sum(amount_units) AS amount
FROM execution_ledger WHERE number > :after AND number <= :upto
GROUP BY entry, asset HAVING sum(amount_units) <> 0 ORDER BY max(number)

-- orders_counted --
SELECT count(*) AS orders FROM execution_orders WHERE number > :after AND number <= :upto

-- order_missing --
SELECT min(o.number) + 1 AS number
FROM (SELECT :after AS number UNION ALL
  SELECT number FROM execution_orders WHERE number > :after) AS o
WHERE NOT EXISTS (SELECT 1 FROM execution_orders AS n WHERE n.number = o.number + 1)

-- orders_at_odds --
SELECT number, order_id, status, quantity_units, filled_units, final_at FROM execution_orders
WHERE number > :after AND number <= :upto AND NOT (
  CASE status
    WHEN 'filled' THEN final_at IS NOT NULL AND filled_units = quantity_units
    WHEN 'refused' THEN final_at IS NOT NULL AND filled_units = 0
    WHEN 'withheld' THEN final_at IS NOT NULL
    WHEN 'cancelled' THEN final_at IS NOT NULL
    WHEN 'expired' THEN final_at IS NOT NULL
    WHEN 'rejected' THEN final_at IS NOT NULL
    WHEN 'held' THEN final_at IS NULL AND filled_units = 0
    WHEN 'intent' THEN final_at IS NULL AND filled_units = 0
    WHEN 'partial' THEN final_at IS NULL AND filled_units BETWEEN 1 AND quantity_units - 1
    WHEN 'sent' THEN final_at IS NULL AND filled_units < quantity_units
    WHEN 'working' THEN final_at IS NULL AND filled_units < quantity_units
    WHEN 'unknown' THEN final_at IS NULL AND filled_units < quantity_units
    ELSE 0
  END)
ORDER BY number LIMIT 1

-- open_orders --
SELECT number, order_id, agent, instrument, side,
  max(0, quantity_units - filled_units - covered_units) AS quantity,
  limit_units, worst_units, slice, status, stop_units, reduce_only, time_in_force, parent_id
FROM execution_orders WHERE final_at IS NULL AND number > :after ORDER BY number LIMIT 1000

-- orders_unlike_fills --
SELECT o.number, o.order_id, o.filled_units, coalesce(f.quantity, 0) AS quantity
FROM execution_orders AS o
LEFT JOIN (SELECT order_id, sum(quantity_units) AS quantity FROM execution_fills GROUP BY order_id)
  AS f ON f.order_id = o.order_id
WHERE o.filled_units <> coalesce(f.quantity, 0) ORDER BY o.number LIMIT 1

-- tallies_unlike_orders --
SELECT t.agent, t.refused, t.filled, coalesce(o.refused, 0) AS refused_orders,
  coalesce(o.filled, 0) AS filled_orders
FROM execution_tallies AS t
LEFT JOIN (SELECT agent, sum(status = 'refused') AS refused, sum(status = 'filled') AS filled
  FROM execution_orders GROUP BY agent) AS o ON o.agent = t.agent
WHERE t.refused <> coalesce(o.refused, 0) OR t.filled <> coalesce(o.filled, 0)
ORDER BY t.agent LIMIT 1

-- positions_unlike_fills --
SELECT agent, instrument, sum(held) AS held, sum(filled) AS filled
FROM (SELECT agent, instrument, quantity_units AS held, 0 AS filled FROM execution_positions
  UNION ALL
  SELECT agent, instrument, 0,
    CASE side WHEN 'buy' THEN quantity_units ELSE -quantity_units END - fee_asset_units
  FROM execution_fills)
GROUP BY agent, instrument HAVING sum(held) <> sum(filled) ORDER BY agent, instrument LIMIT 1

-- fees_unlike_fills --
SELECT a.agent, a.fees_units, coalesce(f.fees, 0) AS fees FROM execution_accounts AS a
LEFT JOIN (SELECT agent, sum(fee_units) AS fees FROM execution_fills GROUP BY agent) AS f
  ON f.agent = a.agent
WHERE a.fees_units <> coalesce(f.fees, 0) ORDER BY a.agent LIMIT 1

-- cash_unlike_ledger --
SELECT a.agent, a.cash_units, coalesce(l.amount, 0) AS amount FROM execution_accounts AS a
LEFT JOIN (SELECT account, sum(amount_units) AS amount FROM execution_ledger GROUP BY account) AS l
  ON l.account = 'agent:' || a.agent || ':cash:' || :currency
WHERE a.cash_units <> coalesce(l.amount, 0) ORDER BY a.agent LIMIT 1
