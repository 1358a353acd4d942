"""The SHA-256 of an instance's file: computed when it is sent, or when another has the same UID."""

from __future__ import annotations

import sqlite3


def not_hashed(journal: sqlite3.Connection, sop_instance_uid: str) -> list[sqlite3.Row]:
    """Instances with this UID that are to be sent, and whose hash nobody needed so far."""
    return journal.execute(
        """SELECT instance, file, bytes, file_crc32 FROM instance
            WHERE sop_instance_uid = ? AND dataset_sha256 IS NULL AND problem IS NULL
              AND state IN ('assigned', 'sending')""",
        (sop_instance_uid,),
    ).fetchall()


def hashed(journal: sqlite3.Connection, instance: int, sha256: str) -> None:
    """The SHA-256 of its file, which was compared with what was received."""
    journal.execute(
        """UPDATE instance SET file_sha256 = ?1, dataset_sha256 = ?1
            WHERE instance = ?2 AND dataset_sha256 IS NULL""",
        (sha256, instance),
    )
