"""What holds bytes, wherever it came from."""

from __future__ import annotations

Bytes = bytes | bytearray | memoryview
