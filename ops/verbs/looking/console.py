"""Serve the web console of a stack on AWS, on this machine and with your credentials.

It listens on loopback only. Nothing is deployed for it. A local run has its own: make up.

example:
  ops console --stack dicom-ingest --port 11180
"""

from __future__ import annotations

import argparse
import sys
import threading

from ops.errors import OperatorError
from ops.output import Output
from ops.targets.source import TargetSource
from ops.targets.target import Target

HELP = "the web console of a stack on AWS, on this machine"
PORT = 11180


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="PORT", help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--viewer-url", metavar="URL", help="an OHIF of yours: studies and series link to it")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """It ends with Ctrl-C.

    Raises:
        OperatorError: no stack is named, or the port or the viewer's address cannot be used.
    """
    if arguments.stack is None:
        raise OperatorError(
            "console: --stack NAME is needed; a local run has a console already, see `make up`"
        )
    if arguments.viewer_url and not arguments.viewer_url.startswith(("http://", "https://")):
        raise OperatorError(f"--viewer-url must begin with http:// or https://, not {arguments.viewer_url}")
    serve(arguments, target, output, threading.Event())
    return 0


def serve(arguments: argparse.Namespace, target: Target, output: Output, ended: threading.Event) -> None:
    """Answer until `ended`."""
    from console.server import PortError, listen
    from console.server import serve as answer  # numpy: the other verbs do without

    try:
        listener = listen(arguments.port)
    except PortError as error:
        raise OperatorError(str(error).replace("--console-port", "--port")) from error
    with listener, answer(TargetSource(target, arguments.viewer_url), listener) as url:
        if output.as_json:
            output.record({"url": url})
        else:
            output.line(f"{target.name}: {url} (open it in a browser). Ctrl-C ends it.")
            sys.stdout.flush()
        ended.wait()
