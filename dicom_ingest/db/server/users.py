"""Database users: one per function, and the operator, each with no more than it needs."""

from __future__ import annotations

from dicom_ingest.contracts.steps import DatabaseUser
from dicom_ingest.db.server.connection import Connection

# Names are checked by the message's pattern: letters, digits and underscores only.


def ensure(connection: Connection, user: DatabaseUser, password: str | None = None) -> None:
    """Create the user or bring it up to date; without a password, signing in is IAM's business."""
    known = connection.one("SELECT FROM pg_roles WHERE rolname = :name", name=user.name)
    if known is None:
        connection.run(f"CREATE ROLE {user.name} LOGIN")
    connection.run(f"ALTER ROLE {user.name} CONNECTION LIMIT {user.connection_limit}")
    if password is not None:
        # A utility statement takes no parameters; the server itself quotes.
        quoted = connection.one(
            "SELECT format('ALTER ROLE %I PASSWORD %L', "
            "CAST(:name AS text), CAST(:password AS text)) AS statement",
            name=user.name,
            password=password,
        )
        connection.run(str(quoted and quoted["statement"]))
    if user.role == "ingest":
        if connection.one("SELECT FROM pg_roles WHERE rolname = 'rds_iam'") is not None:
            connection.run(f"GRANT rds_iam TO {user.name}")
        connection.run(f"GRANT USAGE ON SCHEMA public TO {user.name}")
        connection.run(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {user.name}")
    else:
        connection.run(f"GRANT USAGE ON SCHEMA public, operator_views TO {user.name}")
        connection.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public, operator_views TO {user.name}")
        # Task tokens answer executions; an operator sees the table through a view without them.
        connection.run(f"REVOKE SELECT ON public.ahlijob FROM {user.name}")
        connection.run(f"ALTER ROLE {user.name} SET search_path = operator_views, public")
