"""What hangs, fails or is wrong at a start is named, and the edge goes on receiving where it can."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, send, series_of
from tests.support.edge.network.certificates import make_certificates
from tests.support.edge.network.wire import CT, EXPLICIT, associate_rq, wire
from tests.support.edge.process import DEADLINE, EdgeProcess
from tests.support.machine.waiting import wait_until

A_ASSOCIATE_RJ = 3
AGO = time.time() - 40 * 86400
"""Longer than anything is kept in quarantine."""


def announced(edge: EdgeProcess, series: int = 1) -> None:
    wait_until(lambda: edge.status()["series_announced"] >= series, f"{series} series announced")


def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, hung_seconds=3) as edge:
        worker = wait_until(lambda: edge.status()["worker_pid"], "a worker")
        os.kill(worker, signal.SIGSTOP)
        assert send(edge.dicom_port, series_of(2)) == [0, 0]
        wait_until(lambda: edge.status()["worker_restarts"] == 1, "it is replaced")
        announced(edge)
        assert [line["pid"] for line in edge.log_lines("worker hangs")] == [worker]


def test_a_reader_that_hangs_is_killed_and_replaced(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, hung_seconds=3, receiver_processes=1) as edge:
        [reader] = wait_until(lambda: edge.status()["reader_pids"], "a reader")
        os.kill(reader, signal.SIGSTOP)
        wait_until(lambda: edge.status()["reader_restarts"] == 1, "it is replaced")
        assert [line["pid"] for line in edge.log_lines("reader hangs")] == [reader]
        assert send(edge.dicom_port, series_of(2)) == [0, 0]
        announced(edge)


def folder_in_quarantine(edge: EdgeProcess) -> None:
    folder = edge.spool / "quarantine" / "old"
    folder.mkdir(parents=True)
    os.utime(folder, (AGO, AGO))


def folder_in_again(edge: EdgeProcess) -> None:
    (edge.spool / "again" / "x.dcm").mkdir(parents=True)


def unreadable_in_again(edge: EdgeProcess) -> None:
    (edge.spool / "again").mkdir(parents=True)
    (edge.spool / "again" / "y.dcm").symlink_to(edge.spool / "nowhere")


@pytest.mark.parametrize("litter", [folder_in_quarantine, folder_in_again, unreadable_in_again])
def test_housekeeping_that_fails_stops_no_upload(tmp_path: Path, cloud: EdgeCloud, litter: Any) -> None:
    edge = EdgeProcess(tmp_path, cloud.environment)
    litter(edge)
    with edge:
        assert send(edge.dicom_port, series_of(2)) == [0, 0]
        announced(edge)
        assert edge.status()["worker_restarts"] == 0
        assert edge.get("/health")[0] == 200


def test_a_certificate_that_is_gone_or_odd_stops_no_upload_and_is_said(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    made = make_certificates(tmp_path)
    made.certificate.write_bytes("# Köln\n".encode("latin-1") + made.certificate.read_bytes())
    tls = {"tls_port": 0, "tls_certificate": str(made.certificate), "tls_key": str(made.key)}
    with EdgeProcess(tmp_path, cloud.environment, heartbeat_seconds=1, **tls) as edge:
        expires = made.expires.isoformat().replace("+00:00", "Z")
        wait_until(lambda: edge.status()["certificate_expires_at"] == expires, "its end is known")
        made.certificate.unlink()
        wait_until(lambda: "cannot be read" in edge.get("/health")[1], "it is said")
        code, body = edge.get("/health")
        assert (code, str(made.certificate) in body, "operations.md#" in body) == (200, True, True)
        assert send(edge.dicom_port, series_of(1)) == [0]
        announced(edge)
        assert edge.status()["worker_restarts"] == 0


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionError:
        return False
    return True


def test_while_it_drains_no_association_is_accepted(tmp_path: Path, cloud: EdgeCloud) -> None:
    """Not on a connection that was there before either."""
    datasets = series_of(2)
    with (
        EdgeProcess(tmp_path, cloud.environment) as edge,
        association(edge.dicom_port, datasets) as assoc,
        wire(edge.dicom_port) as early,
    ):
        assert assoc.send_c_store(datasets[0]).Status == 0
        assert edge.process is not None
        edge.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(edge.dicom_port), "it drains")
        early.send(associate_rq([(1, CT, [EXPLICIT])]))
        answer = early.receive()
        assert answer is not None
        assert answer[0] == A_ASSOCIATE_RJ
        assert assoc.send_c_store(datasets[1]).Status == 0


# What keeps it from starting


def made_in(folder: Path) -> Path:
    folder.mkdir()
    return folder


def why_it_ends(edge: EdgeProcess) -> str:
    """The one line that it says."""
    with pytest.raises(AssertionError, match="did not start"):
        edge.start()
    assert edge.process is not None
    assert edge.process.wait(DEADLINE) > 0
    text = edge.log.read_text()
    assert "Traceback" not in text
    [line] = [line for line in text.splitlines() if '"level": "INFO"' not in line]
    return line


@pytest.mark.parametrize("port", ["dicom_port", "health_port"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, cloud: EdgeCloud, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        line = why_it_ends(EdgeProcess(tmp_path, cloud.environment, **{port: number}))
    assert f"EDGE_{port.upper()} {number} on 127.0.0.1: Address already in use" in line


def test_a_spool_that_cannot_be_made_is_named(tmp_path: Path, cloud: EdgeCloud) -> None:
    (tmp_path / "file").touch()
    line = why_it_ends(EdgeProcess(tmp_path, cloud.environment, spool=str(tmp_path / "file" / "spool")))
    assert f"EDGE_SPOOL {tmp_path / 'file' / 'spool'}" in line
    assert "Not a directory" in line


def test_no_region_is_said(tmp_path: Path, cloud: EdgeCloud) -> None:
    environment = {**cloud.environment, "AWS_CONFIG_FILE": str(tmp_path / "none")}
    del environment["AWS_DEFAULT_REGION"]
    assert "no AWS region is set" in why_it_ends(EdgeProcess(tmp_path, environment))


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, cloud: EdgeCloud) -> None:
    made, other = (make_certificates(made_in(tmp_path / name)) for name in ("one", "other"))
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for number, (certificate, key, words) in enumerate(
        (
            (tmp_path / "none.pem", made.key, f"EDGE_TLS_CERTIFICATE {tmp_path / 'none.pem'}: No such file"),
            (made.certificate, tmp_path / "none.key", f"EDGE_TLS_KEY {tmp_path / 'none.key'}: No such file"),
            (text, made.key, f"EDGE_TLS_CERTIFICATE {text}: no PEM certificate in it"),
            (made.certificate, other.key, "do not belong together"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        tls = {"tls_port": 0, "tls_certificate": str(certificate), "tls_key": str(key)}
        assert words in why_it_ends(EdgeProcess(folder, cloud.environment, **tls))


def test_a_journal_that_cannot_be_opened_is_named(tmp_path: Path, cloud: EdgeCloud) -> None:
    edge = EdgeProcess(tmp_path, cloud.environment)
    (edge.spool / "journal.sqlite3").mkdir(parents=True)
    assert str(edge.spool / "journal.sqlite3") in why_it_ends(edge)
