"""Words for a terminal: what a header says must not steer it."""

from __future__ import annotations

import unicodedata

BIDI_CONTROLS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def printable(words: str) -> str:
    """The words without characters that steer a terminal or turn a line round; line feeds stay."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _steers(c) else c for c in words)


def _steers(c: str) -> bool:
    return c != "\n" and (unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in BIDI_CONTROLS)
