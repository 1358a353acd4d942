"""The main job, once: start everything, send a folder over DIMSE, watch, and count what arrived."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from dicom_ingest.db.server.connection import Connection
from local.demo.exports import export
from local.demo.index_queries import TABLES, series_transfers
from local.demo.progress import REFRESH_SECONDS, Display, Progress
from local.demo.report import Report, build
from local.demo.tables import draw
from local.postgres.databases import session
from local.run.options import Options
from local.runtime import Runtime
from local.sending.dicom_folder import DicomFolder, InstanceFile, read_folders
from local.sending.sender import Sent, send

STALLED_SECONDS = 90.0
"""Without any change for so long, what is missing is reported instead of waited for."""


def demo(options: Options, inputs: Sequence[Path], console: Console) -> Report:
    """Run it; everything but the report's files is shown.

    Raises:
        EmptyFolderError, PartFailedError, SendError: it cannot go on; see there.
    """
    folder = read_folders(inputs)
    began = time.monotonic()
    with ExitStack() as stack:
        with console.status("Starting PostgreSQL, AWS, HealthImaging and the edge"):
            runtime = stack.enter_context(Runtime(options))
        connection = stack.enter_context(session(runtime.state.database_url))
        _say_started(runtime, time.monotonic() - began, console)
        _say_input(folder, inputs, console)
        sent = _send_and_watch(runtime, folder, connection, console)
        report = build(folder, sent, series_transfers(connection), time.monotonic() - began)
        for title, query in TABLES.items():
            draw(console, title, connection.run(query))
        executions = export(runtime.clients, runtime.state.state_machine_arn, runtime.folder)
        console.print(f"{executions} executions with their events are in {runtime.folder}")
    return report


def _say_started(runtime: Runtime, seconds: float, console: Console) -> None:
    state = runtime.state
    console.print(
        f"Started in {seconds:.1f} s: edge on DICOM port {state.dicom_port}, AWS at {state.aws_url}"
    )


def _say_input(folder: DicomFolder, inputs: Sequence[Path], console: Console) -> None:
    series = {file.series_instance_uid for file in folder.instances}
    studies = {file.study_instance_uid for file in folder.instances}
    names = ", ".join(folder.name for folder in inputs)
    console.print(
        f"Sending {names}: {len(folder.instances)} instances, {len(series)} series, {len(studies)} studies"
    )
    for line in folder.others_by_reason():
        console.print(line, highlight=False)


def _send_and_watch(runtime: Runtime, folder: DicomFolder, connection: Connection, console: Console) -> Sent:
    state = runtime.state
    display = Display(
        console, len(folder.instances), len({file.series_instance_uid for file in folder.instances})
    )
    with display.shown(), ThreadPoolExecutor(1) as sender:
        sending = sender.submit(send, folder.instances, state.dicom_host or "", state.dicom_port or 0)
        last, changed_at = Progress(), time.monotonic()
        while not _over(sending, connection):
            runtime.check()
            progress = Progress.read(state.health_port or 0, connection)
            display.update(progress)
            if progress != last:
                last, changed_at = progress, time.monotonic()
            if time.monotonic() - changed_at > STALLED_SECONDS:
                break
            time.sleep(REFRESH_SECONDS)
        display.update(Progress.read(state.health_port or 0, connection))
        return sending.result()


def _over(sending: Future[Sent], connection: Connection) -> bool:
    """Has everything that was accepted found its end?"""
    if not sending.done():
        return False
    return arrived(sending.result().accepted, series_transfers(connection))


def arrived(files: Sequence[InstanceFile], rows: Sequence[dict[str, Any]]) -> bool:
    """Is every transfer over, and do they hold every instance of these files?"""
    for uid in {file.series_instance_uid for file in files}:
        wanted = {file.sop_instance_uid for file in files if file.series_instance_uid == uid}
        transfers = [row for row in rows if row["series_instance_uid"] == uid]
        if sum(row["instances"] for row in transfers) < len(wanted):
            return False
    return all(row["state"] == "OVER" for row in rows)
