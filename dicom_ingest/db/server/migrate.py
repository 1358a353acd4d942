"""Migrations: numbered, forward only, each applied once, under an advisory lock."""

from __future__ import annotations

from pathlib import Path

from dicom_ingest.db.server.connection import Connection, Database

MIGRATIONS = Path(__file__).parent.parent / "migrations"
LOCK = 0x4449434F  # any constant of ours


def migration_names() -> list[str]:
    """All migrations, in the order in which they apply."""
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.sql"))


def migrate(database: Database) -> list[str]:
    """Apply what is missing, all or nothing; the names of what was applied."""
    with database.transaction() as connection:
        connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)
        connection.run(
            "CREATE TABLE IF NOT EXISTS migration "
            "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        present = {row["name"] for row in connection.run("SELECT name FROM migration")}
        missing = [name for name in migration_names() if name not in present]
        for name in missing:
            _apply(connection, name)
        return missing


def _apply(connection: Connection, name: str) -> None:
    connection.run((MIGRATIONS / f"{name}.sql").read_text(encoding="utf-8"))
    connection.run("INSERT INTO migration (name) VALUES (:name)", name=name)
