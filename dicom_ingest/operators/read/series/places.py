"""Read model: where every series transfer is, by filters, in an order, a page at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from dicom_ingest.db.server.parts import in_parts
from dicom_ingest.operators.read.index import Index, Row

MOST = 200
"""Rows of a list, unless asked for more."""

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
    SELECT pk, state, granted_at, running_at, message, bundle, leads, import_id FROM ahlijob a
    WHERE a.series_transfer_pk = t.pk ORDER BY a.pk DESC LIMIT 1) j ON true
"""
_COLUMNS = f"""
SELECT t.pk, t.edge, CAST(t.transfer_id AS text) AS transfer_id, t.study_instance_uid, t.series_instance_uid,
    t.modality, t.instance_count AS instances, {_PLACE} AS place, {_DETAIL} AS detail, t.calling_ae,
    t.called_ae, pa.patient_id, st.accession_number, st.study_date, st.study_description, s.series_number,
    s.series_description, t.first_received_at, t.sealed_at, t.indexed_at, j.granted_at, j.running_at,
    t.over_at, t.owner_execution, t.manifest_key, j.pk AS ticket_id,
    coalesce(t.acknowledged_at >= t.over_at, false) AS acknowledged, j.import_id,
    CASE WHEN j.leads THEN (SELECT count(*) FROM ahlijob m WHERE m.bundle = j.bundle) END AS shared_by,
    CASE WHEN j.bundle IS NOT NULL AND NOT j.leads THEN (
        SELECT min(l.series_instance_uid) FROM ahlijob l WHERE l.bundle = j.bundle AND l.leads) END
        AS led_by_series
"""
_FROM = f"""
FROM chosen c
JOIN series_transfer t ON t.pk = c.pk
{_TICKET}
LEFT JOIN series s ON s.pk = t.series_pk
LEFT JOIN study st ON st.pk = s.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
"""
COUNTED = 10_000
"""Series transfers are counted and sorted up to this number: who has more narrows them down."""
RECEIVED = "received"
NEWEST_FIRST = f"-{RECEIVED}"
ORDERS = {
    RECEIVED: "t.first_received_at",
    "place": "place",
    "series": "concat_ws(' ', t.modality, s.series_description)",
    "patient": "pa.patient_id",
    "accession": "st.accession_number",
    "instances": "t.instance_count",
    "from": "t.calling_ae",
    "edge": "t.edge",
    "took": "t.over_at - t.first_received_at",
}
"""By what a list can be sorted; with a minus in front, the largest first."""

# Each as its index has it: so a filter is answered from the newest rows of its own, however few there are.
_CONDITIONS = {
    "edge": "t.edge = CAST(:edge AS text)",
    "modality": "left(t.modality, 16) = left(CAST(:modality AS text), 16)",
    "day": "t.first_received_at >= CAST(CAST(:day AS text) || 'T00:00:00Z' AS timestamptz) "
    "AND t.first_received_at < CAST(CAST(:day AS text) || 'T00:00:00Z' AS timestamptz) + interval '24 hours'",
    "study": "t.study_instance_uid = CAST(:study AS text)",
    "series": "t.series_instance_uid = CAST(:series AS text)",
    "pks": "t.pk IN (SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(:pks AS jsonb)))",
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
AES = ("calling_ae", "called_ae")


@dataclass(frozen=True)
class Filter:
    """Which series transfers; what is None or False does not restrict. `day`: received, UTC."""

    place: str | None = None
    edge: str | None = None
    ae: str | None = None
    modality: str | None = None
    day: date | None = None
    study: str | None = None
    series: str | None = None
    transfer: str | None = None
    pks: list[int] | None = None
    needs_attention: bool = False
    under_way: bool = False


def places(
    index: Index,
    chosen: Filter | None = None,
    most: int = MOST,
    skip: int = 0,
    order: str = NEWEST_FIRST,
) -> list[Row]:
    """The first series transfers in an order after `skip`, with patient id and descriptions if indexed.

    Another order than by time is that of the newest COUNTED.
    """
    chosen = chosen or Filter()
    sql = f"WITH chosen AS ({_branches(chosen, newest(order))}) {listed(order)}"
    return in_order(index, sql, most, skip, order, **values(chosen))


def in_order(index: Index, sql: str, most: int, skip: int, order: str, **parameters: Any) -> list[Row]:
    """The rows of a statement that has `listed` at its end, however many: in parts."""
    return in_parts(
        lambda part, after: index.run(
            sql, most=part, skip=skip + after, reach=reach(order, part + skip + after), **parameters
        ),
        most,
    )


def total(index: Index, chosen: Filter | None = None) -> int:
    """How many there are; COUNTED + 1 means more than COUNTED."""
    chosen = chosen or Filter()
    branches = _branches(chosen, newest(NEWEST_FIRST))
    counted: int = index.run(
        f"SELECT count(*) AS series FROM ({branches}) f", reach=COUNTED + 1, **values(chosen)
    )[0]["series"]
    return min(counted, COUNTED + 1)


def listed(order: str, more: str = "") -> str:
    """The columns of the series transfers in `chosen`, a page of them in this order."""
    return f"{_COLUMNS}{more} {_FROM} ORDER BY {_sorted(order)} LIMIT :most OFFSET :skip"


def reach(order: str, rows: int) -> int:
    """How many of the newest must be looked at for so many rows."""
    return rows if order.removeprefix("-") == RECEIVED else COUNTED


def _sorted(order: str) -> str:
    by, direction = order.removeprefix("-"), "DESC" if order.startswith("-") else "ASC"
    nulls = "" if by == RECEIVED else " NULLS LAST"  # never null, and an index has it in its own order
    return f"{ORDERS[by]} {direction}{nulls}, t.pk {direction}"


def newest(order: str) -> str:
    """Of each filter's branch: the newest, or the oldest where those are wanted."""
    return f"ORDER BY {_sorted(order if order == RECEIVED else NEWEST_FIRST)} LIMIT :reach"


def _branches(chosen: Filter, limit: str) -> str:
    columns = AES if chosen.ae else (None,)
    return " UNION ".join(
        branch(chosen, is_text(column, ":ae") if column else "true", limit) for column in columns
    )


def branch(chosen: Filter, condition: str, limit: str) -> str:
    """The newest that a filter and one more condition let through."""
    wanted = {name: value for name, value in asdict(chosen).items() if value and name in _CONDITIONS}
    conditions = [condition, *(_CONDITIONS[name] for name in wanted)]
    if chosen.place:
        conditions.append(_ON_THE_WAY.get(chosen.place, _OUTCOME))
    return f"(SELECT t.pk FROM series_transfer t WHERE {' AND '.join(conditions)} {limit})"


def is_text(column: str, parameter: str) -> str:
    """The condition that a column is a parameter, as its index has it."""
    return f"t.{column} = CAST({parameter} AS text)"


def values(chosen: Filter) -> dict[str, str]:
    """The parameters of a filter's conditions."""
    wanted = {name: str(value) for name, value in asdict(chosen).items() if value and value is not True}
    return {name: value for name, value in wanted.items() if name != "place" or value not in _ON_THE_WAY}
