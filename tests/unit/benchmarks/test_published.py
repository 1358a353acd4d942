"""What is published is what was measured: the page's tables and plots are made from benchmarks/results."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.published import tables
from benchmarks.published.charts import Group, Mark, bars
from benchmarks.published.plots import PICTURES, plots

PLOTS = plots()


@pytest.mark.parametrize("path", tables.PAGES, ids=lambda path: path.name)
def test_the_tables_come_from_the_results(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert tables.render(page) == page, "python -m benchmarks.published.tables"


def test_every_table_is_on_a_page() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in tables.PAGES)
    assert all(f"<!-- {name} -->" in text for name in tables.TABLES)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_comes_from_the_results_and_stands_on_the_page(name: str) -> None:
    assert (PICTURES / name).read_text(encoding="utf-8") == PLOTS[name], (
        "python -m benchmarks.published.plots"
    )
    assert f"pictures/{name}" in tables.PAGE.read_text(encoding="utf-8")


def test_bars_are_as_long_as_their_values() -> None:
    text = bars("t", "d", ("a", "b"), [Group("g", (2, 1)), Group("h", (None, 4))], Mark(1, "one"))
    picture = ElementTree.fromstring(text)
    wide = [
        float(rect.attrib["width"])
        for rect in picture.iter("{http://www.w3.org/2000/svg}rect")
        if rect.attrib.get("height") == "13"
    ]
    assert [width / wide[1] for width in wide] == pytest.approx([2, 1, 4])
    assert "not measured" in text
