"""Start everything and keep it running until Ctrl-C or SIGTERM.

examples:
  python -m local up
  python -m local up --edges 2 --import-slots 5
"""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from local.cli.common import add_runtime_options, runtime_options
from local.demo.tables import console
from local.postgres.databases import without_password
from local.run.console_source import RunSource
from local.run.options import RUNS, OptionsError
from local.run.state import EdgeState, RunState
from local.runtime import Runtime
from local.viewer.package import viewer_files
from local.viewer.server import serve_viewer

HELP = "start everything and keep it running until Ctrl-C or SIGTERM"
PORTS = {"edge": 11112, "health": 8042, "console": 11180, "viewer": 11181}
WATCH_SECONDS = 0.5
VIEWERS = RUNS / "viewer"
AGAIN = "Start it again: python -m local restart edge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_runtime_options(parser, "up", PORTS)
    parser.add_argument(
        "--console-port",
        type=int,
        default=PORTS["console"],
        metavar="PORT",
        help="0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--viewer", action="store_true", help="serve OHIF, a DICOM viewer; fetched the first time"
    )
    parser.add_argument(
        "--viewer-port",
        type=int,
        default=PORTS["viewer"],
        metavar="PORT",
        help="0 takes a free one (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """0 after Ctrl-C or SIGTERM; PartFailedError when a part but an edge ends by itself."""
    from console.server import PortError, listen, serve  # numpy: the other commands do without

    output = console()
    options = runtime_options(arguments)
    with ExitStack() as stack:
        try:
            try:
                listener = stack.enter_context(listen(arguments.console_port))
            except PortError as error:
                raise OptionsError(str(error)) from error
            files = _viewer_files(output) if arguments.viewer else None
            with output.status("Starting PostgreSQL, AWS, HealthImaging and the edge"):
                runtime = stack.enter_context(Runtime(options))
            if files is not None:
                url = stack.enter_context(serve_viewer(files, runtime.state, arguments.viewer_port))
                runtime.publish(viewer_url=url)
            _show(runtime.state, stack.enter_context(serve(RunSource(runtime.state), listener)), output)
            never = threading.Event()
            while not never.wait(WATCH_SECONDS):
                runtime.check_all_but_edges()
                for failure in runtime.edges.newly_ended():
                    output.print(f"{failure}\n{AGAIN}", highlight=False, markup=False)
                runtime.heed()
        except KeyboardInterrupt:  # also while it starts: what has started is stopped again
            output.print("Stopping")
    return 0


def _viewer_files(output: Console) -> Path:
    with output.status("Fetching the viewer, 48 MB the first time"):
        return viewer_files(VIEWERS)


def _edge(edge: EdgeState, state: RunState) -> dict[str, str]:
    one = len(state.edges) == 1
    dicom = f"{state.dicom_host}:{edge.dicom_port} (any AE title)" if edge.dicom_port else None
    tls = f"{state.dicom_host}:{edge.tls_port}" if edge.tls_port else None
    lines = {"DICOM": dicom, "DICOM TLS": tls, "edge": f"http://127.0.0.1:{edge.health_port}/status"}
    return {name if one else f"{edge.name} {name}": text for name, text in lines.items() if text}


def _show(state: RunState, console_url: str, output: Console) -> None:
    lines = {
        "console": f"{console_url} (open it in a browser)",
        **({"viewer": f"{state.viewer_url} (OHIF)"} if state.viewer_url else {}),
        **{line: value for edge in state.edges for line, value in _edge(edge, state).items()},
        "AWS": f"{state.aws_url} (S3, EventBridge, Step Functions, SQS, Lambda)",
        "HealthImaging": f"{state.healthimaging_url} (data store {state.datastore_id})",
        "bucket": state.bucket,
        "state machine": state.state_machine_arn,
        "database": without_password(state.database_url),
        "folder": str(state.folder),
    }
    for name, value in lines.items():
        output.print(f"{name:>14}  {value}", highlight=False)
    output.print(
        "\nIt starts empty and forgets everything when it stops. Use it to try things, not as an archive."
        f"\nSend: storescu -v -aec EDGE_AE -aet CLIENT_AE localhost {state.dicom_port} *.dcm"
        '\n  or: make local ARGS="send dcmdata"; then make ops ARGS="status", "where UID", "tail", "sql ..."'
        "\nCtrl-C stops it.",
        highlight=False,
    )
