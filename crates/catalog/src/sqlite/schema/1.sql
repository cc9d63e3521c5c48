-- Schema 1. Times are Unix milliseconds. Addresses are 64 bits with the top bit turned over, so that
-- signed order is their order. AUTOINCREMENT where a number must never be used again.

CREATE TABLE accounts (
    account          INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT    NOT NULL UNIQUE,
    created_at       INTEGER NOT NULL,
    removed_at       INTEGER,
    capture          INTEGER NOT NULL CHECK (capture IN (0, 1)),
    redact           INTEGER NOT NULL CHECK (redact IN (0, 1)),
    consent_by       TEXT,
    consent_at       INTEGER,
    retention_days   INTEGER NOT NULL,
    max_body_bytes   INTEGER NOT NULL,
    operator         TEXT,
    attachments      TEXT    NOT NULL,
    custom_rules     TEXT,
    body_policy      TEXT,
    version          INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    updated_by       TEXT    NOT NULL,
    -- Every capture up to this row is shredded, every address below this one expired, whatever
    -- their rows say: this is what makes both cost the same for one body and for ten million.
    shredded_through INTEGER NOT NULL DEFAULT 0,
    shredded_at      INTEGER NOT NULL DEFAULT 0,
    expired_before   INTEGER NOT NULL DEFAULT -9223372036854775808,
    expired_at       INTEGER NOT NULL DEFAULT 0,
    -- Which such rows may still have to be cleared, as bits (1 expired, 2 shredded). Apart, because
    -- hours expire all the time and finding the shredded takes a pass over the living.
    unswept          INTEGER NOT NULL DEFAULT 0 CHECK (unswept BETWEEN 0 AND 3),
    -- No redaction without a record of who wanted it so.
    CHECK (redact = 1 OR (consent_by IS NOT NULL AND consent_at IS NOT NULL))
) STRICT;

CREATE INDEX accounts_unswept ON accounts (account) WHERE unswept <> 0;

CREATE TABLE exchanges (
    exchange   INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES accounts,
    id         TEXT    NOT NULL,
    time       INTEGER NOT NULL,
    api        TEXT,
    model      TEXT,
    provider   TEXT,
    status     INTEGER,
    tokens_in  INTEGER,
    tokens_out INTEGER,
    latency_ms INTEGER,
    trace_id   TEXT,
    cache_key  TEXT,
    key_hash   TEXT,
    -- The parts someone asked to forget, as bits (1 request, 2 response): also those yet to come.
    shredded   INTEGER NOT NULL DEFAULT 0 CHECK (shredded BETWEEN 0 AND 3),
    UNIQUE (account, id)
) STRICT;

CREATE INDEX exchanges_by_time ON exchanges (account, time);

CREATE TABLE captures (
    capture        INTEGER PRIMARY KEY AUTOINCREMENT,
    exchange       INTEGER NOT NULL REFERENCES exchanges ON DELETE CASCADE,
    account        INTEGER NOT NULL REFERENCES accounts,
    part           INTEGER NOT NULL CHECK (part IN (0, 1)),
    address        INTEGER NOT NULL,
    captured_at    INTEGER NOT NULL,
    retention_days INTEGER NOT NULL,
    state          INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    forgotten_at   INTEGER,
    segment        TEXT,
    object         TEXT,
    offset         INTEGER,
    len            INTEGER,
    content_type   TEXT,
    format         TEXT    NOT NULL,
    rule_set       TEXT,
    findings       TEXT    NOT NULL,
    UNIQUE (exchange, part),
    CHECK (state = 0 OR (forgotten_at IS NOT NULL AND segment IS NULL AND object IS NULL)),
    CHECK (state <> 0 OR (segment IS NOT NULL AND object IS NOT NULL
                          AND offset IS NOT NULL AND len IS NOT NULL))
) STRICT;

CREATE INDEX captures_by_time ON captures (account, captured_at);
-- A leaf seals one payload. In the order of addresses, and so of hours, for sweeping.
CREATE UNIQUE INDEX captures_live ON captures (account, address) WHERE state = 0;

CREATE TABLE pending_shreds (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts,
    address INTEGER, -- null: the whole key tree
    reason  TEXT    NOT NULL,
    since   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX pending_leaves ON pending_shreds (account, address) WHERE address IS NOT NULL;

CREATE TABLE leases (
    hour INTEGER PRIMARY KEY,
    next INTEGER NOT NULL CHECK (next BETWEEN 1 AND 65536)
) STRICT;

CREATE TABLE api_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    role       TEXT    NOT NULL,
    account    INTEGER REFERENCES accounts,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
    ticket    INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    account   INTEGER NOT NULL REFERENCES accounts,
    subject   TEXT    NOT NULL,
    opened_by TEXT    NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;

CREATE INDEX tickets_by_account ON tickets (account);

CREATE TABLE grants (
    "grant"    INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    ticket     INTEGER NOT NULL REFERENCES tickets ON DELETE CASCADE,
    account    INTEGER NOT NULL REFERENCES accounts,
    agent      TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    parts      TEXT    NOT NULL,
    granted_by TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    until      INTEGER NOT NULL CHECK (until > not_before),
    revoked_at INTEGER
) STRICT;

CREATE INDEX grants_by_agent ON grants (account, agent, until);
CREATE INDEX grants_by_ticket ON grants (ticket);

CREATE TABLE jobs (
    job        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES accounts,
    rule_set   TEXT    NOT NULL,
    "from"     INTEGER,
    "to"       INTEGER,
    state      TEXT    NOT NULL,
    cursor     TEXT,
    counts     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX jobs_by_account ON jobs (account);

-- The account by its name: an audit row outlives it, and may be about one that never was.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    account TEXT,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_account ON audit (account);

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never removed'); END;

-- Sealed pages of the key tree. Not WITHOUT ROWID: that suits small rows, and these are kilobytes.
CREATE TABLE key_pages (
    page_id    INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    bytes      BLOB    NOT NULL,
    PRIMARY KEY (page_id, generation)
) STRICT;
