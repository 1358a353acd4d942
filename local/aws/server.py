"""AWS on one machine, as a process of its own: moto's server with our Lambda service in front of it.

``python -m local.aws.server --port 0 --ready-file FILE --logs FOLDER``. S3, EventBridge with archive and
replay, SQS, Secrets Manager, and Step Functions that really execute. Everything is in memory.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.processes.ready import write_ready_file

if TYPE_CHECKING:
    from local.aws.lambda_service import LambdaService, WSGIApplication

PRELOAD = (
    "aws_lambda_powertools",
    "dicom_ingest.runtime.clients",
    "dicom_ingest.contracts.messages.steps",
    "dicom_ingest.db.server.connection",
    "pydicom",
)
"""What an environment has imported before its first invocation."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.aws.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; loopback by default")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--ready-file", type=Path, help="where the address is written, as JSON")
    parser.add_argument("--logs", type=Path, required=True, help="the folder for the functions' logs")
    return parser.parse_args()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: from now on clients wait instead of being refused.

    Raises:
        OSError: the port is taken, or not ours to take.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def moto_application(port: int) -> WSGIApplication:
    """moto's server, executing state machines.

    Its settings are read from the environment when it is imported: so they come first.
    """
    os.environ["MOTO_PORT"] = str(port)  # where its Step Functions calls Lambda
    # It compares Timestamp and TimestampPath with naive local time (moto 5.2.5): a WaitForStart would wait
    # for hours, or not at all.
    os.environ["TZ"] = "UTC"
    time.tzset()
    import boto3
    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import create_backend_app

    from local.aws.moto_dispatcher import RememberingDispatcher

    # Without it executions are listed as RUNNING and nothing runs, silently.
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    # Its Step Functions makes a client per task, in many threads, from the default session, whose first use
    # is not safe in threads: so it is used once here.
    boto3.client("lambda", region_name="us-east-1")
    application: WSGIApplication = RememberingDispatcher(create_backend_app)
    return application


def serve(listener: socket.socket, logs: Path) -> None:
    """Serve until SIGTERM."""
    # moto first: the zygote must not inherit what is imported only for it.
    application = moto_application(listener.getsockname()[1])
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    from local.aws.lambda_service import LambdaMiddleware, LambdaService
    from local.aws.moto_races import RetriedTaskTokens

    class QuietRequestHandler(MotoRequestHandler):  # type: ignore[misc, unused-ignore]
        """No line per request."""

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Nothing."""

    host, port = listener.getsockname()
    functions = LambdaService(logs, PRELOAD, on_lost=_lost)
    server = make_server(
        host,
        port,
        LambdaMiddleware(RetriedTaskTokens(application), functions),
        threaded=True,
        request_handler=QuietRequestHandler,
        fd=listener.fileno(),
    )
    # SIGTERM is the usual end, and there is nothing to keep: in memory everything goes at once.
    signal.signal(signal.SIGTERM, lambda *_: _end(functions))
    server.serve_forever()


def _end(functions: LambdaService) -> None:
    functions.close()
    os._exit(0)


def _lost() -> None:
    """Better gone, and seen to be gone, than refusing every invocation."""
    logging.error("the process that functions are started from has ended")
    os._exit(1)


def main() -> None:
    """Listen, say where, serve."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with listen(arguments.host, arguments.port) as listener:
        host, port = listener.getsockname()
        if arguments.ready_file:
            write_ready_file(arguments.ready_file, {"url": f"http://{host}:{port}"})
        serve(listener, arguments.logs)


if __name__ == "__main__":
    main()
