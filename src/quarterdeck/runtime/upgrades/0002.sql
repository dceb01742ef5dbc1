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
