"""The page of the modalities: what each sends that HealthImaging refuses or warns about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from markupsafe import Markup
from werkzeug.exceptions import BadRequest

from console.markup.html import tag
from console.markup.page import table
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.modalities import findings, senders

DAYS = 30
CLASSES = {"refused": "place person", "warned": "place moving"}


def the_modalities(index: Index, query: Mapping[str, str], today: date) -> list[Markup]:
    """Senders with what was foretold of their instances. `query`: `since`, `until`; else the last 30 days.

    Raises:
        BadRequest: a day that is none.
    """
    since, until = _day(query, "since", today - timedelta(days=DAYS)), _day(query, "until", today)
    return [
        tag("h1", "Modalities"),
        tag("p", "What the edges foretold from the headers. Nothing is withheld because of it."),
        _form(since, until),
        table(
            "Refused or warned about",
            findings(index, since, until),
            {
                "HealthImaging": _consequence,
                "What": "words",
                "Modality": "modality",
                "Instances": "instances",
                "Days": "days",
                "Warned": "warned",
                "Refused": "refused",
            },
            "Nothing on these days.",
        ),
        table(
            "Senders",
            senders(index, since, until),
            {
                "Modality": "modality",
                "AE title": "calling_ae",
                "Days": "days",
                "Series": "series",
                "Instances": "instances",
                "Foretold": "foretold",
                "Warned": "warned",
                "Refused": "refused",
            },
            "Nothing was sealed on these days.",
        ),
    ]


def _consequence(row: Row) -> Markup:
    word = {"refused": "refuses", "warned": "warns"}.get(row["consequence"], "?")
    return tag("span", word, class_=CLASSES.get(row["consequence"], "place"))


def _day(query: Mapping[str, str], name: str, usual: date) -> date:
    if not (text := query.get(name)):
        return usual
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{name}: a day such as 2026-11-22 is allowed, not {text!r}") from error


def _form(since: date, until: date) -> Markup:
    return tag(
        "form",
        tag("label", "From", for_="since"),
        tag("input", type="date", name="since", id="since", value=since.isoformat()),
        tag("label", "to", for_="until"),
        tag("input", type="date", name="until", id="until", value=until.isoformat()),
        tag("button", "Show", type="submit"),
        action="/modalities",
        class_="inline",
    )
