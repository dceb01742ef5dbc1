-- schema --
CREATE TABLE performance_agents (
  agent TEXT PRIMARY KEY,  -- hashed
  number INTEGER NOT NULL UNIQUE,  -- hashed
  capital_units INTEGER NOT NULL,  -- hashed
  cash_units INTEGER NOT NULL,  -- hashed
  equity_units INTEGER NOT NULL,  -- hashed
  peak_units INTEGER NOT NULL,  -- hashed
  realised_units INTEGER NOT NULL,  -- hashed
  unrealised_units INTEGER NOT NULL,  -- hashed
  gross_units INTEGER NOT NULL,  -- hashed
  fees_units INTEGER NOT NULL,  -- hashed
  trades INTEGER NOT NULL,  -- hashed
  wins INTEGER NOT NULL,  -- hashed
  profit_units INTEGER NOT NULL,  -- hashed
  loss_units INTEGER NOT NULL,  -- hashed
  first_slice INTEGER,  -- hashed
  last_slice INTEGER,  -- hashed
  observations INTEGER NOT NULL,  -- hashed
  mean REAL NOT NULL,  -- hashed
  m2 REAL NOT NULL,  -- hashed
  max_drawdown REAL NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE performance_trips (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  net_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument)
) STRICT, WITHOUT ROWID;
CREATE TABLE performance_equity (
  agent TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  equity_units INTEGER NOT NULL,  -- hashed
  peak_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, slice)
) STRICT, WITHOUT ROWID;
CREATE TABLE performance_measures (
  number INTEGER PRIMARY KEY,  -- hashed
  cells BLOB NOT NULL  -- hashed
) STRICT;

-- agent_saved --
INSERT INTO performance_agents (agent, number, capital_units, cash_units, equity_units, peak_units,
  realised_units, unrealised_units, gross_units, fees_units, trades, wins, profit_units, loss_units,
  first_slice, last_slice, observations, mean, m2, max_drawdown)
VALUES (:agent, :number, :capital_units, :cash_units, :equity_units, :peak_units,
  :realised_units, :unrealised_units, :gross_units, :fees_units, :trades, :wins, :profit_units,
  :loss_units, :first_slice, :last_slice, :observations, :mean, :m2, :max_drawdown)
ON CONFLICT (agent) DO UPDATE SET capital_units = excluded.capital_units,
  cash_units = excluded.cash_units,
  equity_units = excluded.equity_units, peak_units = excluded.peak_units,
  realised_units = excluded.realised_units, unrealised_units = excluded.unrealised_units,
  gross_units = excluded.gross_units, fees_units = excluded.fees_units, trades = excluded.trades,
  wins = excluded.wins, profit_units = excluded.profit_units, loss_units = excluded.loss_units,
  first_slice = excluded.first_slice, last_slice = excluded.last_slice,
  observations = excluded.observations, mean = excluded.mean, m2 = excluded.m2,
  max_drawdown = excluded.max_drawdown

-- measures_saved --
INSERT INTO performance_measures (number, cells) VALUES (:number, :cells)
ON CONFLICT (number) DO UPDATE SET cells = excluded.cells

-- trip_saved --
INSERT INTO performance_trips (agent, instrument, quantity_units, net_units)
VALUES (:agent, :instrument, :quantity_units, :net_units)
ON CONFLICT (agent, instrument) DO UPDATE SET quantity_units = excluded.quantity_units,
  net_units = excluded.net_units

-- trip_ended --
DELETE FROM performance_trips WHERE agent = :agent AND instrument = :instrument

-- equity_saved --
INSERT INTO performance_equity (agent, slice, at, equity_units, peak_units)
VALUES (:agent, :slice, :at, :equity_units, :peak_units)

-- agents --
SELECT * FROM performance_agents ORDER BY number

-- measures --
SELECT * FROM performance_measures ORDER BY number

-- trips --
SELECT * FROM performance_trips ORDER BY agent, instrument

-- equity --
SELECT slice, at, equity_units, peak_units FROM performance_equity
WHERE agent = :agent AND slice > :after AND slice <= :last
  AND ((slice - :first) % :stride = 0 OR slice = :last)
ORDER BY slice LIMIT :limit
