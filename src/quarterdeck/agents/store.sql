-- schema --
CREATE TABLE agents (
  name TEXT PRIMARY KEY,  -- hashed
  label TEXT NOT NULL,  -- hashed
  builtin INTEGER NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  capabilities TEXT NOT NULL,  -- hashed
  scopes TEXT NOT NULL,  -- hashed
  slots INTEGER NOT NULL,  -- hashed
  capital_units INTEGER NOT NULL,  -- hashed
  completed INTEGER NOT NULL,  -- hashed
  failed INTEGER NOT NULL,  -- hashed
  streak INTEGER NOT NULL,  -- hashed
  reason TEXT,  -- hashed
  registered_at INTEGER NOT NULL,  -- hashed
  accepts TEXT NOT NULL,  -- hashed
  markets TEXT NOT NULL,  -- hashed
  cost_units INTEGER,  -- hashed
  autonomy TEXT NOT NULL,  -- hashed
  missed INTEGER NOT NULL,  -- hashed
  long_slots INTEGER  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE agent_keys (
  prefix TEXT PRIMARY KEY,  -- unhashed
  agent TEXT NOT NULL,  -- unhashed
  digest BLOB NOT NULL,  -- unhashed
  scopes TEXT NOT NULL,  -- unhashed
  created_at INTEGER NOT NULL,  -- unhashed
  revoked_at INTEGER,  -- unhashed
  reason TEXT  -- unhashed
) STRICT, WITHOUT ROWID;
CREATE TABLE tasks (
  number INTEGER PRIMARY KEY,  -- hashed
  task_id TEXT NOT NULL UNIQUE,  -- hashed
  type TEXT NOT NULL,  -- hashed
  title TEXT NOT NULL,  -- hashed
  capability TEXT NOT NULL,  -- hashed
  priority TEXT NOT NULL,  -- hashed
  submitter TEXT NOT NULL,  -- hashed
  entry TEXT,  -- hashed
  input TEXT NOT NULL,  -- hashed
  depends_on TEXT NOT NULL,  -- hashed
  max_attempts INTEGER NOT NULL,  -- hashed
  lease_ns INTEGER NOT NULL,  -- hashed
  submitted_at INTEGER NOT NULL,  -- hashed
  submitted_slice INTEGER NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  agent TEXT,  -- hashed
  attempt INTEGER NOT NULL,  -- hashed
  settled_attempt INTEGER NOT NULL,  -- hashed
  failed_by TEXT,  -- hashed
  because TEXT,  -- hashed
  reason TEXT,  -- hashed
  result TEXT,  -- hashed
  started_at INTEGER,  -- hashed
  finished_at INTEGER,  -- hashed
  finish_order INTEGER,  -- hashed
  ready_machine_at INTEGER NOT NULL,  -- unhashed
  started_machine_at INTEGER,  -- unhashed
  finished_machine_at INTEGER,  -- unhashed
  lease_until INTEGER,  -- unhashed
  requires TEXT NOT NULL,  -- hashed
  strategy TEXT NOT NULL,  -- hashed
  order_key INTEGER NOT NULL,  -- unhashed
  factors TEXT,  -- unhashed
  tried TEXT NOT NULL,  -- hashed
  not_before INTEGER,  -- unhashed
  expires_at INTEGER,  -- unhashed
  expires_slice INTEGER,  -- hashed
  on_failure TEXT NOT NULL,  -- hashed
  progress REAL,  -- hashed
  note TEXT NOT NULL,  -- hashed
  ceiling_units INTEGER,  -- hashed
  autonomy TEXT NOT NULL,  -- hashed
  begun INTEGER NOT NULL,  -- hashed
  moves INTEGER NOT NULL,  -- hashed
  answered TEXT,  -- hashed
  deadline_at INTEGER,  -- unhashed
  deadline_slice INTEGER,  -- hashed
  urgent_at INTEGER,  -- unhashed
  raised INTEGER NOT NULL,  -- hashed
  late INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE agent_skills (
  agent TEXT NOT NULL,  -- hashed
  type TEXT NOT NULL,  -- hashed
  regime TEXT NOT NULL,  -- hashed
  weight REAL NOT NULL,  -- hashed
  gain REAL NOT NULL,  -- hashed
  trials INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  duration_ms REAL NOT NULL,  -- unhashed
  score_ppm INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, type, regime)
) STRICT, WITHOUT ROWID;
CREATE TABLE work_regimes (
  symbol TEXT PRIMARY KEY,  -- hashed
  regime TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE work_bounds (
  scope TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  max_running INTEGER,  -- hashed
  per_minute INTEGER,  -- hashed
  full_at INTEGER NOT NULL,  -- unhashed
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE trade_judgements (
  number INTEGER PRIMARY KEY,  -- hashed
  agent TEXT NOT NULL,  -- hashed
  regime TEXT,  -- hashed
  equity_units INTEGER NOT NULL,  -- hashed
  took_ms REAL NOT NULL,  -- unhashed
  due_slice INTEGER NOT NULL  -- hashed
) STRICT;
CREATE TABLE schedules (
  name TEXT PRIMARY KEY,  -- hashed
  schedule_id TEXT NOT NULL,  -- hashed
  submitter TEXT NOT NULL,  -- hashed
  when_due TEXT NOT NULL,  -- hashed
  task TEXT NOT NULL,  -- hashed
  began_at INTEGER NOT NULL,  -- unhashed
  began_slice INTEGER NOT NULL,  -- hashed
  next_at INTEGER,  -- unhashed
  next_slice INTEGER,  -- hashed
  fired INTEGER NOT NULL,  -- hashed
  skipped INTEGER NOT NULL,  -- hashed
  last_key TEXT  -- unhashed
) STRICT, WITHOUT ROWID;
CREATE TABLE schedule_fires (
  number INTEGER PRIMARY KEY,  -- hashed
  schedule_id TEXT NOT NULL,  -- hashed
  name TEXT NOT NULL,  -- hashed
  key TEXT NOT NULL,  -- unhashed
  at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  task_id TEXT,  -- hashed
  reason TEXT,  -- hashed
  facts TEXT NOT NULL,  -- hashed
  UNIQUE (schedule_id, key)
) STRICT;
CREATE INDEX tasks_by_state ON tasks (state, number);
CREATE INDEX tasks_by_finish ON tasks (finish_order);

-- agent_saved --
INSERT INTO agents (name, label, builtin, state, capabilities, scopes, slots, capital_units,
  completed, failed, streak, reason, registered_at, accepts, markets, cost_units, autonomy, missed,
  long_slots)
VALUES (:name, :label, :builtin, :state, :capabilities, :scopes, :slots, :capital_units,
  0, 0, 0, :reason, :registered_at, :accepts, :markets, :cost_units, :autonomy, 0,
  :long_slots)
ON CONFLICT (name) DO UPDATE SET state = excluded.state, reason = excluded.reason,
  capabilities = excluded.capabilities, slots = excluded.slots, accepts = excluded.accepts,
  markets = excluded.markets, cost_units = excluded.cost_units, autonomy = excluded.autonomy,
  long_slots = excluded.long_slots

-- agent_missed --
UPDATE agents SET missed = :missed WHERE name = :name

-- outcomes_saved --
UPDATE agents SET completed = :completed, failed = :failed, streak = :streak WHERE name = :name

-- agents --
SELECT * FROM agents ORDER BY name

-- key_saved --
INSERT INTO agent_keys (prefix, agent, digest, scopes, created_at, revoked_at, reason)
VALUES (:prefix, :agent, :digest, :scopes, :created_at, :revoked_at, :reason)
ON CONFLICT (prefix) DO UPDATE SET revoked_at = excluded.revoked_at, reason = excluded.reason

-- keys --
SELECT * FROM agent_keys ORDER BY created_at, prefix

-- task_submitted --
INSERT INTO tasks (number, task_id, type, title, capability, priority, submitter, entry, input,
  depends_on, max_attempts, lease_ns, submitted_at, submitted_slice, state, attempt,
  settled_attempt, ready_machine_at, requires, strategy, order_key, tried, not_before,
  expires_at, expires_slice, on_failure, progress, note, ceiling_units, autonomy,
  begun, moves, deadline_at, deadline_slice, urgent_at, raised, late)
VALUES (:number, :task_id, :type, :title, :capability, :priority, :submitter, :entry, :input,
  :depends_on, :max_attempts, :lease_ns, :submitted_at, :submitted_slice, :state, 0, 0,
  :ready_machine_at, :requires, :strategy, :order_key, '[]', :not_before,
  :expires_at, :expires_slice, :on_failure, NULL, '', :ceiling_units, :autonomy,
  1, 0, :deadline_at, :deadline_slice, :urgent_at, :raised, :late)

-- task_changed --
UPDATE tasks SET state = :state, agent = :agent, attempt = :attempt,
  settled_attempt = :settled_attempt, failed_by = :failed_by, because = :because,
  reason = :reason, result = :result, started_at = :started_at, finished_at = :finished_at,
  finish_order = :finish_order, ready_machine_at = :ready_machine_at,
  started_machine_at = :started_machine_at, finished_machine_at = :finished_machine_at,
  lease_until = :lease_until, order_key = :order_key, factors = :factors,
  tried = :tried, not_before = :not_before, progress = :progress, note = :note,
  begun = :begun, moves = :moves, raised = :raised, late = :late
WHERE number = :number

-- task_leased --
UPDATE tasks SET state = :state, agent = :agent, attempt = :attempt, because = :because,
  factors = :factors, started_at = :started_at, started_machine_at = :started_machine_at,
  lease_until = :lease_until, begun = :begun, moves = :moves
WHERE number = :number

-- task_completed --
UPDATE tasks SET state = :state, settled_attempt = :attempt, reason = NULL, result = :result,
  finished_at = :finished_at, finished_machine_at = :finished_machine_at,
  finish_order = :finish_order, lease_until = :lease_until, late = :late
WHERE number = :number AND agent = :agent AND attempt = :attempt

-- task_answered --
UPDATE tasks SET answered = :answered WHERE number = :number

-- skill_saved --
INSERT INTO agent_skills (agent, type, regime, weight, gain, trials, slice, duration_ms, score_ppm)
VALUES (:agent, :type, :regime, :weight, :gain, :trials, :slice, :duration_ms, :score_ppm)
ON CONFLICT (agent, type, regime) DO UPDATE SET weight = excluded.weight, gain = excluded.gain,
  trials = excluded.trials, slice = excluded.slice, duration_ms = excluded.duration_ms,
  score_ppm = excluded.score_ppm

-- skills --
SELECT * FROM agent_skills ORDER BY agent, type, regime

-- regime_saved --
INSERT INTO work_regimes (symbol, regime) VALUES (:symbol, :regime)
ON CONFLICT (symbol) DO UPDATE SET regime = excluded.regime

-- regimes --
SELECT * FROM work_regimes ORDER BY symbol

-- open_tasks --
SELECT * FROM tasks WHERE state IN ('blocked', 'delayed', 'unmatchable', 'ready', 'leased') ORDER BY number

-- finished_tasks --
SELECT * FROM tasks WHERE finish_order IS NOT NULL AND state NOT IN ('failed', 'dead')
ORDER BY finish_order DESC LIMIT :limit

-- lost_tasks --
SELECT * FROM tasks WHERE state IN ('failed', 'dead') ORDER BY +finish_order DESC LIMIT :limit

-- last_monitoring --
SELECT * FROM tasks WHERE finish_order IN (
  SELECT MAX(finish_order) FROM tasks WHERE type = 'monitoring' AND state = 'completed' GROUP BY agent
) ORDER BY agent

-- task_counts --
SELECT state, COUNT(*) AS tasks FROM tasks GROUP BY state ORDER BY state

-- last_task --
SELECT COALESCE(MAX(number), 0) AS number FROM tasks

-- tasks_page --
SELECT * FROM tasks
WHERE number < :before AND (:state IS NULL OR state = :state) AND (:agent IS NULL OR agent = :agent)
ORDER BY number DESC LIMIT :limit

-- task --
SELECT * FROM tasks WHERE task_id = :task_id

-- open_task_states --
SELECT number, task_id, state FROM tasks
WHERE state IN ('blocked', 'delayed', 'unmatchable', 'ready', 'leased') AND number > :after ORDER BY number LIMIT 1000

-- bound_saved --
INSERT INTO work_bounds (scope, subject, max_running, per_minute, full_at)
VALUES (:scope, :subject, :max_running, :per_minute, :full_at)
ON CONFLICT (scope, subject) DO UPDATE SET max_running = excluded.max_running,
  per_minute = excluded.per_minute, full_at = excluded.full_at

-- bounds --
SELECT * FROM work_bounds WHERE max_running IS NOT NULL OR per_minute IS NOT NULL ORDER BY scope, subject

-- judgement_saved --
INSERT INTO trade_judgements (number, agent, regime, equity_units, took_ms, due_slice)
VALUES (:number, :agent, :regime, :equity_units, :took_ms, :due_slice)

-- judgement_removed --
DELETE FROM trade_judgements WHERE number = :number

-- judgements --
SELECT * FROM trade_judgements ORDER BY number

-- schedule_saved --
INSERT INTO schedules (name, schedule_id, submitter, when_due, task, began_at, began_slice, next_at,
  next_slice, fired, skipped, last_key)
VALUES (:name, :schedule_id, :submitter, :when_due, :task, :began_at, :began_slice, :next_at,
  :next_slice, :fired, :skipped, :last_key)
ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, next_slice = excluded.next_slice,
  fired = excluded.fired, skipped = excluded.skipped, last_key = excluded.last_key

-- schedule_removed --
DELETE FROM schedules WHERE name = :name

-- schedules --
SELECT * FROM schedules ORDER BY name

-- fire_saved --
INSERT INTO schedule_fires (number, schedule_id, name, key, at, slice, task_id, reason, facts)
VALUES (:number, :schedule_id, :name, :key, :at, :slice, :task_id, :reason, :facts)

-- last_fire --
SELECT COALESCE(MAX(number), 0) AS number FROM schedule_fires

-- fires_page --
SELECT * FROM schedule_fires WHERE number < :before ORDER BY number DESC LIMIT :limit

-- outcomes_by_type --
SELECT type AS name, COUNT(*) AS tasks, SUM(state = 'completed') AS completed, SUM(state = 'failed') AS failed,
  SUM(state = 'dead') AS dead, SUM(state = 'cancelled') AS cancelled,
  SUM(state = 'failed' AND attempt = 0) AS never_begun,
  SUM(MAX(attempt - moves - 1, 0)) AS retries, SUM(moves) AS moves, SUM(late) AS missed,
  SUM(state = 'completed' AND NOT late AND COALESCE(deadline_at, deadline_slice) IS NOT NULL) AS met,
  AVG(CASE WHEN state = 'completed' THEN (finished_machine_at - started_machine_at) / 1e6 END) AS worked_ms
FROM tasks WHERE number > :after GROUP BY type ORDER BY type LIMIT 1000

-- outcomes_by_agent --
SELECT agent AS name, COUNT(*) AS tasks, SUM(state = 'completed') AS completed, SUM(state = 'failed') AS failed,
  SUM(state = 'dead') AS dead, SUM(state = 'cancelled') AS cancelled,
  SUM(state = 'failed' AND attempt = 0) AS never_begun,
  SUM(MAX(attempt - moves - 1, 0)) AS retries, SUM(moves) AS moves, SUM(late) AS missed,
  SUM(state = 'completed' AND NOT late AND COALESCE(deadline_at, deadline_slice) IS NOT NULL) AS met,
  AVG(CASE WHEN state = 'completed' THEN (finished_machine_at - started_machine_at) / 1e6 END) AS worked_ms
FROM tasks WHERE number > :after AND agent IS NOT NULL GROUP BY agent ORDER BY agent LIMIT 1000

-- waits_by_priority --
SELECT priority, COUNT(*) AS tasks, AVG(wait) AS mean_ms, MAX(wait) AS worst_ms,
  MIN(CASE WHEN place >= 0.5 * n THEN wait END) AS p50_ms,
  MIN(CASE WHEN place >= 0.99 * n THEN wait END) AS p99_ms
FROM (
  SELECT priority, wait, ROW_NUMBER() OVER (PARTITION BY priority ORDER BY wait) AS place,
    COUNT(*) OVER (PARTITION BY priority) AS n
  FROM (
    SELECT priority, MAX(started_machine_at - ready_machine_at, 0) / 1e6 AS wait FROM tasks
    WHERE number > :after AND started_machine_at IS NOT NULL AND attempt > 0
  )
)
GROUP BY priority ORDER BY priority

-- throughput --
SELECT COUNT(*) AS tasks, COALESCE(SUM(state = 'completed'), 0) AS completed,
  MIN(CASE WHEN state = 'completed' THEN finished_machine_at END) AS first_at,
  MAX(CASE WHEN state = 'completed' THEN finished_machine_at END) AS last_at
FROM tasks WHERE number > :after

-- spans --
SELECT * FROM tasks
WHERE number < :before AND started_machine_at IS NOT NULL
  AND (state = 'leased' OR finished_machine_at IS NOT NULL) AND (:agent IS NULL OR agent = :agent)
ORDER BY number DESC LIMIT :limit
