"""What the conflict test compares (developer guide, "Understanding import jobs")."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .summaries import Levels

_STUDY = (
    ("Study", "StudyDate"),
    ("Study", "AccessionNumber"),
    ("Patient", "PatientID"),
    ("Study", "StudyInstanceUID"),
    ("Study", "StudyID"),
)
_SERIES = (("Series", "SeriesInstanceUID"), ("Series", "SeriesNumber"))


@dataclass(frozen=True)
class Identity:
    """A study's and a series' identifying attributes, each as comparable text."""

    study_uid: str
    series_uid: str
    study: str
    series: str

    @classmethod
    def of(cls, levels: Levels) -> Identity:
        """The identity in normalised levels."""
        study, series = _values(levels, _STUDY), _values(levels, _SERIES)
        return cls(study[3] or "", series[0] or "", json.dumps(study), json.dumps(series))


def _values(levels: Levels, wanted: tuple[tuple[str, str], ...]) -> list[str | None]:
    """Without padding; an empty attribute equals a missing one."""
    return [str(levels[level].get(keyword) or "").strip() or None for level, keyword in wanted]
