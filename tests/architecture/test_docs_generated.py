"""Pages and pictures that are made from the code are those that the code makes now."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from docs.generate.pages import ROOT, pages


@pytest.mark.parametrize(("path", "render"), pages().items(), ids=list(pages()))
def test_a_page_made_from_the_code_is_up_to_date(path: str, render: Callable[[], str]) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == render(), f"{path} is stale: make docs"
