"""The command line: what it cannot use is one line that names it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from healthimaging_emulator.__main__ import run

from ..stand import Stand


def start(*options: str) -> None:
    run(["--s3-endpoint", "http://127.0.0.1:9", *options], threading.Event())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "99999"], "--port: must be from 0 to 65535, not 99999"),
        (["--s3-endpoint", "nope"], "--s3-endpoint: must be a URL like http://127.0.0.1:5000, not nope"),
        (["--datastore=d", "--datastore-id=nope"], "--datastore-id: must be 32 of 0-9 and a-z, not nope"),
        (["--datastore-id", "0" * 32], "--datastore-id needs --datastore, the name"),
        (["--settings", "/no/such/file"], "--settings /no/such/file: No such file or directory"),
        (["--state-dir", "/dev/null/x"], "/dev/null/x/frames: Not a directory"),
        (["--host", "192.0.2.1"], "192.0.2.1 port 0: Cannot assign requested address"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_used_is_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        start(*options)
    said = ended.value.code if isinstance(ended.value.code, str) else capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(words)


def test_a_port_that_is_taken_is_one_line(stand: Stand) -> None:
    with pytest.raises(SystemExit, match=f"127.0.0.1 port {stand.server.port}: Address already in use"):
        start("--port", str(stand.server.port))


def test_a_state_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        db.execute("CREATE TABLE job (id TEXT)")
    db.close()
    reason = rf"error: state folder {tmp_path} has version 0, not \d+: name another"
    with pytest.raises(SystemExit, match=reason):
        start("--state-dir", str(tmp_path))
