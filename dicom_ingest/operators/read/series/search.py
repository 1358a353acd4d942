"""Read model: which series transfers a search term means."""

from __future__ import annotations

import re

from dicom_ingest.contracts.identifiers import UUID4
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.choices import same_ae, same_edge
from dicom_ingest.operators.read.series.places import (
    AES,
    COUNTED,
    MOST,
    NEWEST_FIRST,
    Filter,
    branch,
    in_order,
    is_text,
    listed,
    newest,
    values,
)

_TERM, _LETTERS = "CAST(:term AS text)", "left(lower(CAST({} AS text)), 64)"
_IS_A_UID = f"""EXISTS (SELECT FROM series_transfer e WHERE e.study_instance_uid = {_TERM})
    OR EXISTS (SELECT FROM series_transfer e WHERE e.series_instance_uid = {_TERM})
    OR EXISTS (SELECT FROM instance_transfer e WHERE e.sop_instance_uid = {_TERM})"""
_IS_A_NUMBER = f"""EXISTS (
        SELECT FROM study e WHERE left(lower(e.accession_number), 64) = {_LETTERS.format(":term")})
    OR EXISTS (SELECT FROM patient e WHERE left(lower(e.patient_id), 64) = {_LETTERS.format(":term")})"""
"""A whole UID or number means that one, and not also those that begin with it: A1 is not A10.

The same term chooses what is cancelled or processed again.
"""


def _uid_begins(column: str) -> str:
    """The UID begins with the term; answered from an index of 0027."""
    begins = _between(f"u.{column}", _TERM, _IS_A_UID)
    return f"t.pk IN (SELECT u.pk FROM series_transfer u WHERE {begins} LIMIT {COUNTED + 1})"


def _number_begins(column: str) -> str:
    """The column begins with the term, whatever the case; answered from an index of 0023."""
    return _between(f"left(lower({column}), 64)", _LETTERS.format(":term"), _IS_A_NUMBER)


def _name_begins(column: str) -> str:
    """The name begins with the term, whatever the case; answered from an index of 0023."""
    return _between(f"left(lower({column}), 64)", _LETTERS.format(":name"), "false")


def _between(value: str, term: str, whole: str) -> str:
    """From the term to the last text that begins with it, or to the term itself if it is a whole one."""
    end = f"CASE WHEN {whole} THEN chr(1) ELSE chr(1114111) END"
    return f"{value} ~>=~ {term} AND {value} ~<~ ({term} || {end})"


def _of_patient(condition: str) -> str:
    return (
        "t.series_pk IN (SELECT y.pk FROM patient w JOIN study z ON z.patient_pk = w.pk "
        f"JOIN series y ON y.study_pk = z.pk WHERE {condition})"
    )


def _of_study(condition: str) -> str:
    return f"t.series_pk IN (SELECT y.pk FROM study z JOIN series y ON y.study_pk = z.pk WHERE {condition})"


_BY = {
    "study": (is_text("study_instance_uid", ":term"),),
    "series": (is_text("series_instance_uid", ":term"),),
    "instance": (
        "t.pk IN (SELECT series_transfer_pk FROM instance_transfer "
        "WHERE sop_instance_uid = CAST(:term AS text))",
    ),
    "transfer": ("t.transfer_id = CAST(:term AS uuid)",),
    "import": ("t.pk IN (SELECT series_transfer_pk FROM ahlijob WHERE import_id = CAST(:term AS text))",),
    "image set": (
        "t.pk IN (SELECT series_transfer_pk FROM ahliimageset WHERE image_set_id = CAST(:term AS text))",
    ),
    "AE": tuple(is_text(column, ":as_ae") for column in AES),
    "edge": (is_text("edge", ":as_edge"),),
    "accession number": (_of_study(f"z.accession_number = {_TERM}"),),
    "patient": (_of_patient(f"w.patient_id = {_TERM}"), _of_patient(f"w.identifier = {_TERM}")),
}
"""Of each kind the conditions, one of which must hold: each is asked by itself, since each has its index."""
_BEGINS = {
    "study": (_uid_begins("study_instance_uid"),),
    "series": (_uid_begins("series_instance_uid"),),
    "accession number": (_of_study(f"{_number_begins('z.accession_number')} LIMIT {COUNTED + 1}"),),
    "patient": (
        _of_patient(f"{_number_begins('w.patient_id')} LIMIT {COUNTED + 1}"),
        _of_patient(f"{_name_begins('w.patient_name')} LIMIT {COUNTED + 1}"),
    ),
}
"""More of them, for those who look: a change that is made at once needs a whole term."""
_NAMES = ("accession number", "patient", "AE", "edge")


def kinds(term: str) -> tuple[str, ...]:
    """What a search term may be, by its form: no table is read for what it cannot be."""
    if UUID4.fullmatch(term):
        return ("transfer",)
    if re.fullmatch(r"[0-9a-f]{32}", term):
        return ("import", "image set", *_NAMES)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)+\.?", term):
        return ("study", "series", "instance", *_NAMES)
    return _NAMES


def where(
    index: Index,
    term: str,
    most: int = MOST,
    chosen: Filter | None = None,
    skip: int = 0,
    order: str = NEWEST_FIRST,
    *,
    whole: bool = False,
) -> list[Row]:
    """The series transfers that a term means, newest first; `matched` says what the term is of each.

    `term`: accession number, patient id or patient's name (or how they begin, whatever the case); study or
    series instance UID (or how it begins), SOP instance UID, AE title, edge, transfer, import
    (HealthImaging's job id) or image set. `whole`: the beginning is not enough.
    """
    chosen = chosen or Filter()
    sql = (
        f"WITH matching AS ({_matching(term, chosen, whole=whole)}), "
        "chosen AS (SELECT pk, string_agg(DISTINCT kind, ', ') AS matched FROM matching GROUP BY pk) "
        f"{listed(order, ', c.matched')}"
    )
    return in_order(index, sql, most, skip, order, **_terms(index, term), **values(chosen))


def matches(index: Index, term: str, chosen: Filter | None = None) -> int:
    """How many a term means; COUNTED + 1 means more than COUNTED."""
    chosen = chosen or Filter()
    sql = f"SELECT count(DISTINCT pk) AS series FROM ({_matching(term, chosen, whole=False)}) m"
    counted: int = index.run(sql, reach=COUNTED + 1, **_terms(index, term), **values(chosen))[0]["series"]
    return min(counted, COUNTED + 1)


def _matching(term: str, chosen: Filter, *, whole: bool) -> str:
    return " UNION ALL ".join(
        f"SELECT f.pk, '{kind}' AS kind FROM {_branch(chosen, kind, condition)} f"
        for kind in kinds(term)
        for condition in _BY[kind] + (() if whole else _BEGINS.get(kind, ()))
    )


def _branch(chosen: Filter, kind: str, condition: str) -> str:
    """Few match what is no AE and no edge; with a limit, the planner would read the newest until they do."""
    limit = newest(NEWEST_FIRST) if kind in ("AE", "edge") else ""
    return branch(chosen, f"{condition} AND {_EITHER_AE}" if chosen.ae else condition, limit)


_EITHER_AE = "CAST(:ae AS text) IN (t.calling_ae, t.called_ae)"


def _terms(index: Index, term: str) -> dict[str, str]:
    """The term as each kind writes it: an AE title in whatever case, an edge's short name, a name with ^."""
    found = {"term": term}
    if set(_NAMES) & set(kinds(term)):
        found |= {
            "name": re.sub(r"[\s,^]+", "^", term),
            "as_ae": same_ae(index, term) or term,
            "as_edge": same_edge(index, term) or term,
        }
    return found
