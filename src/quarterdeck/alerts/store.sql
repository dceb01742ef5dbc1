-- schema --
CREATE TABLE alert_rules (
  rule_id TEXT PRIMARY KEY,  -- hashed
  category TEXT NOT NULL,  -- hashed
  severity TEXT NOT NULL,  -- hashed
  number TEXT NOT NULL,  -- hashed
  comparison TEXT NOT NULL,  -- hashed
  threshold REAL NOT NULL,  -- hashed
  clear REAL,  -- hashed
  for_bars INTEGER NOT NULL,  -- hashed
  subject TEXT,  -- hashed
  text TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE alert_states (
  rule_id TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  phase TEXT NOT NULL,  -- hashed
  streak INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (rule_id, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE alert_episodes (
  number INTEGER PRIMARY KEY,  -- hashed
  episode_id TEXT NOT NULL UNIQUE,  -- hashed
  rule_id TEXT NOT NULL,  -- hashed
  category TEXT NOT NULL,  -- hashed
  severity TEXT NOT NULL,  -- hashed
  subject TEXT NOT NULL,  -- hashed
  metric TEXT NOT NULL,  -- hashed
  value REAL NOT NULL,  -- hashed
  threshold REAL NOT NULL,  -- hashed
  text TEXT NOT NULL,  -- hashed
  state TEXT NOT NULL,  -- hashed
  raised_at INTEGER NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  acknowledged_at INTEGER,  -- hashed
  acknowledged_by TEXT,  -- hashed
  resolved_at INTEGER,  -- hashed
  resolved_by TEXT,  -- hashed
  resolved_number INTEGER,  -- hashed
  note TEXT NOT NULL  -- hashed
) STRICT;
CREATE INDEX alert_episodes_by_state ON alert_episodes (state, number);
CREATE UNIQUE INDEX alert_episodes_by_end ON alert_episodes (resolved_number);
CREATE TABLE alert_counters (
  name TEXT PRIMARY KEY,  -- hashed
  value INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;

-- rule_saved --
INSERT INTO alert_rules (rule_id, category, severity, number, comparison, threshold, clear,
  for_bars, subject, text)
VALUES (:rule_id, :category, :severity, :number, :comparison, :threshold, :clear,
  :for_bars, :subject, :text)
ON CONFLICT (rule_id) DO UPDATE SET category = excluded.category, severity = excluded.severity,
  number = excluded.number, comparison = excluded.comparison, threshold = excluded.threshold,
  clear = excluded.clear, for_bars = excluded.for_bars, subject = excluded.subject,
  text = excluded.text

-- rule_removed --
DELETE FROM alert_rules WHERE rule_id = :rule_id

-- rules --
SELECT * FROM alert_rules ORDER BY rule_id

-- state_saved --
INSERT INTO alert_states (rule_id, subject, phase, streak)
VALUES (:rule_id, :subject, :phase, :streak)
ON CONFLICT (rule_id, subject) DO UPDATE SET phase = excluded.phase, streak = excluded.streak

-- state_dropped --
DELETE FROM alert_states WHERE rule_id = :rule_id AND subject = :subject

-- states --
SELECT * FROM alert_states ORDER BY rule_id, subject

-- episode_raised --
INSERT INTO alert_episodes (number, episode_id, rule_id, category, severity, subject, metric, value,
  threshold, text, state, raised_at, slice, note)
VALUES (:number, :episode_id, :rule_id, :category, :severity, :subject, :metric, :value,
  :threshold, :text, :state, :raised_at, :slice, :note)

-- episode_changed --
UPDATE alert_episodes SET state = :state, acknowledged_at = :acknowledged_at,
  acknowledged_by = :acknowledged_by, resolved_at = :resolved_at, resolved_by = :resolved_by,
  resolved_number = :resolved_number, note = :note
WHERE number = :number

-- open_episodes --
SELECT * FROM alert_episodes WHERE state IN ('firing', 'acknowledged') ORDER BY number

-- last_resolved --
SELECT episode_id FROM alert_episodes WHERE resolved_number IS NOT NULL
ORDER BY resolved_number DESC LIMIT :limit

-- totals --
SELECT COALESCE(MAX(number), 0) AS fired, COALESCE(MAX(resolved_number), 0) AS resolved
FROM alert_episodes

-- counter_saved --
INSERT INTO alert_counters (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- counters --
SELECT * FROM alert_counters ORDER BY name

-- episodes --
SELECT * FROM alert_episodes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- episodes_in_state --
SELECT * FROM alert_episodes WHERE state = :state AND number < :before
ORDER BY number DESC LIMIT :limit
