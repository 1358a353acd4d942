"""Read model: what each modality sends that HealthImaging refuses or warns about, as its edge foretold it."""

from __future__ import annotations

from datetime import date

from pydicom.datadict import keyword_for_tag

from dicom_ingest.contracts.preflight import RULES
from dicom_ingest.operators.read.index import Index, Row

FOREVER = ("-infinity", "infinity")

_SENT = """
sent AS (
    SELECT pk, edge, modality, calling_ae, instance_count, warned, failed,
        (sealed_at AT TIME ZONE 'UTC')::date AS day
    FROM series_transfer
    WHERE sealed_at >= CAST(:since AS timestamp) AT TIME ZONE 'UTC'
        AND sealed_at < (CAST(:until AS timestamp) + interval '1 day') AT TIME ZONE 'UTC')
"""
_SENDERS = f"""
WITH {_SENT}
SELECT coalesce(t.modality, '') AS modality, t.calling_ae, count(DISTINCT t.edge) AS edges,
    count(DISTINCT t.day) AS days, count(*) AS series,
    CAST(coalesce(sum(t.instance_count), 0) AS bigint) AS instances,
    CAST(coalesce(sum(f.instances), 0) AS bigint) AS foretold,
    CAST(coalesce(sum(t.warned), 0) AS bigint) AS warned,
    CAST(coalesce(sum(t.failed), 0) AS bigint) AS refused
FROM sent t
LEFT JOIN (
    SELECT i.series_transfer_pk, count(*) AS instances FROM instance_transfer i JOIN sent s
        ON s.pk = i.series_transfer_pk
    WHERE i.foretold IS NOT NULL GROUP BY i.series_transfer_pk) f ON f.series_transfer_pk = t.pk
GROUP BY 1, 2 ORDER BY 1, 2
"""
_FINDINGS = f"""
WITH {_SENT}
SELECT CASE WHEN CAST(:by_day AS boolean) THEN t.day END AS day, coalesce(t.modality, '') AS modality,
    coalesce(i.calling_ae, t.calling_ae) AS calling_ae, f.code, f.tag, count(*) AS instances,
    count(DISTINCT t.day) AS days, min(f.length) AS shortest, max(f.length) AS longest,
    count(*) FILTER (WHERE i.verdict = 'WARNED') AS warned,
    count(*) FILTER (WHERE i.verdict = 'FAILED') AS refused
FROM sent t
JOIN instance_transfer i ON i.series_transfer_pk = t.pk AND i.foretold IS NOT NULL
CROSS JOIN LATERAL jsonb_to_recordset(i.foretold) AS f(code text, tag text, length bigint)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3, instances DESC, 4, 5
"""


def senders(index: Index, since: date | None = None, until: date | None = None) -> list[Row]:
    """A row per modality and AE: what it sent on these days (UTC, when sealed), and what became of it."""
    return index.run(_SENDERS, **_range(since, until))


def findings(
    index: Index, since: date | None = None, until: date | None = None, *, by_day: bool = False
) -> list[Row]:
    """A row per modality, AE and kind of finding, in words; `by_day`: and per day."""
    rows = index.run(_FINDINGS, by_day=by_day, **_range(since, until))
    return [row | {"consequence": _consequence(row), "words": words(row)} for row in rows]


def words(row: Row) -> str:
    """``CT2 sends 214 instances a day with a StudyDescription of 80 characters``."""
    a_day = -(-row["instances"] // max(1, row["days"]))
    sends = f"{row['calling_ae']} sends {a_day} instance{'s' if a_day > 1 else ''} a day"
    return f"{sends} {_about(row)}"


def _about(row: Row) -> str:
    length = row["shortest"] or 0
    if row["longest"] and row["longest"] > length:
        length = f"{length} to {row['longest']}"
    name = attribute(row["tag"]) if row["tag"] else ""
    match row["code"]:
        case "value_length" | "over_maximum":
            return f"with {_article(name)} {name} of {length} characters"
        case "not_a_number":
            return f"with {_article(name)} {name} of {length} bytes, which is no number"
        case "file_too_large":
            return f"of {length} bytes"
        case code:
            rule = RULES.get(code)
            return f"where {name} {rule.words}".replace("  ", " ") if rule else f"with {code} {name}"


def _article(name: str) -> str:
    return "an" if name[:1] in "AEIOU" else "a"


def attribute(tag: str) -> str:
    """The keyword of a tag, or the tag as it is written: (0029,1010)."""
    return keyword_for_tag(int(tag, 16)) or f"({tag[:4]},{tag[4:]})"


def _consequence(row: Row) -> str:
    rule = RULES.get(row["code"])
    return rule.consequence if rule else "unknown"


def _range(since: date | None, until: date | None) -> dict[str, str]:
    return {
        "since": since.isoformat() if since else FOREVER[0],
        "until": until.isoformat() if until else FOREVER[1],
    }
