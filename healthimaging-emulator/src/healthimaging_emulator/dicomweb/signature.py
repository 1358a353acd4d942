"""AWS Signature Version 4 of a request, checked as the service checks it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.datastructures import Headers

from ..service import errors
from ..service.model import SERVICE

SKEW = timedelta(minutes=5)
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})"
)
_UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-")


def check(
    method: str, url: str, headers: Headers, body: bytes, secrets: Mapping[str, str], now: datetime
) -> None:
    """Raise AccessDenied unless the request is signed for this service, in time, by a known key."""
    found = _HEADER.fullmatch(headers.get("Authorization", "").strip())
    if found is None:
        raise errors.access_denied("Missing Authentication Token")
    access_key, day, region, service, signed, signature = found.groups()
    if service != SERVICE:
        raise errors.access_denied(f"Credential should be scoped to correct service: {SERVICE}")
    moment = headers.get("X-Amz-Date", "")
    _check_time(moment, day, now)
    payload = headers.get("X-Amz-Content-SHA256", "")
    if payload and not payload.startswith(_UNSIGNED) and payload != sha256(body).hexdigest():
        raise errors.access_denied("The x-amz-content-sha256 header does not match the body")
    if "host" not in signed.split(";"):
        raise errors.access_denied("The host header must be signed")
    if access_key not in secrets:
        raise errors.access_denied("The security token included in the request is invalid.")
    chosen = {name: headers.get(name, "") for name in signed.split(";")}
    request = AWSRequest(method, url, chosen, body)
    request.context["timestamp"] = moment
    signer = SigV4Auth(Credentials(access_key, secrets[access_key]), SERVICE, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(str(expected), signature):
        raise errors.access_denied(
            "The request signature we calculated does not match the signature you provided."
        )


def _check_time(moment: str, day: str, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise errors.access_denied("X-Amz-Date must be a time such as 20260101T120000Z") from None
    if not moment.startswith(day) or abs(now - signed_at) > SKEW:
        raise errors.access_denied(f"Signature expired: {moment} is not within 5 minutes of now")
