"""How long a series of a modality may pause before it counts as complete."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_QUIET_SECONDS = 10.0
SLOW_QUIET_SECONDS = 60.0

SLOW_MODALITIES: Mapping[str, float] = dict.fromkeys(
    ("US", "IVUS", "XA", "RF", "ES", "XC"), SLOW_QUIET_SECONDS
)
"""Operators make these images one by one, and many devices open an association for each."""


def quiet_seconds(modality: str | None) -> float:
    """The default quiet time of a modality (PS3.3 C.7.3.1.1.1 defined terms)."""
    return SLOW_MODALITIES.get(modality or "", DEFAULT_QUIET_SECONDS)
