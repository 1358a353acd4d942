"""The index's schema as all migrations leave it: their sum, to read and to search."""

from __future__ import annotations

import subprocess

from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database
from local.postgres.server import Postgres, programs

_HEAD = (
    "-- Made by `make docs` from dicom_ingest/db/migrations, by pg_dump. Not to be run: migrations are.\n\n"
)
_LEFT_OUT = ("--", "SET ", "SELECT pg_catalog.set_config", "\\")


def render() -> str:
    """Tables, views, indexes and triggers, without owners and grants."""
    with Postgres() as server:
        database = Database(create_database(server.admin_url, "schema"))
        migrate(database)
        database.close()
        command = [
            str(programs() / "pg_dump"),
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            database.url,
        ]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the wheel's
    kept = [line for line in dumped.stdout.splitlines() if not line.startswith(_LEFT_OUT)]
    paragraphs = [part.strip("\n") for part in "\n".join(kept).split("\n\n") if part.strip()]
    return _HEAD + "\n\n".join(paragraphs) + "\n"
