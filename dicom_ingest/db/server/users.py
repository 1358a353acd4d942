"""Database users: one per function, and the operator, each with no more than it needs."""

from __future__ import annotations

import base64

from scramp import ScramMechanism

from dicom_ingest.contracts.messages.steps import DatabaseUser
from dicom_ingest.db.server.connection import Connection

_ITERATIONS = 4096
"""PostgreSQL's default."""

# Names are checked by the message's pattern: letters, digits and underscores only.


def ensure(connection: Connection, user: DatabaseUser, password: str | None = None) -> None:
    """Create the user or bring it up to date; without a password, signing in is IAM's business."""
    known = connection.one("SELECT FROM pg_roles WHERE rolname = :name", name=user.name)
    if known is None:
        connection.run(f"CREATE ROLE {user.name} LOGIN")
    connection.run(f"ALTER ROLE {user.name} CONNECTION LIMIT {user.connection_limit}")
    if password is not None:
        # Not the password itself: PostgreSQL writes a statement that fails to its log.
        connection.run(f"ALTER ROLE {user.name} PASSWORD '{_verifier(password)}'")
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


def _verifier(password: str) -> str:
    """What PostgreSQL keeps of a password, made here; the password cannot be read from it.

    https://www.postgresql.org/docs/16/catalog-pg-authid.html
    """
    mechanism = ScramMechanism("SCRAM-SHA-256")
    made = mechanism.make_auth_info(password, iteration_count=_ITERATIONS)
    salt, stored, server = (base64.b64encode(part).decode() for part in made[:3])
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt}${stored}:{server}"
