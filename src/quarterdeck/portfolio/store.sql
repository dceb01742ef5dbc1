-- schema --
CREATE TABLE portfolio_proposals (
  number INTEGER PRIMARY KEY,  -- hashed
  proposal_id TEXT NOT NULL,  -- hashed
  slice INTEGER NOT NULL,  -- hashed
  at INTEGER NOT NULL,  -- hashed
  objective TEXT NOT NULL,  -- hashed
  proposal BLOB NOT NULL,  -- hashed
  risk_contributions BLOB NOT NULL  -- hashed
) STRICT;
CREATE TABLE portfolio_reasons (
  objective TEXT PRIMARY KEY,  -- hashed
  reason TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_cells (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  regime TEXT NOT NULL,  -- hashed
  gain_units INTEGER NOT NULL,  -- hashed
  cost_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument, regime)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_stakes (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  quantity_units INTEGER NOT NULL,  -- hashed
  paid_units INTEGER NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_regimes (
  instrument INTEGER PRIMARY KEY,  -- hashed
  regime TEXT NOT NULL  -- hashed
) STRICT;
CREATE TABLE portfolio_active (
  number INTEGER PRIMARY KEY,  -- hashed
  state BLOB NOT NULL  -- hashed
) STRICT;
CREATE TABLE portfolio_strategies (
  agent TEXT PRIMARY KEY,  -- hashed
  strategy TEXT NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_views (
  agent TEXT NOT NULL,  -- hashed
  instrument INTEGER NOT NULL,  -- hashed
  measured INTEGER NOT NULL,  -- hashed
  view BLOB NOT NULL,  -- hashed
  PRIMARY KEY (agent, instrument, measured)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_skills (
  agent TEXT PRIMARY KEY,  -- hashed
  skill BLOB NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_session_accounts (
  agent TEXT PRIMARY KEY,  -- hashed
  account BLOB NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_session_returns (
  agent TEXT NOT NULL,  -- hashed
  session INTEGER NOT NULL,  -- hashed
  value REAL NOT NULL,  -- hashed
  PRIMARY KEY (agent, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_allocation (
  one INTEGER PRIMARY KEY,  -- hashed
  session INTEGER NOT NULL,  -- hashed
  standing BLOB  -- hashed
) STRICT;
CREATE TABLE portfolio_mandates (
  name TEXT PRIMARY KEY,  -- hashed
  charge BLOB NOT NULL  -- hashed
) STRICT, WITHOUT ROWID;
CREATE TABLE portfolio_rebalances (
  number INTEGER PRIMARY KEY,  -- hashed
  rebalance_id TEXT NOT NULL,  -- hashed
  mandate TEXT NOT NULL,  -- hashed
  status TEXT NOT NULL,  -- hashed
  rebalance BLOB NOT NULL  -- hashed
) STRICT;
CREATE INDEX portfolio_rebalances_alive ON portfolio_rebalances (number)
WHERE status IN ('proposed', 'running', 'aborting');

-- charge_saved --
INSERT INTO portfolio_mandates (name, charge) VALUES (:name, :charge)
ON CONFLICT (name) DO UPDATE SET charge = excluded.charge

-- charge_ended --
DELETE FROM portfolio_mandates WHERE name = :name

-- charges --
SELECT name, charge FROM portfolio_mandates ORDER BY name

-- rebalance_saved --
INSERT INTO portfolio_rebalances (number, rebalance_id, mandate, status, rebalance)
VALUES (:number, :rebalance_id, :mandate, :status, :rebalance)
ON CONFLICT (number) DO UPDATE SET status = excluded.status, rebalance = excluded.rebalance

-- last_rebalance --
SELECT COALESCE(MAX(number), 0) AS number FROM portfolio_rebalances

-- recent_rebalances --
SELECT rebalance FROM portfolio_rebalances
WHERE number > :after OR status IN ('proposed', 'running', 'aborting') ORDER BY number

-- rebalances --
SELECT rebalance FROM portfolio_rebalances WHERE number < :before ORDER BY number DESC LIMIT :limit

-- proposal_saved --
INSERT INTO portfolio_proposals
(number, proposal_id, slice, at, objective, proposal, risk_contributions)
VALUES (:number, :proposal_id, :slice, :at, :objective, :proposal, :risk_contributions)

-- reason_saved --
INSERT INTO portfolio_reasons (objective, reason) VALUES (:objective, :reason)
ON CONFLICT (objective) DO UPDATE SET reason = excluded.reason

-- reasons --
SELECT objective, reason FROM portfolio_reasons WHERE reason <> '' ORDER BY objective

-- last_number --
SELECT COALESCE(MAX(number), 0) AS number FROM portfolio_proposals

-- latest --
SELECT p.objective, p.proposal, p.risk_contributions FROM portfolio_proposals p
JOIN (SELECT objective, MAX(number) AS number FROM portfolio_proposals GROUP BY objective) l
ON l.number = p.number ORDER BY p.objective

-- proposals --
SELECT * FROM portfolio_proposals WHERE number < :before ORDER BY number DESC LIMIT :limit

-- cell_saved --
INSERT INTO portfolio_cells (agent, instrument, regime, gain_units, cost_units)
VALUES (:agent, :instrument, :regime, :gain_units, :cost_units)
ON CONFLICT (agent, instrument, regime)
DO UPDATE SET gain_units = excluded.gain_units, cost_units = excluded.cost_units

-- cells --
SELECT agent, instrument, regime, gain_units, cost_units FROM portfolio_cells
ORDER BY agent, instrument, regime

-- stake_saved --
INSERT INTO portfolio_stakes (agent, instrument, quantity_units, paid_units)
VALUES (:agent, :instrument, :quantity_units, :paid_units)
ON CONFLICT (agent, instrument)
DO UPDATE SET quantity_units = excluded.quantity_units, paid_units = excluded.paid_units

-- stakes --
SELECT agent, instrument, quantity_units, paid_units FROM portfolio_stakes
WHERE quantity_units <> 0 ORDER BY agent, instrument

-- regime_saved --
INSERT INTO portfolio_regimes (instrument, regime) VALUES (:instrument, :regime)
ON CONFLICT (instrument) DO UPDATE SET regime = excluded.regime

-- regimes --
SELECT instrument, regime FROM portfolio_regimes ORDER BY instrument

-- strategy_saved --
INSERT INTO portfolio_strategies (agent, strategy) VALUES (:agent, :strategy)
ON CONFLICT (agent) DO UPDATE SET strategy = excluded.strategy

-- strategies --
SELECT agent, strategy FROM portfolio_strategies ORDER BY agent

-- active_saved --
INSERT INTO portfolio_active (number, state) VALUES (:number, :state)
ON CONFLICT (number) DO UPDATE SET state = excluded.state

-- active --
SELECT state FROM portfolio_active

-- view_saved --
INSERT INTO portfolio_views (agent, instrument, measured, view)
VALUES (:agent, :instrument, :measured, :view)
ON CONFLICT (agent, instrument, measured) DO UPDATE SET view = excluded.view

-- view_ended --
DELETE FROM portfolio_views
WHERE agent = :agent AND instrument = :instrument AND measured = :measured

-- views --
SELECT agent, instrument, measured, view FROM portfolio_views ORDER BY agent, instrument, measured

-- skill_saved --
INSERT INTO portfolio_skills (agent, skill) VALUES (:agent, :skill)
ON CONFLICT (agent) DO UPDATE SET skill = excluded.skill

-- skills --
SELECT agent, skill FROM portfolio_skills ORDER BY agent

-- session_account_saved --
INSERT INTO portfolio_session_accounts (agent, account) VALUES (:agent, :account)
ON CONFLICT (agent) DO UPDATE SET account = excluded.account

-- session_accounts --
SELECT agent, account FROM portfolio_session_accounts ORDER BY agent

-- session_return_saved --
INSERT INTO portfolio_session_returns (agent, session, value) VALUES (:agent, :session, :value)

-- session_returns_cut --
DELETE FROM portfolio_session_returns WHERE agent = :agent AND session < :before

-- session_returns --
SELECT agent, session, value FROM portfolio_session_returns ORDER BY agent, session

-- allocation_saved --
INSERT INTO portfolio_allocation (one, session, standing) VALUES (:one, :session, :standing)
ON CONFLICT (one) DO UPDATE SET session = excluded.session, standing = excluded.standing

-- allocation --
SELECT session, standing FROM portfolio_allocation
