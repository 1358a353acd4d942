"""Orthanc, another vendor's PACS in small, on free ports: a sender that asks for storage commitment."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

from tests.support.machine.waiting import wait_until

PROGRAM = "Orthanc"


def free_ports(count: int) -> list[int]:
    """Ports that nobody has just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(found.getsockname()[1]) for found in sockets]
    finally:
        for found in sockets:
            found.close()


class Orthanc:
    """A process of its own; it ends with the `with` block."""

    def __init__(self, folder: Path, ae_title: str = "ORTHANC") -> None:
        self._folder = folder
        self.ae_title = ae_title
        self.dicom_port, self._http_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, peer_ae: str, peer_port: int) -> Orthanc:
        """Start it with one modality, `edge`, and wait until it answers."""
        self._folder.mkdir()
        modality = {"AET": peer_ae, "Host": "127.0.0.1", "Port": peer_port, "AllowStorageCommitment": True}
        configuration = {
            "StorageDirectory": str(self._folder / "storage"),
            "IndexDirectory": str(self._folder / "storage"),
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "HttpPort": self._http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [],
            "DicomModalities": {"edge": modality},
        }
        file = self._folder / "orthanc.json"
        file.write_text(json.dumps(configuration))
        with (self._folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen([PROGRAM, str(file)], cwd=self._folder, stdout=log, stderr=log)
        wait_until(self._answers, "Orthanc answers")
        return self

    def get(self, path: str) -> Any:
        """An answer of its REST interface."""
        return self._call(urllib.request.Request(self._url(path)))

    def post(self, path: str, body: bytes | dict[str, Any]) -> Any:
        """A command to its REST interface."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._call(urllib.request.Request(self._url(path), data, method="POST"))

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http_port}{path}"

    def _call(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "orthanc.log").read_text()
        try:
            return bool(self.get("/system")["Version"])
        except URLError:
            return False

    def __enter__(self) -> Orthanc:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
