"""The RDS Data API's ExecuteStatement in front of a real PostgreSQL: typed parameters in, typed fields out.

As strict as the service: a text parameter is `character varying` and is compared with nothing else, only the
documented types of results are answered, and an answer ends at 1 MiB.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pg8000.native
from botocore.config import Config
from pg8000.exceptions import DatabaseError

CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:index"
SCALARS = {
    16: "bool", 17: "bytea", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "text", 114: "json",
    700: "float4", 701: "float8", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp",
    1184: "timestamptz", 1700: "numeric", 2950: "uuid", 3802: "jsonb",
}  # fmt: skip
ARRAYS = {
    1000: "_bool", 1005: "_int2", 1007: "_int4", 1009: "_text", 1015: "_varchar", 1016: "_int8",
    1021: "_float4", 1022: "_float8", 1182: "_date", 1231: "_numeric", 2951: "_uuid",
}  # fmt: skip
HINTS = {"DATE": 1082, "TIME": 1083, "TIMESTAMP": 1114, "UUID": 2950, "JSON": 114, "DECIMAL": 1700}
LIMIT_BYTES = 1 << 20


class RefusedError(Exception):
    """An error of the service: its code and its words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def execute(raw: pg8000.native.Connection, request: Mapping[str, Any]) -> dict[str, Any]:
    """One statement, committed by itself."""
    values, types = {}, {}
    for parameter in request.get("parameters", []):
        values[parameter["name"]], types[parameter["name"]] = _parameter(parameter)
    try:
        rows = raw.run(request["sql"], types=types, **values)
    except DatabaseError as error:
        fields = error.args[0]
        words = f"ERROR: {fields['M']}; SQLState: {fields['C']}"
        raise RefusedError("DatabaseErrorException", words) from error
    columns = raw.columns or []
    answer = {
        "columnMetadata": [
            {"label": column["name"], "name": column["name"], "typeName": _type_name(column)}
            for column in columns
        ],
        "records": [
            [_field(value, _type_name(column)) for value, column in zip(row, columns, strict=True)]
            for row in rows or []
        ],
        "numberOfRecordsUpdated": 0 if columns else raw.row_count,
    }
    if len(json.dumps(answer)) > LIMIT_BYTES:
        raise RefusedError(
            "DatabaseErrorException", "Database returned more than the allowed response size limit"
        )
    return answer


def _parameter(parameter: Mapping[str, Any]) -> tuple[Any, int]:
    """The value and its type's number: what a JDBC driver would send."""
    (kind, value), hint = next(iter(parameter["value"].items())), parameter.get("typeHint")
    if kind == "isNull":
        return None, HINTS.get(str(hint), 705)
    numbers = {"stringValue": 1043, "longValue": 20, "doubleValue": 701, "booleanValue": 16}
    return value, HINTS[hint] if hint else numbers[kind]


def _type_name(column: Mapping[str, Any]) -> str:
    number = column["type_oid"]
    if number not in SCALARS and number not in ARRAYS:
        raise RefusedError("UnsupportedResultException", f"The result contains the unsupported type {number}")
    return SCALARS.get(number) or ARRAYS[number]


def _field(value: Any, type_name: str) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if type_name.startswith("_"):
        fields = [_field(each, type_name[1:]) for each in value]
        kind = next(iter(fields[0])) if fields else "stringValue"
        return {"arrayValue": {f"{kind}s": [field[kind] for field in fields]}}
    if type_name in ("json", "jsonb"):
        return {"stringValue": json.dumps(value)}
    match value:
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case float():
            return {"doubleValue": value}
        case datetime():
            return {"stringValue": _moment(value)}
    return {"stringValue": str(value)}


def _moment(value: datetime) -> str:
    """In UTC, without saying so, and without zeros at its end."""
    utc = value.astimezone(timezone.utc) if value.tzinfo else value
    text = utc.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0")
    return text.rstrip(".")


class _Handler(BaseHTTPRequestHandler):
    """`POST /Execute`; a secret is a user's way in."""

    def do_POST(self) -> None:
        """Answer."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            with self._signed_in(request) as raw:
                self._say(200, execute(raw, request))
        except RefusedError as error:
            self._say(400, {"message": str(error)}, error.code)

    @contextmanager
    def _signed_in(self, request: Mapping[str, Any]) -> Iterator[pg8000.native.Connection]:
        server: Any = self.server
        if self.path != "/Execute" or request["resourceArn"] != CLUSTER:
            raise RefusedError("BadRequestException", f"{self.path} of {request['resourceArn']}")
        if request["secretArn"] not in server.users:
            raise RefusedError("BadRequestException", f"no secret {request['secretArn']}")
        raw = pg8000.native.Connection(**server.users[request["secretArn"]], database=request["database"])
        try:
            yield raw
        finally:
            raw.close()

    def _say(self, status: int, content: dict[str, Any], code: str | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def data_api(users: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The service's address while the block runs. `users`: by secret, how pg8000 connects as its user."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.users = users
    thread = threading.Thread(target=server.serve_forever, name="data-api", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client_of(url: str) -> Any:
    """The SDK's own client, which checks every request and answer against its model of the service."""
    session: Any = boto3.Session("local", "local", region_name="us-east-1")
    return session.client("rds-data", endpoint_url=url, config=Config(proxies={}))
