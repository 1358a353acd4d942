"""The statements that index a series transfer, made from the table of attributes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dicom_ingest.contracts.attributes import INSTANCE, PATIENT, SERIES, STUDY, Attribute

TYPES = {
    "text": "text",
    "texts": "text[]",
    "date": "date",
    "time": "time",
    "integer": "integer",
    "number": "double precision",
    "numbers": "double precision[]",
    "sequence": "jsonb",
    "present": "boolean",
}

# The series transfer first (decision 0023), then rows with the same patient id: two first transfers of one
# study, one of which names an issuer, must see each other.
LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended(:identifier, 0)) FROM (
    SELECT pk FROM series_transfer WHERE pk = :pk FOR NO KEY UPDATE) AS mine
"""

# The patient of the same study and id; one whose issuer was named before one for which it was assumed.
SAME_PATIENT = """
SELECT p.pk AS patient_pk, s.pk AS study_pk, p.issuer, p.issuer_of_patient_id IS NOT NULL AS named
FROM study s JOIN patient p ON p.pk = s.patient_pk
WHERE s.study_instance_uid = :study AND p.identifier = :identifier AND NOT p.identifier_is_study
ORDER BY named DESC, s.pk LIMIT 1
"""
NAME_PATIENT = """
UPDATE patient p SET issuer = :issuer, updated_at = clock_timestamp()
WHERE pk = :patient AND (SELECT count(*) FROM study WHERE patient_pk = p.pk) = 1 AND NOT EXISTS (
    SELECT FROM patient other
    WHERE other.issuer = :issuer AND other.identifier = p.identifier AND NOT other.identifier_is_study)
RETURNING pk
"""
# Other studies of the assumed issuer stay with it: it is not known whose they are.
MOVE_STUDY = """
WITH named AS (
    INSERT INTO patient AS old (issuer, identifier, identifier_is_study, received_at)
    SELECT :issuer, identifier, identifier_is_study, 'epoch' FROM patient WHERE pk = :patient
    ON CONFLICT (issuer, identifier, identifier_is_study) DO UPDATE SET issuer = old.issuer
    RETURNING pk)
UPDATE study s SET patient_pk = named.pk, updated_at = clock_timestamp() FROM named
WHERE s.pk = :study AND NOT EXISTS (
    SELECT FROM study other
    WHERE other.patient_pk = named.pk AND other.study_instance_uid = s.study_instance_uid)
"""


def _record(attributes: Iterable[Attribute]) -> str:
    return ", ".join(f"{a.column} {TYPES[a.kind]}" for a in attributes)


