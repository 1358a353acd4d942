"""What SearchImageSets answers and looks for, kept beside each image set."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from ..dicom.summaries import dicom_tags, study_moment


def describe(
    db: sqlite3.Connection, image_set_id: str, version: int, levels: dict[str, Any], now: float
) -> None:
    """Make a version the latest, and keep its summary."""
    db.execute(
        "UPDATE image_set SET version = ?, updated_at = ?, study_at = ?, tags = ? WHERE id = ?",
        (version, now, study_moment(levels), json.dumps(dicom_tags(levels)), image_set_id),
    )
