"""Servers by their origin, with the connections that are kept to each."""

from __future__ import annotations

import base64
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies

from edge_component.sending.direct_put.connections import Connect, Connections, Server

PORTS = {"http": 80, "https": 443}


class Servers:
    """Used by many threads. `verify`: a file of certificate authorities; None: those that botocore trusts."""

    def __init__(self, timeout: float, verify: str | None, connect: Connect | None = None) -> None:
        self._timeout = timeout
        self._connect = connect
        self._verify = verify
        self._connections: dict[str, Connections] = {}

    def to(self, origin: str, proxy: str | None = None) -> Connections:
        """Connections to a server, through a proxy where one is named."""
        name = f"{origin} {proxy or ''}"
        found = self._connections.get(name)
        if found is None:
            made = Connections(self._server(urlsplit(origin), proxy), self._connect)
            found = self._connections.setdefault(name, made)
        return found

    def close(self) -> None:
        """Close the connections that are not in use."""
        for connections in self._connections.values():
            connections.close()

    def _server(self, url: SplitResult, proxy: str | None) -> Server:
        host, port = _place(url)
        tls = self._tls() if url.scheme == "https" else None
        if proxy is None:
            return Server(host, port, self._timeout, tls)
        way = urlsplit(proxy)
        head = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization(way)}\r\n"
        return Server(host, port, self._timeout, tls, _place(way), head.encode("latin-1") if tls else b"")

    def _tls(self) -> ssl.SSLContext:
        """As botocore's client checks certificates."""
        context: ssl.SSLContext = create_urllib3_context()
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self._verify or get_cert_path(verify=True))
        return context


def proxy_of(origin: str) -> str | None:
    """The proxy that the environment names for this origin."""
    found: str | None = get_environ_proxies(origin).get(urlsplit(origin).scheme)
    return found


def authorization(proxy: SplitResult) -> str:
    """The header line for a proxy whose URL has a user (RFC 7617); empty: it has none."""
    if proxy.username is None:
        return ""
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


def _place(url: SplitResult) -> tuple[str, int]:
    assert url.hostname is not None  # noqa: S101 - botocore would not have prepared it
    return url.hostname, url.port or PORTS[url.scheme]
