"""What went wrong in systems like this one, seen from outside: a real edge, a real sender."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, instance, send, series_of, uid
from tests.support.edge.network.gateway import Gateway
from tests.support.edge.process import EdgeProcess, in_spool, peak_memory
from tests.support.machine.waiting import wait_until


def announced(edge: EdgeProcess, series: int = 1) -> None:
    wait_until(lambda: edge.status()["series_announced"] >= series, f"{series} series announced")


def behind(gateway: Gateway, cloud: EdgeCloud) -> dict[str, str]:
    return {**cloud.environment, "AWS_ENDPOINT_URL": gateway.endpoint}


def test_e1_a_failing_s3_loses_nothing_and_announces_nothing(tmp_path: Path, cloud: EdgeCloud) -> None:
    with Gateway(cloud.endpoint) as gateway, EdgeProcess(tmp_path, behind(gateway, cloud)) as edge:
        gateway.refuse = lambda method, _path: 503 if method == "PUT" else None
        datasets = series_of(3)
        assert send(edge.dicom_port, datasets) == [0, 0, 0]
        wait_until(lambda: gateway.refused >= 6, "uploads were tried")
        assert edge.status()["series_announced"] == 0
        assert len(in_spool(edge.spool)) == 3
        gateway.refuse = lambda _method, _path: None
        announced(edge)
    [event] = cloud.announcements()
    assert event["detail"]["instance_count"] == 3


def test_e3_a_failing_bus_keeps_the_announcement(tmp_path: Path, cloud: EdgeCloud) -> None:
    with Gateway(cloud.endpoint) as gateway, EdgeProcess(tmp_path, behind(gateway, cloud)) as edge:
        gateway.refuse = lambda method, _path: 500 if method == "POST" else None
        assert send(edge.dicom_port, series_of(2)) == [0, 0]
        wait_until(lambda: edge.log_lines("announcement failed"), "the bus was tried")
        assert len(in_spool(edge.spool)) == 2
        edge.kill()
        gateway.refuse = lambda _method, _path: None
        edge.start()
        announced(edge)
    assert [
        e["detail"]["instance_count"] for e in cloud.events() if e["detail-type"] == "Series Complete"
    ] == [2]


def test_one_call_in_three_fails_and_everything_arrives(tmp_path: Path, cloud: EdgeCloud) -> None:
    calls = itertools.count()
    with Gateway(cloud.endpoint) as gateway, EdgeProcess(tmp_path, behind(gateway, cloud)) as edge:
        gateway.code = "InternalError"
        gateway.refuse = lambda _method, _path: (500, None, None)[next(calls) % 3]
        assert send(edge.dicom_port, series_of(12)) == [0] * 12
        announced(edge)
    [event] = cloud.announcements()
    assert {i.sop_instance_uid for i in cloud.manifest(event["detail"]).instances} == {
        key.rsplit("/", 1)[1].removesuffix(".dcm") for key in cloud.keys(event["detail"]["prefix"])
    }


def test_e4_low_disk_is_a_failure_before_the_disk_is_full_and_recovers_by_itself(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    with Gateway(cloud.endpoint) as gateway:
        gateway.refuse = lambda _method, _path: 503
        limits = {"spool_max_bytes": 20_000, "watermark_warn_percent": 50, "watermark_slow_percent": 70}
        with EdgeProcess(tmp_path, behind(gateway, cloud), **limits, slow_down_seconds=0.01) as edge:
            datasets = series_of(10, pixels=4096)
            with association(edge.dicom_port, datasets) as assoc:
                assert [assoc.send_c_store(ds).Status for ds in datasets[:5]] == [0] * 5
                wait_until(lambda: edge.status()["watermark"] == "refuse", "the watermark is seen")
                status = assoc.send_c_store(datasets[5])
                assert status.Status == 0xA700
                assert "watermark" in status.ErrorComment
            wait_until(lambda: edge.get("/health")[0] == 503, "health is red")
            with association(edge.dicom_port, datasets) as refused:
                assert refused.is_rejected
            gateway.refuse = lambda _method, _path: None
            wait_until(lambda: edge.status()["watermark"] != "refuse", "it recovers")
            wait_until(lambda: edge.get("/health")[0] == 200, "health is green")
            assert send(edge.dicom_port, datasets[5:]) == [0] * 5
            assert [line["before"] for line in edge.log_lines("watermark")][-1] == "refuse"
            assert (
                'dicom_ingest_edge_associations_rejected{reason="spool above its watermark"} 1'
                in (edge.get("/metrics")[1])
            )


def test_e6_an_abort_is_flagged_and_late_instances_make_a_new_transfer(
    edge: EdgeProcess, cloud: EdgeCloud
) -> None:
    study, series = uid(), uid()
    with association(edge.dicom_port, [instance()]) as assoc:
        assert assoc.send_c_store(instance(study, series)).Status == 0
        assoc.abort()
    announced(edge)
    assert send(edge.dicom_port, [instance(study, series)]) == [0]
    announced(edge, 2)
    first, second = [event["detail"] for event in cloud.announcements()]
    assert (first["aborted"], second["aborted"]) == (True, False)
    assert first["transfer_id"] != second["transfer_id"]
    assert first["sequence"] < second["sequence"]


def test_e12_a_dead_worker_is_restarted_and_the_receiver_goes_on(edge: EdgeProcess) -> None:
    worker = wait_until(lambda: edge.status()["worker_pid"], "a worker")
    os.kill(worker, signal.SIGKILL)
    assert send(edge.dicom_port, series_of(2)) == [0, 0]
    wait_until(lambda: edge.status()["worker_restarts"] == 1, "it is restarted")
    announced(edge)
    assert edge.get("/health")[0] == 200
    assert edge.log_lines("worker died")


def test_e13_a_large_object_streams_through_constant_memory(edge: EdgeProcess, cloud: EdgeCloud) -> None:
    """600 MB objects failed where the data set was held in memory (pynetdicom #629)."""
    before = peak_memory(edge.process.pid if edge.process else 0)
    ds = instance(pixels=128 * 1024 * 1024)
    assert send(edge.dicom_port, [ds]) == [0]
    del ds
    announced(edge)
    after = peak_memory(edge.process.pid if edge.process else 0)
    assert after - before < 24 * 1024
    assert peak_memory(edge.status()["worker_pid"]) < 120 * 1024
    [event] = cloud.announcements()
    assert event["detail"]["total_bytes"] > 128 * 1024 * 1024


def test_two_edges_never_share_a_spool(tmp_path: Path, cloud: EdgeCloud, edge: EdgeProcess) -> None:
    second = EdgeProcess(tmp_path / "second", cloud.environment, spool=str(edge.spool))
    second.log.parent.mkdir()
    try:
        second.start()
    except AssertionError:
        assert second.log_lines("spool is in use")
    else:
        raise AssertionError("a second edge started on the same spool")


def test_sigterm_lets_open_associations_end_and_loses_nothing(tmp_path: Path, cloud: EdgeCloud) -> None:
    datasets = series_of(4)
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        with association(edge.dicom_port, datasets) as assoc:
            assert assoc.send_c_store(datasets[0]).Status == 0
            assert edge.process is not None
            edge.process.send_signal(signal.SIGTERM)
            assert [assoc.send_c_store(ds).Status for ds in datasets[1:]] == [0] * 3
        assert edge.process.wait(20) == 0
        edge.start()
        announced(edge)
        assert edge.status()["instances_announced"] == 4
    assert [e["detail"]["aborted"] for e in cloud.events() if e["detail-type"] == "Series Complete"] == [
        False
    ]


def test_sigterm_does_not_wait_for_ever(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, drain_seconds=0.5) as edge:
        with association(edge.dicom_port) as assoc:
            assert edge.stop() == 0
            wait_until(lambda: not assoc.is_established, "the association is over")
        assert edge.log_lines("associations aborted at the end of draining")


def test_receiver_and_worker_together_stay_below_150_megabytes(edge: EdgeProcess) -> None:
    datasets = series_of(40, pixels=512 * 1024)
    assert send(edge.dicom_port, datasets) == [0] * 40
    announced(edge)
    assert edge.process is not None
    together = peak_memory(edge.process.pid) + peak_memory(edge.status()["worker_pid"])
    assert together < 150 * 1024
