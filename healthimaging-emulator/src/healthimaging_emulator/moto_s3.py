"""moto's S3 in this process, for a stand that is given no other."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .client import s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@contextmanager
def moto_s3() -> Iterator[S3Client]:
    """A client of a new, empty S3. It logs no line per request.

    Raises:
        RuntimeError: moto is not installed.
    """
    if importlib.util.find_spec("moto") is None:
        raise RuntimeError("an S3 of its own needs moto. hint: pip install 'healthimaging-emulator[moto]'")
    from moto.server import ThreadedMotoServer

    requests = logging.getLogger("werkzeug")
    level = requests.level
    requests.setLevel(max(level, logging.WARNING))
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = s3_client(f"http://{host}:{port}")
    try:
        yield client
    finally:
        client.close()
        server.stop()
        requests.setLevel(level)
