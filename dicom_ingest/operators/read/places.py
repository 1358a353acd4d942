"""Read model: where every series transfer is, and which ones a search term means."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.operators.read.index import Index, Row

MOST = 200
"""So many rows at most, unless asked for more: the Data API answers with 1 MiB at most."""

NEED_ATTENTION = ("FAILED", "UNKNOWN", "PARTIAL", "NON_PRIMARY")
UNDER_WAY = ("claimed", "indexed", "waiting", "starting", "importing")
PLACES = (*UNDER_WAY, "COMPLETED", "DUPLICATE", "SUPERSEDED", "INDEXED", *NEED_ATTENTION)
"""Every word that the view `progress` has for a place: on the way in small letters, outcomes in capitals."""

_PLACE = """CASE
        WHEN t.state = 'OVER' THEN t.outcome
        WHEN j.state = 'WAITING' THEN 'waiting'
        WHEN j.state IN ('GRANTED', 'STARTING') THEN 'starting'
        WHEN j.state = 'RUNNING' THEN 'importing'
        ELSE lower(t.state)
    END"""
# The error of a cancelled ticket is its name only: what the operator gave as the reason is the ticket's.
_DETAIL = """t.outcome_detail || CASE
        WHEN t.state = 'OVER' AND j.state = 'CANCELLED' AND position(j.message IN t.outcome_detail) = 0
        THEN ': ' || j.message ELSE '' END"""
_TICKET = """
LEFT JOIN LATERAL (
    SELECT state, granted_at, running_at, message FROM ahlijob a WHERE a.series_transfer_pk = t.pk
    ORDER BY a.pk DESC LIMIT 1) j ON true
"""
_COLUMNS = f"""
SELECT t.pk, t.edge, CAST(t.transfer_id AS text) AS transfer_id, t.study_instance_uid, t.series_instance_uid,
    t.modality, t.instance_count AS instances, {_PLACE} AS place, {_DETAIL} AS detail, t.calling_ae,
    t.called_ae, pa.patient_id, st.accession_number, st.study_date, st.study_description, s.series_number,
    s.series_description, t.first_received_at, t.sealed_at, t.indexed_at, j.granted_at, j.running_at,
    t.over_at, t.owner_execution, t.manifest_key
