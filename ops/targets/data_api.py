"""The index through the RDS Data API: the operator's credentials, no route into the VPC.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.html. Tested through botocore's model
of the service and a stand-in of it on real PostgreSQL; not tried on AWS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import DatabaseAwayError, IndexRefusedError

RESUME_TRIES = 15
RESUME_PAUSE_SECONDS = 3
"""A paused Aurora answers after 15 to 30 s."""

TOO_LARGE = (
    "the answer is larger than 1 MiB, the most that the RDS Data API gives: ask for less, "
    "with a smaller --limit, a later --since, a filter, or LIMIT in your own statement"
)
_TOO_LARGE = "response size limit"
"""In the service's words about an answer above its limit."""
_AWAY = frozenset({"DatabaseUnavailableException", "ServiceUnavailableError", "StatementTimeoutException"})
_REFUSED = frozenset({"DatabaseErrorException", "BadRequestException", "UnsupportedResultException"})


class DataApi(Connection):
    """A connection as the read models and the queue take it; every statement commits by itself."""

    def __init__(
        self,
        client: Any,
        cluster_arn: str,
        secret_arn: str,
        database: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(raw=None)
        self._client = client
        self._where = {"resourceArn": cluster_arn, "secretArn": secret_arn, "database": database}
        self._pause = pause

    def run(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run one statement with :named parameters; its rows.

        Raises:
            DatabaseAwayError: the cluster does not resume in time, or is not available.
            IndexRefusedError: PostgreSQL refuses the statement; or its answer is above 1 MiB.
        """
        self.statements += 1
        given = [_parameter(name, value) for name, value in parameters.items()]
        answer = self._execute(sql=sql, parameters=given, includeResultMetadata=True, **self._where)
        columns = answer.get("columnMetadata", [])
        return [
            {
                column["label"]: _value(field, column["typeName"])
                for column, field in zip(columns, record, strict=True)
            }
            for record in answer.get("records", [])
        ]

    def _execute(self, **request: Any) -> dict[str, Any]:
        for _ in range(RESUME_TRIES):
            try:
                answer: dict[str, Any] = self._client.execute_statement(**request)
            except ClientError as error:
                code, words = error.response["Error"]["Code"], error.response["Error"]["Message"]
                if code in _AWAY:
                    raise DatabaseAwayError(f"RDS Data API: {code}: {words}") from error
                if code in _REFUSED:
                    said = TOO_LARGE if _TOO_LARGE in words else words.removeprefix("ERROR: ")
                    raise IndexRefusedError(f"RDS Data API: {code}", server_words=said) from None
                if code != "DatabaseResumingException":
                    raise
                self._pause(RESUME_PAUSE_SECONDS)
            else:
                return answer
        waited = RESUME_TRIES * RESUME_PAUSE_SECONDS
        raise DatabaseAwayError(f"the cluster was paused and has not resumed after {waited} s: try again")

    def close(self) -> None:
        """There is no session to end."""
        self._client.close()


def _parameter(name: str, value: Any) -> dict[str, Any]:
    """A parameter as the Data API takes it; arrays are not supported there."""
    match value:
        case None:
            field: dict[str, Any] = {"isNull": True}
        case bool():
            field = {"booleanValue": value}
        case int():
            field = {"longValue": value}
        case float():
            field = {"doubleValue": value}
        case str():
            field = {"stringValue": value}
        case datetime():
            moment = value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
            return {"name": name, "value": {"stringValue": moment}, "typeHint": "TIMESTAMP"}
        case date():
            return {"name": name, "value": {"stringValue": value.isoformat()}, "typeHint": "DATE"}
        case _:
            raise TypeError(
                f"parameter {name}: {type(value).__name__} is not one of text, number, boolean, date, time"
            )
    return {"name": name, "value": field}


def _value(field: dict[str, Any], type_name: str) -> Any:
    """A value as pg8000 would give it."""
    if field.get("isNull"):
        return None
    if "arrayValue" in field:
        (values,) = field["arrayValue"].values() or ([],)
        return values
    (value,) = field.values()
    match type_name:
        case "timestamptz":
            return datetime.fromisoformat(value).replace(tzinfo=timezone.utc)
        case "date":
            return date.fromisoformat(value)
        case "json" | "jsonb":
            return json.loads(value)
    return value
