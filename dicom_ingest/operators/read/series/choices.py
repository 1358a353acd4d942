"""Read model: the values that filters can have, so that a filter with another value can be explained."""

from __future__ import annotations

from dataclasses import replace

from dicom_ingest.operators.read.index import Index
from dicom_ingest.operators.read.series.places import Filter

_WALK = """
WITH RECURSIVE found AS (
    (SELECT {0} AS value FROM series_transfer WHERE {0} IS NOT NULL ORDER BY {0} LIMIT 1)
    UNION ALL
    SELECT (SELECT {0} FROM series_transfer t WHERE {0} > f.value ORDER BY {0} LIMIT 1)
    FROM found f WHERE f.value IS NOT NULL)
SELECT value FROM found WHERE value IS NOT NULL LIMIT 1000
"""
_EDGES = _WALK.format("edge")
_MODALITIES = _WALK.format("left(modality, 16)")
_CALLING = _WALK.format("calling_ae")
_CALLED = _WALK.format("called_ae")
MOST_NAMED = 12


def resolved(index: Index, chosen: Filter) -> tuple[Filter, list[str]]:
    """The filter with values as the index has them, and a sentence for each value that it does not have.

    Modalities and AE titles are found whatever their case, an edge by its short name, too.
    """
    unknown: list[str] = []
    if chosen.edge:
        found = same_edge(index, chosen.edge)
        unknown += [] if found else [_said("edge", chosen.edge, _values(index, _EDGES))]
        chosen = replace(chosen, edge=found or chosen.edge)
    if chosen.modality:
        known = _values(index, _MODALITIES)
        found = _same(chosen.modality, known)
        unknown += [] if found else [_said("modality", chosen.modality, known)]
        chosen = replace(chosen, modality=found or chosen.modality)
    if chosen.ae:
        found = same_ae(index, chosen.ae)
        unknown += [] if found else [_said("AE title", chosen.ae, _aes(index))]
        chosen = replace(chosen, ae=found or chosen.ae)
    return chosen, unknown


def same_edge(index: Index, name: str) -> str | None:
    """The edge of this name or short name, as the index has it."""
    known = _values(index, _EDGES)
    short = {edge.rpartition("-")[2].lower(): edge for edge in known}
    return _same(name, known) or short.get(name.lower())


def same_ae(index: Index, title: str) -> str | None:
    """The AE title, calling or called, as the index has it."""
    return _same(title, _aes(index))


def _aes(index: Index) -> list[str]:
    return sorted({*_values(index, _CALLING), *_values(index, _CALLED)})


def _values(index: Index, sql: str) -> list[str]:
    return [row["value"] for row in index.run(sql)]


def _same(value: str | None, known: list[str]) -> str | None:
    return (
        value
        if value in known
        else next((name for name in known if name.lower() == str(value).lower()), None)
    )


def _said(what: str, value: str | None, known: list[str]) -> str:
    if not known:
        return f"no series has {what} {value}: the index is empty"
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"no series has {what} {value}; there is {', '.join(known[:MOST_NAMED])}{more}"
