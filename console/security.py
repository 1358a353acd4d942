"""Who may ask: this machine's own browser, and no page from elsewhere in it."""

from __future__ import annotations

from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Request, Response

NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
HEADERS = {
    # Nothing is fetched from elsewhere, nothing is kept, no page frames it.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def check(request: Request) -> None:
    """Refuse a name that merely resolves to loopback, and a form that another page sends.

    Raises:
        Forbidden: either.
        BadRequest: a NUL character, which no column of the index can hold.
    """
    name = request.host.rpartition(":")[0] or request.host
    if name not in NAMES:
        raise Forbidden(f"{request.host}: 127.0.0.1 and localhost are allowed")
    if request.method not in ("GET", "HEAD") and request.headers.get("Origin") != request.host_url.rstrip(
        "/"
    ):
        raise Forbidden("a form must come from this console")
    if any(
        "\0" in text for text in (request.path, *(value for _, value in request.values.items(multi=True)))
    ):
        raise BadRequest("A NUL character is not allowed.")


def harden(response: Response) -> Response:
    """The headers of every answer."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    if response.mimetype == "application/pdf":  # the browser's own viewer shows it, in a frame of our page
        response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"
    return response
