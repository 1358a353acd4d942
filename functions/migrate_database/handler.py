"""MigrateDatabase: bring the index to this release's schema; run by every deploy, never a drop."""

from __future__ import annotations

from dicom_ingest.contracts.messages.steps import DatabaseUser, MigrateDatabaseReply, MigrateDatabaseRequest
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server import migrate, users
from dicom_ingest.db.server.connection import database
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.step import step

PATIENCE_SECONDS = 400
"""No statement is begun later than this, and none waited for longer: the function has 840 s.

The server finishes an index that it has begun, so the next deploy goes on where this one stopped.
"""


def migrate_database(request: MigrateDatabaseRequest) -> MigrateDatabaseReply:
    """Apply missing migrations, set users and semaphore as configured; deleting a stack changes nothing.

    Raises:
        DatabaseAwayError, DatabaseConflictError, MigrationUnderWayError, AwsAwayError
    """
    if request.RequestType == "Delete":
        return MigrateDatabaseReply(applied=[], version="")
    applied = migrate.migrate(database(), PATIENCE_SECONDS)
    properties = request.ResourceProperties
    with database().transaction() as connection:
        for user in properties.database_users:
            users.ensure(connection, user, _password(user))
        if properties.semaphore is not None:
            queueing.configure(connection, properties.semaphore)
    return MigrateDatabaseReply(applied=applied, version=migrate.migration_names()[-1])


def _password(user: DatabaseUser) -> str | None:
    """The operator's, from its secret."""
    return str(clients.database_secret(user.secret_arn)["password"]) if user.secret_arn else None


handler = step(migrate_database)
