"""The page of one instance: its text or document, and all its DICOM tags, which can be searched."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup
from pydicom import Dataset

from console.markup.html import tag
from console.markup.page import wide
from console.markup.words import address
from console.pages.series import uid
from console.pages.viewing.report import report
from console.pictures.files import Tag, document, is_report, tags, text
from dicom_ingest.operators.read.index import Row

INLINE = "application/pdf"


def instance(row: Row, sop_instance_uid: str, dataset: Dataset, term: str) -> list[Markup]:
    """Everything that its file says of itself."""
    return [
        tag("p", tag("a", "Series", href=address(row)), " / Instance", class_="crumbs"),
        tag("h1", f"Instance {text(dataset, 'InstanceNumber')}".rstrip()),
        tag("p", uid(sop_instance_uid)),
        content(row, sop_instance_uid, dataset) or Markup(""),
        _search(term),
        _table([*tags(dataset)], term.strip().lower()),
    ]


def content(row: Row, sop_instance_uid: str, dataset: Dataset) -> Markup | None:
    """A report's text, or a document; None where it has neither."""
    if is_report(dataset):
        return tag("section", tag("h2", "Report"), report(dataset), class_="card")
    held = document(dataset)
    if held is None:
        return None
    source, title = f"{instance_address(row, sop_instance_uid)}/document", text(dataset, "DocumentTitle")
    shown = tag("iframe", src=source, title=f"Document {title}".rstrip(), class_="document")
    return tag(
        "section",
        tag("h2", title or "Document"),
        shown if held[1] == INLINE else tag("p", f"The document is {held[1]}, which is not shown here."),
        tag("p", tag("a", "Open the document", href=source, target="_blank", rel="noopener")),
        class_="card",
    )


def instance_address(row: Row, sop_instance_uid: str) -> str:
    """The page of one instance of a series transfer."""
    return f"{address(row)}/instances/{sop_instance_uid}"


def _search(term: str) -> Markup:
    return tag(
        "form",
        tag(
            "div",
            tag("label", "Search the tags", for_="tag-term"),
            tag("input", type="search", name="q", id="tag-term", value=term, placeholder="name, value"),
        ),
        tag("button", "Search", type="submit"),
        tag("span", id="tag-count", role="status", class_="quiet"),
        class_="filters",
        role="search",
        aria_label="Tags",
    )  # fmt: skip


def _table(found: list[Tag], term: str) -> Markup:
    shown = [each for each in found if term in f"{each.tag} {each.name} {each.value}".lower()]
    heads = [tag("th", name, scope="col") for name in ("Tag", "VR", "Name", "Value")]
    rows = _rows(shown)
    caption = f"DICOM tags ({len(shown)} of {len(found)})" if term else f"DICOM tags ({len(found)})"
    return wide(caption, tag("thead", tag("tr", heads)), tag("tbody", rows), class_="tags")


def _rows(shown: Iterable[Tag]) -> list[Markup]:
    return [
        tag(
            "tr",
            tag("td", tag("code", "› " * each.depth, each.tag)),
            tag("td", each.vr),
            tag("td", each.name),
            tag("td", each.value),
        )
        for each in shown
    ]
