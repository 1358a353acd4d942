"""The viewer's pages on loopback, with our configuration, and the emulator's DICOMweb beside them."""

from __future__ import annotations

import json
import mimetypes
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from healthimaging_emulator import Proxy
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from local.run.state import RunState
from local.viewer.package import ViewerError

DICOMWEB = "/dicomweb"
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-cache",
}
"""The first two let the viewer decode in parallel: a browser shares memory only among isolated pages."""


def configuration() -> str:
    """`app-config.js`: one data source, the study list, nothing from another host."""
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "healthimaging",
        "configuration": {
            "friendlyName": "HealthImaging emulator",
            "name": "healthimaging",
            "qidoRoot": DICOMWEB,
            "wadoRoot": DICOMWEB,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "qidoSupportsIncludeField": True,
            "bulkDataURI": {"enabled": True},
            "omitQuotationForMultipartRequest": True,
        },
    }
    config = {
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "showStudyList": True,
        "maxNumberOfWebWorkers": 2,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": False,
        "strictZSpacingForVolumeViewport": True,
        "investigationalUseDialog": {"option": "never"},
        "customizationService": [{"ohif.tours": {"$set": []}}],
        "defaultDataSourceName": "healthimaging",
        "dataSources": [source],
    }
    return f"window.config = {json.dumps(config, indent=1)};\n"


class Viewer:
    """A WSGI application: files of the viewer, and DICOMweb of one data store."""

    def __init__(self, files: Path, healthimaging_url: str, datastore_id: str) -> None:
        self._files = files
        self._root = f"/datastore/{datastore_id}"
        self._proxy = Proxy(healthimaging_url)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.path.startswith(f"{DICOMWEB}/"):
            return self._proxy(self._rewritten(environ, request), start_response)
        return self._file(request)(environ, start_response)

    def close(self) -> None:
        """Close the connections to the emulator."""
        self._proxy.close()

    def _rewritten(self, environ: Any, request: Request) -> Any:
        """HealthImaging refuses a second media type in searches and metadata, which the viewer sends."""
        uri = self._root + str(environ["REQUEST_URI"]).removeprefix(DICOMWEB)
        changed = {**environ, "REQUEST_URI": uri}
        if "application/dicom+json" in request.headers.get("Accept", ""):
            changed["HTTP_ACCEPT"] = "application/dicom+json"
        return changed

    def _file(self, request: Request) -> Response:
        if request.path == "/app-config.js":
            return Response(configuration(), content_type="text/javascript", headers=_HEADERS)
        found = (self._files / request.path.lstrip("/")).resolve()
        if not found.is_relative_to(self._files.resolve()) or not found.is_file():
            found = self._files / "index.html"  # a page of the viewer's own router
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return Response(found.read_bytes(), content_type=kind, headers=_HEADERS)


@contextmanager
def serve_viewer(files: Path, state: RunState, port: int = 0) -> Iterator[str]:
    """The viewer of a run, at the address that is given, while the block runs.

    Raises:
        ViewerError: the port is taken.
    """
    viewer = Viewer(files, state.healthimaging_url, state.datastore_id)
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise ViewerError(f"--viewer-port {port} on 127.0.0.1: {error.strerror}") from error
    server = make_server("127.0.0.1", 0, viewer, threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="viewer", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        listener.close()
        viewer.close()
