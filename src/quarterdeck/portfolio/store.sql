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
