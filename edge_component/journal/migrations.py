"""From the journal of an older release to this one's: each step once, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from edge_component.journal.schema import SCHEMA, VERSION
from edge_component.records.part10 import file_crc32

OLDEST = 3


class JournalError(RuntimeError):
    """The journal would not take a row, so nothing may be acknowledged."""


def check_version(found: int, path: Path, oldest: int = VERSION) -> None:
    """Of a journal that is there.

    Raises:
        JournalError: it was written by a release that this one does not know.
    """
    if not oldest <= found <= VERSION:
        raise JournalError(
            f"{path} is a journal of version {found}; this release reads versions {OLDEST} to {VERSION}"
        )


def migrate(journal: sqlite3.Connection, found: int) -> None:
    """Bring the tables up to this release. All or nothing: a crash leaves the old journal as it was.

    `found`: its version; 0 of a new file.
    """
    steps = "".join(STEPS[version] for version in range(found, VERSION)) if found else ""
    sums = SUMS if found else ""
    journal.create_function("file_crc32", 5, file_crc32, deterministic=True)
    journal.executescript(
        f"BEGIN IMMEDIATE; {steps} {SCHEMA} {sums} PRAGMA user_version = {VERSION}; COMMIT;"
    )


# A CHECK cannot be changed in place: the table is copied (https://sqlite.org/lang_altertable.html, 7).
STEPS: Mapping[int, str] = {
    3: """
ALTER TABLE series_transfer ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE series_transfer ADD COLUMN stuck INTEGER NOT NULL DEFAULT 0;
ALTER TABLE series_transfer ADD COLUMN built INTEGER NOT NULL DEFAULT 0;
ALTER TABLE series_transfer ADD COLUMN problem TEXT;
UPDATE series_transfer SET built = 1 WHERE sequence IN (SELECT sequence FROM outbox);
DROP INDEX IF EXISTS series_transfer_pending;
ALTER TABLE outbox ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET unsure = 1;
ALTER TABLE receipt ADD COLUMN crc32 INTEGER;
DROP INDEX IF EXISTS receipt_announced;
CREATE TABLE new_instance (
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
);
INSERT INTO new_instance SELECT *, NULL, state = 'assigned', NULL FROM instance;
DROP TABLE instance;
ALTER TABLE new_instance RENAME TO instance;
""",
    4: """
ALTER TABLE series_transfer ADD COLUMN bulk_ae TEXT;
ALTER TABLE series_transfer ADD COLUMN transfer_series INTEGER;
ALTER TABLE series_transfer ADD COLUMN closable INTEGER NOT NULL DEFAULT 1;
""",
    5: """
ALTER TABLE instance ADD COLUMN bulk INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN compress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN stored_transfer_syntax_uid TEXT;
ALTER TABLE instance ADD COLUMN stored_bytes INTEGER;
ALTER TABLE instance ADD COLUMN stored_sha256 TEXT;
UPDATE instance SET bulk = 1 WHERE sequence IN
    (SELECT sequence FROM series_transfer WHERE bulk_ae NOT NULL AND announced_at IS NULL);
""",
    6: """
ALTER TABLE instance ADD COLUMN foretold TEXT NOT NULL DEFAULT '[]';
ALTER TABLE outbox ADD COLUMN link TEXT;
""",
    7: """
ALTER TABLE instance RENAME COLUMN crc32 TO file_crc32;
ALTER TABLE receipt RENAME COLUMN crc32 TO file_crc32;
UPDATE instance SET file_crc32 =
    file_crc32(sop_class_uid, sop_instance_uid, transfer_syntax_uid, bytes, file_crc32);
""",
}
"""By the version that a step starts from. What an older release had under way may be in S3: `unsure`."""

SUMS = """
UPDATE tally SET (number, bytes, problems) =
    (SELECT count(*), coalesce(sum(bytes), 0), count(problem) FROM instance WHERE state = tally.name);
UPDATE tally SET number = (SELECT count(*) FROM series_transfer
    WHERE announced_at IS NULL AND built) WHERE name = 'series_built';
UPDATE tally SET number = (SELECT count(*) FROM series_transfer
    WHERE announced_at IS NULL AND NOT built AND sealed_at IS NULL) WHERE name = 'series_open';
UPDATE tally SET number = (SELECT count(*) FROM series_transfer
    WHERE announced_at IS NULL AND NOT built AND sealed_at NOT NULL) WHERE name = 'series_sealed';
UPDATE series_transfer SET
    unsent = (SELECT count(*) FROM instance i WHERE i.sequence = series_transfer.sequence
               AND (state = 'sending' OR state = 'assigned' AND i.problem IS NULL)),
    stuck = (SELECT count(*) FROM instance i WHERE i.sequence = series_transfer.sequence
              AND state = 'assigned' AND i.problem NOT NULL)
 WHERE announced_at IS NULL;
"""
