-- Which programs have run the run: the one it was born under, of which version 1 knew no more, and later ones.
CREATE TABLE program (
  step INTEGER PRIMARY KEY,
  version TEXT NOT NULL,
  schema_version INTEGER NOT NULL,
  code_digest TEXT NOT NULL,
  kernel_digest TEXT NOT NULL,
  config_digest TEXT NOT NULL,
  config TEXT
) STRICT;
INSERT INTO program (step, version, schema_version, code_digest, kernel_digest, config_digest)
SELECT 1, '0.1.0', 1, code.value, kernel.value, config.value
FROM manifest AS code, manifest AS kernel, manifest AS config
WHERE code.key = 'code_digest' AND kernel.key = 'kernel_digest' AND config.key = 'config_digest';

-- Risk events say whom they concern and how they are answered; until now they were only said.
CREATE TABLE risk_events_now (
  number INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  slice INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  severity TEXT NOT NULL,
  subject TEXT NOT NULL,
  observed REAL NOT NULL,
  threshold REAL NOT NULL,
  text TEXT NOT NULL,
  scope TEXT NOT NULL,
  concerns TEXT NOT NULL,
  probability REAL,
  impact_units INTEGER,
  response TEXT NOT NULL
) STRICT;
INSERT INTO risk_events_now
SELECT number, event_id, slice, at, kind, severity, subject, observed, threshold, text,
  CASE kind WHEN 'drawdown' THEN 'agent' WHEN 'concentration' THEN 'deck' ELSE 'instrument' END,
  CASE kind WHEN 'concentration' THEN '' ELSE substr(subject, 1, instr(subject || ' ', ' ') - 1) END,
  NULL, NULL, 'notify'
