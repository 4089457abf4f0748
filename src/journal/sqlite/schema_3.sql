-- Schema version 3. Described in SCHEMA.md. Never edited once released: a change is a further step.
-- Keys are the tables themselves instead of an index beside one, and what a payment writes has no index that no read needs. What
-- hangs on an exchange under a name that stands in the exchange is found by that name; only what is `further` has an index. No
-- foreign keys there: to check one, deleting an exchange would walk the table.

-- Every key here stands in `sent` too, which is unique. Leases are looked up in what is open, which exchange_open_due lists.
DROP INDEX exchange_out_key;
DROP INDEX exchange_open_lease;

ALTER TABLE request RENAME TO request_2;
DROP INDEX request_exchange;
CREATE TABLE request (
    communication_key TEXT    NOT NULL PRIMARY KEY,
    exchange_id       INTEGER NOT NULL,
    reply_seq         INTEGER,
    accepted_at       INTEGER NOT NULL,
    further           INTEGER NOT NULL DEFAULT 0 CHECK (further = 0 OR further = 1)
) STRICT, WITHOUT ROWID;
INSERT INTO request SELECT communication_key, exchange_id, reply_seq, accepted_at,
    communication_key IS NOT (SELECT communication_key FROM exchange WHERE id = request_2.exchange_id)
    FROM request_2 ORDER BY communication_key;
DROP TABLE request_2;
CREATE INDEX request_further ON request (exchange_id) WHERE further = 1;

ALTER TABLE sent RENAME TO sent_2;
DROP INDEX sent_exchange;
CREATE TABLE sent (
    out_key     TEXT    NOT NULL PRIMARY KEY,
    exchange_id INTEGER NOT NULL,
    further     INTEGER NOT NULL DEFAULT 0 CHECK (further = 0 OR further = 1)
) STRICT, WITHOUT ROWID;
INSERT INTO sent SELECT out_key, exchange_id, out_key IS NOT (SELECT out_key FROM exchange WHERE id = sent_2.exchange_id)
    FROM sent_2 ORDER BY out_key;
DROP TABLE sent_2;
CREATE INDEX sent_further ON sent (exchange_id) WHERE further = 1;

ALTER TABLE original RENAME TO original_2;
DROP INDEX original_exchange;
DROP INDEX original_cancel;
CREATE TABLE original (
    initiator   TEXT    NOT NULL,
    msg_id      TEXT    NOT NULL,
    msg_code    TEXT    NOT NULL,
    exchange_id INTEGER,
    cancel_id   INTEGER REFERENCES exchange (id),
    further     INTEGER NOT NULL DEFAULT 0 CHECK (further = 0 OR further = 1),
    PRIMARY KEY (initiator, msg_id, msg_code),
    CHECK (exchange_id IS NOT NULL OR cancel_id IS NOT NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO original SELECT initiator, msg_id, msg_code, exchange_id, cancel_id,
    exchange_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM exchange own WHERE own.id = original_2.exchange_id
        AND own.initiator = original_2.initiator AND own.msg_id = original_2.msg_id AND own.msg_code = original_2.msg_code)
    FROM original_2 ORDER BY initiator, msg_id, msg_code;
DROP TABLE original_2;
CREATE INDEX original_further  ON original (exchange_id) WHERE further = 1;
CREATE INDEX original_cancel   ON original (cancel_id)   WHERE cancel_id IS NOT NULL;

ALTER TABLE effect RENAME TO effect_2;
DROP INDEX effect_standing;
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
) STRICT, WITHOUT ROWID;
INSERT INTO effect SELECT chain, date, seq, exchange_id, reply, facts, digest, at, pruned FROM effect_2 ORDER BY chain, date, seq;
DROP TABLE effect_2;
CREATE INDEX effect_standing ON effect (chain, date) WHERE pruned = 0;

-- A CHECK by IN builds a table of its own at every move; equalities say the same. Only the text changes: SQLite's own procedure
-- for changes of constraints that leave the rows as they are (https://www.sqlite.org/lang_altertable.html, section 8).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'CHECK (state IN (''accepted'', ''sent'', ''unknown'', ''answered'', ''delivered''))',
    'CHECK (state = ''accepted'' OR state = ''sent'' OR state = ''unknown'' OR state = ''answered'' OR state = ''delivered'')'),
    'CHECK (outcome IN (''success'', ''failed'', ''unknown''))',
    'CHECK (outcome = ''success'' OR outcome = ''failed'' OR outcome = ''unknown'')')
WHERE type = 'table' AND name = 'exchange';
PRAGMA writable_schema = RESET;