def _names(attributes: Iterable[Attribute], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{a.column}" for a in attributes)


# An attribute's value is that of the newest transfer that has one: absent or empty erases nothing, and a
# replayed old transfer undoes no correction. `told_at` has the time of each value that is older than its row.
_TOLD = "COALESCE(CAST(old.told_at ->> '{keyword}' AS timestamptz), old.received_at)"
_WINS = "excluded.{column} IS NOT NULL AND (old.{column} IS NULL OR excluded.received_at >= {told})"
_NEWEST = "GREATEST(old.received_at, excluded.received_at)"


@dataclass(frozen=True)
class _Merge:
    """How one attribute of a row that exists becomes that of the newest transfer that has it."""

    attribute: Attribute

    @property
    def _wins(self) -> str:
        told = _TOLD.format(keyword=self.attribute.keyword)
        return _WINS.format(column=self.attribute.column, told=told)

    @property
    def value(self) -> str:
        """The value."""
        column = self.attribute.column
        return f"CASE WHEN {self._wins} THEN excluded.{column} ELSE old.{column} END"

    @property
    def told_at(self) -> str:
        """Its time, where that is older than the row's."""
        column, told = self.attribute.column, _TOLD.format(keyword=self.attribute.keyword)
        return (
            f"'{self.attribute.keyword}', CASE WHEN {self._wins} "
            f"THEN NULLIF(excluded.received_at, {_NEWEST}) "
            f"WHEN old.{column} IS NOT NULL THEN NULLIF({told}, {_NEWEST}) END"
        )


def _parsed(row: str, attributes: tuple[Attribute, ...]) -> str:
    """The keywords of which a row has a value: no text is kept of them."""
    known = ", ".join(f"CASE WHEN {row}.{a.column} IS NOT NULL THEN '{a.keyword}' END" for a in attributes)
    return f"array_remove(ARRAY[{known}], NULL)"


def _upsert(table: str, natural: tuple[str, ...], attributes: tuple[Attribute, ...]) -> str:
    merged = {a.column: _Merge(a).value for a in attributes}
    merged["unparsed"] = (
        "CASE WHEN excluded.received_at >= old.received_at "
        f"THEN (old.unparsed - {_parsed('excluded', attributes)}) || excluded.unparsed "
        f"ELSE (excluded.unparsed - {_parsed('old', attributes)}) || old.unparsed END"
    )
    told = ", ".join(_Merge(a).told_at for a in attributes)
    merged["told_at"] = f"jsonb_strip_nulls(jsonb_build_object({told}))"
    merged["received_at"] = _NEWEST
    keys = ", ".join(natural)
    return f"""
INSERT INTO {table} AS old ({keys}, {_names(attributes)}, unparsed, received_at)
SELECT {", ".join(f":key{n}" for n in range(len(natural)))}, {_names(attributes, "r.")},
    CAST(:unparsed AS jsonb), :received_at
FROM jsonb_to_record(CAST(:row AS jsonb)) AS r({_record(attributes)})
ON CONFLICT ({keys}) DO UPDATE SET
    {", ".join(f"{name} = {value}" for name, value in merged.items())}, updated_at = clock_timestamp()
WHERE ({", ".join(f"old.{name}" for name in merged)}) IS DISTINCT FROM ({", ".join(merged.values())})
RETURNING pk
"""


@dataclass(frozen=True)
class Level:
    """Patient, study or series: its natural key and its attributes."""

    table: str
    natural: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @cached_property
    def upsert(self) -> str:
        """Insert or complete; no row where it is complete already. The row is locked in any case."""
        return _upsert(self.table, self.natural, self.attributes)

    @cached_property
    def select(self) -> str:
        """The row with this key."""
        conditions = " AND ".join(f"{name} = :key{n}" for n, name in enumerate(self.natural))
        return f"SELECT pk FROM {self.table} WHERE {conditions}"


PATIENT_LEVEL = Level("patient", ("issuer", "identifier", "identifier_is_study"), PATIENT)
STUDY_LEVEL = Level("study", ("patient_pk", "study_instance_uid"), STUDY)
SERIES_LEVEL = Level("series", ("study_pk", "series_instance_uid"), SERIES)

_STORED = "stored_transfer_syntax_uid, stored_bytes, stored_sha256"
_VERSION_COLUMNS = (
    "key text, bytes bigint, file_sha256 text, dataset_sha256 text, received_at timestamptz, "
    "stored_transfer_syntax_uid text, stored_bytes bigint, stored_sha256 text"
)
_INSTANCE_OWN = (
    "sop_class_uid, transfer_syntax_uid, unparsed, key, bytes, file_sha256, dataset_sha256, received_at, "
    + _STORED
)
_KEPT = f"edge, transfer_id, sequence, {_INSTANCE_OWN}, {_names(INSTANCE)}"

# Within an edge the sequence says which version is newer; between edges only the time of receipt can. What
# is unchanged is left out before it is inserted: a conflict without an update would still write a lock.
_NEWER = """CASE WHEN old.edge = {new}.edge THEN {new}.sequence >= old.sequence
           ELSE {new}.received_at >= old.received_at END
    AND ({old_values}) IS DISTINCT FROM ({new_values})"""
_COMPARED = _KEPT.split(", ")


def _newer(new: str) -> str:
    def values(table: str) -> str:
        return ", ".join(f"{table}.{n}" for n in _COMPARED)

    return _NEWER.format(new=new, old_values=values("old"), new_values=values(new))


UPSERT_INSTANCES = f"""
WITH sent AS (
    SELECT r.sop_instance_uid, CAST(:edge AS text) AS edge, CAST(:transfer_id AS uuid) AS transfer_id,
        CAST(:sequence AS bigint) AS sequence, {", ".join(f"r.{n}" for n in _INSTANCE_OWN.split(", "))},
        {_names(INSTANCE, "r.")}
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(sop_instance_uid text, sop_class_uid text,
        transfer_syntax_uid text, unparsed jsonb, {_VERSION_COLUMNS}, {_record(INSTANCE)}))
INSERT INTO instance AS old (series_pk, sop_instance_uid, {_KEPT})
SELECT :series_pk, sent.sop_instance_uid, {", ".join(f"sent.{n}" for n in _COMPARED)}
FROM sent
LEFT JOIN instance old ON old.series_pk = :series_pk AND old.sop_instance_uid = sent.sop_instance_uid
WHERE old.pk IS NULL OR {_newer("sent")}
ORDER BY sent.sop_instance_uid
ON CONFLICT (series_pk, sop_instance_uid) DO UPDATE SET
    {", ".join(f"{n} = excluded.{n}" for n in _COMPARED)},
    updated_at = clock_timestamp()
WHERE {_newer("excluded")}
"""

# An object that was missing and has come is waiting for its import; one that has gone is missing. What an
# older release did not write is filled when the series transfer is indexed again.
_MISSED = "'MISSING' IN (old.verdict, excluded.verdict)"
UPSERT_VERSIONS = f"""
INSERT INTO instance_transfer AS old (series_transfer_pk, sop_instance_uid, key, bytes, file_sha256,
    dataset_sha256, received_at, {_STORED}, uid_findings, verdict, message, calling_ae, foretold)
SELECT :pk, r.sop_instance_uid, r.key, r.bytes, r.file_sha256, r.dataset_sha256, r.received_at,
    r.stored_transfer_syntax_uid, r.stored_bytes, r.stored_sha256,
    r.uid_findings, r.verdict, r.message, r.calling_ae, r.foretold
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    sop_instance_uid text, {_VERSION_COLUMNS}, uid_findings text[], verdict text, message text,
    calling_ae text, foretold jsonb)
LEFT JOIN instance_transfer known
    ON known.series_transfer_pk = :pk AND known.sop_instance_uid = r.sop_instance_uid
WHERE known.verdict IS NULL
    OR ('MISSING' IN (known.verdict, r.verdict)
        AND (known.verdict, known.message) IS DISTINCT FROM (r.verdict, r.message))
    OR (known.stored_sha256, known.foretold) IS DISTINCT FROM (r.stored_sha256, r.foretold)
ORDER BY r.sop_instance_uid
ON CONFLICT (series_transfer_pk, sop_instance_uid) DO UPDATE SET
    verdict = CASE WHEN {_MISSED} THEN excluded.verdict ELSE old.verdict END,
    message = CASE WHEN {_MISSED} THEN excluded.message ELSE old.message END,
    stored_transfer_syntax_uid = excluded.stored_transfer_syntax_uid, stored_bytes = excluded.stored_bytes,
    stored_sha256 = excluded.stored_sha256, calling_ae = excluded.calling_ae, foretold = excluded.foretold,
    updated_at = clock_timestamp()
"""

# Counted, never incremented. The study's row is locked since its upsert, so what is counted is what commits.
COUNT = """
WITH counted AS (
    SELECT pk, study_pk, modality, number_of_series_related_instances AS before,
        (SELECT count(*) FROM instance WHERE series_pk = s.pk) AS instances
    FROM series s WHERE pk = :series_pk),
all_series AS (
    SELECT study_pk, modality, instances FROM counted
    UNION ALL
    SELECT s.study_pk, s.modality, s.number_of_series_related_instances
    FROM series s JOIN counted c ON s.study_pk = c.study_pk AND s.pk <> c.pk),
of_study AS (
    SELECT count(*) AS series, sum(instances) AS instances,
        array(SELECT DISTINCT modality FROM all_series WHERE modality IS NOT NULL ORDER BY modality)
            AS modalities
    FROM all_series),
of_series AS (
    UPDATE series SET number_of_series_related_instances = c.instances
    FROM counted c WHERE series.pk = c.pk AND c.instances <> c.before)
UPDATE study SET number_of_study_related_series = o.series, number_of_study_related_instances = o.instances,
    modalities_in_study = o.modalities
FROM of_study o WHERE pk = (SELECT study_pk FROM counted)
  AND (number_of_study_related_series, number_of_study_related_instances, modalities_in_study)
      IS DISTINCT FROM (o.series, o.instances, o.modalities)
"""

INDEXED = """
UPDATE series_transfer SET series_pk = :series_pk, indexed_at = COALESCE(indexed_at, clock_timestamp()),
    after = CAST(:after AS uuid[]), objects_found = :found, objects_extra = CAST(:extra AS jsonb),
    conflict_attributes = CAST(:conflict_attributes AS jsonb), findings = CAST(:findings AS text[]),
    chain_id = CAST(:chain_id AS uuid), chain_number = CAST(:chain_number AS bigint),
    chain_previous_sha256 = CAST(:chain_previous AS text),
    state = CASE WHEN CAST(:execution AS text) IS NULL THEN state ELSE 'INDEXED' END
WHERE pk = :pk AND (CAST(:execution AS text) IS NULL
    OR (owner_execution = :execution AND fence = CAST(:fence AS bigint)))
RETURNING pk
"""
