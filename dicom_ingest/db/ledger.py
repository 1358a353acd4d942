"""Read models: what is where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from dicom_ingest.contracts.keys import ManifestKey
from dicom_ingest.db.connection import Connection


def unseen(connection: Connection, announced: Sequence[ManifestKey]) -> list[ManifestKey]:
    """Of these manifests: those whose series transfer has no row."""
    rows = connection.run(
        "SELECT a.place FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
        "AS a(place integer, transfer uuid, series text) "
        "WHERE NOT EXISTS (SELECT FROM series_transfer t "
        "WHERE t.transfer_id = a.transfer AND t.series_instance_uid = a.series) ORDER BY a.place",
        rows=json.dumps(
            [
                {"place": place, "transfer": key.transfer_id, "series": key.series_instance_uid}
                for place, key in enumerate(announced)
            ]
        ),
    )
    return [announced[row["place"]] for row in rows]


def unknown_transfers(connection: Connection, transfers: Iterable[str]) -> set[str]:
    """Of these transfers: those of which the index has no series."""
    rows = connection.run(
        "SELECT a.transfer FROM unnest(CAST(:transfers AS uuid[])) AS a(transfer) "
        "WHERE NOT EXISTS (SELECT FROM series_transfer t WHERE t.transfer_id = a.transfer)",
        transfers=list(transfers),
    )
    return {str(row["transfer"]) for row in rows}
