-- schema --
CREATE TABLE risk_limits (
  instrument INTEGER PRIMARY KEY,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  version INTEGER NOT NULL,  -- hashed
  position_limit_units INTEGER,  -- hashed
  regime TEXT NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  volatility REAL,  -- hashed
  var99 REAL,  -- hashed
  stress REAL,  -- hashed
  response REAL,  -- hashed
  condition REAL  -- hashed
) STRICT;
CREATE TABLE risk_limit_changes (
  version INTEGER PRIMARY KEY,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  position_limit_units INTEGER NOT NULL,  -- hashed
  previous_units INTEGER,  -- hashed
  multiplier REAL NOT NULL,  -- hashed
  var99 REAL NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  effects TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL,  -- hashed
  loss99_units INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_events (
  number INTEGER PRIMARY KEY,  -- hashed
  event_id TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  severity TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  observed REAL NOT NULL,  -- hashed
  threshold REAL NOT NULL,  -- hashed
  text TEXT NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  concerns TEXT NOT NULL,  -- hashed
  probability REAL,  -- hashed
  impact_units INTEGER,  -- hashed
  response TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_responses (
  number INTEGER PRIMARY KEY,  -- hashed
  response_id TEXT NOT NULL,  -- hashed
  event_id TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  response TEXT NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  mark TEXT NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  until_slice INTEGER,  -- hashed
  ended_at INTEGER,  -- hashed
  ended_by TEXT,  -- hashed
  ended_because TEXT  -- hashed
) STRICT;
CREATE TABLE risk_condition (
  one INTEGER PRIMARY KEY,  -- hashed
  number INTEGER NOT NULL,  -- hashed
  condition TEXT NOT NULL,  -- hashed
  since_at INTEGER NOT NULL,  -- hashed
  since_slice INTEGER NOT NULL,  -- hashed
  shares TEXT NOT NULL,  -- hashed
  signals TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_condition_weights (
  condition TEXT PRIMARY KEY,  -- hashed
  weights TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_condition_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  previous TEXT,  -- hashed
  condition TEXT NOT NULL,  -- hashed
  shares TEXT NOT NULL,  -- hashed
  multiplier REAL NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_levels (
  one INTEGER PRIMARY KEY,  -- hashed
  kept TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_level_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  previous TEXT,  -- hashed
  level TEXT NOT NULL,  -- hashed
  previous_score REAL,  -- hashed
  score REAL NOT NULL,  -- hashed
  causes TEXT NOT NULL,  -- hashed
  impact_units INTEGER,  -- hashed
  model TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_adaptation (
  one INTEGER PRIMARY KEY,  -- hashed
  mode TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_credit_accounts (
  agent TEXT PRIMARY KEY,  -- hashed
  kept TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_credit_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  previous_units INTEGER,  -- hashed
  credit_units INTEGER NOT NULL,  -- hashed
  share REAL NOT NULL,  -- hashed
  in_force INTEGER NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  effects TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL,  -- hashed
  loss99_units INTEGER  -- hashed
) STRICT;
CREATE TABLE risk_clusters (
  one INTEGER PRIMARY KEY,  -- hashed
  kept TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_cluster_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  cluster TEXT NOT NULL,  -- hashed
  members TEXT NOT NULL,  -- hashed
  previous_units INTEGER,  -- hashed
  limit_units INTEGER,  -- hashed
  multiplier REAL NOT NULL,  -- hashed
  in_force INTEGER NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  effects TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL,  -- hashed
  loss99_units INTEGER  -- hashed
) STRICT;
CREATE TABLE risk_stop_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  previous REAL,  -- hashed
  distance REAL NOT NULL,  -- hashed
  trades INTEGER NOT NULL,  -- hashed
  in_force INTEGER NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  effects TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE risk_multiplier_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  previous REAL,  -- hashed
  multiplier REAL NOT NULL,  -- hashed
  factors TEXT NOT NULL,  -- hashed
  because TEXT NOT NULL,  -- hashed
  effects TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL,  -- hashed
  loss99_units INTEGER  -- hashed
) STRICT;
CREATE TABLE risk_streaks (
  agent TEXT PRIMARY KEY,  -- hashed
  streak INTEGER NOT NULL,  -- hashed
  lost INTEGER NOT NULL,  -- hashed
  trades INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_marks (
  kind TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  active INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_positions (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument)
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_deck_forecasts (
  slice INTEGER PRIMARY KEY,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  lost REAL,  -- hashed
  var95 REAL,  -- hashed
  es95 REAL,  -- hashed
  var99 REAL,  -- hashed
  es99 REAL,  -- hashed
  more TEXT  -- hashed
) STRICT;
CREATE TABLE risk_fits (
  number INTEGER PRIMARY KEY,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  accepted INTEGER NOT NULL,  -- hashed
  reason TEXT NOT NULL,  -- hashed
  bars INTEGER NOT NULL,  -- hashed
  loss REAL,  -- hashed
  plain_loss REAL,  -- hashed
  parameters TEXT NOT NULL,  -- hashed
  model TEXT NOT NULL  -- hashed
) STRICT;

-- fit_saved --
INSERT INTO risk_fits
(number, slice, at, symbol, accepted, reason, bars, loss, plain_loss, parameters, model)
VALUES (:number, :slice, :at, :symbol, :accepted, :reason, :bars, :loss, :plain_loss, :parameters,
:model)

-- fits --
SELECT slice, at, symbol, accepted, reason, bars, loss, plain_loss, parameters, model
FROM risk_fits ORDER BY number

-- position_saved --
INSERT INTO risk_positions (agent, instrument, quantity_units)
VALUES (:agent, :instrument, :quantity_units)
ON CONFLICT (agent, instrument) DO UPDATE SET quantity_units = excluded.quantity_units

-- positions --
SELECT agent, instrument, quantity_units FROM risk_positions ORDER BY agent, instrument

-- deck_forecast_saved --
INSERT INTO risk_deck_forecasts (slice, at, lost, var95, es95, var99, es99, more)
VALUES (:slice, :at, :lost, :var95, :es95, :var99, :es99, :more)

-- deck_forecasts --
SELECT lost, var95, es95, var99, es99, more FROM risk_deck_forecasts ORDER BY slice

-- limit_saved --
INSERT INTO risk_limits
(instrument, symbol, version, position_limit_units, regime, at, volatility, var99, stress, response,
condition)
VALUES
(:instrument, :symbol, :version, :position_limit_units, :regime, :at, :volatility, :var99, :stress,
:response, :condition)
ON CONFLICT (instrument) DO UPDATE SET version = excluded.version,
position_limit_units = excluded.position_limit_units, regime = excluded.regime, at = excluded.at,
volatility = excluded.volatility, var99 = excluded.var99, stress = excluded.stress,
response = excluded.response, condition = excluded.condition

-- limits --
SELECT instrument, version, position_limit_units, regime, volatility, var99, stress, response,
condition
FROM risk_limits ORDER BY instrument

-- limit_change_saved --
INSERT INTO risk_limit_changes
(version, slice, at, symbol, position_limit_units, previous_units, multiplier, var99, because,
effects, model, loss99_units)
VALUES
(:version, :slice, :at, :symbol, :position_limit_units, :previous_units, :multiplier, :var99,
:because, :effects, :model, :loss99_units)

-- last_version --
SELECT COALESCE(MAX(version), 0) AS version FROM risk_limit_changes

-- limit_changes --
SELECT * FROM risk_limit_changes WHERE version < :before ORDER BY version DESC LIMIT :limit

-- event_saved --
INSERT INTO risk_events
(number, event_id, slice, at, kind, severity, subject, observed, threshold, text, scope, concerns,
probability, impact_units, response)
VALUES (:number, :event_id, :slice, :at, :kind, :severity, :subject, :observed, :threshold, :text,
:scope, :concerns, :probability, :impact_units, :response)

-- last_event --
SELECT COALESCE(MAX(number), 0) AS number FROM risk_events

-- events --
SELECT * FROM risk_events WHERE number < :before ORDER BY number DESC LIMIT :limit

-- mark_saved --
INSERT INTO risk_marks (kind, subject, active) VALUES (:kind, :subject, :active)
ON CONFLICT (kind, subject) DO UPDATE SET active = excluded.active

-- marks --
SELECT kind, subject FROM risk_marks WHERE active = 1 ORDER BY kind, subject

-- response_saved --
INSERT INTO risk_responses
(number, response_id, event_id, slice, at, response, state, scope, subject, kind, mark, reason,
until_slice, ended_at, ended_by, ended_because)
VALUES (:number, :response_id, :event_id, :slice, :at, :response, :state, :scope, :subject, :kind,
:mark, :reason, :until_slice, NULL, NULL, NULL)

-- response_ended --
UPDATE risk_responses SET state = :state, ended_at = :ended_at, ended_by = :ended_by,
ended_because = :ended_because WHERE number = :number

-- last_response --
SELECT COALESCE(MAX(number), 0) AS number FROM risk_responses

-- standing_responses --
SELECT * FROM risk_responses WHERE state = 'standing' ORDER BY number

-- responses --
SELECT * FROM risk_responses WHERE number < :before ORDER BY number DESC LIMIT :limit

-- streak_saved --
INSERT INTO risk_streaks (agent, streak, lost, trades) VALUES (:agent, :streak, :lost, :trades)
ON CONFLICT (agent) DO UPDATE SET streak = excluded.streak, lost = excluded.lost,
trades = excluded.trades

-- streaks --
SELECT agent, streak, lost, trades FROM risk_streaks ORDER BY agent

-- condition_saved --
INSERT INTO risk_condition (one, number, condition, since_at, since_slice, shares, signals)
VALUES (1, :number, :condition, :since_at, :since_slice, :shares, :signals)
ON CONFLICT (one) DO UPDATE SET number = excluded.number, condition = excluded.condition,
since_at = excluded.since_at, since_slice = excluded.since_slice, shares = excluded.shares,
signals = excluded.signals

-- condition --
SELECT number, condition, since_at, since_slice, shares, signals FROM risk_condition

-- condition_weights_saved --
INSERT INTO risk_condition_weights (condition, weights) VALUES (:condition, :weights)
ON CONFLICT (condition) DO UPDATE SET weights = excluded.weights

-- condition_weights --
SELECT condition, weights FROM risk_condition_weights ORDER BY condition

-- condition_change_saved --
INSERT INTO risk_condition_changes
(number, at, slice, previous, condition, shares, multiplier, because, model)
VALUES (:number, :at, :slice, :previous, :condition, :shares, :multiplier, :because, :model)

-- condition_changes --
SELECT * FROM risk_condition_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- levels_saved --
INSERT INTO risk_levels (one, kept) VALUES (1, :kept)
ON CONFLICT (one) DO UPDATE SET kept = excluded.kept

-- levels --
SELECT kept FROM risk_levels

-- level_change_saved --
INSERT INTO risk_level_changes
(number, at, slice, subject, previous, level, previous_score, score, causes, impact_units, model)
VALUES
(:number, :at, :slice, :subject, :previous, :level, :previous_score, :score, :causes,
:impact_units, :model)

-- timeline --
SELECT * FROM (
SELECT slice, at, 'limit' AS kind, symbol AS subject, CAST(previous_units AS TEXT) AS previous,
CAST(position_limit_units AS TEXT) AS now, because, effects AS causes, model,
loss99_units AS impact_units, version AS number FROM risk_limit_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'level', subject, previous, level, score || ' of 100', causes, model, impact_units,
number FROM risk_level_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'condition', 'market', previous, condition, because, '[]', model, NULL, number
FROM risk_condition_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'event', subject, NULL, kind, text, '[]', NULL, impact_units, number
FROM risk_events WHERE slice < :before
UNION ALL
SELECT slice, at, 'credit', agent, CAST(previous_units AS TEXT), CAST(credit_units AS TEXT), because,
effects, model, loss99_units, number FROM risk_credit_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'cluster', cluster, CAST(previous_units AS TEXT),
COALESCE(CAST(limit_units AS TEXT), 'parted'), because, effects, model, loss99_units, number
FROM risk_cluster_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'stop', agent, printf('%.2f', previous), printf('%.2f', distance), because,
effects, model, NULL, number FROM risk_stop_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'multiplier', subject || ' ' || kind, printf('%.3f', previous),
printf('%.3f', multiplier), because, effects, model, loss99_units, number
FROM risk_multiplier_changes WHERE slice < :before
UNION ALL
SELECT slice, at, 'response', subject, NULL, response || ' ' || state, reason, '[]', NULL, NULL,
number FROM risk_responses WHERE slice < :before
) ORDER BY slice DESC, kind, number DESC LIMIT :limit

-- adaptation_saved --
INSERT INTO risk_adaptation (one, mode) VALUES (1, :mode)
ON CONFLICT (one) DO UPDATE SET mode = excluded.mode

-- adaptation --
SELECT mode FROM risk_adaptation

-- credit_account_saved --
INSERT INTO risk_credit_accounts (agent, kept) VALUES (:agent, :kept)
ON CONFLICT (agent) DO UPDATE SET kept = excluded.kept

-- credit_accounts --
SELECT agent, kept FROM risk_credit_accounts ORDER BY agent

-- credit_change_saved --
INSERT INTO risk_credit_changes
(number, at, slice, agent, previous_units, credit_units, share, in_force, because, effects, model,
loss99_units)
VALUES (:number, :at, :slice, :agent, :previous_units, :credit_units, :share, :in_force, :because,
:effects, :model, :loss99_units)

-- last_credit_change --
SELECT COALESCE(MAX(number), 0) AS number FROM risk_credit_changes

-- credit_changes --
SELECT * FROM risk_credit_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- clusters_saved --
INSERT INTO risk_clusters (one, kept) VALUES (1, :kept)
ON CONFLICT (one) DO UPDATE SET kept = excluded.kept

-- clusters --
SELECT kept FROM risk_clusters

-- cluster_change_saved --
INSERT INTO risk_cluster_changes
(number, at, slice, cluster, members, previous_units, limit_units, multiplier, in_force, because,
effects, model, loss99_units)
VALUES (:number, :at, :slice, :cluster, :members, :previous_units, :limit_units, :multiplier,
:in_force, :because, :effects, :model, :loss99_units)

-- cluster_changes --
SELECT * FROM risk_cluster_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- stop_change_saved --
INSERT INTO risk_stop_changes
(number, at, slice, agent, previous, distance, trades, in_force, because, effects, model)
VALUES (:number, :at, :slice, :agent, :previous, :distance, :trades, :in_force, :because, :effects,
:model)

-- last_stop_change --
SELECT COALESCE(MAX(number), 0) AS number FROM risk_stop_changes

-- stop_changes --
SELECT * FROM risk_stop_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- multiplier_change_saved --
INSERT INTO risk_multiplier_changes
(number, at, slice, kind, subject, previous, multiplier, factors, because, effects, model, loss99_units)
VALUES (:number, :at, :slice, :kind, :subject, :previous, :multiplier, :factors, :because, :effects,
:model, :loss99_units)

-- latest_multipliers --
SELECT kind, subject, multiplier, factors, number FROM risk_multiplier_changes
WHERE number IN (SELECT MAX(number) FROM risk_multiplier_changes GROUP BY kind, subject)
ORDER BY kind, subject
