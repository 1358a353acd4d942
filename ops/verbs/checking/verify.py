"""Send a small study of its own and follow it to its image set. Run it after every deployment.

With an edge it sends over DICOM. With --no-edge it writes to S3 and the bus with your own credentials. It
waits for each stage. A stage that fails says what that means and where to read on.

examples:
  ops verify
  ops verify --stack dicom-ingest --no-edge
  ops verify --stack dicom-ingest --edge HOST:11112
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.errors import DatabaseAwayError
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target
from ops.verify.cleaning import clean_up
from ops.verify.evidence import Evidence
from ops.verify.sending import VERIFIER, NotSentError, Straight, ThroughEdge, Way
from ops.verify.stages import ALWAYS, SENT, SENT_MEANS, SENT_SEE, STAGES, Seen, Stage
from ops.verify.study import new_study

HELP = "send a small study and follow it to its image set: does everything work?"
MARKS = {"ok": "green", "FAIL": "bold red", "—": "dim"}


@dataclass(frozen=True)
class Finding:
    """How a stage went. `means` and `see`: only where it failed."""

    stage: str
    state: Literal["ok", "failed", "not reached"]
    words: str
    seconds: float
    means: str | None = None
    see: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--edge", metavar="HOST[:PORT]", help="send through this edge (local run: its own)")
    way.add_argument("--no-edge", action="store_true", help="put and announce with your own credentials")
    parser.add_argument("--called-ae", default="DICOM-INGEST", metavar="TITLE", help="default: %(default)s")
    parser.add_argument("--calling-ae", default=VERIFIER, metavar="TITLE", help="default: %(default)s")
    parser.add_argument(
        "--images", type=int, default=3, metavar="NUMBER", help="number of images (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=900, help="how long to wait in all (default: %(default)s)"
    )
    parser.add_argument("--clean-up", action="store_true", help="delete the study when all is well")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: everything works; 1: something does not."""
    if not 1 <= arguments.images <= 100:
        raise OperatorError(f"--images must be from 1 to 100, not {arguments.images}")
    evidence = Evidence(target, new_study(arguments.images), datetime.now(timezone.utc))
    if not output.as_json:
        output.line(f"{target.name}: study {evidence.study.study_instance_uid}", style="bold")
    findings = []
    for finding in _followed(_way(arguments, target), evidence, arguments.seconds):
        findings.append(finding)
        if not output.as_json:
            _show(finding, output)
    good = all(finding.state == "ok" for finding in findings)
    cleaned = clean_up(evidence) if arguments.clean_up and good else []
    if output.as_json:
        study = evidence.study.study_instance_uid
        output.data({"ok": good, "study": study, "stages": [asdict(f) for f in findings], "deleted": cleaned})
    else:
        _conclude(good, cleaned, evidence, output)
    return 0 if good else 1


def _way(arguments: argparse.Namespace, target: Target) -> Way:
    if arguments.no_edge:
        return Straight(target)
    if arguments.edge:
        host, _, port = (
            arguments.edge.rpartition(":") if ":" in arguments.edge else (arguments.edge, "", "11112")
        )
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise OperatorError(f"--edge must be HOST or HOST:PORT, not {arguments.edge!r}")
        address = (host, int(port))
    elif target.edge_address is not None:
        address = target.edge_address
    else:
        raise OperatorError("verify: say --edge HOST[:PORT], or --no-edge to verify the cloud alone")
    return ThroughEdge(*address, called_ae=arguments.called_ae, calling_ae=arguments.calling_ae)


def _followed(way: Way, evidence: Evidence, seconds: float) -> Iterator[Finding]:
    """Sending, then stage by stage."""
    began = time.monotonic()
    try:
        words = way(evidence.study)
    except NotSentError as error:
        yield Finding(SENT, "failed", str(error), time.monotonic() - began, SENT_MEANS, SENT_SEE)
        failed = True
    else:
        yield Finding(SENT, "ok", words, time.monotonic() - began)
        failed = False
    for stage in STAGES:
        if failed:
            yield Finding(stage.name, "not reached", "", 0.0)
            continue
        finding = _waited(stage, evidence, began + seconds)
        failed = finding.state == "failed"
        yield finding
    for stage in ALWAYS:
        yield _waited(stage, evidence, 0.0)


def _waited(stage: Stage, evidence: Evidence, deadline: float) -> Finding:
    """Look until there is something to see, but not beyond the deadline."""
    began = time.monotonic()
    while (seen := _look(stage, evidence)).good is None and time.monotonic() < deadline:
        time.sleep(evidence.target.poll_seconds)
    took = time.monotonic() - began
    if seen.good:
        return Finding(stage.name, "ok", seen.words, took)
    return Finding(stage.name, "failed", seen.words, took, stage.means, stage.see)


def _look(stage: Stage, evidence: Evidence) -> Seen:
    """A look that is refused says so, and the others go on."""
    try:
        return stage.look(evidence)
    except (BotoCoreError, ClientError) as error:
        return Seen(False, f"cannot be looked at: {error}")
    except DatabaseAwayError as error:
        return Seen(None, f"the database does not answer: {error}")


def _show(finding: Finding, output: Output) -> None:
    mark = {"ok": "ok", "failed": "FAIL", "not reached": "—"}[finding.state]
    words = finding.words or "not reached"
    output.line(f"{mark:<5} {finding.stage:<10} {words}  ({finding.seconds:.1f} s)", style=MARKS[mark])
    if finding.means:
        output.line(f"{'':16} means: {finding.means}")
        output.line(f"{'':16} see:   {finding.see}")


def _conclude(good: bool, cleaned: list[str], evidence: Evidence, output: Output) -> None:
    for words in cleaned:
        output.line(f"{'':16} deleted: {words}")
    if good:
        output.line("everything works", style="bold green")
    else:
        output.line(
            f"something does not work: .venv/bin/python -m ops where {evidence.study.series_instance_uid}"
        )
