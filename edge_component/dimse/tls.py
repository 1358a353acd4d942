"""DICOM TLS as BCP 195 (RFC 9325) and PS3.15 B.12 want it."""

from __future__ import annotations

import ssl
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge_component.running.startup import StartError, naming

if TYPE_CHECKING:  # readers do without the model, which takes memory
    from edge_component.settings import Settings

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2: forward secrecy and authenticated encryption only; TLS 1.3 has nothing else."""
VERSION, UTC_TIME, LONG_FORM = 0xA0, 0x17, 0x80


class TlsFiles(Protocol):
    """Where the edge's certificate is, and whom it trusts."""

    @property
    def tls_certificate(self) -> Path | str | None:
        """PEM."""

    @property
    def tls_key(self) -> Path | str | None:
        """PEM."""

    @property
    def tls_client_ca(self) -> Path | str | None:
        """PEM; where it is set, peers show a certificate."""

    @property
    def tls_strict(self) -> bool:
        """Certificates of peers are checked to the letter of RFC 5280."""


def server_context(settings: TlsFiles) -> ssl.SSLContext | None:
    """The context of the TLS port; None: no certificate is configured.

    Raises:
        OSError, ssl.SSLError: certificate, key or client CA cannot be read or do not belong together.
    """
    if settings.tls_certificate is None:
        return None
    context = _context(settings, ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    # Where the edge ends a connection, nothing more is read, and an A-ABORT is still to be written.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(settings: Settings) -> ssl.SSLContext | None:
    """For associations that the edge opens: the peer is always checked; None: no report goes over TLS.

    Its own certificate, where it has one, is shown to a peer that asks.

    Raises:
        OSError, ssl.SSLError: as for `server_context`.
    """
    if not any(sender.commitment and sender.commitment.tls for sender in settings.senders):
        return None
    context = _context(settings, ssl.PROTOCOL_TLS_CLIENT)
    if settings.tls_client_ca is None:
        context.load_default_certs()
    return context


def checked_contexts(settings: Settings) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """`server_context` and `client_context`.

    Raises:
        StartError: the message names the file that cannot be used.
    """
    try:
        return server_context(settings), client_context(settings)
    except (OSError, ssl.SSLError) as error:
        for name in ("tls_certificate", "tls_key", "tls_client_ca"):
            path = getattr(settings, name)
            if path is not None:
                with naming(name, path):
                    path.open("rb").close()
        files = f"EDGE_TLS_CERTIFICATE {settings.tls_certificate} and EDGE_TLS_KEY {settings.tls_key}"
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise StartError(f"{files} do not belong together") from error
        try:
            expires_at(settings.tls_certificate) if settings.tls_certificate else None
        except (ValueError, IndexError):
            raise StartError(
                f"EDGE_TLS_CERTIFICATE {settings.tls_certificate}: no PEM certificate in it"
            ) from None
        other = f", or EDGE_TLS_CLIENT_CA {settings.tls_client_ca}" if settings.tls_client_ca else ""
        raise StartError(f"{files}{other} cannot be used: {error}") from error


def _context(settings: TlsFiles, protocol: ssl._SSLMethod) -> ssl.SSLContext:
    """What both sides of a connection have in common."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    if settings.tls_certificate is not None:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        context.load_verify_locations(settings.tls_client_ca)
    if settings.tls_strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def expires_at(certificate: Path) -> datetime:
    """When the first certificate of a PEM file ends (RFC 5280 4.1.2.5).

    Raises:
        OSError: it cannot be read.
        ValueError, IndexError: not a certificate.
    """
    pem = certificate.read_text(encoding="latin-1")  # a comment may have any bytes
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN") : pem.index(end) + len(end)])
    to_be_signed = _elements(_elements(der)[0][1])[0][1]
    fields = [content for kind, content in _elements(to_be_signed) if kind != VERSION]
    # serial number, signature algorithm, issuer, validity
    kind, not_after = _elements(fields[3])[1]
    text = not_after.decode("ascii").rstrip("Z")
    if kind == UTC_TIME:  # years 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of the elements that stand one after another (X.690 8.1)."""
    found, at = [], 0
    while at < len(der):
        kind, length, start = der[at], der[at + 1], at + 2
        if length >= LONG_FORM:
            octets = length - LONG_FORM
            length, start = int.from_bytes(der[start : start + octets], "big"), start + octets
        found.append((kind, der[start : start + length]))
        at = start + length
    return found
