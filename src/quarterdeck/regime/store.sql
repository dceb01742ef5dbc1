-- schema --
CREATE TABLE regime_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  previous TEXT NOT NULL,  -- hashed
  regime TEXT NOT NULL,  -- hashed
  confidence REAL NOT NULL,  -- hashed
  level TEXT NOT NULL,  -- hashed
  duration_bars INTEGER NOT NULL,  -- hashed
  triggers BLOB NOT NULL  -- hashed
) STRICT;
CREATE INDEX regime_changes_by_symbol ON regime_changes (symbol, number);

CREATE TABLE coarser_regime_changes (
  number INTEGER PRIMARY KEY,  -- hashed
  timeframe TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  symbol TEXT NOT NULL,  -- hashed
  previous TEXT NOT NULL,  -- hashed
  regime TEXT NOT NULL,  -- hashed
  confidence REAL NOT NULL,  -- hashed
  level TEXT NOT NULL,  -- hashed
  duration_bars INTEGER NOT NULL,  -- hashed
  triggers BLOB NOT NULL  -- hashed
) STRICT;
CREATE INDEX coarser_regime_changes_by_symbol ON coarser_regime_changes (timeframe, symbol, number);

-- change_saved --
INSERT INTO regime_changes
(number, slice, at, symbol, previous, regime, confidence, level, duration_bars, triggers)
VALUES
(:number, :slice, :at, :symbol, :previous, :regime, :confidence, :level, :duration_bars, :triggers)

-- last_number --
SELECT COALESCE(MAX(number), 0) AS number FROM regime_changes

-- changes --
SELECT * FROM regime_changes WHERE number < :before ORDER BY number DESC LIMIT :limit

-- changes_of_symbol --
SELECT * FROM regime_changes WHERE symbol = :symbol AND number < :before
ORDER BY number DESC LIMIT :limit

-- coarser_change_saved --
INSERT INTO coarser_regime_changes
(number, timeframe, slice, at, symbol, previous, regime, confidence, level, duration_bars, triggers)
VALUES
(:number, :timeframe, :slice, :at, :symbol, :previous, :regime, :confidence, :level, :duration_bars,
 :triggers)

-- last_coarser_number --
SELECT COALESCE(MAX(number), 0) AS number FROM coarser_regime_changes

-- coarser_changes --
SELECT * FROM coarser_regime_changes WHERE timeframe = :timeframe AND number < :before
ORDER BY number DESC LIMIT :limit

-- coarser_changes_of_symbol --
SELECT * FROM coarser_regime_changes
WHERE timeframe = :timeframe AND symbol = :symbol AND number < :before
ORDER BY number DESC LIMIT :limit
