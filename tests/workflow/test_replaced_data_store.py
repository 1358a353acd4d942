"""A data store is replaced while imports run: each is asked about where it was started."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import gate, queueing
from local.parts import resources
from local.run import wiring
from tests.support.workflow.pipeline import Pipeline
from tests.support.workflow.series import Announced


class Replacement:
    """A second data store, which a deploy may configure in place of the first."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        imaging = pipeline.healthimaging()
        self.datastore_id = imaging.create_datastore(datastoreName="new", clientToken=uuid4().hex)[
            "datastoreId"
        ]

        def active() -> bool:
            found = imaging.get_datastore(datastoreId=self.datastore_id)["datastoreProperties"]
            return found["datastoreStatus"] == "ACTIVE"

        pipeline.eventually(active, "the data store is made")

    def configure(self) -> None:
        """From now on the functions import into it."""
        semaphore = SemaphoreSettings(
            datastore_id=self.datastore_id, capacity=50, start_rate=100, start_burst=100
        )
        with self._pipeline.database.transaction() as connection:
            queueing.configure(connection, semaphore)
        self._deploy(self.datastore_id)

    def undo(self) -> None:
        """The first one again, and its gate open."""
        with self._pipeline.database.transaction() as connection:
            gate.probed(connection, self._pipeline.state.datastore_id)
        self._deploy(self._pipeline.state.datastore_id)

    def _deploy(self, datastore_id: str) -> None:
        state, names = self._pipeline.state, self._pipeline.runtime.names
        addresses = wiring.endpoints(state.aws_url, state.healthimaging_url)
        table = wiring.function_table(names, state.database_url, datastore_id, addresses)
        resources.deploy_functions(state.aws_url, table)


@pytest.fixture
def new(pipeline: Pipeline) -> Iterator[Replacement]:
    replacement = Replacement(pipeline)
    yield replacement
    replacement.undo()


def image_sets(pipeline: Pipeline, series: Announced) -> list[str]:
    """The data stores that hold its image sets."""
    rows = pipeline.rows(
        "SELECT datastore_id FROM ahliimageset WHERE series_instance_uid = :uid",
        uid=series.series_instance_uid,
    )
    return [row["datastore_id"] for row in rows]


def states(pipeline: Pipeline, series: Announced) -> list[str]:
    return [ticket["state"] for ticket in pipeline.tickets(series)]


def jobs_of(pipeline: Pipeline, series: Announced) -> list[str]:
    """Jobs of the first data store that its tickets are named by."""
    names = {ticket["job_name"] for ticket in pipeline.tickets(series)}
    listed = pipeline.healthimaging().list_dicom_import_jobs(datastoreId=pipeline.state.datastore_id)
    return [job["jobId"] for job in listed["jobSummaries"] if job["jobName"] in names]


def completed_in(pipeline: Pipeline, series: Announced) -> str:
    """The one data store that the series was imported into."""
    assert pipeline.finished(series)[0]["status"] == "SUCCEEDED"
    (ticket,), transfer = pipeline.tickets(series), pipeline.transfer(series)
    assert (ticket["state"], transfer["outcome"]) == ("DONE", "COMPLETED")
    assert [ticket["datastore_id"]] == [transfer["datastore_id"]] == image_sets(pipeline, series)
    return str(ticket["datastore_id"])


def test_an_import_that_runs_ends_in_the_data_store_that_it_was_started_in(
    pipeline: Pipeline, new: Replacement
) -> None:
    series = Announced()
    pipeline.fault(kind="job", effect="stuck", times=1)
    pipeline.ingest(series)
    (job,) = pipeline.eventually(pipeline.stuck_jobs, "its import runs")
    pipeline.eventually(lambda: "RUNNING" in states(pipeline, series), "the start is noted")
    new.configure()
    pipeline.let_go(job)
    assert completed_in(pipeline, series) == pipeline.state.datastore_id


def test_a_slot_without_an_import_is_used_in_the_new_data_store(pipeline: Pipeline, new: Replacement) -> None:
    series = Announced()
    pipeline.fault(
        kind="fail_call", operation="StartDICOMImportJob", error="AccessDeniedException", times=None
    )
    pipeline.ingest(series)
    pipeline.eventually(lambda: pipeline.rows("SELECT FROM semaphore WHERE gate = 'CLOSED'"), "it is refused")
    new.configure()
    pipeline.clear_faults()
    assert completed_in(pipeline, series) == new.datastore_id


def test_an_import_whose_start_was_never_answered_is_found_in_the_replaced_data_store(
    pipeline: Pipeline, new: Replacement
) -> None:
    series = Announced()
    pipeline.fault(
        kind="fail_call",
        operation="StartDICOMImportJob",
        error="AccessDeniedException",
        when="after",
        times=None,
    )
    pipeline.ingest(series)
    pipeline.eventually(partial(jobs_of, pipeline, series), "it is started")
    new.configure()
    pipeline.clear_faults()
    assert completed_in(pipeline, series) == pipeline.state.datastore_id
