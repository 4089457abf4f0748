-- Schema version 2. Described in SCHEMA.md. Never edited once released: a change is a further step.

CREATE TABLE effect (
    chain       TEXT    NOT NULL,
    date        TEXT    NOT NULL,
    seq         INTEGER NOT NULL CHECK (seq > 0),
    exchange_id INTEGER NOT NULL UNIQUE,
    reply       BLOB    CHECK (length(reply) = 32),
    facts       BLOB    NOT NULL CHECK (length(facts) = 32),
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    at          INTEGER NOT NULL,
    pruned      INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1)),
    PRIMARY KEY (chain, date, seq)
) STRICT;
CREATE INDEX effect_standing ON effect (chain, date) WHERE pruned = 0;

-- Outcomes that were final before there was a chain have no record in it.
INSERT INTO setting (name, value, at) SELECT 'chained_from', COALESCE(MAX(id), 0) + 1, 0 FROM exchange;

ALTER TABLE parked ADD COLUMN asked_at INTEGER;
ALTER TABLE parked ADD COLUMN exchange_id INTEGER;
CREATE INDEX parked_exchange ON parked (exchange_id) WHERE exchange_id IS NOT NULL;
CREATE INDEX parked_asked ON parked (id) WHERE asked_at IS NOT NULL AND status = 'parked';
