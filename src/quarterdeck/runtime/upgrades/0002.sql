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
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
ALTER TABLE execution_signals ADD COLUMN expires_at INTEGER;

-- Agents say what they accept, where and for how much, tasks what they may cost; an agent that said
-- nothing accepts everything and does on paper what it did.
CREATE TABLE agents_now (
  name TEXT PRIMARY KEY,
  label TEXT NOT NULL,
  builtin INTEGER NOT NULL,
  state TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  scopes TEXT NOT NULL,
  slots INTEGER NOT NULL,
  capital_units INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  streak INTEGER NOT NULL,
  reason TEXT,
  registered_at INTEGER NOT NULL,
  accepts TEXT NOT NULL,
  markets TEXT NOT NULL,
  cost_units INTEGER,
  autonomy TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO agents_now SELECT name, label, builtin, state, capabilities, scopes, slots, capital_units, completed, failed, streak, reason, registered_at, '[]', '[]', NULL, 'paper'
FROM agents;
DROP TABLE agents;
ALTER TABLE agents_now RENAME TO agents;
CREATE TABLE tasks_now (
  number INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  capability TEXT NOT NULL,
  priority TEXT NOT NULL,
  submitter TEXT NOT NULL,
  entry TEXT,
  input TEXT NOT NULL,
  depends_on TEXT NOT NULL,
  max_attempts INTEGER NOT NULL,
  lease_ns INTEGER NOT NULL,
  submitted_at INTEGER NOT NULL,
  submitted_slice INTEGER NOT NULL,
  state TEXT NOT NULL,
  agent TEXT,
  attempt INTEGER NOT NULL,
  settled_attempt INTEGER NOT NULL,
  failed_by TEXT,
  because TEXT,
  reason TEXT,
  result TEXT,
  started_at INTEGER,
  finished_at INTEGER,
  finish_order INTEGER,
  ready_machine_at INTEGER NOT NULL,
  started_machine_at INTEGER,
  finished_machine_at INTEGER,
  lease_until INTEGER,
  requires TEXT NOT NULL,
  strategy TEXT NOT NULL,
  order_key INTEGER NOT NULL,
  factors TEXT,
  tried TEXT NOT NULL,
  not_before INTEGER,
  expires_at INTEGER,
  expires_slice INTEGER,
  on_failure TEXT NOT NULL,
  progress REAL,
  note TEXT NOT NULL,
  ceiling_units INTEGER,
  autonomy TEXT NOT NULL
) STRICT;
INSERT INTO tasks_now SELECT number, task_id, type, title, capability, priority, submitter, entry, input, depends_on, max_attempts, lease_ns, submitted_at, submitted_slice, state, agent, attempt, settled_attempt, failed_by, because, reason, result, started_at, finished_at, finish_order, ready_machine_at, started_machine_at, finished_machine_at, lease_until, requires, strategy, order_key, factors, tried, not_before, expires_at, expires_slice, on_failure, progress, note, NULL, 'shadow'
FROM tasks;
DROP TABLE tasks;
ALTER TABLE tasks_now RENAME TO tasks;
CREATE INDEX tasks_by_state ON tasks (state, number);
CREATE INDEX tasks_by_finish ON tasks (finish_order);

-- Work that comes by itself, and what a trade was worth some bars later.
CREATE TABLE trade_judgements (
  number INTEGER PRIMARY KEY,
  agent TEXT NOT NULL,
  regime TEXT,
  equity_units INTEGER NOT NULL,
  took_ms REAL NOT NULL,
  due_slice INTEGER NOT NULL
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

-- What an order's exits already cover, mandates and rebalances, and the condition of the market.
CREATE TABLE execution_orders_now (
  number INTEGER PRIMARY KEY,
  order_id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  agent TEXT NOT NULL,
  symbol TEXT NOT NULL,
  instrument INTEGER,
  side TEXT NOT NULL,
  type TEXT NOT NULL,
  quantity_units INTEGER NOT NULL,
  limit_units INTEGER,
  worst_units INTEGER NOT NULL,
  filled_units INTEGER NOT NULL,
  value_units INTEGER NOT NULL,
  status TEXT NOT NULL,
  decision TEXT NOT NULL,
  at INTEGER NOT NULL,
  slice INTEGER NOT NULL,
  final_at INTEGER,
  task_id TEXT,
  signal_id TEXT,
  idempotency_key TEXT NOT NULL,
  limit_version INTEGER NOT NULL,
  stop_units INTEGER,
  time_in_force TEXT NOT NULL,
  reduce_only INTEGER NOT NULL,
  post_only INTEGER NOT NULL,
  triggered INTEGER NOT NULL,
  stop_loss_units INTEGER,
  take_profit_units INTEGER,
  parent_id TEXT,
  leg TEXT,
  replaces TEXT,
  live_slice INTEGER NOT NULL,
  session_day INTEGER,
  sent_units INTEGER,
  ending TEXT,
  covered_units INTEGER NOT NULL,
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO execution_orders_now SELECT number, order_id, account, agent, symbol, instrument, side, type, quantity_units, limit_units, worst_units, filled_units, value_units, status, decision, at, slice, final_at, task_id, signal_id, idempotency_key, limit_version, stop_units, time_in_force, reduce_only, post_only, triggered, stop_loss_units, take_profit_units, parent_id, leg, replaces, live_slice, session_day, sent_units, ending, 0, epoch
FROM execution_orders;
DROP TABLE execution_orders;
ALTER TABLE execution_orders_now RENAME TO execution_orders;
CREATE INDEX execution_orders_by_agent ON execution_orders (agent, number);
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
ALTER TABLE risk_limits ADD COLUMN condition REAL;

-- Levels of risk, and credit lines as they are learned.
CREATE TABLE risk_levels (
  one INTEGER PRIMARY KEY,
  kept TEXT NOT NULL
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
