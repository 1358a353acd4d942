"""Unique identifiers that are the same at every run."""

from itertools import count
from uuid import NAMESPACE_URL, uuid5

from pydicom.uid import UID

_SPACE = uuid5(NAMESPACE_URL, "https://example.org/dicom-ingest/dcmdata")
_DIGITS = 39


def uid(*names: object) -> UID:
    """A UID below 2.25 (PS3.5 B.2) derived from `names`; always 44 characters, so one can replace another."""
    name = "/".join(map(str, names))
    numbers = (str(uuid5(_SPACE, f"{name}#{attempt}").int) for attempt in count())
    return UID("2.25." + next(number for number in numbers if len(number) == _DIGITS))
