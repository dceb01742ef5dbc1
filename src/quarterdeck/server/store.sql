-- schema --
CREATE TABLE crew_memories (
  agent TEXT PRIMARY KEY,  -- hashed
  memory BLOB NOT NULL,  -- hashed
  refused INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE equity_peaks (
  subject TEXT PRIMARY KEY,  -- hashed
  peak_units INTEGER NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;

-- memory_saved --
INSERT INTO crew_memories (agent, memory, refused) VALUES (:agent, :memory, :refused)
ON CONFLICT (agent) DO UPDATE SET memory = excluded.memory, refused = excluded.refused

-- memories --
SELECT agent, memory, refused FROM crew_memories ORDER BY agent

-- peak_saved --
INSERT INTO equity_peaks (subject, peak_units) VALUES (:subject, :peak_units)
ON CONFLICT (subject) DO UPDATE SET peak_units = excluded.peak_units

-- peaks --
SELECT subject, peak_units FROM equity_peaks ORDER BY subject

-- audit_page --
SELECT sequence, record, hash FROM audit
WHERE partition = :partition AND sequence < :before ORDER BY sequence DESC LIMIT :limit
