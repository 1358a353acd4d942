"""The TLS context of a port: made again when its files were renewed."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from edge_component.dimse.tls import TlsFiles, server_context
from edge_component.running import logs


class Certificates:
    """Read at the first handshake, and at the first one after a file has changed."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._read: tuple[float, ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """For the next handshake; None: no certificate is configured.

        Raises:
            OSError: the files cannot be read, and never could.
        """
        with self._lock:
            try:
                if (found := self._changed_at()) != self._read:
                    self._context, self._read = server_context(self._files), found
            except OSError as error:  # ssl.SSLError is one; the other half of a pair may be on its way
                if self._context is None:
                    raise
                logs.error("certificate cannot be read, the one before is used", reason=str(error))
        return self._context

    def _changed_at(self) -> tuple[float, ...]:
        files = (self._files.tls_certificate, self._files.tls_key, self._files.tls_client_ca)
        return tuple(Path(file).stat().st_mtime for file in files if file is not None)
