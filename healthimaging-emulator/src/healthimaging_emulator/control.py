"""The control routes, below /_control: faults, settings, events and stuck jobs, for tests and demos."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from .emulator import HealthImaging
from .service import validation
from .service.settings import Settings
from .service.wire import HttpAnswer
from .state.faults import FAULT

PREFIX = "/_control/"


def answer(emulator: HealthImaging, method: str, path: str, body: bytes) -> HttpAnswer:
    """One control call; 400 with the reason for a body that is not understood."""
    name, _, rest = path.removeprefix(PREFIX).partition("/")
    handler = ROUTES.get((method, name))
    if handler is None:
        allowed = ", ".join(f"{m} {PREFIX}{n}" for m, n in sorted(ROUTES))
        return _json(404, {"message": f"{method} {path} is no control route; allowed: {allowed}"})
    try:
        return handler(emulator, rest, body)
    except ValidationError as error:
        return _json(400, {"message": validation.in_words(error)})
    except json.JSONDecodeError as error:
        return _json(400, {"message": f"the body is not JSON: {error}"})


def _health(_emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    return _json(200, {"status": "ok"})


def _list_faults(emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    return _json(200, {"faults": [fault.model_dump() for fault in emulator.faults.armed()]})


def _add_fault(emulator: HealthImaging, _rest: str, body: bytes) -> HttpAnswer:
    fault = FAULT.validate_json(body)
    emulator.faults.add(fault)
    return _json(201, fault.model_dump())


def _clear_faults(emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    emulator.faults.clear()
    return _json(200, {})


def _stuck(emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    return _json(200, {"jobs": emulator.faults.stuck()})


def _release(emulator: HealthImaging, job_id: str, _body: bytes) -> HttpAnswer:
    if emulator.faults.release(job_id):
        return _json(200, {})
    return _json(404, {"message": f"job {job_id!r} is not stuck"})


def _events(emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    return _json(200, {"events": [{**e, "Time": e["Time"].isoformat()} for e in emulator.events.sent()]})


def _get_settings(emulator: HealthImaging, _rest: str, _body: bytes) -> HttpAnswer:
    return _json(200, emulator.settings.model_dump(mode="json"))


def _change_settings(emulator: HealthImaging, _rest: str, body: bytes) -> HttpAnswer:
    """A JSON merge patch (RFC 7396)."""
    merged = _merge(emulator.settings.model_dump(mode="json"), json.loads(body))
    emulator.settings = Settings.model_validate(merged)
    return _get_settings(emulator, "", b"")


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    kept = {name: value for name, value in target.items() if name not in patch}
    changed = {name: _merge(target.get(name), value) for name, value in patch.items() if value is not None}
    return kept | changed


def _json(status: int, content: dict[str, Any]) -> HttpAnswer:
    return HttpAnswer(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


ROUTES: dict[tuple[str, str], Callable[[HealthImaging, str, bytes], HttpAnswer]] = {
    ("GET", "health"): _health,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "stuck"): _stuck,
    ("POST", "release"): _release,
    ("GET", "events"): _events,
    ("GET", "settings"): _get_settings,
    ("PATCH", "settings"): _change_settings,
}
