"""Long lists: which part of how many is shown, the ways to the other pages, headings that sort."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup

from console.markup.html import tag


def part(first: int, shown: int, whole: int, counted: int | None = None) -> str:
    """`7`, `101 to 200 of 326`, `1 to 100 of more than 10,000`. `counted`: more are not counted."""
    if whole <= shown:
        return str(shown)
    size = f"more than {counted:,}" if counted is not None and whole > counted else f"{whole:,}"
    return f"{first} to {first + shown - 1} of {size}"


def pages(path: str, query: Mapping[str, str], page: int, *, more: bool) -> Markup | None:
    """Links to the pages before and after."""
    steps = {"Previous page": page - 1 if page > 1 else 0, "Next page": page + 1 if more else 0}
    links = [
        tag("a", words, href=f"{path}?{urlencode({**query, 'page': number})}")
        for words, number in steps.items()
        if number
    ]
    return tag("nav", links, aria_label="Pages of the list", class_="pages") if links else None


def sorting(name: str, by: str, order: str, path: str, query: Mapping[str, str]) -> Markup:
    """A heading that sorts by its column; once more, the other way round. The address keeps it."""
    now = {by: "ascending", f"-{by}": "descending"}.get(order)
    kept = {key: value for key, value in query.items() if key not in ("page", "sort") and value}
    turned = f"-{by}" if now == "ascending" else by
    mark = {"ascending": " ▲", "descending": " ▼"}.get(now or "")
    link = tag(
        "a",
        name,
        tag("span", mark, aria_hidden="true") if mark else None,
        href=f"{path}?{urlencode({**kept, 'sort': turned})}",
    )
    return tag("th", link, scope="col", aria_sort=now)
