-- The journal as the release before version 4 made it, with a series in every state.
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
    UNIQUE (transfer_id, series_instance_uid)
);
CREATE INDEX IF NOT EXISTS series_transfer_pending ON series_transfer (sequence) WHERE announced_at IS NULL;
CREATE INDEX IF NOT EXISTS series_transfer_series ON series_transfer (series_instance_uid);
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
    crc32 INTEGER NOT NULL,                    -- of the data set, as it passed
    file_sha256 TEXT,                          -- both by the worker, before it is assigned
    dataset_sha256 TEXT,
    uid_findings TEXT NOT NULL,
    attributes TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'assigned', 'uploaded', 'missing')),
    sequence INTEGER REFERENCES series_transfer,
    problem TEXT,                              -- why it cannot be sent; tried again until the series goes
    upload_id TEXT                             -- of a multipart upload under way
);
CREATE INDEX IF NOT EXISTS instance_state ON instance (state, instance);
CREATE INDEX IF NOT EXISTS instance_sequence ON instance (sequence);
CREATE INDEX IF NOT EXISTS instance_sop ON instance (sop_instance_uid);
CREATE TABLE IF NOT EXISTS outbox (
    sequence INTEGER PRIMARY KEY REFERENCES series_transfer,
    manifest_key TEXT NOT NULL,
    manifest BLOB NOT NULL,                    -- the very bytes that are put, never rebuilt
    manifest_sha256 TEXT NOT NULL,             -- of the bytes in `manifest`
    event TEXT NOT NULL,                       -- the very text that is announced
    event_sha256 TEXT NOT NULL
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
    PRIMARY KEY (sop_instance_uid, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipt_file ON receipt (file) WHERE file IS NOT NULL;
CREATE INDEX IF NOT EXISTS receipt_announced ON receipt (announced_at);
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
CREATE TABLE IF NOT EXISTS sender (
    calling_ae TEXT PRIMARY KEY,
    last_association_at REAL NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 3;
INSERT INTO epoch (started_at) VALUES (1.0);
INSERT INTO association VALUES ('a', 1, 'SENDER', 'EDGE', '127.0.0.1', 1.0, 2.0, 0);
INSERT INTO series_transfer (sequence, transfer_id, study_instance_uid, series_instance_uid, opened_at, sealed_at, seal_reason, announced_at) VALUES
    (1, '00000000-0000-4000-8000-000000000001', '1.2', '1.2.1', 1.0, 2.0, 'quiet', 3.0),
    (2, '00000000-0000-4000-8000-000000000002', '1.2', '1.2.2', 1.0, 2.0, 'quiet', NULL),
    (3, '00000000-0000-4000-8000-000000000003', '1.2', '1.2.3', 1.0, 2.0, 'quiet', NULL),
    (4, '00000000-0000-4000-8000-000000000004', '1.2', '1.2.4', 1.0, NULL, NULL, NULL);
INSERT INTO instance (association, file, received_at, study_instance_uid, series_instance_uid, sop_instance_uid, sop_class_uid, transfer_syntax_uid, modality, bytes, crc32, file_sha256, dataset_sha256, uid_findings, attributes, state, sequence, problem, upload_id) VALUES
    ('a', 's/0', 10.0, '1.2', '1.2.2', '1.2.2.1', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 'CT', 100, 1, 'f', 'd', '[]', '{}', 'uploaded', 2, NULL, NULL),
    ('a', 's/4096', 11.0, '1.2', '1.2.3', '1.2.3.1', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 'CT', 200, 1, 'f', 'd', '[]', '{}', 'assigned', 3, NULL, 'upload-1'),
    ('a', 's/8192', 12.0, '1.2', '1.2.3', '1.2.3.2', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 'CT', 300, 1, 'f', 'd', '[]', '{}', 'assigned', 3, 'spool file was altered', NULL),
    ('a', 's/12288', 13.0, '1.2', '1.2.4', '1.2.4.1', '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', 'CT', 400, 1, NULL, NULL, '[]', '{}', 'received', NULL, NULL, NULL);
INSERT INTO outbox VALUES (2, 'manifests/m', x'00', 'h', '{}', 'h');
INSERT INTO receipt VALUES ('1.2.1.1', 1, '1.2.840.10008.5.1.4.1.1.2', 'd', 3.0, 1, 100, NULL);
INSERT INTO counter VALUES ('instances_received', 5);
