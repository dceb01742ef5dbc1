-- schema --
CREATE TABLE manifest (
  key TEXT PRIMARY KEY,  -- hashed
  value TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE program (
  step INTEGER PRIMARY KEY,  -- hashed
  version TEXT NOT NULL,  -- hashed
  schema_version INTEGER NOT NULL,  -- hashed
  code_digest TEXT NOT NULL,  -- hashed
  kernel_digest TEXT NOT NULL,  -- hashed
  config_digest TEXT NOT NULL,  -- hashed
  config TEXT  -- hashed
) STRICT;
CREATE TABLE step (
  number INTEGER PRIMARY KEY,  -- hashed
  kind TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  caller TEXT NOT NULL,  -- hashed
  machine_at INTEGER NOT NULL  -- unhashed
) STRICT;
CREATE TABLE answer (
  step INTEGER NOT NULL,  -- hashed
  ordinal INTEGER NOT NULL,  -- hashed
  caller TEXT NOT NULL,  -- hashed
  idempotency_key TEXT NOT NULL,  -- hashed
  request_hash BLOB NOT NULL,  -- hashed
  answer BLOB NOT NULL,  -- hashed
  PRIMARY KEY (step, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
  partition TEXT NOT NULL,  -- unhashed
  sequence INTEGER NOT NULL,  -- unhashed
  at INTEGER NOT NULL,  -- unhashed
  kind TEXT NOT NULL,  -- unhashed
  actor TEXT NOT NULL,  -- unhashed
  record BLOB NOT NULL,  -- unhashed
  hash BLOB NOT NULL,  -- unhashed
  PRIMARY KEY (partition, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE signed_heads (
  number INTEGER PRIMARY KEY,  -- unhashed
  line BLOB NOT NULL  -- unhashed
) STRICT;
CREATE TABLE checkpoint (
  slice INTEGER NOT NULL,  -- unhashed
  service TEXT NOT NULL,  -- unhashed
  name TEXT NOT NULL,  -- unhashed
  kernel_digest TEXT NOT NULL,  -- unhashed
  dtype TEXT NOT NULL,  -- unhashed
  shape TEXT NOT NULL,  -- unhashed
  data BLOB NOT NULL,  -- unhashed
  PRIMARY KEY (slice, service, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE outside_input (
  step INTEGER PRIMARY KEY,  -- unhashed
  what TEXT NOT NULL  -- unhashed
) STRICT;

-- manifest_saved --
INSERT INTO manifest (key, value) VALUES (:key, :value)

-- manifest --
SELECT key, value FROM manifest ORDER BY key

-- program_saved --
INSERT INTO program (step, version, schema_version, code_digest, kernel_digest, config_digest, config)
VALUES (:step, :version, :schema_version, :code_digest, :kernel_digest, :config_digest, :config)

-- programs --
SELECT step, version, schema_version, code_digest, kernel_digest, config_digest, config FROM program
ORDER BY step

-- step_saved --
INSERT INTO step (number, kind, slice, at, caller, machine_at)
VALUES (:number, :kind, :slice, :at, :caller, :machine_at)

-- last_step --
SELECT number, slice, at, machine_at FROM step ORDER BY number DESC LIMIT 1

-- step_missing --
SELECT min(s.number) + 1 AS number
FROM (SELECT 0 AS number UNION ALL SELECT number FROM step) AS s
WHERE NOT EXISTS (SELECT 1 FROM step AS n WHERE n.number = s.number + 1)

-- steps_counted --
SELECT coalesce(max(number), 0) AS last, count(*) AS steps FROM step

-- answer_saved --
INSERT INTO answer (caller, idempotency_key, request_hash, answer, step, ordinal)
VALUES (:caller, :idempotency_key, :request_hash, :answer, :step, :ordinal)

-- answer_forgotten --
DELETE FROM answer WHERE step = :step AND ordinal = :ordinal

-- answers --
SELECT caller, idempotency_key, request_hash, answer, step, ordinal FROM answer ORDER BY step, ordinal

-- audit_saved --
INSERT INTO audit (partition, sequence, at, kind, actor, record, hash)
VALUES (:partition, :sequence, :at, :kind, :actor, :record, :hash)

-- audit_heads --
SELECT a.partition, a.sequence, a.hash FROM audit a
JOIN (SELECT partition, MAX(sequence) AS sequence FROM audit GROUP BY partition) h
ON h.partition = a.partition AND h.sequence = a.sequence

-- audit_partitions --
SELECT DISTINCT CAST(partition AS BLOB) AS partition FROM audit ORDER BY partition

-- audit_chain --
SELECT CAST(partition AS BLOB) AS partition, sequence, at, CAST(kind AS BLOB) AS kind,
  CAST(actor AS BLOB) AS actor, record, hash FROM audit
WHERE partition = CAST(:partition AS TEXT) AND sequence > :after ORDER BY sequence LIMIT :limit

-- audit_hash --
SELECT hash FROM audit WHERE partition = :partition AND sequence = :sequence

-- head_saved --
INSERT INTO signed_heads (number, line) VALUES (:number, :line)

-- signed_heads --
SELECT number, line FROM signed_heads ORDER BY number

-- checkpoint_saved --
INSERT OR REPLACE INTO checkpoint (slice, service, name, kernel_digest, dtype, shape, data)
VALUES (:slice, :service, :name, :kernel_digest, :dtype, :shape, :data)

-- checkpoints_dropped --
DELETE FROM checkpoint WHERE slice < :slice

-- checkpoint_slices --
SELECT DISTINCT slice FROM checkpoint
WHERE kernel_digest = :kernel_digest AND slice <= :slice ORDER BY slice DESC

-- checkpoint --
SELECT service, name, dtype, shape, data FROM checkpoint WHERE slice = :slice

-- outside_input_saved --
INSERT INTO outside_input (step, what) VALUES (:step, :what)

-- first_outside_input --
SELECT what FROM outside_input ORDER BY step LIMIT 1
