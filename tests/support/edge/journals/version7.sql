-- A journal as release 7 left it: `iterdump` of it.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE association (
    association TEXT PRIMARY KEY,              -- only those that carried an instance
    epoch INTEGER NOT NULL REFERENCES epoch,
    calling_ae TEXT NOT NULL,
    called_ae TEXT NOT NULL,
    peer TEXT NOT NULL,
    opened_at REAL NOT NULL,
    closed_at REAL,
    aborted INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "association" VALUES('a',1,'SENDER','EDGE','127.0.0.1',1.0,2.0,0);
CREATE TABLE chain (             -- one row: the last link of all manifests, see `chain`
    chain_id TEXT NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT,
    begins TEXT NOT NULL,                      -- why there is a chain of this id
    follows TEXT,                              -- JSON: the last link of the chain before it
    withdrawn TEXT NOT NULL DEFAULT '[]'       -- JSON: links whose manifest will not be put; not yet said
);
CREATE TABLE channel (           -- see `channels`
    name TEXT PRIMARY KEY,
    last_success_at REAL,
    failing_since REAL,
    failed_at REAL,
    tries INTEGER NOT NULL DEFAULT 0,
    code TEXT NOT NULL DEFAULT '',
    words TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE commitment (
    commitment INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_uid TEXT NOT NULL,
    calling_ae TEXT NOT NULL,
    association TEXT NOT NULL,                 -- that asked, and may be told on
    requested_at REAL NOT NULL,
    duplicate INTEGER NOT NULL,
    reported_at REAL
);
CREATE TABLE commitment_reference (
    commitment INTEGER NOT NULL REFERENCES commitment,
    number INTEGER NOT NULL,
    sop_class_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    PRIMARY KEY (commitment, number)
) WITHOUT ROWID;
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "counter" VALUES('instances_received',5);
CREATE TABLE epoch (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,   -- one run of a receiver process
    started_at REAL NOT NULL,
    ended_at REAL
);
INSERT INTO "epoch" VALUES(1,1.0,NULL);
CREATE TABLE "instance" (
    instance INTEGER PRIMARY KEY AUTOINCREMENT,
    association TEXT NOT NULL REFERENCES association,
    file TEXT NOT NULL UNIQUE,
    received_at REAL NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    modality TEXT,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    file_sha256 TEXT,
    dataset_sha256 TEXT,
    uid_findings TEXT NOT NULL,
    attributes TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'received'
        CHECK (state IN ('received', 'duplicate', 'assigned', 'sending', 'uploaded', 'missing')),
    sequence INTEGER REFERENCES series_transfer,
    problem TEXT,
    upload_id TEXT,
    waits_because TEXT,
    unsure INTEGER NOT NULL DEFAULT 0,
    twin INTEGER
, bulk INTEGER NOT NULL DEFAULT 0, compress INTEGER NOT NULL DEFAULT 0, stored_transfer_syntax_uid TEXT, stored_bytes INTEGER, stored_sha256 TEXT, foretold TEXT NOT NULL DEFAULT '[]');
INSERT INTO "instance" VALUES(1,'a','s/0',10.0,'1.2','1.2.2','1.2.2.1','1.2.840.10008.5.1.4.1.1.2','1.2.840.10008.1.2.1','CT',100,1,'f','d','[]','{}','uploaded',2,NULL,NULL,NULL,0,NULL,0,0,NULL,NULL,NULL,'[]');
INSERT INTO "instance" VALUES(2,'a','s/4096',11.0,'1.2','1.2.3','1.2.3.1','1.2.840.10008.5.1.4.1.1.2','1.2.840.10008.1.2.1','CT',200,1,'f','d','[]','{}','assigned',3,NULL,'upload-1',NULL,1,NULL,0,0,NULL,NULL,NULL,'[]');
INSERT INTO "instance" VALUES(3,'a','s/8192',12.0,'1.2','1.2.3','1.2.3.2','1.2.840.10008.5.1.4.1.1.2','1.2.840.10008.1.2.1','CT',300,1,'f','d','[]','{}','assigned',3,'spool file was altered',NULL,NULL,1,NULL,0,0,NULL,NULL,NULL,'[]');
INSERT INTO "instance" VALUES(4,'a','s/12288',13.0,'1.2','1.2.4','1.2.4.1','1.2.840.10008.5.1.4.1.1.2','1.2.840.10008.1.2.1','CT',400,1,NULL,NULL,'[]','{}','received',NULL,NULL,NULL,NULL,0,NULL,0,0,NULL,NULL,NULL,'[]');
CREATE TABLE notice (            -- see `channels`
    name TEXT PRIMARY KEY,
    happened_at REAL NOT NULL,
    times INTEGER NOT NULL,
    words TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY REFERENCES series_transfer,
    manifest_key TEXT NOT NULL,
    manifest BLOB NOT NULL,                    -- the very bytes that are put, never rebuilt
    manifest_sha256 TEXT NOT NULL,             -- of the bytes in `manifest`
    event TEXT NOT NULL,                       -- the very text that is announced
    event_sha256 TEXT NOT NULL
, unsure INTEGER NOT NULL DEFAULT 0, link TEXT);
INSERT INTO "outbox" VALUES(2,'manifests/m',X'00','h','{}','h',1,NULL);
CREATE TABLE receipt (
    sop_instance_uid TEXT NOT NULL,
    sequence INTEGER NOT NULL REFERENCES series_transfer,
    sop_class_uid TEXT NOT NULL,
    dataset_sha256 TEXT NOT NULL,
    announced_at REAL NOT NULL,
    uploaded INTEGER NOT NULL,                 -- 0: announced as missing
    bytes INTEGER NOT NULL,
    file TEXT, crc32 INTEGER,                                 -- until its place is released
    PRIMARY KEY (sop_instance_uid, sequence)
) WITHOUT ROWID;
INSERT INTO "receipt" VALUES('1.2.1.1',1,'1.2.840.10008.5.1.4.1.1.2','d',3.0,1,100,NULL,1);
CREATE TABLE refusal (           -- see `refusals`
    calling_ae TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    instances INTEGER NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (calling_ae, status, reason)
) WITHOUT ROWID;
CREATE TABLE released (          -- until the segment is removed
    segment TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (segment, at)
) WITHOUT ROWID;
CREATE TABLE segment (
    segment TEXT PRIMARY KEY,
    records INTEGER,                           -- instances in it, once nothing is written to it any more
    released INTEGER NOT NULL DEFAULT 0        -- of these the edge has done with so many
) WITHOUT ROWID;
CREATE TABLE sender (
    calling_ae TEXT PRIMARY KEY,
    last_association_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE sender_heard (
    calling_ae TEXT NOT NULL,
    slot INTEGER NOT NULL,                     -- see `senders`
    PRIMARY KEY (calling_ae, slot)
) WITHOUT ROWID;
CREATE TABLE series_transfer (
    sequence INTEGER PRIMARY KEY,              -- monotonic per edge, also over a lost journal
    transfer_id TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    after TEXT NOT NULL DEFAULT '[]',
    opened_at REAL NOT NULL,
    sealed_at REAL,
    seal_reason TEXT,
    aborted INTEGER NOT NULL DEFAULT 0,
    announced_at REAL, unsent INTEGER NOT NULL DEFAULT 0, stuck INTEGER NOT NULL DEFAULT 0, built INTEGER NOT NULL DEFAULT 0, problem TEXT, bulk_ae TEXT, transfer_series INTEGER, closable INTEGER NOT NULL DEFAULT 1,
    UNIQUE (transfer_id, series_instance_uid)
);
INSERT INTO "series_transfer" VALUES(1,'00000000-0000-4000-8000-000000000001','1.2','1.2.1','[]',1.0,2.0,'quiet',0,3.0,0,0,0,NULL,NULL,NULL,1);
INSERT INTO "series_transfer" VALUES(2,'00000000-0000-4000-8000-000000000002','1.2','1.2.2','[]',1.0,2.0,'quiet',0,NULL,0,0,1,NULL,NULL,NULL,1);
INSERT INTO "series_transfer" VALUES(3,'00000000-0000-4000-8000-000000000003','1.2','1.2.3','[]',1.0,2.0,'quiet',0,NULL,1,1,0,NULL,NULL,NULL,1);
INSERT INTO "series_transfer" VALUES(4,'00000000-0000-4000-8000-000000000004','1.2','1.2.4','[]',1.0,NULL,NULL,0,NULL,0,0,0,NULL,NULL,NULL,1);
CREATE TABLE tally (             -- running sums, by state: kept by the triggers below
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    problems INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO "tally" VALUES('assigned',2,500,1);
INSERT INTO "tally" VALUES('duplicate',0,0,0);
INSERT INTO "tally" VALUES('missing',0,0,0);
INSERT INTO "tally" VALUES('received',1,400,0);
INSERT INTO "tally" VALUES('sending',0,0,0);
INSERT INTO "tally" VALUES('series_built',1,0,0);
INSERT INTO "tally" VALUES('series_open',1,0,0);
INSERT INTO "tally" VALUES('series_sealed',1,0,0);
INSERT INTO "tally" VALUES('uploaded',1,100,0);
CREATE INDEX association_open ON association (epoch) WHERE closed_at IS NULL;
CREATE INDEX series_transfer_series ON series_transfer (series_instance_uid);
CREATE INDEX receipt_file ON receipt (file) WHERE file IS NOT NULL;
CREATE INDEX segment_emptied ON segment (segment) WHERE released >= records;
CREATE INDEX commitment_open ON commitment (commitment) WHERE reported_at IS NULL;
CREATE INDEX series_transfer_open ON series_transfer (study_instance_uid)
    WHERE sealed_at IS NULL AND announced_at IS NULL;
CREATE INDEX series_transfer_sent ON series_transfer (sequence)
    WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent = 0;
CREATE INDEX series_transfer_problem ON series_transfer (sequence)
    WHERE announced_at IS NULL AND problem IS NOT NULL;
CREATE INDEX series_transfer_announced ON series_transfer (announced_at);
CREATE INDEX instance_state ON instance (state, instance);
CREATE INDEX instance_association ON instance (association);
CREATE INDEX instance_twin ON instance (twin) WHERE twin IS NOT NULL;
CREATE INDEX instance_sequence ON instance (sequence);
CREATE INDEX instance_sop ON instance (sop_instance_uid);
CREATE INDEX receipt_unreleased ON receipt (uploaded, file) WHERE file IS NOT NULL;
CREATE INDEX receipt_sequence ON receipt (sequence);
CREATE TRIGGER instance_added AFTER INSERT ON instance BEGIN
    UPDATE tally SET number = number + 1, bytes = bytes + NEW.bytes,
        problems = problems + (NEW.problem NOT NULL)
     WHERE name = NEW.state;
    UPDATE series_transfer SET unsent = unsent + 1 WHERE sequence = NEW.sequence
       AND (NEW.state = 'sending' OR NEW.state = 'assigned' AND NEW.problem IS NULL);
    UPDATE series_transfer SET stuck = stuck + 1 WHERE sequence = NEW.sequence
       AND NEW.state = 'assigned' AND NEW.problem NOT NULL;
END;
CREATE TRIGGER instance_gone AFTER DELETE ON instance BEGIN
    UPDATE tally SET number = number - 1, bytes = bytes - OLD.bytes,
        problems = problems - (OLD.problem NOT NULL)
     WHERE name = OLD.state;
    UPDATE series_transfer SET unsent = unsent - 1 WHERE sequence = OLD.sequence
       AND (OLD.state = 'sending' OR OLD.state = 'assigned' AND OLD.problem IS NULL);
    UPDATE series_transfer SET stuck = stuck - 1 WHERE sequence = OLD.sequence
       AND OLD.state = 'assigned' AND OLD.problem NOT NULL;
END;
CREATE TRIGGER instance_changed AFTER UPDATE OF state, problem, sequence ON instance
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
CREATE TRIGGER series_transfer_added AFTER INSERT ON series_transfer BEGIN
    UPDATE tally SET number = number + 1 WHERE name = CASE
        WHEN NEW.announced_at NOT NULL THEN '' WHEN NEW.built THEN 'series_built'
        WHEN NEW.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
CREATE TRIGGER series_transfer_gone AFTER DELETE ON series_transfer BEGIN
    UPDATE tally SET number = number - 1 WHERE name = CASE
        WHEN OLD.announced_at NOT NULL THEN '' WHEN OLD.built THEN 'series_built'
        WHEN OLD.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
CREATE TRIGGER series_transfer_changed
    AFTER UPDATE OF sealed_at, built, announced_at ON series_transfer BEGIN
    UPDATE tally SET number = number - 1 WHERE name = CASE
        WHEN OLD.announced_at NOT NULL THEN '' WHEN OLD.built THEN 'series_built'
        WHEN OLD.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
    UPDATE tally SET number = number + 1 WHERE name = CASE
        WHEN NEW.announced_at NOT NULL THEN '' WHEN NEW.built THEN 'series_built'
        WHEN NEW.sealed_at IS NULL THEN 'series_open' ELSE 'series_sealed' END;
END;
CREATE INDEX series_transfer_bulk ON series_transfer (bulk_ae)
    WHERE sealed_at IS NULL AND announced_at IS NULL AND bulk_ae IS NOT NULL;
CREATE INDEX series_transfer_held ON series_transfer (sequence) WHERE announced_at IS NULL;
CREATE INDEX instance_problem ON instance (problem) WHERE problem IS NOT NULL;
CREATE INDEX series_transfer_ending ON series_transfer (bulk_ae IS NOT NULL, unsent)
    WHERE announced_at IS NULL AND sealed_at IS NOT NULL AND built = 0 AND unsent > 0;
CREATE INDEX instance_to_send ON instance (bulk, sequence, instance)
    WHERE state = 'assigned' AND compress = 0;
CREATE INDEX instance_to_compress ON instance (bulk, sequence, instance)
    WHERE state = 'assigned' AND compress = 1;
CREATE INDEX instance_compressed ON instance (stored_bytes)
    WHERE stored_bytes IS NOT NULL AND state IN ('assigned', 'sending');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('epoch',1);
INSERT INTO "sqlite_sequence" VALUES('instance',4);
COMMIT;
PRAGMA user_version = 7;
