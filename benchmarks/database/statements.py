"""What the workflow, reclaim, the console and the command line ask of the index, as they ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from benchmarks.database.fill import DATASTORE
from benchmarks.functions.series import BenchSeries
from dicom_ingest.contracts.keys import ManifestKey
from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.outcomes import Outcome, Verdict
from dicom_ingest.contracts.messages.steps import ImportState, SeriesTransferRef
from dicom_ingest.db.index import write as index
from dicom_ingest.db.index.rows import Objects, series_rows
from dicom_ingest.db.semaphore import gate, granting, leftovers, operator, queueing, releasing
from dicom_ingest.db.series import claiming, decisions, ending, imports, registering, shares
from dicom_ingest.db.series import ledger as accounts
from dicom_ingest.db.series.held import held
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.healthimaging.results import ImageSet, ImportResults, InstanceResult
from dicom_ingest.operators.read import ledger
from dicom_ingest.operators.read.series import choices, places, search, shared, study, timeline
from dicom_ingest.operators.read.series.places import Filter
from dicom_ingest.operators.read.state import attention, edges, flow, slots

Action = Callable[[Connection], Any]
ME = "arn:aws:states:us-east-1:123456789012:execution:bench:me"

_KNOWN = """
SELECT t.pk, CAST(t.transfer_id AS text) AS transfer_id, t.study_instance_uid, t.series_instance_uid,
    t.edge, t.calling_ae, t.owner_execution, t.fence, j.state, j.import_id,
    (SELECT sop_instance_uid FROM instance_transfer WHERE series_transfer_pk = t.pk LIMIT 1)
        AS sop_instance_uid,
    (SELECT image_set_id FROM ahliimageset WHERE series_transfer_pk = t.pk LIMIT 1) AS image_set_id,
    st.accession_number, p.patient_id
