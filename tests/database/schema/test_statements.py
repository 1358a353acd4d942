"""Every statement in the sources is understood by PostgreSQL, against the migrated schema."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pg8000.native import to_statement

from dicom_ingest.db.index.statements import Level
from dicom_ingest.db.server.connection import Connection, Database
from dicom_ingest.errors import IngestError

ROOT = Path(__file__).parents[3]
ROOMS = (
    "dicom_ingest/db/index",
    "dicom_ingest/db/series",
    "dicom_ingest/db/semaphore",
    "dicom_ingest/operators",
)
VERBS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


def modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.stem != "__init__":
                yield importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def statements() -> Iterator[tuple[str, str]]:
    """Constants of modules, and texts that are handed to `run` and `one` where they stand."""
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, str) and value.lstrip(" (\n").startswith(VERBS) and "{" not in value:
                yield f"{module.__name__}.{name}", value
            if isinstance(value, Level):
                yield from ((f"{name}.upsert", value.upsert), (f"{name}.select", value.select))
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                text = node.args[0]
                if (
                    isinstance(text, ast.Constant)
                    and isinstance(text.value, str)
                    and node.func.attr in ("run", "one")
                ):
                    yield f"{module.__name__}:{node.lineno}", text.value


STATEMENTS = dict(statements())
PARTS = {
    "dicom_ingest.db.series.held._BESIDE",
    "dicom_ingest.operators.read.series.places._COLUMNS",
    "dicom_ingest.operators.read.state.slots._COLUMNS",
}
"""Of statements that are put together from them: the plans' test runs those."""


def refused(connection: Connection, sql: str) -> str | None:
    """What the server says of it."""
    connection.run("SAVEPOINT before")
    try:
        connection.run(f"PREPARE statement AS {to_statement(sql)[0]}")
    except IngestError as error:
        return str(error)
    finally:
        connection.run("ROLLBACK TO before")
    connection.run("DEALLOCATE statement")
    return None


def test_every_statement_is_prepared_against_the_migrated_schema(database: Database) -> None:
    assert len(STATEMENTS) > 60
    with database.transaction() as connection:
        found = {name: refused(connection, sql) for name, sql in STATEMENTS.items() if name not in PARTS}
    assert {name: words for name, words in found.items() if words is not None} == {}


def test_a_statement_that_names_what_there_is_not_is_found(database: Database) -> None:
    with database.transaction() as connection:
        assert "no_such_column" in str(
            refused(connection, "SELECT no_such_column FROM ahlijob WHERE pk = :pk")
        )
