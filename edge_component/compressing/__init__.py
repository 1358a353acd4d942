"""Lossless compression of an instance as HTJ2K, and the proof that nothing but its encoding changed."""

from __future__ import annotations


def available() -> bool:
    """The encoder is installed. An edge needs it only if a sender's profile asks for compression."""
    try:
        import imagecodecs
    except ImportError:
        return False
    return bool(imagecodecs.HTJ2K.available)