FROM ahlijob j JOIN series_transfer t ON t.pk = j.series_transfer_pk
JOIN series s ON s.pk = t.series_pk JOIN study st ON st.pk = s.study_pk JOIN patient p ON p.pk = st.patient_pk
WHERE j.state = :state ORDER BY j.pk DESC LIMIT 1
"""


@dataclass(frozen=True)
class Known:
    """A series transfer that is over, one that is importing and one that waits, as rows."""

    over: dict[str, Any]
    importing: dict[str, Any]
    waiting: dict[str, Any]


def known(connection: Connection) -> Known:
    """Examples of what there is."""
    found = [connection.one(_KNOWN, state=state) for state in ("DONE", "RUNNING", "WAITING")]
    return Known(*(row or {} for row in found))


def _days_ago(days: int) -> date:
    return datetime.now(timezone.utc).date() - timedelta(days=days)


def _asked(question: Callable[..., Any], *arguments: Any) -> Action:
    return lambda connection: question(connection, *arguments)


def reads(examples: Known) -> dict[str, Action]:
    """Read models: console, `status`, `where`, `slots`, `edges`, `ledger`."""
    row = examples.over
    terms = {
        "study": "study_instance_uid", "series": "series_instance_uid", "instance": "sop_instance_uid",
        "transfer": "transfer_id", "import": "import_id", "image set": "image_set_id", "AE": "calling_ae",
        "edge": "edge", "accession number": "accession_number", "patient": "patient_id",
    }  # fmt: skip
    filters = {
        "newest": Filter(),
        "of an edge": Filter(edge="bench-edge2"),
        "of a rare modality": Filter(modality="XC"),
        "of an AE": Filter(ae="AE7"),
        "of a called AE": Filter(ae="EDGE3"),
        "of an AE that is unknown": Filter(ae="NOBODY"),
        "of a day": Filter(day=_days_ago(3)),
        "under way": Filter(under_way=True),
        "need attention": Filter(needs_attention=True),
        "waiting": Filter(place="waiting"),
        "importing": Filter(place="importing"),
        "being indexed": Filter(place="claimed"),
        "failed": Filter(place="FAILED"),
        "superseded": Filter(place="SUPERSEDED"),
        "completed": Filter(place="COMPLETED"),
        "one": Filter(transfer=row["transfer_id"], series=row["series_instance_uid"]),
        "of a study": Filter(study=row["study_instance_uid"]),
        "by pk": Filter(pks=[row["pk"]]),
    }
    found: dict[str, Action] = {
        f"where: {kind}": _asked(search.where, row[column]) for kind, column in terms.items()
    }
    found |= {f"places: {name}": _asked(places.places, chosen) for name, chosen in filters.items()}
    found |= {
        f"timeline: {name}": _asked(timeline.timeline, example["pk"])
        for name, example in vars(examples).items()
    }
    yesterday = _days_ago(1)
    found |= {f"matches: {kind}": _asked(search.matches, row[column]) for kind, column in terms.items()}
    return found | {
        "study": _asked(study.study, row["study_instance_uid"]),
        "tickets: a later page": lambda c: slots.tickets(c, 100, 100),
        "where: an AE of one edge": lambda c: search.where(
            c, row["calling_ae"], chosen=Filter(edge=row["edge"])
        ),
        "flow": flow.flow,
        "choices": lambda c: choices.resolved(c, Filter(edge="x", ae="x", modality="x")),
        "attention": lambda c: attention.attention(c, []),
        "outcomes": flow.outcomes,
        "edges": edges.edges,
        "senders": edges.senders,
        "slots": slots.semaphores,
        "tickets": slots.tickets,
        "ledger since yesterday": lambda c: ledger.sums(c, yesterday),
        "ledger: differences since yesterday": lambda c: ledger.differences(c, yesterday),
        "ledger: differences": ledger.differences,
        "ledger: starts since yesterday": lambda c: shared.starts(c, yesterday),
        "ledger: shared imports since yesterday": lambda c: shared.shared(c, yesterday),
        "series that share an import": lambda c: shared.members(c, row["pk"], shared.LISTED),
        "image sets of a series": lambda c: timeline.held(c, row["transfer_id"], row["series_instance_uid"]),
    }


def upkeep(examples: Known) -> dict[str, Action]:
    """What reclaim, audit and `reprocess` ask."""
    row, day = examples.over, _days_ago(3)
    manifest = ManifestKey(row["edge"], day, row["transfer_id"], row["series_instance_uid"])
    selected = {
        "reprocess: a series": {"series": row["series_instance_uid"]},
        "reprocess: a study": {"study": row["study_instance_uid"]},
        "reprocess: a day": {"day": day},
        "reprocess: a day of an edge": {"day": day, "edge": row["edge"]},
        "reprocess: failed, with words": {"outcome": "FAILED", "detail": "refused"},
    }
    found: dict[str, Action] = {name: _asked(accounts.transfers, chosen) for name, chosen in selected.items()}
    return found | {
        "reclaim: cancelled and untold": operator.untold,
        "reclaim: undelivered": leftovers.undelivered,
        "reclaim: leftovers": lambda c: leftovers.find(c, DATASTORE, 60),
        "reclaim: probe": lambda c: gate.needs_probe(c, DATASTORE),
        "reclaim: anything live": leftovers.anything_live,
        "reclaim: gauges": lambda c: operator.pressure(c, DATASTORE),
        "audit: manifests": lambda c: accounts.unseen(c, [manifest]),
        "audit: transfers": lambda c: accounts.unknown_transfers(c, [row["transfer_id"]]),
        "audit: counts": lambda c: accounts.accounted(c, [row["transfer_id"]]),
        "audit: shared imports": lambda c: shares.uneven(c, row["edge"], 1),
        "audit: seen lately": lambda c: accounts.seen_lately(c, row["edge"], 1),
    }


class Path:
    """A new series' way through the index, a step at a time; it is granted the slot that a release frees."""

    def __init__(self, examples: Known, instances: int = 10) -> None:
        self._holder = examples.importing
        self._series = BenchSeries(instances)
        self._event = SeriesComplete.model_validate(self._series.envelope()["detail"])
        self._rows = series_rows(self._series.manifest, Objects(self._series.sizes()))
        self._pk = 0
        self._ticket = 0

    def steps(self) -> dict[str, Action]:
        """In their order."""
        return {
            "index_series: claim": self._claim,
            "index_series: index": self._index,
            "index_series: index again": self._index,
            "index_series: held already?": lambda c: held(c, self._pk, DATASTORE),
            "acquire_import_slot": self._acquire,
            "release_import_slot, granting": self._release,
            "start_import": self._start,
            "record_image_sets": self._record,
            "release_import_slot": lambda c: releasing.release(c, self._ref, ME),
            "over": lambda c: ending.over(c, self._ref, ME),
        }

    @property
    def _ref(self) -> SeriesTransferRef:
        event = self._event
        return SeriesTransferRef(
            transfer_id=event.transfer_id,
            series_instance_uid=event.series_instance_uid,
            correlation_id=event.correlation_id,
            fence=1,
        )

    def _claim(self, connection: Connection) -> None:
        registering.register(connection, self._event, "2026-11-22T08:02:00Z")
        self._pk = claiming.claim(connection, self._event, ME).pk

    def _index(self, connection: Connection) -> None:
        index.index(connection, self._pk, self._rows, (ME, 1))

    def _acquire(self, connection: Connection) -> None:
        self._ticket = queueing.acquire(connection, self._ref, ME, DATASTORE, queueing.Token("token")).pk
        operator.set_priority(connection, self._ticket, -1)
        granting.grant(connection, DATASTORE)

    def _release(self, connection: Connection) -> None:
        holder = self._holder
        ref = SeriesTransferRef(
            transfer_id=holder["transfer_id"],
            series_instance_uid=holder["series_instance_uid"],
            correlation_id="c",
            fence=holder["fence"],
        )
        ticket = imports.attempt(
            connection, ref, holder["owner_execution"], self._ticket_of(connection, holder)
        )
        imports.import_over(connection, ticket.pk, "COMPLETED", Outcome.COMPLETED, None)
        releasing.release(connection, ref, holder["owner_execution"])
        (granted,) = granting.grant(connection, DATASTORE)
        if granted.pk != self._ticket:
            raise AssertionError("another ticket was first in the queue")

    @staticmethod
    def _ticket_of(connection: Connection, row: dict[str, Any]) -> int:
        found = connection.one("SELECT pk FROM ahlijob WHERE series_transfer_pk = :pk", pk=row["pk"])
        return int((found or {})["pk"])

    def _start(self, connection: Connection) -> None:
        imports.attempt(connection, self._ref, ME, self._ticket)
        imports.intend(connection, self._ticket, "token-1", "job", "results/")
        imports.running(connection, self._ticket, "token-1", "f" * 32, "SUBMITTED")

    def _record(self, connection: Connection) -> None:
        ticket = imports.attempt(connection, self._ref, ME, self._ticket)
        keys = [instance.sop_instance_uid for instance in self._series.manifest.instances]
        results = ImportResults(
            scanned=len(keys),
            instances=[_imported(key) for key in keys],
            image_sets=[ImageSet("e" * 32, 1, False, len(keys))],
        )
        state = ImportState(import_id="f" * 32, status="COMPLETED", attempt=1)
        decisions.record_import(connection, self._ref, ME, ticket, DATASTORE, state, results)


def _imported(key: str) -> InstanceResult:
    return InstanceResult(
        sop_instance_uid=key, verdict=Verdict.IMPORTED, image_set_id="e" * 32, version=1, is_primary=False,
        warning_code=None, message=None,
    )  # fmt: skip
