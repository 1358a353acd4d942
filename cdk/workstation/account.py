"""What only the account knows, asked with the AWS command line, where it is installed and has credentials."""

from __future__ import annotations

import shutil
import subprocess

from cdk.device.hosts import Names
from dicom_ingest.contracts.configuration.config import Config


def names_in_aws(config: Config, region: str) -> Names:
    """The account's own names of hosts; stars where it cannot say."""
    data, credentials = (_iot_endpoint(kind, region) for kind in ("Data-ATS", "CredentialProvider"))
    account, unknown = account_id(), Names()
    return Names(
        data=data or unknown.data,
        credentials=credentials or unknown.credentials,
        bucket=bucket_name(config, region) or unknown.bucket,
        software=f"cdk-hnb659fds-assets-{account}-{region}" if account else unknown.software,
    )


def account_id() -> str | None:
    """Of the credentials at hand."""
    return _aws("sts", "get-caller-identity", "--query", "Account")


def bucket_name(config: Config, region: str) -> str | None:
    """The stack's output `DicomBucket`."""
    return _aws(
        *("cloudformation", "describe-stacks", "--region", region, "--stack-name", config.cdk_app_name),
        *("--query", "Stacks[0].Outputs[?OutputKey=='DicomBucket'].OutputValue"),
    )


def roles_anywhere_profile(name: str, region: str) -> str | None:
    """The ARN of the profile of this name in IAM Roles Anywhere."""
    query = f"profiles[?name=='{name}'].profileArn"
    return _aws("rolesanywhere", "list-profiles", "--region", region, "--query", query)


def _iot_endpoint(kind: str, region: str) -> str | None:
    answer = _aws(
        *("iot", "describe-endpoint", "--region", region, "--endpoint-type", f"iot:{kind}"),
        *("--query", "endpointAddress"),
    )
    return answer.partition(".")[0] if answer else None


def _aws(*words: str) -> str | None:
    program = shutil.which("aws")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603 - the AWS command line, reading
        [program, *words, "--output", "text"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
