-- Schema version 4. Described in SCHEMA.md. Never edited once released: a change is a further step.
-- One index in the order in which exchanges come, instead of one by date and one by the account's digest, which lies anywhere:
-- an account is looked for along it, of one day or of all.

CREATE INDEX exchange_day ON exchange (settlement_date, id, account_digest);
DROP INDEX exchange_settlement_date;
DROP INDEX exchange_account;
