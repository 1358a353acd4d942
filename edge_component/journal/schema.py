"""The journal's tables. Times are seconds since the epoch; JSON columns are text.

A change here needs a new `VERSION`, a step in `migrations`, and a sample of the old journal in
`tests/support/edge/journals`: an edge that was upgraded opens what the release before it wrote.
"""

from __future__ import annotations

VERSION = 8

SCHEMA = """
CREATE TABLE IF NOT EXISTS epoch (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,   -- one run of a receiver process
    started_at REAL NOT NULL,
    ended_at REAL
);
CREATE TABLE IF NOT EXISTS association (
    association TEXT PRIMARY KEY,              -- only those that carried an instance
    epoch INTEGER NOT NULL REFERENCES epoch,
    calling_ae TEXT NOT NULL,
    called_ae TEXT NOT NULL,
    peer TEXT NOT NULL,
    opened_at REAL NOT NULL,
    closed_at REAL,
    aborted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS association_open ON association (epoch) WHERE closed_at IS NULL;
CREATE TABLE IF NOT EXISTS series_transfer (
    sequence INTEGER PRIMARY KEY,              -- monotonic per edge, also over a lost journal
    transfer_id TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    after TEXT NOT NULL DEFAULT '[]',
    opened_at REAL NOT NULL,
    sealed_at REAL,
    seal_reason TEXT,
    aborted INTEGER NOT NULL DEFAULT 0,
    announced_at REAL,
    unsent INTEGER NOT NULL DEFAULT 0,         -- kept by triggers: its instances that will be in S3,
    stuck INTEGER NOT NULL DEFAULT 0,          -- and those that have a problem of their own
    built INTEGER NOT NULL DEFAULT 0,          -- its manifest and event are in the outbox
    problem TEXT,                              -- why it cannot be announced; tried again
    bulk_ae TEXT,                              -- the transfer takes studies of this bulk sender
    transfer_series INTEGER,                   -- on its last: how many series the closed transfer has
    closable INTEGER NOT NULL DEFAULT 1,       -- 0: something of another transfer may be below its prefix
    UNIQUE (transfer_id, series_instance_uid)
);
CREATE INDEX IF NOT EXISTS series_transfer_open ON series_transfer (study_instance_uid)
    WHERE sealed_at IS NULL AND announced_at IS NULL;
CREATE INDEX IF NOT EXISTS series_transfer_bulk ON series_transfer (bulk_ae)
    WHERE sealed_at IS NULL AND announced_at IS NULL AND bulk_ae IS NOT NULL;
CREATE INDEX IF NOT EXISTS series_transfer_sent ON series_transfer (sequence)
    WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent = 0;
CREATE INDEX IF NOT EXISTS series_transfer_ending ON series_transfer (bulk_ae IS NOT NULL, unsent)
    WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent > 0;
CREATE INDEX IF NOT EXISTS series_transfer_problem ON series_transfer (sequence)
    WHERE announced_at IS NULL AND problem IS NOT NULL;
CREATE INDEX IF NOT EXISTS series_transfer_held ON series_transfer (sequence) WHERE announced_at IS NULL;
CREATE INDEX IF NOT EXISTS series_transfer_announced ON series_transfer (announced_at);
CREATE INDEX IF NOT EXISTS series_transfer_series ON series_transfer (series_instance_uid);
CREATE INDEX IF NOT EXISTS series_transfer_study ON series_transfer (study_instance_uid);
CREATE TABLE IF NOT EXISTS instance (
    instance INTEGER PRIMARY KEY AUTOINCREMENT,
    association TEXT NOT NULL REFERENCES association,
    file TEXT NOT NULL UNIQUE,                 -- its place in the spool: segment and offset
    received_at REAL NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    modality TEXT,
    bytes INTEGER NOT NULL,
    file_crc32 INTEGER NOT NULL,               -- of what was written to the disk
    file_sha256 TEXT,                          -- when it is sent, or another has its UID: see `hashes`
    dataset_sha256 TEXT,                       -- the same: which version of the instance it is
    uid_findings TEXT NOT NULL,
    attributes TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'received'     -- see `instances`
        CHECK (state IN ('received', 'duplicate', 'assigned', 'sending', 'uploaded', 'missing')),
    sequence INTEGER REFERENCES series_transfer,
    problem TEXT,                              -- why it cannot be sent; tried again until the series goes
    upload_id TEXT,                            -- of a multipart upload under way
    waits_because TEXT,                        -- what the cloud said to the last attempt
    unsure INTEGER NOT NULL DEFAULT 0,         -- an attempt ended without an answer: S3 may have it
    twin INTEGER,                              -- of a duplicate: the instance that it equals
    bulk INTEGER NOT NULL DEFAULT 0,           -- its sender's priority: see `order`
    compress INTEGER NOT NULL DEFAULT 0,       -- 1: it waits to be compressed, and is not sent before
    stored_transfer_syntax_uid TEXT,           -- of the compressed copy that goes to S3 in its place,
    stored_bytes INTEGER,                      -- all three or none
    stored_sha256 TEXT,
    foretold TEXT NOT NULL DEFAULT '[]'        -- JSON: what HealthImaging will not like: see `preflight`
);
CREATE INDEX IF NOT EXISTS instance_to_send ON instance (bulk, sequence, instance)
    WHERE state = 'assigned' AND compress = 0;
CREATE INDEX IF NOT EXISTS instance_to_compress ON instance (bulk, sequence, instance)
    WHERE state = 'assigned' AND compress = 1;
CREATE INDEX IF NOT EXISTS instance_compressed ON instance (stored_bytes)
    WHERE stored_bytes IS NOT NULL AND state IN ('assigned', 'sending');
CREATE INDEX IF NOT EXISTS instance_state ON instance (state, instance);
CREATE INDEX IF NOT EXISTS instance_association ON instance (association);
CREATE INDEX IF NOT EXISTS instance_twin ON instance (twin) WHERE twin IS NOT NULL;
CREATE INDEX IF NOT EXISTS instance_sequence ON instance (sequence);
CREATE INDEX IF NOT EXISTS instance_problem ON instance (problem) WHERE problem IS NOT NULL;
CREATE INDEX IF NOT EXISTS instance_sop ON instance (sop_instance_uid);
CREATE TABLE IF NOT EXISTS outbox (
    sequence INTEGER PRIMARY KEY REFERENCES series_transfer,
    manifest_key TEXT NOT NULL,
    manifest BLOB NOT NULL,                    -- the very bytes that are put, never rebuilt
    manifest_sha256 TEXT NOT NULL,             -- of the bytes in `manifest`
    event TEXT NOT NULL,                       -- the very text that is announced
    event_sha256 TEXT NOT NULL,
    unsure INTEGER NOT NULL DEFAULT 0,         -- the manifest was put, or may have been
    link TEXT                                  -- its place in the chain; none in the outbox of an old release
);
CREATE TABLE IF NOT EXISTS chain (             -- one row: the last link of all manifests, see `chain`
    chain_id TEXT NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT,
    begins TEXT NOT NULL,                      -- why there is a chain of this id
    follows TEXT,                              -- JSON: the last link of the chain before it
    withdrawn TEXT NOT NULL DEFAULT '[]'       -- JSON: links whose manifest will not be put; not yet said
);
CREATE TABLE IF NOT EXISTS receipt (
    sop_instance_uid TEXT NOT NULL,
    sequence INTEGER NOT NULL REFERENCES series_transfer,
    sop_class_uid TEXT NOT NULL,
    dataset_sha256 TEXT NOT NULL,
    announced_at REAL NOT NULL,
    uploaded INTEGER NOT NULL,                 -- 0: announced as missing
    bytes INTEGER NOT NULL,
    file TEXT,                                 -- until its place is released
    file_crc32 INTEGER,                        -- of the data set, or NULL: of an earlier release
    PRIMARY KEY (sop_instance_uid, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipt_file ON receipt (file) WHERE file IS NOT NULL;
CREATE INDEX IF NOT EXISTS receipt_unreleased ON receipt (uploaded, file) WHERE file IS NOT NULL;
CREATE INDEX IF NOT EXISTS receipt_sequence ON receipt (sequence);
CREATE TABLE IF NOT EXISTS segment (
    segment TEXT PRIMARY KEY,
    records INTEGER,                           -- instances in it, once nothing is written to it any more
    released INTEGER NOT NULL DEFAULT 0        -- of these the edge has done with so many
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS segment_emptied ON segment (segment) WHERE released >= records;
CREATE TABLE IF NOT EXISTS released (          -- until the segment is removed
    segment TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (segment, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commitment (
    commitment INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_uid TEXT NOT NULL,
    calling_ae TEXT NOT NULL,
    association TEXT NOT NULL,                 -- that asked, and may be told on
    requested_at REAL NOT NULL,
    duplicate INTEGER NOT NULL,
    reported_at REAL
);
CREATE INDEX IF NOT EXISTS commitment_open ON commitment (commitment) WHERE reported_at IS NULL;
CREATE TABLE IF NOT EXISTS commitment_reference (
    commitment INTEGER NOT NULL REFERENCES commitment,
    number INTEGER NOT NULL,
    sop_class_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    PRIMARY KEY (commitment, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channel (           -- see `channels`
    name TEXT PRIMARY KEY,
    last_success_at REAL,
    failing_since REAL,
    failed_at REAL,
    tries INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    words TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (            -- see `channels`
    name TEXT PRIMARY KEY,
    happened_at REAL NOT NULL,
    times INTEGER NOT NULL,
    words TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally (             -- running sums, by state: kept by the triggers below
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    problems INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sender (
    calling_ae TEXT PRIMARY KEY,
    last_association_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusal (           -- see `refusals`
    calling_ae TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    instances INTEGER NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (calling_ae, status, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sender_heard (
    calling_ae TEXT NOT NULL,
    slot INTEGER NOT NULL,                     -- see `senders`
    PRIMARY KEY (calling_ae, slot)
) WITHOUT ROWID;
INSERT OR IGNORE INTO tally (name) VALUES ('received'), ('duplicate'), ('assigned'), ('sending'),
    ('uploaded'), ('missing'), ('series_open'), ('series_sealed'), ('series_built');
CREATE TRIGGER IF NOT EXISTS instance_added AFTER INSERT ON instance BEGIN
    UPDATE tally SET number = number + 1, bytes = bytes + NEW.bytes,
        problems = problems + (NEW.problem NOT NULL)
     WHERE name = NEW.state;
    UPDATE series_transfer SET unsent = unsent + 1 WHERE sequence = NEW.sequence
       AND (NEW.state = 'sending' OR NEW.state = 'assigned' AND NEW.problem IS NULL);
    UPDATE series_transfer SET stuck = stuck + 1 WHERE sequence = NEW.sequence
       AND NEW.state = 'assigned' AND NEW.problem NOT NULL;
END;
CREATE TRIGGER IF NOT EXISTS instance_gone AFTER DELETE ON instance BEGIN
    UPDATE tally SET number = number - 1, bytes = bytes - OLD.bytes,
        problems = problems - (OLD.problem NOT NULL)
     WHERE name = OLD.state;
    UPDATE series_transfer SET unsent = unsent - 1 WHERE sequence = OLD.sequence
       AND (OLD.state = 'sending' OR OLD.state = 'assigned' AND OLD.problem IS NULL);
    UPDATE series_transfer SET stuck = stuck - 1 WHERE sequence = OLD.sequence
       AND OLD.state = 'assigned' AND OLD.problem NOT NULL;
END;
CREATE TRIGGER IF NOT EXISTS instance_changed AFTER UPDATE OF state, problem, sequence ON instance
    WHEN OLD.state IS NOT NEW.state OR OLD.problem IS NOT NEW.problem
        OR OLD.sequence IS NOT NEW.sequence BEGIN
    UPDATE tally SET number = number - 1, bytes = bytes - OLD.bytes,
        problems = problems - (OLD.problem NOT NULL)
     WHERE name = OLD.state;
    UPDATE tally SET number = number + 1, bytes = bytes + NEW.bytes,
        problems = problems + (NEW.problem NOT NULL)
     WHERE name = NEW.state;
    UPDATE series_transfer SET
        unsent = unsent - (OLD.state = 'sending' OR OLD.state = 'assigned' AND OLD.problem IS NULL),
        stuck = stuck - (OLD.state = 'assigned' AND OLD.problem NOT NULL) WHERE sequence = OLD.sequence;
    UPDATE series_transfer SET
        unsent = unsent + (NEW.state = 'sending' OR NEW.state = 'assigned' AND NEW.problem IS NULL),
        stuck = stuck + (NEW.state = 'assigned' AND NEW.problem NOT NULL) WHERE sequence = NEW.sequence;
END;
CREATE TRIGGER IF NOT EXISTS series_transfer_added AFTER INSERT ON series_transfer BEGIN
    UPDATE tally SET number = number + 1 WHERE name = CASE
        WHEN NEW.announced_at NOT NULL THEN '' WHEN NEW.built THEN 'series_built'
        WHEN NEW.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
CREATE TRIGGER IF NOT EXISTS series_transfer_gone AFTER DELETE ON series_transfer BEGIN
    UPDATE tally SET number = number - 1 WHERE name = CASE
        WHEN OLD.announced_at NOT NULL THEN '' WHEN OLD.built THEN 'series_built'
        WHEN OLD.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
CREATE TRIGGER IF NOT EXISTS series_transfer_changed
    AFTER UPDATE OF sealed_at, built, announced_at ON series_transfer BEGIN
    UPDATE tally SET number = number - 1 WHERE name = CASE
        WHEN OLD.announced_at NOT NULL THEN '' WHEN OLD.built THEN 'series_built'
        WHEN OLD.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
    UPDATE tally SET number = number + 1 WHERE name = CASE
        WHEN NEW.announced_at NOT NULL THEN '' WHEN NEW.built THEN 'series_built'
        WHEN NEW.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
"""
