"""One PUT of a spool file, the short way where it is known, and botocore's everywhere else."""

from __future__ import annotations

from functools import partial
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from edge_component.sending.direct_put.answers import Answer
from edge_component.sending.direct_put.connections import Connect
from edge_component.sending.direct_put.servers import Servers, proxy_of
from edge_component.sending.direct_put.template import CHECKSUM, Template, learn, stop_probes
from edge_component.sending.exchange import PUT_PARAMETERS, ClientPut
from edge_component.sending.verified import VerifiedFile

OPERATION = "PutObject"


class DirectPut:
    """What `ClientPut` does, in a fraction of its processor time; used by many threads."""

    def __init__(
        self,
        client: Any,
        credentials: Credentials | None,
        verify: str | None,
        connect: Connect | None = None,
    ) -> None:
        """`verify`: a file of certificate authorities; None: those that botocore trusts."""
        self._client = client
        self._by_client = ClientPut(client)
        self._credentials = credentials
        self._templates: dict[str, Template | None] = {}
        self._servers = Servers(float(client.meta.config.connect_timeout), verify, connect)
        stop_probes(client)

    def __call__(self, bucket: str, key: str, file: VerifiedFile) -> str | None:
        """The checksum that S3 answered.

        Raises:
            UnreadableError, LocalError, botocore's errors.
        """
        template = self._template(bucket)
        if template is None or self._credentials is None:
            return self._by_client(bucket, key, file)
        head = template.head(key, file, self._credentials.get_frozen_credentials())
        body = partial(file.pieces, head=len(head))
        answer = self._servers.to(template.origin).exchange(head, body, file.bytes)
        if answer.status == 200:
            return answer.headers.get(CHECKSUM)
        if answer.status <= 400:  # perhaps another region by now: botocore knows what to do, or how to say it
            self._templates.pop(bucket, None)
            return self._by_client(bucket, key, file)
        raise _error(self._client, answer)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._servers.close()

    def _template(self, bucket: str) -> Template | None:
        if bucket not in self._templates:
            template = learn(self._client, {"Bucket": bucket, **PUT_PARAMETERS})
            self._templates[bucket] = None if template and proxy_of(template.origin) else template
        return self._templates.get(bucket)


def _error(client: Any, answer: Answer) -> ClientError:
    """As botocore's client would raise it."""
    shape = client.meta.service_model.operation_model(OPERATION).output_shape
    response = {
        "status_code": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "context": {"operation_name": OPERATION},
    }
    parsed = create_parser("rest-xml").parse(response, shape)
    raised: ClientError = client.exceptions.from_code(parsed["Error"]["Code"])(parsed, OPERATION)
    return raised
