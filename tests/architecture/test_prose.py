"""Pages and what commands print keep to the plain words of docs/style.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages.documentation import ROOT, Page, pages

BANNED = {
    r"mend(s|ed|ing)?": "fix",
    r"reckon(s|ed|ing)?": "compute, count",
    r"let(s|ting)? go": "release, no longer need",
    r"whoever": "any process that …",
    r"nobody": "… does not",
    r"anew": "again",
    r"again and again": "repeatedly",
    r"(lies?|lay|lying) (below|beside|in)": "is under, next to, in",
    r"(stands?|stood|standing) (below|beside|in)": "is under, next to, in",
    r"turn(s|ed)? away": "reject",
    r"of ours": "our, the edge's",
    r"who prefers": "if you prefer",
}
"""By pattern: what to write instead."""
FREE = {"docs/style.md", "CHANGELOG.md", "healthimaging-emulator/CHANGELOG.md"}
"""The guide quotes the words; the changelogs are history, as the decisions are."""
COMMANDS = (
    "ops",
    "local/cli",
    "cdk",
    "edge_component/commands",
    "edge_component/__main__.py",
    "docs/generate",
)


def banned(text: str) -> list[str]:
    """The words that are in it, each with its place in the text."""
    found = re.finditer(rf"\b({'|'.join(BANNED)})\b", text, flags=re.IGNORECASE)
    return [f"line {text.count(chr(10), 0, each.start()) + 1}: {each[0]}" for each in found]


def strings(source: str) -> Iterator[str]:
    """What a module may print: its own docstring and every string that is not a docstring."""
    tree = ast.parse(source)
    within = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
            yield node.value


def modules() -> list[Path]:
    found = (ROOT / name for name in COMMANDS)
    return sorted(path for each in found for path in (each.rglob("*.py") if each.is_dir() else [each]))


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page.name not in FREE and "/decisions/" not in page.name],
    ids=lambda page: page.name,
)
def test_a_page_uses_plain_words(page: Page) -> None:
    assert banned(page.text) == []


def test_what_the_commands_print_is_in_plain_words() -> None:
    said = {
        path.relative_to(ROOT).as_posix(): words
        for path in modules()
        if (words := [word for text in strings(path.read_text("utf-8")) for word in banned(text)])
    }
    assert said == {}
    assert len(modules()) > 60


@pytest.mark.parametrize(
    "sentence",
    [
        "Mend it, then run it again.",
        "It is reckoned from the definition.",
        "The instance is let go.",
        "Whoever asks is told.",
        "It is looked at again and again.",
        "The file lies below the prefix.",
        "The policy stands in the template.",
        "The sender is turned away.",
    ],
)
def test_a_banned_phrase_is_found(sentence: str) -> None:
    assert banned(sentence)
    assert list(strings(f'"""A module."""\nprint({sentence!r})'))[1:] == [sentence]


def test_help_has_no_markup() -> None:
    """argparse prints a module's docstring as it is."""
    verbs = [path for path in modules() if {"verbs", "cli"} & set(path.parts) and path.name != "__init__.py"]
    first = {str(path): ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in verbs}
    assert len(first) > 15
    assert {name: text for name, text in first.items() if "`" in text} == {}
