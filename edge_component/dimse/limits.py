"""What a peer may cost: the longest PDU, message and silence of one association."""

from __future__ import annotations

from dataclasses import dataclass

PDU_HEAD = 6
PDU_SLACK = 64
"""Some senders count the PDU's own head in, some do not."""


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds. Only `max_pdu`, `request_seconds` and `idle_seconds` are settings."""

    max_pdu: int = 128 * 1024
    """Negotiated: the longest P-DATA-TF that is accepted (PS3.8 D.1)."""
    request_seconds: float = 10.0
    """From the first byte of the connection, TLS handshake included, to a whole A-ASSOCIATE-RQ (ARTIM)."""
    idle_seconds: float = 60.0
    """Without a whole PDU."""
    associate_bytes: int = 512 * 1024
    """128 presentation contexts with 60 transfer syntaxes each have about 250 kB."""
    other_pdu_bytes: int = 4096
    """A-RELEASE-RQ and A-ABORT have four."""
    command_bytes: int = 64 * 1024
    """A C-STORE-RQ has about 300."""
    command_fragments: int = 4096
    message_bytes: int = 16 * 1024 * 1024
    """Beside a C-STORE. A storage commitment request for 100,000 instances has about 13 MB."""

    @property
    def longest_data(self) -> int:
        """Of a P-DATA-TF PDU, without its head."""
        return self.max_pdu + PDU_SLACK
