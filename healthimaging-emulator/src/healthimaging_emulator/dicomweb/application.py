"""The routes of DICOMweb on a data store; browsers are answered across origins."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Protocol

from ..service import errors
from ..service.errors import ServiceError
from ..service.wire import HttpAnswer, render_error
from ..state.core import Core
from . import retrieve, search
from .accept import require_json
from .call import Call, NotAcceptable, not_acceptable
from .instances import Place
from .store import store

Action = Callable[[Core], HttpAnswer]
ROUTE = re.compile(r"/datastore/(?P<datastore>[^/]+)(?P<path>/(?:studies|series|instances)(?:/.*)?)")
_STUDY, _SERIES, _INSTANCE = (
    r"/studies/([^/]+)",
    r"/studies/([^/]+)/series/([^/]+)",
    (r"/studies/([^/]+)/series/([^/]+)/instances/([^/]+)"),
)
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


class Admits(Protocol):
    """Throttles and faults of an operation."""

    def __call__(self, operation: str) -> object:
        """Let one call of the operation in, or raise the error it gets."""


def answer(core: Core, admit: Admits, call: Call) -> HttpAnswer:
    """What DICOMweb answers; errors are answers, too."""
    if call.method == "OPTIONS":
        return HttpAnswer(200, CORS)
    try:
        operation, action = _route(call)
        admit(operation)
        found = action(core)
    except ServiceError as error:
        found = render_error(error)
    except NotAcceptable as error:
        found = not_acceptable(error)
    return HttpAnswer(found.status, {**found.headers, **CORS}, found.body)


def _route(call: Call) -> tuple[str, Action]:
    for method, pattern, operation, make in _ROUTES:
        if method == call.method and (found := re.fullmatch(pattern, call.path)):
            return operation, make(call, *found.groups())
    raise errors.not_found(f"No DICOMweb operation {call.method} {call.path}")


def _place(call: Call, study: str, series: str, sop: str | None = None) -> Place:
    return Place(call.datastore_id, study, series, sop, call.parameter("imageSetId"))


def _searched(action: Callable[..., HttpAnswer]) -> Callable[..., Action]:
    def make(call: Call, *uids: str) -> Action:
        require_json(call.headers.get("Accept"))
        return partial(action, call=call, **dict(zip(("study", "series_uid"), uids, strict=False)))

    return make


def _of_series(action: Callable[..., HttpAnswer]) -> Callable[..., Action]:
    return lambda call, *uids: partial(action, call=call, place=_place(call, *uids))


def _frames(call: Call, study: str, series: str, sop: str, numbers: str) -> Action:
    return partial(retrieve.some_frames, call=call, place=_place(call, study, series, sop), numbers=numbers)


def _bulk_data(call: Call, study: str, series: str, sop: str, name: str) -> Action:
    return partial(retrieve.bulk_data, place=_place(call, study, series, sop), name=name)


def _store(call: Call, study: str | None = None) -> Action:
    return partial(store, call=call, study=study)


_EVERY_SERIES = partial(search.series, study=None)
_EVERY_INSTANCE = partial(search.instances, study=None, series_uid=None)
_OF_STUDY = partial(search.instances, series_uid=None)
_ROUTES: tuple[tuple[str, str, str, Callable[..., Action]], ...] = (
    ("POST", "/studies", "StoreDICOM", _store),
    ("POST", _STUDY, "StoreDICOMStudy", _store),
    ("GET", "/studies", "SearchDICOMStudies", _searched(search.studies)),
    ("GET", "/series", "SearchDICOMAllSeries", _searched(_EVERY_SERIES)),
    ("GET", f"{_STUDY}/series", "SearchDICOMSeries", _searched(search.series)),
    ("GET", "/instances", "SearchDICOMAllInstances", _searched(_EVERY_INSTANCE)),
    ("GET", f"{_STUDY}/instances", "SearchDICOMStudyInstances", _searched(_OF_STUDY)),
    ("GET", f"{_SERIES}/instances", "SearchDICOMInstances", _searched(search.instances)),
    ("GET", f"{_SERIES}/metadata", "GetDICOMSeriesMetadata", _of_series(retrieve.series_metadata)),
    ("GET", f"{_INSTANCE}/metadata", "GetDICOMInstanceMetadata", _of_series(retrieve.instance_metadata)),
    ("GET", f"{_INSTANCE}/frames/([^/]+)", "GetDICOMInstanceFrames", _frames),
    ("GET", f"{_INSTANCE}/bulkdata/([^/]+)", "GetDICOMBulkdata", _bulk_data),
    ("GET", _INSTANCE, "GetDICOMInstance", _of_series(retrieve.whole_instance)),
)
OPERATIONS = tuple(operation for _, _, operation, _ in _ROUTES)
