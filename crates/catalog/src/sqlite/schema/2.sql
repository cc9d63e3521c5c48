-- Schema 2. Hours of accounts in which something may have been sealed, so that expiry visits these and no
-- others. `due` is the hour in which it is over: the hour and the account's retention.

CREATE TABLE active_hours (
    account INTEGER NOT NULL REFERENCES accounts,
    hour    INTEGER NOT NULL,
    due     INTEGER NOT NULL,
    PRIMARY KEY (account, hour)
) STRICT, WITHOUT ROWID;

CREATE INDEX active_hours_due ON active_hours (due, account);

-- What lives. The hour is the top 24 bits of an address, whose top bit is turned over.
INSERT INTO active_hours (account, hour, due)
SELECT account, hour, hour + 24 * retention_days
FROM (SELECT DISTINCT account, (address >> 40) + 8388608 AS hour FROM captures WHERE state = 0)
    JOIN accounts USING (account);

-- Until now each hour was expired for every account, also for one whose only record of it had no row. So
-- each is visited once more, when the newest hour is over.
INSERT OR IGNORE INTO active_hours (account, hour, due)
SELECT account, hour, hour + 24 * retention_days
FROM accounts, (SELECT max(captured_at) / 3600000 AS hour FROM captures)
WHERE hour IS NOT NULL AND removed_at IS NULL;

-- The time up to which expiry has gone, in Unix milliseconds: one row, once it has.
CREATE TABLE expiry_clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

INSERT INTO expiry_clock (one, at) SELECT 1, max(at) FROM audit HAVING max(at) IS NOT NULL;
