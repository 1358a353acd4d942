"""The life of an import job: SUBMITTED, IN_PROGRESS, COMPLETED or FAILED."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from ..state.background import Closing
from ..state.blobs import sweep
from ..state.core import Core
from ..state.faults import JobFault
from ..state.store import Row
from ..state.uris import S3Location
from .jobs import announce, require
from .organise import Locked, organise
from .report import forget_staged, write_report
from .scan import InputObject, JobFailed, scan

_LOCK_RETRY_SECONDS = 0.05


def launch(core: Core, job_id: str) -> None:
    """Runs the job in the background."""
    core.background.start(f"import-{job_id}", lambda: _run(core, job_id))


def resume(core: Core) -> None:
    """Takes up what an earlier process did not end; half-read input is read again."""
    sweep(core)
    for row in core.store.all("SELECT id, organised FROM job WHERE ended_at IS NULL"):
        if not row["organised"]:
            forget_staged(core, row["id"])
        launch(core, row["id"])
    for row in core.store.all(
        "SELECT DISTINCT job_id FROM staged JOIN job ON id = job_id WHERE ended_at NOT NULL"
    ):
        write_report(core, require(core, row["job_id"]))


def _run(core: Core, job_id: str) -> None:
    job = require(core, job_id)
    began = job["submitted_at"] + core.settings.timing.submitted
    core.background.wait_until(began)
    if job["status"] == "SUBMITTED":
        core.store.execute("UPDATE job SET status = 'IN_PROGRESS' WHERE id = ?", job_id)
        announce(core, job_id, "Import Job In Progress")
    fault = core.faults.take(JobFault, lambda f: f.job_name in (None, job["name"]))
    try:
        if not job["organised"]:
            _import(core, job, began, fault)
        late = _finish_output(core, job, fault)
    except JobFailed as failure:
        _end(core, job_id, "FAILED", str(failure))
    except (ClientError, BotoCoreError) as error:
        _end(core, job_id, "FAILED", f"DICOM import job has failed. {_reason(error)}")
    except Closing:
        raise  # the next start from this state goes on
    except Exception:
        _end(core, job_id, "FAILED", "DICOM import job has failed. INTERNAL_SERVER_ERROR")
        raise  # a mistake of the emulator: nobody waits for ever, and the thread shows it
    else:
        ended_at = _end(core, job_id, "COMPLETED", None)
        if late is not None:
            core.background.wait_until(ended_at + late)
            write_report(core, job)


def _import(core: Core, job: Row, began: float, fault: JobFault | None) -> None:
    effect = fault.effect if fault else None
    if fault and effect == "stuck":
        core.faults.hold(job["id"], core.background.stop)
        core.background.check()
    if fault and effect == "fail":
        raise JobFailed(fault.message)
    core.s3.head_bucket(Bucket=S3Location.parse(job["output_uri"]).bucket)
    with core.work:
        core.background.check()  # the turn may come while the emulator closes
        files = scan(core, job, fault.message if fault and effect == "refuse_all" else None)
    core.background.wait_until(began + _duration(core, files))
    while True:
        try:
            organise(core, job)
        except Locked:
            core.background.wait(_LOCK_RETRY_SECONDS)
        else:
            return


def _duration(core: Core, files: list[InputObject]) -> float:
    timing = core.settings.timing
    size = sum(each.size for each in files)
    return timing.import_base + timing.import_per_file * len(files) + timing.import_per_byte * size


def _finish_output(core: Core, job: Row, fault: JobFault | None) -> float | None:
    """Writes the output, or answers how many seconds late it will be written."""
    delay = core.settings.timing.manifest_delay
    if fault and fault.effect == "no_manifest":
        forget_staged(core, job["id"])
        return None
    if fault and fault.effect == "late_manifest":
        delay = fault.seconds
    if delay > 0:
        return delay
    write_report(core, job)
    return None


def _reason(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError):
        return f"S3 answered {error.response['Error'].get('Code', 'an error')} to {error.operation_name}"
    return type(error).__name__


def _end(core: Core, job_id: str, status: str, message: str | None) -> float:
    now = core.clock.now()
    core.store.execute(
        "UPDATE job SET status = ?, ended_at = ?, message = ? WHERE id = ?",
        status, now, message, job_id,
    )  # fmt: skip
    if status == "FAILED":
        forget_staged(core, job_id)
    announce(core, job_id, "Import Job Completed" if status == "COMPLETED" else "Import Job Failed")
    return now
