"""Read model: where every series transfer is, and which ones a search term means."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.db.read.index import Index, Row

MOST = 200
"""So many rows at most, unless asked for more: the Data API answers with 1 MiB at most."""

NEED_A_PERSON = ("FAILED", "UNKNOWN", "PARTIAL", "NON_PRIMARY")
UNDER_WAY = ("claimed", "indexed", "waiting", "starting", "importing")
PLACES = (*UNDER_WAY, "COMPLETED", "DUPLICATE", "SUPERSEDED", "INDEXED", *NEED_A_PERSON)
"""Every word that the view `progress` has for a place: on the way in small letters, outcomes in capitals."""

_COLUMNS = """
SELECT t.pk, p.edge, CAST(p.transfer_id AS text) AS transfer_id, p.study_instance_uid, p.series_instance_uid,
    p.modality, p.instance_count AS instances, p.place, p.outcome_detail AS detail, t.calling_ae, t.called_ae,
    pa.patient_id, st.accession_number, st.study_date, st.study_description, s.series_number,
    s.series_description, t.first_received_at, p.sealed_at, p.indexed_at, p.granted_at, p.running_at,
    p.over_at, p.owner_execution, t.manifest_key
"""
_FROM = """
FROM progress p
JOIN series_transfer t ON t.transfer_id = p.transfer_id AND t.series_instance_uid = p.series_instance_uid
LEFT JOIN series s ON s.pk = t.series_pk
LEFT JOIN study st ON st.pk = s.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
"""
_NEWEST_FIRST = "ORDER BY t.first_received_at DESC, t.pk DESC LIMIT :most"

_CONDITIONS = {
    "place": "p.place = CAST(:place AS text)",
    "edge": "t.edge = CAST(:edge AS text)",
    "ae": "CAST(:ae AS text) IN (t.calling_ae, t.called_ae)",
    "modality": "t.modality = CAST(:modality AS text)",
    "day": "CAST(t.first_received_at AT TIME ZONE 'UTC' AS date) = CAST(:day AS date)",
    "series": "t.series_instance_uid = CAST(:series AS text)",
    "transfer": "t.transfer_id = CAST(:transfer AS uuid)",
    "needs_a_person": f"t.state = 'OVER' AND t.outcome IN {NEED_A_PERSON}",
    "under_way": "t.state <> 'OVER'",
}


@dataclass(frozen=True)
class Filter:
    """Which series transfers; what is None or False does not restrict. `day`: received, UTC."""

    place: str | None = None
    edge: str | None = None
    ae: str | None = None
    modality: str | None = None
    day: date | None = None
    series: str | None = None
    transfer: str | None = None
    needs_a_person: bool = False
    under_way: bool = False


def places(index: Index, chosen: Filter | None = None, most: int = MOST) -> list[Row]:
    """The newest series transfers, with patient id and descriptions where they are indexed."""
    conditions, values = _restricted(chosen)
    return index.run(f"{_COLUMNS} {_FROM} WHERE {conditions} {_NEWEST_FIRST}", most=most, **values)


def _restricted(chosen: Filter | None) -> tuple[str, dict[str, str]]:
    """The conditions of a filter, and their values."""
    wanted = {name: value for name, value in asdict(chosen or Filter()).items() if value}
    conditions = " AND ".join(_CONDITIONS[name] for name in wanted) or "true"
    return conditions, {name: str(value) for name, value in wanted.items() if value is not True}


_BY = {
    "study": "SELECT pk FROM series_transfer WHERE study_instance_uid = CAST(:term AS text)",
    "series": "SELECT pk FROM series_transfer WHERE series_instance_uid = CAST(:term AS text)",
    "instance": "SELECT series_transfer_pk FROM instance_transfer "
    "WHERE sop_instance_uid = CAST(:term AS text)",
    "transfer": "SELECT pk FROM series_transfer WHERE transfer_id = CAST(:term AS uuid)",
    "import": "SELECT series_transfer_pk FROM ahlijob WHERE import_id = CAST(:term AS text)",
    "image set": "SELECT series_transfer_pk FROM ahliimageset WHERE image_set_id = CAST(:term AS text)",
    "AE": "SELECT pk FROM series_transfer WHERE CAST(:term AS text) IN (calling_ae, called_ae)",
    "edge": "SELECT pk FROM series_transfer WHERE edge = CAST(:term AS text)",
    "accession number": "SELECT x.pk FROM series_transfer x JOIN series y ON y.pk = x.series_pk "
    "JOIN study z ON z.pk = y.study_pk WHERE z.accession_number = CAST(:term AS text)",
    "patient": "SELECT x.pk FROM series_transfer x JOIN series y ON y.pk = x.series_pk "
    "JOIN study z ON z.pk = y.study_pk JOIN patient w ON w.pk = z.patient_pk "
    "WHERE CAST(:term AS text) IN (w.patient_id, w.identifier)",
}
_NAMES = ("accession number", "patient", "AE", "edge")


def kinds(term: str) -> tuple[str, ...]:
    """What a search term may be, by its form: no table is read for what it cannot be."""
    if UUID4.fullmatch(term):
        return ("transfer",)
    if re.fullmatch(r"[0-9a-f]{32}", term):
        return ("import", "image set", *_NAMES)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)+", term):
        return ("study", "series", "instance", *_NAMES)
    return _NAMES


def where(index: Index, term: str, most: int = MOST, chosen: Filter | None = None) -> list[Row]:
    """The series transfers that a term means, newest first; `matched` says what the term is of each.

    `term`: accession number, patient id, study, series or SOP instance UID, AE title, edge, transfer,
    import (HealthImaging's job id) or image set.
    """
    found = " UNION ALL ".join(
        f"SELECT f.pk, '{kind}' AS kind FROM ({_BY[kind]}) f(pk)" for kind in kinds(term)
    )
    conditions, values = _restricted(chosen)
    matched = "(SELECT string_agg(DISTINCT m.kind, ', ') FROM matching m WHERE m.pk = t.pk) AS matched"
    return index.run(
        f"WITH matching AS ({found}) {_COLUMNS}, {matched} {_FROM} "
        f"WHERE t.pk IN (SELECT pk FROM matching) AND {conditions} {_NEWEST_FIRST}",
        term=term,
        most=most,
        **values,
    )
