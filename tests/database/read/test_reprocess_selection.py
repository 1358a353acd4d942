"""What `reprocess` selects: every condition narrows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.series import ending
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.reprocess import Selection, select
from tests.database.conftest import DATASTORE
from tests.support.workflow.series import MORNING, STACK, Announced
from tests.support.workflow.workers import Execution

ONE = Announced(edge=f"{STACK}-one", modality="MR")
OTHER = Announced(edge=f"{STACK}-other", received_at=MORNING + timedelta(days=1))


@pytest.mark.parametrize(
    "selection",
    [
        Selection(edge=ONE.edge),
        Selection(series=ONE.series_instance_uid),
        Selection(study=ONE.study_instance_uid),
        Selection(day=ONE.manifest_key.sealed_on),
        Selection(outcome="FAILED"),
        Selection(detail="DISK"),
        Selection(modality="MR"),
    ],
    ids=lambda selection: next(name for name, value in vars(selection).items() if value),
)
def test_each_condition_leaves_the_others_out(database: Database, selection: Selection) -> None:
    for series, outcome, words in ((ONE, Outcome.FAILED, "disk on fire"), (OTHER, Outcome.UNKNOWN, "gone")):
        execution = Execution(database, DATASTORE, series)
        with database.transaction() as connection:
            ending.finish(connection, execution.ref, execution.arn, outcome, detail=words)
            ending.over(connection, execution.ref, execution.arn)
    with database.transaction() as connection:
        assert len(select(connection, Selection())) == 2
        assert [each.manifest_key for each in select(connection, selection)] == [str(ONE.manifest_key)]