"""
_FROM = f"""
FROM chosen c
JOIN series_transfer t ON t.pk = c.pk
{_TICKET}
LEFT JOIN series s ON s.pk = t.series_pk
LEFT JOIN study st ON st.pk = s.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
"""
_NEWEST_FIRST = "ORDER BY t.first_received_at DESC, t.pk DESC LIMIT :reach"
_OLDEST_FIRST = "ORDER BY t.first_received_at, t.pk LIMIT :reach"
_PAGE = "LIMIT :most OFFSET :skip"
COUNTED = 10_000
"""Series transfers are counted up to this number: a list of more is narrowed down, not paged through."""

# Each as its index has it: so a filter is answered from the newest rows of its own, however few there are.
_CONDITIONS = {
    "edge": "t.edge = CAST(:edge AS text)",
    "modality": "left(t.modality, 16) = left(CAST(:modality AS text), 16)",
    "day": "t.first_received_at >= CAST(CAST(:day AS text) || 'T00:00:00Z' AS timestamptz) "
    "AND t.first_received_at < CAST(CAST(:day AS text) || 'T00:00:00Z' AS timestamptz) + interval '24 hours'",
    "series": "t.series_instance_uid = CAST(:series AS text)",
    "transfer": "t.transfer_id = CAST(:transfer AS uuid)",
    "needs_attention": f"t.state = 'OVER' AND t.outcome IN {NEED_ATTENTION} "
    "AND (t.acknowledged_at IS NULL OR t.acknowledged_at < t.over_at)",
    "under_way": "t.state <> 'OVER'",
}
_OUTCOME = "t.state = 'OVER' AND t.outcome = CAST(:place AS text)"
_TICKET_IN = "t.state <> 'OVER' AND EXISTS (SELECT FROM ahlijob j WHERE j.series_transfer_pk = t.pk AND {})"
_WITHOUT_TICKET = (
    "t.state = '{}' AND NOT EXISTS (SELECT FROM ahlijob j WHERE j.series_transfer_pk = t.pk AND j.live)"
)
_ON_THE_WAY = {
    "claimed": _WITHOUT_TICKET.format("CLAIMED"),
    "indexed": _WITHOUT_TICKET.format("INDEXED"),
    "waiting": _TICKET_IN.format("j.state = 'WAITING'"),
    "starting": _TICKET_IN.format("j.holds_slot AND j.state IN ('GRANTED', 'STARTING')"),
    "importing": _TICKET_IN.format("j.holds_slot AND j.state = 'RUNNING'"),
}
_AES = ("calling_ae", "called_ae")


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
    needs_attention: bool = False
    under_way: bool = False


def places(
    index: Index, chosen: Filter | None = None, most: int = MOST, skip: int = 0, *, oldest: bool = False
) -> list[Row]:
    """The newest (or `oldest`) series transfers after `skip`, with patient id and descriptions if indexed."""
    chosen = chosen or Filter()
    order = _OLDEST_FIRST if oldest else _NEWEST_FIRST
    sql = f"WITH chosen AS ({_branches(chosen, order)}) {_COLUMNS} {_FROM} {_paged(order)}"
    return index.run(sql, most=most, skip=skip, reach=most + skip, **_values(chosen))


def total(index: Index, chosen: Filter | None = None) -> int:
    """How many there are; COUNTED + 1 means more than COUNTED."""
    chosen = chosen or Filter()
    branches = _branches(chosen, _NEWEST_FIRST)
    counted: int = index.run(
        f"SELECT count(*) AS series FROM ({branches}) f", reach=COUNTED + 1, **_values(chosen)
    )[0]["series"]
    return min(counted, COUNTED + 1)


def _branches(chosen: Filter, order: str) -> str:
    columns = _AES if chosen.ae else (None,)
    return " UNION ".join(
        _branch(chosen, _is(column, ":ae") if column else "true", order) for column in columns
    )


def _paged(order: str) -> str:
    return order.replace("LIMIT :reach", _PAGE)


def _branch(chosen: Filter, condition: str, limit: str = _NEWEST_FIRST) -> str:
    """The newest that a filter and one more condition let through."""
    wanted = {name: value for name, value in asdict(chosen).items() if value and name in _CONDITIONS}
    conditions = [condition, *(_CONDITIONS[name] for name in wanted)]
    if chosen.place:
        conditions.append(_ON_THE_WAY.get(chosen.place, _OUTCOME))
    return f"(SELECT t.pk FROM series_transfer t WHERE {' AND '.join(conditions)} {limit})"


def _is(column: str, parameter: str) -> str:
    return f"t.{column} = CAST({parameter} AS text)"


def _values(chosen: Filter) -> dict[str, str]:
    wanted = {name: str(value) for name, value in asdict(chosen).items() if value and value is not True}
    return {name: value for name, value in wanted.items() if name != "place" or value not in _ON_THE_WAY}


AT_MOST = 1000
"""Series that the beginning of a term means: a letter or two would mean them all."""


def _begins(column: str) -> str:
    """The column begins with the term, whatever the case; answered from an index of 0023."""
    value, term = f"left(lower({column}), 64)", "left(lower(CAST(:term AS text)), 64)"
    return f"{value} ~>=~ {term} AND {value} ~<~ ({term} || chr(1114111))"


_BY = {
    "study": (_is("study_instance_uid", ":term"),),
    "series": (_is("series_instance_uid", ":term"),),
    "instance": (
        "t.pk IN (SELECT series_transfer_pk FROM instance_transfer "
        "WHERE sop_instance_uid = CAST(:term AS text))",
    ),
    "transfer": ("t.transfer_id = CAST(:term AS uuid)",),
    "import": ("t.pk IN (SELECT series_transfer_pk FROM ahlijob WHERE import_id = CAST(:term AS text))",),
    "image set": (
        "t.pk IN (SELECT series_transfer_pk FROM ahliimageset WHERE image_set_id = CAST(:term AS text))",
    ),
    "AE": tuple(_is(column, ":term") for column in _AES),
    "edge": (_is("edge", ":term"),),
    "accession number": (
        "t.series_pk IN (SELECT y.pk FROM study z JOIN series y ON y.study_pk = z.pk "
        "WHERE z.accession_number = CAST(:term AS text))",
        "t.series_pk IN (SELECT y.pk FROM study z JOIN series y ON y.study_pk = z.pk "
        f"WHERE {_begins('z.accession_number')} LIMIT {AT_MOST})",
    ),
    "patient": tuple(
        "t.series_pk IN (SELECT y.pk FROM patient w JOIN study z ON z.patient_pk = w.pk "
        f"JOIN series y ON y.study_pk = z.pk WHERE w.{column} = CAST(:term AS text))"
        for column in ("patient_id", "identifier")
    )
    + tuple(
        "t.series_pk IN (SELECT y.pk FROM patient w JOIN study z ON z.patient_pk = w.pk "
        f"JOIN series y ON y.study_pk = z.pk WHERE {_begins(f'w.{column}')} LIMIT {AT_MOST})"
        for column in ("patient_id", "patient_name")
    ),
}
"""Of each kind the conditions, one of which must hold: each is asked by itself, since each has its index."""
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


def where(
    index: Index, term: str, most: int = MOST, chosen: Filter | None = None, skip: int = 0
) -> list[Row]:
    """The series transfers that a term means, newest first; `matched` says what the term is of each.

    `term`: accession number, patient id or patient's name (or how they begin, whatever the case); study,
    series or SOP instance UID, AE title, edge, transfer, import (HealthImaging's job id) or image set.
    """
    chosen = chosen or Filter()
    found = " UNION ALL ".join(
        f"SELECT f.pk, '{kind}' AS kind FROM {_branch_of(chosen, kind, condition)} f"
        for kind in kinds(term)
        for condition in _BY[kind]
    )
    return index.run(
        f"WITH matching AS ({found}), "
        "chosen AS (SELECT pk, string_agg(DISTINCT kind, ', ') AS matched FROM matching GROUP BY pk) "
        f"{_COLUMNS}, c.matched {_FROM} {_paged(_NEWEST_FIRST)}",
        term=term,
        most=most,
        skip=skip,
        reach=most + skip,
        **_values(chosen),
    )


def _branch_of(chosen: Filter, kind: str, condition: str) -> str:
    """Few match what is no AE and no edge; with a limit, the planner would read the newest until they do."""
    limit = _NEWEST_FIRST if kind in ("AE", "edge") else ""
    return _branch(chosen, f"{condition} AND {_EITHER_AE}" if chosen.ae else condition, limit)


_EITHER_AE = "CAST(:ae AS text) IN (t.calling_ae, t.called_ae)"
