"""What the machine allows: the same bytes over loopback TCP into files, a process a connection.

`python -m benchmarks.receiving.limit PORT FOLDER [--sync]`; with `--sync` each file is synced once.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from pathlib import Path

BUFFER_BYTES = 1 << 20


def main() -> int:
    """Until it is killed."""
    port, folder, sync = int(sys.argv[1]), Path(sys.argv[2]), "--sync" in sys.argv
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.create_server(("127.0.0.1", port), backlog=128) as server:
        number = 0
        while True:
            connection, _ = server.accept()
            number += 1
            if os.fork() == 0:
                _serve(connection, folder / f"connection{number}", sync)
                os._exit(0)
            connection.close()
            _reap()


def _reap() -> None:
    """Of connections that have ended; their processor time becomes ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _serve(connection: socket.socket, name: Path, sync: bool) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(BUFFER_BYTES))
    number = 0
    while head := connection.recv(8, socket.MSG_WAITALL):
        number += 1
        left = struct.unpack(">Q", head)[0]
        file = os.open(f"{name}-{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        while left:
            read = connection.recv_into(buffer[: min(left, BUFFER_BYTES)])
            if not read:
                return
            os.write(file, buffer[:read])
            left -= read
        if sync:
            os.fdatasync(file)
        os.close(file)
        connection.sendall(b"\0")


if __name__ == "__main__":
    sys.exit(main())
