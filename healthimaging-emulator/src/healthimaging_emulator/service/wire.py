"""rest-json as the service model describes it: HTTP requests to parameters, answers to HTTP responses."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.model import OperationModel, Shape

from . import errors
from .model import error_status, members


@dataclass(frozen=True)
class HttpAnswer:
    """A status, headers and a body: bytes, or chunks when it is streamed."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""


def parse_request(
    operation: OperationModel, path: Mapping[str, str], query: Mapping[str, list[str]], body: bytes
) -> dict[str, Any]:
    """The operation's parameters; raises ValidationException when the body is not JSON."""
    shape = operation.input_shape
    if shape is None:
        return {}
    request: dict[str, Any] = {}
    for name, member in members(shape).items():
        where = member.serialization.get("location")
        key = member.serialization.get("name", name)
        if where == "uri":
            request[name] = path[key]
        elif where == "querystring" and key in query:
            request[name] = _from_query(member, query[key])
    return request | _body_members(shape, body)


def _body_members(shape: Shape, body: bytes) -> dict[str, Any]:
    content = _json(body)
    payload = shape.serialization.get("payload")
    known = members(shape)
    if payload:
        return {payload: _from_json(known[payload], content)}
    in_body = {n: m for n, m in known.items() if "location" not in m.serialization}
    if not isinstance(content, dict):
        raise errors.validation("The request body must be a JSON object")
    return {n: _from_json(m, content[n]) for n, m in in_body.items() if content.get(n) is not None}


def _json(body: bytes) -> object:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        raise errors.validation("The request body is not JSON") from error


def _from_query(shape: Shape, values: list[str]) -> object:
    if shape.type_name == "list":
        return values
    text = values[0]
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if shape.type_name == "integer":
        return int(text) if text.lstrip("-").isdecimal() else text
    return text


def _from_json(shape: Shape, value: Any) -> Any:
    """Blobs and timestamps in Python's types; what has another type than modelled stays, to be refused."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        known = members(shape)
        return {n: _from_json(known[n], v) for n, v in value.items() if n in known and v is not None}
    if kind == "list" and isinstance(value, list):
        return [_from_json(shape.member, item) for item in value]  # type: ignore[attr-defined]
    if kind == "blob" and isinstance(value, str):
        return _decoded(value)
    if kind == "timestamp" and isinstance(value, str):
        return _epoch_seconds(value)
    return value


def _decoded(text: str) -> bytes | str:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text


def _epoch_seconds(text: str) -> float | str:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return text


def render_answer(operation: OperationModel, answer: dict[str, Any]) -> HttpAnswer:
    """The HTTP response for an operation's answer."""
    shape = operation.output_shape
    known = members(shape) if shape is not None else {}
    headers = {
        m.serialization["name"]: str(answer[n])
        for n, m in known.items()
        if m.serialization.get("location") == "header" and n in answer
    }
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload:
        return HttpAnswer(200, headers, answer[payload])
    body = {n: v for n, v in answer.items() if v is not None}
    return HttpAnswer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def render_error(error: errors.ServiceError) -> HttpAnswer:
    """The HTTP response for a modelled error."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
    return HttpAnswer(error_status(error.code), headers, json.dumps({"message": error.message}).encode())
