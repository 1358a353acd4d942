"""An index whose clock is the simulation's: what the code calls ``clock_timestamp()`` is a setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.db.server.migrate import migrate
from local.postgres.databases import create_database, session
from local.postgres.server import Postgres

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)

# Schema public comes before the system's: every default and statement of the index takes these.
_CLOCK = """
CREATE FUNCTION public.{name}() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT CAST(current_setting('bench.now') AS timestamptz) $$
"""


class Clocked:
    """The index at a simulated time, in seconds since noon."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 0.0

    @property
    def moment(self) -> datetime:
        """The simulated time as a time."""
        return NOON + timedelta(seconds=self.now)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction at the simulated time."""
        with self.database.transaction() as connection:
            connection.run("SELECT set_config('bench.now', :now, true)", now=self.moment.isoformat())
            yield connection


@contextmanager
def index(server: Postgres, name: str) -> Iterator[Clocked]:
    """An empty index of its own."""
    url = create_database(server.admin_url, name)
    with session(url) as connection:
        connection.run(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
        connection.run(f"ALTER DATABASE {name} SET bench.now = '{NOON.isoformat()}'")
        for function in ("clock_timestamp", "now"):
            connection.run(_CLOCK.format(name=function))
    database = Database(url)
    migrate(database)
    try:
        yield Clocked(database)
    finally:
        database.close()
