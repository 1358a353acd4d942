"""The list of studies that a PACS exports: study UID, number of series, number of instances, as CSV."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid
from ops.errors import OperatorError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
DELIMITERS = ",;\t|"
NAMES = {
    "study UID": ("studyinstanceuid", "studyuid", "study", "suid", "0020000d"),
    "series": (
        "numberofstudyrelatedseries",
        "numberofseries",
        "seriescount",
        "series",
        "noseries",
        "00201206",
    ),
    "instances": (
        *("numberofstudyrelatedinstances", "numberofinstances", "instancecount", "instances", "noinstances"),
        *("numberofimages", "imagecount", "images", "noimages", "objects", "00201208"),
    ),
}
"""Of each column the headers that are understood, in small letters and digits only."""


@dataclass(frozen=True)
class Listed:
    """A study as the sending PACS counts it."""

    study_instance_uid: str
    series: int
    instances: int


def read_list(path: Path) -> list[Listed]:
    """The studies of the file, each once.

    Raises:
        OperatorError: the file cannot be read; or a line and column, and what is allowed there.
    """
    rows = list(_rows(path))
    if not rows:
        raise OperatorError(f"{path}: no study is in it; a line is: study UID, series, instances")
    places = _places(path, rows[0][1])
    if places is None:
        places = dict(zip(NAMES, range(3), strict=True))
    else:
        rows = rows[1:]
    found: dict[str, Listed] = {}
    for number, row in rows:
        listed = _listed(path, number, row, places)
        known = found.setdefault(listed.study_instance_uid, listed)
        if known != listed:
            raise OperatorError(
                f"{path}, line {number}: study {listed.study_instance_uid} was listed with other numbers: "
                f"{known.series} series, {known.instances} instances"
            )
    if not found:
        raise OperatorError(f"{path}: a header and no study")
    return list(found.values())


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not blank, with their numbers."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror or error}") from error
    text = _decoded(content)
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    reader = csv.reader(lines, delimiter=_delimiter(head), skipinitialspace=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise OperatorError(f"{path}, line {reader.line_num}: {error}") from error


def _delimiter(head: str) -> str:
    """The one that makes the header understood; else the one that is there most often."""
    for delimiter in DELIMITERS:
        if len(_columns(next(csv.reader([head], delimiter=delimiter), []))) == len(NAMES):
            return delimiter
    return max(DELIMITERS, key=head.count)


def _columns(head: Sequence[str]) -> dict[str, int]:
    """Where each column is that the header names."""
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in head]
    return {
        column: place
        for column, names in NAMES.items()
        for place in [next((plain.index(name) for name in names if name in plain), None)]
        if place is not None
    }


def _decoded(content: bytes) -> str:
    """UTF-8 or UTF-16 as it says; else Windows' own, of which only ASCII matters here."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _places(path: Path, head: Sequence[str]) -> dict[str, int] | None:
    """Which column is what; None: the first line is a study already."""
    if re.fullmatch(r"[0-9.]+", head[0]):
        return None
    places = _columns(head)
    if lacking := [column for column in NAMES if column not in places]:
        understood = ", ".join(NAMES[lacking[0]])
        raise OperatorError(
            f"{path}, line 1: no column for {lacking[0]} among {', '.join(head)}; understood: {understood}"
        )
    return places


def _listed(path: Path, number: int, row: Sequence[str], places: dict[str, int]) -> Listed:
    def cell(column: str) -> str:
        place = places[column]
        if place >= len(row) or not row[place]:
            raise OperatorError(f"{path}, line {number}, column {place + 1} ({column}): nothing is there")
        return row[place]

    def count(column: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", cell(column)):
            raise OperatorError(
                f"{path}, line {number}, column {places[column] + 1} ({column}): "
                f"a whole number is allowed, not {cell(column)[:40]!r}"
            )
        return int(cell(column))

    try:
        study = safe_uid(cell("study UID"))
    except UnsafeIdentifierError as error:
        column = places["study UID"] + 1
        raise OperatorError(f"{path}, line {number}, column {column} (study UID): {error}") from error
    return Listed(study, count("series"), count("instances"))
