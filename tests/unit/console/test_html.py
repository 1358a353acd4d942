"""Markup and words: nothing of a header becomes markup; values read as a person says them."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import Forbidden
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from console import security
from console.markup.html import tag
from console.markup.words import duration, size
from console.run.query import chosen


def test_what_comes_from_a_header_is_escaped() -> None:
    assert tag("td", "<script>") == "<td>&lt;script&gt;</td>"
    assert tag("a", "x", href='"><script>') == '<a href="&#34;&gt;&lt;script&gt;">x</a>'
    assert tag("p", [tag("b", "1"), ["&", None]]) == "<p><b>1</b>&amp;</p>"


def test_attributes_are_written_as_html_has_them() -> None:
    assert tag("input", class_="a", aria_live="polite", defer=True, hidden=False, name="n") == (
        '<input class="a" aria-live="polite" defer name="n">'
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59, "59.0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes() -> None:
    assert [size(n) for n in (5, 2048, 3 << 20, 5 << 30)] == ["5 bytes", "2.0 kB", "3.0 MB", "5.0 GB"]


def test_a_query_that_makes_no_sense_restricts_nothing() -> None:
    found = chosen({"place": "nowhere", "day": "yesterday", "view": "?", "ae": ""})
    assert found == chosen({})


def request(**arguments: object) -> Request:
    return Request(EnvironBuilder(**arguments).get_environ())  # type: ignore[arg-type]


def test_only_this_machines_names_are_answered() -> None:
    security.check(request(base_url="http://127.0.0.1:11180"))
    security.check(request(base_url="http://localhost:11180"))
    with pytest.raises(Forbidden):
        security.check(request(base_url="http://rebound.example:11180"))


def test_a_form_of_another_page_is_refused() -> None:
    here = "http://127.0.0.1:11180"
    security.check(request(base_url=here, method="POST", headers={"Origin": here}))
    for headers in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
        with pytest.raises(Forbidden):
            security.check(request(base_url=here, method="POST", headers=headers))
