"""The service model that botocore ships: the one source of routes, shapes, limits and error codes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

SERVICE = "medical-imaging"
DICOMWEB_OPERATIONS = (
    "StoreDICOM", "StoreDICOMStudy", "SearchDICOMStudies", "SearchDICOMAllSeries", "SearchDICOMSeries",
    "SearchDICOMAllInstances", "SearchDICOMStudyInstances", "SearchDICOMInstances", "GetDICOMSeriesMetadata",
    "GetDICOMInstanceMetadata", "GetDICOMInstanceFrames", "GetDICOMBulkdata", "GetDICOMInstance",
)  # fmt: skip
"""By HTTP only: no SDK has them. Their names are those of the documentation and of IAM."""


@cache
def service_model() -> ServiceModel:
    """The medical-imaging model of the installed botocore."""
    loader: Any = Loader()
    return ServiceModel(loader.load_service_model(SERVICE, "service-2"), SERVICE)


def operation_names() -> list[str]:
    """All operations of the service, as the model spells them."""
    return list(service_model().operation_names)


@cache
def error_status(code: str) -> int:
    """The HTTP status of a modelled exception; KeyError for a name the model does not know."""
    shape = service_model().shape_for(code)
    return int(shape.metadata["error"]["httpStatusCode"])


def members(shape: Shape) -> dict[str, Shape]:
    """The members of a structure."""
    found: dict[str, Shape] = getattr(shape, "members", {})
    return found


@dataclass(frozen=True)
class Route:
    """One operation's method and path, with its path parameters as groups."""

    operation: OperationModel
    method: str
    path: re.Pattern[str]


@cache
def routes() -> tuple[Route, ...]:
    """The routes of every operation; both host prefixes of AWS share them."""
    return tuple(_route(service_model().operation_model(name)) for name in operation_names())


def _route(operation: OperationModel) -> Route:
    http: Any = operation.http
    pattern = re.sub(
        r"\\\{(\w+)\\\}",
        r"(?P<\1>.+)" if "tags" in http["requestUri"] else r"(?P<\1>[^/]*)",
        re.escape(http["requestUri"]),
    )
    return Route(operation, http["method"], re.compile(pattern))


def find_route(method: str, raw_path: str) -> tuple[OperationModel, dict[str, str]] | None:
    """The operation a method and an (undecoded) path stand for, with its decoded path parameters."""
    for route in routes():
        if route.method == method and (found := route.path.fullmatch(raw_path)):
            return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None
