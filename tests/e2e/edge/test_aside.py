"""What S3 refuses for good is announced as missing; when that is mended, an operator sends it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import send, series_of
from tests.support.edge.network.gateway import Gateway
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until


def aside(edge: EdgeProcess, *words: str) -> str:
    command = [sys.executable, "-m", "edge_component", "aside", "--spool", str(edge.spool), *words]
    run = subprocess.run(command, env=edge.environment, capture_output=True, text=True, check=True)
    return run.stdout


def test_what_s3_refused_is_sent_again_beside_the_running_edge(tmp_path: Path, cloud: EdgeCloud) -> None:
    datasets = series_of(3)
    refused = str(datasets[1].SOPInstanceUID)
    environment = dict(cloud.environment)
    with Gateway(cloud.endpoint) as gateway:
        gateway.refuse = lambda method, path: 400 if method == "PUT" and refused in path else None
        environment["AWS_ENDPOINT_URL"] = gateway.endpoint
        quick = {"series_patience_seconds": 0.5}
        with EdgeProcess(tmp_path, environment, **quick) as edge:
            assert send(edge.dicom_port, datasets, calling_ae="CT1") == [0, 0, 0]
            wait_until(lambda: edge.status()["aside"], "the refused instance lies aside")
            [first] = [event["detail"] for event in cloud.announcements()]
            [missing] = cloud.manifest(first).missing
            assert missing.sop_instance_uid == refused
            said = aside(edge, "list")
            assert refused in said
            assert "refused by S3" in said
            gateway.refuse = lambda _method, _path: None
            assert f"{refused}  will be sent again" in aside(edge, "send")
            wait_until(lambda: edge.status()["series_announced"] == 2, "a new series transfer is announced")
            assert edge.log_lines("instance taken again")
            wait_until(lambda: edge.status()["aside"] == 0, "nothing lies aside")
    [second] = [event["detail"] for event in cloud.announcements()]
    manifest = cloud.manifest(second)
    assert [i.sop_instance_uid for i in manifest.instances] == [refused]
    assert second["transfer_id"] != first["transfer_id"]
    assert (manifest.transfer.after, manifest.transfer.calling_aes) == ([first["transfer_id"]], ["CT1"])
    assert cloud.body(manifest.instances[0].key)[128:132] == b"DICM"
