"""The pictures of dashboard and stack show what the template makes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cdk import drawings
from tests.infrastructure.template import Template

TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.mark.parametrize("name", drawings.DRAWN)
def test_the_picture_in_the_docs_is_drawn_from_this_template(name: str, default: Template) -> None:
    drawn = drawings.DRAWN[name](default.body)
    kept = (drawings.PICTURES / name).read_text(encoding="utf-8")
    assert kept == drawn, "run python -m cdk.drawings"


def _said(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(TEXT)]


def test_every_graph_is_on_the_picture_with_its_metrics(default: Template) -> None:
    said = _said(drawings.dashboard(default.body))
    for line in ("Series over, by outcome", "SeriesOver · PARTIAL", "— capacity: 50", "SlotsHeld"):
        assert line in said
    assert "EdgeSilentSenders · dicom-ingest-edge1" in said


def test_every_resource_of_the_rooms_is_on_the_picture(default: Template) -> None:
    said = _said(drawings.stack(default.body))
    assert {"data", "pipeline", "edge", "observability", "workflow", "Lambda Function ×10"} <= set(said)
    counted = sum(int(line.partition(" ×")[2] or 1) for line in said if " " in line and line[0].isupper())
    rooms = [path for path in default.paths.values() if path.partition("/")[0] in drawings.ROOMS]
    assert counted == len(rooms) - said.count("VpcRestrictDefaultSG")
