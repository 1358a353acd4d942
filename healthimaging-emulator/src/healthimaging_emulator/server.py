"""The emulator behind HTTP: both host prefixes of AWS on one port."""

from __future__ import annotations

import re
import socket
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from . import control
from .dicomweb import signature
from .dicomweb.application import CORS, ROUTE
from .dicomweb.call import Call
from .emulator import HealthImaging
from .service import errors
from .service.errors import ServiceError
from .service.model import SERVICE, find_route
from .service.wire import HttpAnswer, parse_request, render_answer, render_error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/[^/]+/([^/]+)/aws4_request")


class Application:
    """The WSGI application; `behind` is another one, that answers what is not HealthImaging's."""

    def __init__(self, emulator: HealthImaging, behind: WSGIApplication | None = None) -> None:
        self._emulator = emulator
        self._behind = behind

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if self._behind is not None and not _is_ours(request):
            return self._behind(environ, start_response)
        found = self._answer(request)
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), **found.headers}
        return Response(found.body, found.status, headers)(environ, start_response)

    def _answer(self, request: Request) -> HttpAnswer:
        body = request.get_data()
        raw_path = str(request.environ["REQUEST_URI"]).partition("?")[0]
        if raw_path.startswith(control.PREFIX):
            return control.answer(self._emulator, request.method, unquote(raw_path), body)
        try:
            if found := ROUTE.fullmatch(unquote(raw_path)):
                return self._dicomweb(request, found["datastore"], found["path"], body)
            return self._call(request, raw_path, body)
        except ServiceError as error:
            return render_error(error)

    def _call(self, request: Request, raw_path: str, body: bytes) -> HttpAnswer:
        self._check_authorization(request)
        route = find_route(request.method, raw_path)
        if route is None:
            raise errors.not_found(f"No operation {request.method} {raw_path}")
        operation, path = route
        query = {name: request.args.getlist(name) for name in request.args}
        answer = self._emulator.call(operation.name, parse_request(operation, path, query, body))
        return render_answer(operation, answer)

    def _dicomweb(self, request: Request, datastore_id: str, path: str, body: bytes) -> HttpAnswer:
        secrets = self._emulator.settings.credentials
        try:
            if request.method == "OPTIONS":  # a browser's preflight is never signed
                pass
            elif secrets:
                signature.check(
                    request.method, request.url, request.headers, body, secrets, datetime.now(UTC)
                )
            else:
                self._check_authorization(request)
        except ServiceError as error:
            refused = render_error(error)
            return HttpAnswer(refused.status, {**refused.headers, **CORS}, refused.body)
        url = f"{request.host_url.rstrip('/')}/datastore/{datastore_id}"
        query = list(request.args.items(multi=True))
        return self._emulator.dicomweb(
            Call(request.method, url, path, query, request.headers, body, datastore_id)
        )

    def _check_authorization(self, request: Request) -> None:
        """Signatures are not verified; that they are meant for this service is."""
        header = request.headers.get("Authorization", "")
        scope = _SCOPE.search(header)
        if scope is None and self._emulator.settings.require_authorization:
            raise errors.access_denied("Missing Authentication Token")
        if scope is not None and scope[1] != SERVICE:
            raise errors.access_denied(f"Credential should be scoped to correct service: {SERVICE}")


def _is_ours(request: Request) -> bool:
    """Signed for this service, a control route, or DICOMweb, whose browsers sign nothing."""
    credential = request.headers.get("Authorization", "") or request.args.get("X-Amz-Credential", "")
    scope = _SCOPE.search(credential if "Credential=" in credential else f"Credential={credential}")
    if request.path.startswith(control.PREFIX) or ROUTE.fullmatch(request.path):
        return True
    return scope is not None and scope[1] == SERVICE


class _QuietHandler(WSGIRequestHandler):
    """Keeps connections alive and logs nothing per request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


class _ClosingServer(ThreadedWSGIServer):
    """Closes connections that clients keep open, so that nothing is left when it ends."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, host: str, port: int, application: Application) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listening:
            super().__init__(host, port, application, handler=_QuietHandler, fd=listening.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Ends what waits for a client's next request."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):  # the client may have left already
                    connection.shutdown(socket.SHUT_RDWR)


class Server:
    """A running server; `url` is its address. `behind` answers what is not HealthImaging's.

    Raises:
        OSError: the address or the port is not to be had.
    """

    def __init__(
        self,
        emulator: HealthImaging,
        host: str = "127.0.0.1",
        port: int = 0,
        behind: WSGIApplication | None = None,
    ) -> None:
        self._server = _ClosingServer(host, port, Application(emulator, behind))
        shown = f"[{host}]" if ":" in host else host
        self.port = self._server.port
        self.url = f"http://{shown}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening, ends open connections and waits for their threads; the emulator stays open."""
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    emulator: HealthImaging, host: str = "127.0.0.1", port: int = 0, behind: WSGIApplication | None = None
) -> Server:
    """Start a server for an emulator; port 0 takes a free one."""
    return Server(emulator, host, port, behind)
