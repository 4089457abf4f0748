-- Schema version 5. Described in SCHEMA.md. Never edited once released: a change is a further step.
-- What moves has no index, so that a move leaves all indexes alone (PostgreSQL's HOT updates; pages keep room for them). What is
-- open is listed in a narrow table instead.

-- Every writer of this version gives the layout and lists what it accepts. One of a former version would not: the column without
-- a default has its acceptances refused.
ALTER TABLE exchange ADD COLUMN layout SMALLINT NOT NULL DEFAULT 5;
ALTER TABLE exchange ALTER COLUMN layout DROP DEFAULT;
CREATE TABLE open_exchange (
    exchange_id BIGINT PRIMARY KEY,
    due         BIGINT NOT NULL
);
INSERT INTO open_exchange (exchange_id, due) SELECT id, due FROM exchange WHERE state <> 'delivered' ORDER BY id;
CREATE INDEX open_exchange_due ON open_exchange (due);

-- Keys that we sent are unique in `sent`.
DROP INDEX exchange_out_key;
DROP INDEX exchange_open_due;
DROP INDEX exchange_open_lease;
DROP INDEX exchange_delivered;
CREATE INDEX exchange_accepted ON exchange (accepted_at, id);
DROP INDEX exchange_settlement_date;
CREATE INDEX exchange_day ON exchange (settlement_date, id) WHERE settlement_date IS NOT NULL;
DROP INDEX effect_standing;

-- A foreign key costs each row a statement that locks its exchange. These rows are written and deleted in the transaction of their
-- exchange, and whoever adds some later holds it.
ALTER TABLE message  DROP CONSTRAINT message_exchange_id_fkey;
ALTER TABLE request  DROP CONSTRAINT request_exchange_id_fkey;
ALTER TABLE sent     DROP CONSTRAINT sent_exchange_id_fkey;
ALTER TABLE original DROP CONSTRAINT original_exchange_id_fkey;
ALTER TABLE original DROP CONSTRAINT original_cancel_id_fkey;

ALTER TABLE exchange SET (fillfactor = 60);
ALTER TABLE request  SET (fillfactor = 80);

-- Sealed bytes do not compress.
ALTER TABLE message ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE parked  ALTER COLUMN sealed SET STORAGE EXTERNAL;
