"""The whole way: DIMSE in, objects, manifest and event out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.manifest import Foretold
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, echo, instance, send, series_of, uid
from tests.support.edge.process import EdgeProcess, in_spool
from tests.support.machine.waiting import wait_until

IMPLICIT = "1.2.840.10008.1.2"


def announced(edge: EdgeProcess, series: int = 1) -> None:
    wait_until(lambda: edge.status()["series_announced"] >= series, f"{series} series announced")


def test_an_echo_is_answered(edge: EdgeProcess) -> None:
    """E10: C-ECHO was rejected."""
    assert echo(edge.dicom_port)


def test_a_series_becomes_objects_a_manifest_and_one_event(edge: EdgeProcess, cloud: EdgeCloud) -> None:
    datasets = series_of(3)
    assert send(edge.dicom_port, datasets) == [0, 0, 0]
    announced(edge)
    [event] = cloud.announcements()
    assert (event["source"], event["detail-type"]) == ("dicom-ingest.edge", "Series Complete")
    detail = SeriesComplete.model_validate(event["detail"])
    assert (detail.instance_count, detail.seal_reason, detail.aborted) == (3, "quiet", False)
    manifest = cloud.manifest(event["detail"])
    assert {i.sop_instance_uid for i in manifest.instances} == {str(ds.SOPInstanceUID) for ds in datasets}
    assert sorted(cloud.keys(detail.prefix)) == sorted(i.key for i in manifest.instances)
    assert sum(len(cloud.body(i.key)) for i in manifest.instances) == detail.total_bytes
    wait_until(lambda: not in_spool(edge.spool), "the spool is empty")


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_what_healthimaging_will_warn_about_is_in_the_manifest_and_is_sent(
    edge: EdgeProcess, cloud: EdgeCloud
) -> None:
    assert send(edge.dicom_port, series_of(2, StudyDescription="Knee left " * 8, syntax=IMPLICIT)) == [0, 0]
    announced(edge)
    [event] = cloud.announcements()
    manifest = cloud.manifest(event["detail"])
    long = Foretold(code="value_length", tag="00081030", length=79)
    assert all(long in one.foretold for one in manifest.instances)
    assert {one.peer for one in manifest.instances} == {"127.0.0.1"}
    assert manifest.transfer.chain is not None
    assert manifest.transfer.chain.number == 1


def test_one_correlation_id_leads_from_the_associations_to_the_event(
    edge: EdgeProcess, cloud: EdgeCloud
) -> None:
    for ds in series_of(2):
        assert send(edge.dicom_port, [ds]) == [0]
    announced(edge)
    [event] = cloud.announcements()
    correlation_id = event["detail"]["correlation_id"]
    assert cloud.manifest(event["detail"]).transfer.correlation_id == correlation_id
    [sealed], [told] = edge.log_lines("series sealed"), edge.log_lines("series announced")
    assert sealed["correlation_id"] == told["correlation_id"] == correlation_id
    requested = {line["association"] for line in edge.log_lines("association requested")}
    assert set(sealed["associations"]) == requested
    assert len(requested) == 2


def test_a_series_over_many_associations_is_one_event(edge: EdgeProcess, cloud: EdgeCloud) -> None:
    """E7: one association an image gave one import an image."""
    for ds in series_of(5):
        assert send(edge.dicom_port, [ds]) == [0]
    announced(edge)
    [event] = cloud.announcements()
    assert event["detail"]["instance_count"] == 5


def test_series_of_one_study_share_the_transfer(edge: EdgeProcess, cloud: EdgeCloud) -> None:
    study = uid()
    with association(edge.dicom_port, [instance()]) as assoc:
        for ds in [*series_of(2, study), *series_of(2, study)]:
            assert assoc.send_c_store(ds).Status == 0
    announced(edge, 2)
    first, second = (event["detail"] for event in cloud.announcements())
    assert first["transfer_id"] == second["transfer_id"]
    assert first["series_instance_uid"] != second["series_instance_uid"]


def test_a_restart_adopts_what_was_acknowledged(tmp_path: Path, cloud: EdgeCloud) -> None:
    """E2: a restart wiped the spool, the work list was in memory."""
    away = {**cloud.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with EdgeProcess(tmp_path, away) as edge:
        assert send(edge.dicom_port, series_of(4)) == [0] * 4
        edge.kill()
    cloud.events()
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        announced(edge)
        [event] = cloud.announcements()
        assert event["detail"]["instance_count"] == 4
        assert edge.status()["instances_received"] == 4
