"""The chain of this edge's manifests: each names the SHA-256 of the one before it.

The journal decides: a link is committed together with the manifest's bytes, before the first PUT. So a crash
neither breaks nor forks the chain. A manifest that was built and will not be put (its transfer is sent under
another id) stays a link: a later one says that it was withdrawn. A journal begins a chain of its own.
All of them belong into the caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
import uuid

from dicom_ingest.contracts.messages.manifest import ChainStart, ManifestLink


def next_link(journal: sqlite3.Connection) -> ManifestLink:
    """The link of the manifest that is built next."""
    head = journal.execute("SELECT * FROM chain").fetchone()
    if head is None:
        before = journal.execute("SELECT 1 FROM counter WHERE name = 'series_announced'").fetchone()
        begin(journal, "upgrade" if before else "new journal")
        return next_link(journal)
    first = head["number"] == 0
    return ManifestLink(
        chain_id=head["chain_id"],
        number=head["number"] + 1,
        previous_sha256=head["sha256"],
        begins=head["begins"] if first else None,
        follows=json.loads(head["follows"]) if first and head["follows"] else None,
        withdrawn=json.loads(head["withdrawn"]),
    )


def extend(journal: sqlite3.Connection, sequence: int, link: ManifestLink, sha256: str) -> None:
    """The manifest with this link is in the outbox. `sha256`: of its lines."""
    journal.execute("UPDATE chain SET number = ?, sha256 = ?, withdrawn = '[]'", (link.number, sha256))
    said = link.model_dump(mode="json", include={"chain_id", "number", "withdrawn"})
    journal.execute(
        "UPDATE outbox SET link = ? WHERE sequence = ?", (json.dumps({**said, "sha256": sha256}), sequence)
    )


def withdraw(journal: sqlite3.Connection, sequence: int) -> None:
    """The manifest in the outbox will not be put: the next one says so, and what this one would have said."""
    row = journal.execute("SELECT link FROM outbox WHERE sequence = ?", (sequence,)).fetchone()
    if row is None or row["link"] is None:
        return
    link = json.loads(row["link"])
    [known] = journal.execute("SELECT withdrawn FROM chain").fetchone()
    said = {name: link[name] for name in ("chain_id", "number", "sha256")}
    withdrawn = [*json.loads(known), *link["withdrawn"], said]
    journal.execute("UPDATE chain SET withdrawn = ?", (json.dumps(withdrawn),))


def begin(journal: sqlite3.Connection, because: ChainStart) -> None:
    """A new chain, which names the last link of the one before it, where the journal knows one."""
    head = journal.execute("SELECT chain_id, number, sha256, withdrawn, begins FROM chain").fetchone()
    if head is not None and not head["number"] and head["begins"] == because:
        return  # it has begun already
    follows = None
    if head is not None and head["number"]:
        follows = json.dumps({name: head[name] for name in ("chain_id", "number", "sha256")})
    journal.execute("DELETE FROM chain")
    journal.execute(
        "INSERT INTO chain (chain_id, begins, follows, withdrawn) VALUES (?, ?, ?, ?)",
        (str(uuid.uuid4()), because, follows, head["withdrawn"] if head is not None else "[]"),
    )
