"""An edge judges whom it heard; the command line and the console say what it says."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any, cast

import pytest

from console.pages.edges import the_edges
from console.pages.flow import picture
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.attention import attention
from dicom_ingest.operators.read.state.flow import flow
from ops.output import Output
from ops.targets.target import Target
from ops.verbs.looking import edges
from tests.support.workflow.series import Announced
from tests.support.workflow.workers import index_series

EDGE = "dicom-ingest-edge1"
SILENT = {"edge": EDGE, "silent_aes": ["CT1"]}
WELL: Row = {"edge": EDGE, "silent_aes": []}


@pytest.fixture
def verb(database: Database) -> Callable[[Row], int]:
    """The exit code of `edges` where an edge says this."""
    index_series(database, Announced())

    def code(said: Row) -> int:
        with database.transaction() as connection:
            unused = cast("Any", None)
            target = Target(
                name="test",
                stack="dicom-ingest",
                bucket="bucket",
                state_machine_arn="",
                dead_letters_url="",
                poll_seconds=1,
                index=connection,
                open_writer=unused,
                client=unused,
                edges_say=lambda: [said],
                log_errors=lambda _: [],
            )
            return edges.run(Namespace(), target, Output(as_json=False, width=200))

    return code


def test_the_command_line_shows_who_is_silent_and_fails(
    verb: Callable[[Row], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb(WELL) == 0
    assert "silent aes" not in capsys.readouterr().out
    assert verb(SILENT) == 1
    assert "silent aes" in capsys.readouterr().out


STATUS: Row = {
    "version": "1",
    "started_at": "2026-11-22T08:00:00Z",
    "oldest_unsent_at": None,
    "watermark": "normal",
    **dict.fromkeys(
        (
            "open_associations",
            "instances_received",
            "instances_duplicate",
            "instances_refused",
            "quarantined",
            "instances_uploaded",
            "upload_retries",
            "aside",
            "series_announced",
            "series_open",
            "spool_instances",
            "spool_bytes",
            "disk_free_bytes",
            "disk_total_bytes",
        ),
        0,
    ),
}


def test_the_console_calls_a_person_to_a_silent_sender(database: Database) -> None:
    index_series(database, Announced())
    with database.transaction() as connection:
        counts = flow(connection)
        silent = attention(connection, [STATUS | SILENT])
        assert "Sender CT1 has been silent" in picture(counts, STATUS | SILENT, silent)
        well = attention(connection, [STATUS | WELL])
        assert "No action needed" in picture(counts, STATUS | WELL, well)
        marked = "silent, unlike in the weeks before"
        assert marked in "".join(the_edges(connection, [STATUS | SILENT]))
        assert marked not in "".join(the_edges(connection, [STATUS | WELL]))
        other = STATUS | SILENT | {"edge": "dicom-ingest-edge2"}
        assert marked not in "".join(the_edges(connection, [other])), (
            "another edge's sender of the same title"
        )


def test_the_console_and_the_command_line_say_what_the_uplink_may_carry(
    database: Database, verb: Callable[[Row], int], capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"limit_mbit": 20, "paused": None, "since": None, "changes_at": None, "used_mbit": 19.6}
    said = STATUS | WELL | {"uplink": {**line, "next_limit_mbit": None}}
    with database.transaction() as connection:
        assert "20 Mbit/s; uses 19.6 Mbit/s" in "".join(the_edges(connection, [said]))
    assert verb(said) == 0
    assert f"{EDGE} uplink: 20 Mbit/s; uses 19.6 Mbit/s" in capsys.readouterr().out
