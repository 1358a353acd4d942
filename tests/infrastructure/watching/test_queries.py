"""The saved queries of Logs Insights ask for what is really logged."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from logging import StreamHandler
from typing import Any, cast

import pytest
from pydantic import BaseModel

from cdk.observability.queries import QUERIES, Query
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.messages.steps import OutcomeState
from dicom_ingest.db.semaphore.leftovers import Leftover
from dicom_ingest.errors import HealthImagingBusyError, ManifestRejectedError
from dicom_ingest.runtime.step import logger, step
from dicom_ingest.upkeep.reclaim import Reclaimer, Settled
from functions.reclaim_import_slots.handler import _settle
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
from tests.support.workflow.lambda_context import lambda_context

WORDS = {"fields", "filter", "stats", "sort", "desc", "asc", "by", "as", "and", "or", "not", "in", "limit"}
CALLS = {"count", "avg", "pct", "max", "min", "latest", "bin", "ispresent"}
MADE_BY_AWS = {"@timestamp", "@message"}
REFERENCE = {"transfer_id": "t", "series_instance_uid": "1.2", "correlation_id": "t/1.2"}


def names(query: Query) -> set[str]:
    """The fields that a query reads."""
    text = re.sub(r'"[^"]*"', "", query.text)
    made = set(re.findall(r"\bas (\w+)", text))
    return set(re.findall(r"@?[a-z_][a-z_]*(?:\.\w+)*(?=\W|$)", text)) - WORDS - CALLS - made - {"h"}


@contextmanager
def written() -> Iterator[StringIO]:
    """What the functions' logger writes meanwhile."""
    handler, lines = cast("StreamHandler[Any]", logger.registered_handler), StringIO()
    before = handler.setStream(lines)
    yield lines
    handler.setStream(before)


class Asked(BaseModel):
    broken: bool = False


def ask(request: Asked) -> OutcomeState:
    if request.broken:
        raise ManifestRejectedError("altered")
    return OutcomeState(name=Outcome.PARTIAL, instances=3, imported=2, failed=1)


class Settles:
    """A reclaimer that settles, or cannot."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def settle(self, _: Leftover) -> Settled:
        if self.error:
            raise self.error
        return Settled("freed")


@pytest.fixture(scope="module")
def logged() -> set[str]:
    """The fields of what the functions log: done, failed, settled, not settled."""
    leftover = cast("Leftover", type("ALeftover", (), {"correlation_id": "t/1.2"})())
    with written() as lines:
        shared = {"import_id": "b2c9", "bundle": 4711}
        step(ask)({"series_transfer": REFERENCE, "import": shared}, lambda_context())
        with pytest.raises(ManifestRejectedError):
            step(ask)({"series_transfer": REFERENCE, "broken": True}, lambda_context())
        for reclaimer in (Settles(), Settles(HealthImagingBusyError("later"))):
            _settle(cast("Reclaimer", reclaimer), leftover)
    return {name for line in lines.getvalue().splitlines() for name in json.loads(line)}


@pytest.fixture(scope="module")
def beats() -> set[str]:
    """The fields of a heartbeat as Logs Insights names them."""

    def flat(name: str, value: Any) -> Iterator[str]:
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        yield name
        for key, inner in pairs:
            yield from flat(f"{name}.{key}", inner)

    event = json.loads((ROOT / "tests" / "events" / "edge_heartbeat.silent.v1.json").read_text())
    event["detail"]["silent_aes"] *= 3
    return set(flat("detail", event["detail"]))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_field_is_one_that_is_logged(query: Query, logged: set[str], beats: set[str]) -> None:
    emitted = {"functions": logged, "heartbeats": beats}[query.of]
    assert names(query)
    assert names(query) <= emitted | MADE_BY_AWS


def test_every_value_that_is_looked_for_is_one_of_the_codes() -> None:
    sources = [p for room in ("dicom_ingest", "functions") for p in (ROOT / room).rglob("*.py")]
    texts = {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } | {function.name for function in (ROOT / "functions").iterdir()}
    for query in QUERIES:
        for value in re.findall(r'"([^"]*)"', query.text):
            assert value in texts | {"ERROR"} or value.startswith("PASTE "), (query.name, value)


def test_each_reads_the_logs_of_its_kind_and_bears_the_stacks_name(default: Template) -> None:
    made = [r["Properties"] for r in default.resources("AWS::Logs::QueryDefinition").values()]
    by_name = {one["Name"].removeprefix("dicom-ingest/"): one for one in made}
    assert by_name.keys() == {query.name for query in QUERIES}
    for query in QUERIES:
        one = by_name[query.name]
        groups = [default.text(name) for name in one["LogGroupNames"]]
        assert (len(groups) == 10) is (query.of == "functions")
        assert all(("heartbeats" in name) is (query.of == "heartbeats") for name in groups)