FROM risk_events;
DROP TABLE risk_events;
ALTER TABLE risk_events_now RENAME TO risk_events;
ALTER TABLE risk_limits ADD COLUMN response REAL;
CREATE TABLE risk_responses (
  number INTEGER PRIMARY KEY,
  response_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  slice INTEGER NOT NULL,
  at INTEGER NOT NULL,
  response TEXT NOT NULL,
  state TEXT NOT NULL,
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  mark TEXT NOT NULL,
  reason TEXT NOT NULL,
  until_slice INTEGER,
  ended_at INTEGER,
  ended_by TEXT,
  ended_because TEXT
) STRICT;
CREATE TABLE risk_streaks (
  agent TEXT PRIMARY KEY,
  streak INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  trades INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Levels that risk sets, and signals with an end of their own.
CREATE TABLE execution_learned_levels (
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  trading_state INTEGER,
  max_credit_notional INTEGER,
  max_stop_distance_ratio INTEGER,
  max_account_notional INTEGER,
  position_share_parts INTEGER,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
ALTER TABLE execution_signals ADD COLUMN expires_at INTEGER;

-- No order of before bore the worst case of another that it replaced.
ALTER TABLE execution_orders ADD COLUMN covered_units INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution_orders ADD COLUMN commission_units INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution_fills ADD COLUMN fee_asset_units INTEGER NOT NULL DEFAULT 0;
CREATE TABLE execution_adjustments (
  number INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  ours INTEGER NOT NULL,
  theirs INTEGER NOT NULL,
  agent TEXT,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL
) STRICT;

-- The condition of the market as a whole, and what follows from it.
ALTER TABLE risk_limits ADD COLUMN condition REAL;
-- Neither had a part in a limit that was learned before: what it was multiplied by is one.
UPDATE risk_limits SET response = 1.0, condition = 1.0 WHERE stress IS NOT NULL;
CREATE TABLE risk_condition (
  one INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  condition TEXT NOT NULL,
  since_at INTEGER NOT NULL,
  since_slice INTEGER NOT NULL,
  shares TEXT NOT NULL,
  signals TEXT NOT NULL
) STRICT;
CREATE TABLE risk_condition_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  previous TEXT,
  condition TEXT NOT NULL,
  shares TEXT NOT NULL,
  multiplier REAL NOT NULL,
  because TEXT NOT NULL,
  model TEXT NOT NULL
) STRICT;
CREATE TABLE risk_condition_weights (
  condition TEXT PRIMARY KEY,
  weights TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Mandates, and rebalances on their way.
CREATE TABLE portfolio_mandates (
  name TEXT PRIMARY KEY,
  charge BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_rebalances (
  number INTEGER PRIMARY KEY,
  rebalance_id TEXT NOT NULL,
  mandate TEXT NOT NULL,
  status TEXT NOT NULL,
  rebalance BLOB NOT NULL
) STRICT;
CREATE INDEX portfolio_rebalances_alive ON portfolio_rebalances (number)
WHERE status IN ('proposed', 'running', 'aborting');

-- What agents accept and may do alone, and schedules. An agent without a word accepts all types and markets.
ALTER TABLE agents ADD COLUMN accepts TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN markets TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN cost_units INTEGER;
ALTER TABLE agents ADD COLUMN autonomy TEXT NOT NULL DEFAULT 'paper';
-- Nobody was missed before it was looked at who is.
ALTER TABLE agents ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN long_slots INTEGER;
ALTER TABLE tasks ADD COLUMN ceiling_units INTEGER;
ALTER TABLE tasks ADD COLUMN autonomy TEXT NOT NULL DEFAULT 'shadow';
ALTER TABLE tasks ADD COLUMN begun INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tasks ADD COLUMN moves INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN answered TEXT;
CREATE TABLE task_attempts (
  number INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  agent TEXT NOT NULL,
  started_machine_at INTEGER NOT NULL,
  ended_machine_at INTEGER NOT NULL,
  PRIMARY KEY (number, attempt)
) STRICT, WITHOUT ROWID;
ALTER TABLE tasks ADD COLUMN deadline_at INTEGER;
ALTER TABLE tasks ADD COLUMN deadline_slice INTEGER;
ALTER TABLE tasks ADD COLUMN urgent_at INTEGER;
ALTER TABLE tasks ADD COLUMN raised INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
CREATE TABLE schedule_fires (
  number INTEGER PRIMARY KEY,
  schedule_id TEXT NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  task_id TEXT,
  reason TEXT,
  facts TEXT NOT NULL,
  UNIQUE (schedule_id, key)
) STRICT;
CREATE TABLE schedules (
  name TEXT PRIMARY KEY,
  schedule_id TEXT NOT NULL,
  submitter TEXT NOT NULL,
  when_due TEXT NOT NULL,
  task TEXT NOT NULL,
  began_at INTEGER NOT NULL,
  began_slice INTEGER NOT NULL,
  next_at INTEGER,
  next_slice INTEGER,
  fired INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  last_key TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE trade_judgements (
  number INTEGER PRIMARY KEY,
  agent TEXT NOT NULL,
  regime TEXT,
  equity_units INTEGER NOT NULL,
  took_ms REAL NOT NULL,
  due_slice INTEGER NOT NULL
) STRICT;

-- Levels of risk with what moved them, and what active returns are made of.
CREATE TABLE portfolio_active (
  number INTEGER PRIMARY KEY,
  state BLOB NOT NULL
) STRICT;
CREATE TABLE risk_level_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  subject TEXT NOT NULL,
  previous TEXT,
  level TEXT NOT NULL,
  previous_score REAL,
  score REAL NOT NULL,
  causes TEXT NOT NULL,
  impact_units INTEGER,
  model TEXT NOT NULL
) STRICT;
CREATE TABLE risk_levels (
  one INTEGER PRIMARY KEY,
  kept TEXT NOT NULL
) STRICT;

-- How much work of one kind may run at once.
CREATE TABLE work_bounds (
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  max_running INTEGER,
  per_minute INTEGER,
  full_at INTEGER NOT NULL,
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;

-- What was earned before is told as trading less cost; what is held counts as bought since the last close.
INSERT INTO portfolio_active (number, state)
SELECT 1, CAST(json_object(
  'trading', (SELECT COALESCE(SUM(gain_units), 0) FROM portfolio_cells),
  'cost', (SELECT COALESCE(SUM(cost_units), 0) FROM portfolio_cells),
  'joined', (SELECT SUM(capital_units) FROM execution_accounts)
    + (SELECT COALESCE(SUM(gain_units - cost_units), 0) FROM portfolio_cells),
  'traded', json((SELECT json_group_object(instrument, json_array(quantity, paid)) FROM (
    SELECT instrument, SUM(quantity_units) AS quantity, SUM(paid_units) AS paid
    FROM portfolio_stakes GROUP BY instrument)))
) AS BLOB)
WHERE EXISTS (SELECT 1 FROM execution_accounts);

-- What risk has since come to keep.
CREATE TABLE risk_adaptation (
  one INTEGER PRIMARY KEY,
  mode TEXT NOT NULL
) STRICT;
CREATE TABLE risk_credit_accounts (
  agent TEXT PRIMARY KEY,
  kept TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_credit_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  agent TEXT NOT NULL,
  previous_units INTEGER,
  credit_units INTEGER NOT NULL,
  share REAL NOT NULL,
  in_force INTEGER NOT NULL,
  because TEXT NOT NULL,
  effects TEXT NOT NULL,
  model TEXT NOT NULL,
  loss99_units INTEGER
) STRICT;

-- Instruments that move together.
CREATE TABLE execution_moving (
  one INTEGER PRIMARY KEY,
  clusters TEXT NOT NULL
) STRICT;
CREATE TABLE risk_clusters (
  one INTEGER PRIMARY KEY,
  kept TEXT NOT NULL
) STRICT;
CREATE TABLE risk_cluster_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  cluster TEXT NOT NULL,
  members TEXT NOT NULL,
  previous_units INTEGER,
  limit_units INTEGER,
  multiplier REAL NOT NULL,
  in_force INTEGER NOT NULL,
  because TEXT NOT NULL,
  effects TEXT NOT NULL,
  model TEXT NOT NULL,
  loss99_units INTEGER
) STRICT;
-- Agents' signals as views, and what they were worth.
CREATE TABLE portfolio_views (
  agent TEXT NOT NULL,
  instrument INTEGER NOT NULL,
  measured INTEGER NOT NULL,
  view BLOB NOT NULL,
  PRIMARY KEY (agent, instrument, measured)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_skills (
  agent TEXT PRIMARY KEY,
  skill BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Capital over agents.
CREATE TABLE portfolio_session_accounts (
  agent TEXT PRIMARY KEY,
  account BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_session_returns (
  agent TEXT NOT NULL,
  session INTEGER NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (agent, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_allocation (
  one INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  standing BLOB
) STRICT;

-- Answers lie in the order in which they were given.
CREATE TABLE answer_now (
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  caller TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  answer BLOB NOT NULL,
  PRIMARY KEY (step, ordinal)
) STRICT, WITHOUT ROWID;
INSERT INTO answer_now
SELECT step, ordinal, caller, idempotency_key, request_hash, answer FROM answer;
DROP TABLE answer;
ALTER TABLE answer_now RENAME TO answer;

-- How far an attached stop-loss may be.
CREATE TABLE risk_stop_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  agent TEXT NOT NULL,
  previous REAL,
  distance REAL NOT NULL,
  trades INTEGER NOT NULL,
  in_force INTEGER NOT NULL,
  because TEXT NOT NULL,
  effects TEXT NOT NULL,
  model TEXT NOT NULL
) STRICT;
-- Regimes of coarser timeframes, of which earlier runs had none.
CREATE TABLE coarser_regime_changes (
  number INTEGER PRIMARY KEY,
  timeframe TEXT NOT NULL,
  slice INTEGER NOT NULL,
  at INTEGER NOT NULL,
  symbol TEXT NOT NULL,
  previous TEXT NOT NULL,
  regime TEXT NOT NULL,
  confidence REAL NOT NULL,
  level TEXT NOT NULL,
  duration_bars INTEGER NOT NULL,
  triggers BLOB NOT NULL
) STRICT;
CREATE INDEX coarser_regime_changes_by_symbol ON coarser_regime_changes (timeframe, symbol, number);

-- What was earned for the risk and against the benchmark, of which earlier runs begin here.
CREATE TABLE performance_measures (
  number INTEGER PRIMARY KEY,
  cells BLOB NOT NULL
) STRICT;

-- Why sizes and what a condition scales limits by have changed, of which earlier runs begin here.
CREATE TABLE risk_multiplier_changes (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  previous REAL,
  multiplier REAL NOT NULL,
  factors TEXT NOT NULL,
  because TEXT NOT NULL,
  effects TEXT NOT NULL,
  model TEXT NOT NULL,
  loss99_units INTEGER
) STRICT;

-- Fits of the optional fitted expert, of which earlier runs had none.
CREATE TABLE risk_fits (
  number INTEGER PRIMARY KEY,
  slice INTEGER NOT NULL,
  at INTEGER NOT NULL,
  symbol TEXT NOT NULL,
  accepted INTEGER NOT NULL,
  reason TEXT NOT NULL,
  bars INTEGER NOT NULL,
  loss REAL,
  plain_loss REAL,
  parameters TEXT NOT NULL,
  model TEXT NOT NULL
) STRICT;

-- What the deck was forecast to lose at levels besides 95 and 99 %.
ALTER TABLE risk_deck_forecasts ADD COLUMN more TEXT;
