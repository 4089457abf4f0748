-- Schema version 1. Described in SCHEMA.md. Never edited once released: a change is a further step.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO meta (name, value) VALUES ('schema_version', '0');

CREATE TABLE exchange (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    state             TEXT    NOT NULL CHECK (state IN ('accepted', 'sent', 'unknown', 'answered', 'delivered')),
    outcome           TEXT    CHECK (outcome IN ('success', 'failed', 'unknown')),
    reason            TEXT,
    outcome_text      TEXT,
    operation         TEXT    NOT NULL,
    institution       TEXT,
    amount_fen        INTEGER,
    link_in           TEXT    NOT NULL,
    link_out          TEXT,
    communication_key TEXT    NOT NULL,
    business_key      TEXT    UNIQUE,
    content           BLOB    NOT NULL CHECK (length(content) = 32),
    initiator         TEXT    NOT NULL,
    msg_id            TEXT    NOT NULL,
    msg_code          TEXT    NOT NULL,
    end_to_end_id     TEXT,
    settlement_date   TEXT,
    batch             TEXT,
    account_digest    BLOB    CHECK (length(account_digest) = 32),
    out_key           TEXT,
    owner             TEXT    NOT NULL,
    epoch             INTEGER NOT NULL,
    lease_until       INTEGER NOT NULL,
    deadline          INTEGER NOT NULL,
    due               INTEGER NOT NULL,
    attempts          INTEGER NOT NULL,
    queries           INTEGER NOT NULL,
    accepted_at       INTEGER NOT NULL,
    sent_at           INTEGER,
    attempted_at      INTEGER,
    answered_at       INTEGER,
    delivered_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX exchange_out_key   ON exchange (out_key)           WHERE out_key IS NOT NULL;
CREATE INDEX exchange_msg_id           ON exchange (msg_id);
CREATE INDEX exchange_end_to_end_id    ON exchange (end_to_end_id)     WHERE end_to_end_id IS NOT NULL;
CREATE INDEX exchange_account          ON exchange (account_digest)    WHERE account_digest IS NOT NULL;
CREATE INDEX exchange_settlement_date  ON exchange (settlement_date)   WHERE settlement_date IS NOT NULL;
CREATE INDEX exchange_open_due         ON exchange (owner, due)        WHERE state <> 'delivered';
CREATE INDEX exchange_open_lease       ON exchange (lease_until)       WHERE state <> 'delivered';
CREATE INDEX exchange_delivered        ON exchange (accepted_at)       WHERE state = 'delivered';

CREATE TABLE message (
    id          INTEGER PRIMARY KEY,
    exchange_id INTEGER NOT NULL REFERENCES exchange (id),
    seq         INTEGER NOT NULL CHECK (seq > 0),
    link        TEXT    NOT NULL,
    direction   TEXT    NOT NULL CHECK (direction IN ('received', 'sent')),
    part        TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    key_serial  TEXT    NOT NULL,
    sealed      BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (exchange_id, seq)
) STRICT;

CREATE TABLE request (
    communication_key TEXT    NOT NULL PRIMARY KEY,
    exchange_id       INTEGER NOT NULL REFERENCES exchange (id),
    reply_seq         INTEGER,
    accepted_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX request_exchange ON request (exchange_id);

CREATE TABLE sent (
    out_key     TEXT    NOT NULL PRIMARY KEY,
    exchange_id INTEGER NOT NULL REFERENCES exchange (id)
) STRICT;
CREATE INDEX sent_exchange ON sent (exchange_id);

CREATE TABLE original (
    initiator   TEXT    NOT NULL,
    msg_id      TEXT    NOT NULL,
    msg_code    TEXT    NOT NULL,
    exchange_id INTEGER REFERENCES exchange (id),
    cancel_id   INTEGER REFERENCES exchange (id),
    PRIMARY KEY (initiator, msg_id, msg_code),
    CHECK (exchange_id IS NOT NULL OR cancel_id IS NOT NULL)
) STRICT;
CREATE INDEX original_exchange ON original (exchange_id) WHERE exchange_id IS NOT NULL;
CREATE INDEX original_cancel   ON original (cancel_id)   WHERE cancel_id IS NOT NULL;

CREATE TABLE parked (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    status      TEXT    NOT NULL CHECK (status IN ('parked', 'released', 'discarded')),
    note        TEXT,
    link        TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    step        TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    field       TEXT,
    reason      TEXT    NOT NULL,
    key_serial  TEXT    NOT NULL,
    sealed      BLOB    NOT NULL,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    at          INTEGER NOT NULL,
    resolved_at INTEGER,
    UNIQUE (source, digest)
) STRICT;
CREATE INDEX parked_status ON parked (status);

CREATE TABLE setting (
    name  TEXT    NOT NULL PRIMARY KEY,
    value TEXT    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

CREATE TABLE serial_block (
    instance    TEXT    NOT NULL,
    date        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    next_serial INTEGER NOT NULL CHECK (next_serial > 0),
    PRIMARY KEY (instance, date, kind)
) STRICT;
