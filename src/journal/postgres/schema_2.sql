-- Brings an empty schema to version 2. Described in SCHEMA.md. Never edited once released: a change is a further step.
-- Ids come from sequences that are asked before the insertion, so that a payment's rows need no answer from one another.

CREATE SEQUENCE exchange_ids;
CREATE TABLE exchange (
    id                BIGINT PRIMARY KEY,
    state             TEXT   NOT NULL CHECK (state IN ('accepted', 'sent', 'unknown', 'answered', 'delivered')),
    outcome           TEXT   CHECK (outcome IN ('success', 'failed', 'unknown')),
    reason            TEXT,
    outcome_text      TEXT,
    operation         TEXT   NOT NULL,
    institution       TEXT,
    amount_fen        BIGINT,
    link_in           TEXT   NOT NULL,
    link_out          TEXT,
    communication_key TEXT   NOT NULL,
    business_key      TEXT   UNIQUE,
    content           BYTEA  NOT NULL CHECK (length(content) = 32),
    initiator         TEXT   NOT NULL,
    msg_id            TEXT   NOT NULL,
    msg_code          TEXT   NOT NULL,
    end_to_end_id     TEXT,
    settlement_date   TEXT,
    batch             TEXT,
    account_digest    BYTEA  CHECK (length(account_digest) = 32),
    out_key           TEXT,
    owner             TEXT   NOT NULL,
    epoch             BIGINT NOT NULL,
    lease_until       BIGINT NOT NULL,
    deadline          BIGINT NOT NULL,
    due               BIGINT NOT NULL,
    attempts          BIGINT NOT NULL,
    queries           BIGINT NOT NULL,
    accepted_at       BIGINT NOT NULL,
    sent_at           BIGINT,
    attempted_at      BIGINT,
    answered_at       BIGINT,
    delivered_at      BIGINT
);
CREATE UNIQUE INDEX exchange_out_key   ON exchange (out_key)           WHERE out_key IS NOT NULL;
CREATE INDEX exchange_msg_id           ON exchange (msg_id);
CREATE INDEX exchange_end_to_end_id    ON exchange (end_to_end_id)     WHERE end_to_end_id IS NOT NULL;
CREATE INDEX exchange_account          ON exchange (account_digest)    WHERE account_digest IS NOT NULL;
CREATE INDEX exchange_settlement_date  ON exchange (settlement_date)   WHERE settlement_date IS NOT NULL;
CREATE INDEX exchange_open_due         ON exchange (owner, due)        WHERE state <> 'delivered';
CREATE INDEX exchange_open_lease       ON exchange (lease_until)       WHERE state <> 'delivered';
CREATE INDEX exchange_delivered        ON exchange (accepted_at)       WHERE state = 'delivered';

CREATE TABLE message (
    exchange_id BIGINT NOT NULL REFERENCES exchange (id),
    seq         BIGINT NOT NULL CHECK (seq > 0),
    link        TEXT   NOT NULL,
    direction   TEXT   NOT NULL CHECK (direction IN ('received', 'sent')),
    part        TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    key_serial  TEXT   NOT NULL,
    sealed      BYTEA  NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (exchange_id, seq)
);

CREATE TABLE request (
    communication_key TEXT   NOT NULL PRIMARY KEY,
    exchange_id       BIGINT NOT NULL REFERENCES exchange (id),
    reply_seq         BIGINT,
    accepted_at       BIGINT NOT NULL
);
CREATE INDEX request_exchange ON request (exchange_id);

CREATE TABLE sent (
    out_key     TEXT   NOT NULL PRIMARY KEY,
    exchange_id BIGINT NOT NULL REFERENCES exchange (id)
);
CREATE INDEX sent_exchange ON sent (exchange_id);

CREATE TABLE original (
    initiator   TEXT   NOT NULL,
    msg_id      TEXT   NOT NULL,
    msg_code    TEXT   NOT NULL,
    exchange_id BIGINT REFERENCES exchange (id),
    cancel_id   BIGINT REFERENCES exchange (id),
    PRIMARY KEY (initiator, msg_id, msg_code),
    CHECK (exchange_id IS NOT NULL OR cancel_id IS NOT NULL)
);
CREATE INDEX original_exchange ON original (exchange_id) WHERE exchange_id IS NOT NULL;
CREATE INDEX original_cancel   ON original (cancel_id)   WHERE cancel_id IS NOT NULL;

CREATE SEQUENCE parked_ids;
CREATE TABLE parked (
    id          BIGINT PRIMARY KEY,
    status      TEXT   NOT NULL CHECK (status IN ('parked', 'released', 'discarded')),
    note        TEXT,
    link        TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    step        TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    field       TEXT,
    reason      TEXT   NOT NULL,
    key_serial  TEXT   NOT NULL,
    sealed      BYTEA  NOT NULL,
    digest      BYTEA  NOT NULL CHECK (length(digest) = 32),
    at          BIGINT NOT NULL,
    resolved_at BIGINT,
    asked_at    BIGINT,
    exchange_id BIGINT,
    UNIQUE (source, digest)
);
CREATE INDEX parked_status ON parked (status, id);
CREATE INDEX parked_exchange ON parked (exchange_id) WHERE exchange_id IS NOT NULL;
CREATE INDEX parked_asked  ON parked (id) WHERE asked_at IS NOT NULL AND status = 'parked';

CREATE TABLE setting (
    name  TEXT   NOT NULL PRIMARY KEY,
    value TEXT   NOT NULL,
    at    BIGINT NOT NULL
);
INSERT INTO setting (name, value, at) VALUES ('chained_from', '1', 0);

CREATE TABLE serial_block (
    instance    TEXT   NOT NULL,
    date        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    next_serial BIGINT NOT NULL CHECK (next_serial > 0),
    PRIMARY KEY (instance, date, kind)
);

CREATE TABLE effect (
    chain       TEXT    COLLATE "C" NOT NULL,
    date        TEXT    COLLATE "C" NOT NULL,
    seq         BIGINT  NOT NULL CHECK (seq > 0),
    exchange_id BIGINT  NOT NULL UNIQUE,
    reply       BYTEA   CHECK (length(reply) = 32),
    facts       BYTEA   NOT NULL CHECK (length(facts) = 32),
    digest      BYTEA   NOT NULL CHECK (length(digest) = 32),
    at          BIGINT  NOT NULL,
    pruned      INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1)),
    PRIMARY KEY (chain, date, seq)
);
CREATE INDEX effect_standing ON effect (chain, date) WHERE pruned = 0;
