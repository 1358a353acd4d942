"""One change of many series: what would change, and the change of exactly those that were shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from console.run.query import chosen, misread, searched
from console.run.sources import Sources
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.operators.bulk import CHANGES, MOST, eligible, mark, matching, sizes, unchanged
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.reprocess import UNUSABLE


@dataclass(frozen=True)
class Wanted:
    """A change as a person is asked for it. `left`: match the filter and stay as they are."""

    change: str
    rows: list[Row]
    left: int
    beyond: int
    unknown: list[str]

    @property
    def title(self) -> str:
        """The question in words."""
        verb = {"reprocess": "Reprocess", "cancel": "Cancel the import of"}[self.change]
        return f"{verb} {sizes(self.rows)}?" if self.rows else f"Nothing to {self.change}"

    @property
    def marks(self) -> list[str]:
        """What the form sends back: these series as they are now."""
        return [mark(self.change, row) for row in self.rows]


@dataclass(frozen=True)
class Done:
    """What became of it. `moved`: how many had moved on since they were shown."""

    change: str
    rows: list[Row]
    moved: int
    failed: list[tuple[Row, str]]

    @property
    def title(self) -> str:
        """What was done, in words."""
        verb = {"reprocess": "Reprocessing", "cancel": "Cancelled"}[self.change]
        return f"{verb} {counted(len(self.rows), 'series')}"


def wanted(index: Index, query: Mapping[str, str]) -> Wanted:
    """The dry run: who would change.

    Raises:
        BadRequest: there is no such change.
    """
    change, unread = _named(query), misread(query)
    meant, unknown = resolved(index, chosen(query))
    # A value that is not known restricts nothing: everything would change.
    rows = [] if unread else matching(index, meant, searched(query))
    fit = eligible(change, rows, meant.place)
    return Wanted(change, fit[:MOST], len(rows) - len(fit), len(fit[MOST:]), [*unread, *unknown])


def change(sources: Sources, form: MultiDict[str, str]) -> Done:
    """Change those that are as they were shown; each is written down with who and why.

    Raises:
        BadRequest: there is no such change, no reason, or nothing was chosen.
    """
    named, reason, marks = _named(form), form.get("reason", "").strip(), form.getlist("mark")
    if not reason:
        raise BadRequest("A reason is needed. The timeline of each series shows it.")
    if not 0 < len(marks) <= MOST:
        raise BadRequest(f"1 to {MOST} series are allowed, not {len(marks)}.")
    with sources.index() as index:
        rows = unchanged(index, named, marks)
    done, failed = _cancel(sources, rows, reason) if named == "cancel" else _reprocess(sources, rows, reason)
    return Done(named, done, len(marks) - len(done) - len(failed), failed)


def _named(query: Mapping[str, str]) -> str:
    if query.get("change") not in CHANGES:
        raise BadRequest(f"change: {' and '.join(CHANGES)} are allowed")
    return query["change"]


def _cancel(sources: Sources, rows: list[Row], reason: str) -> tuple[list[Row], list[tuple[Row, str]]]:
    """A ticket that was granted meanwhile stays: the statement asks once more."""
    done = [
        row
        for row in rows
        if sources.write(
            lambda connection, who, ticket=row["ticket_id"]: queue.cancel(  # type: ignore[misc]
                connection, ticket, f"cancelled by {who} in the console: {reason}", who
            )
        )
    ]
    if done:
        sources.source.grant()
    return done, []


def _reprocess(sources: Sources, rows: list[Row], reason: str) -> tuple[list[Row], list[tuple[Row, str]]]:
    done, failed = [], []
    for row in rows:
        try:
            sources.reprocess(row, force=False, reason=reason)
        except (BotoCoreError, ClientError, *UNUSABLE) as error:
            failed.append((row, str(error)))
        else:
            done.append(row)
    return done, failed
