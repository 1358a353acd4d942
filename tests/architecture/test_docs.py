"""What the documentation names exists, kind by kind; and for each kind: a wrong name is found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.messages.outcomes import Outcome, Verdict
from local.cli.program import build_parser as local_parser
from ops.__main__ import build_parser as ops_parser
from tests.support.pages.documentation import ROOT, Page, pages
from tests.support.pages.documented_names import FOREIGN, KINDS

PAGES = {page.name: page for page in pages()}
WRONG = {
    "module": ("`python -m ops.nothing status`", "ops.nothing"),
    "make target": ("type `make haste`", "haste"),
    "link or picture": ("![a picture](docs/pictures/none.svg)", "docs/pictures/none.svg"),
    "table": ("`SELECT * FROM ahlijobs`", "ahlijobs"),
    "column": ("`ahlijob.token_of_task`", "ahlijob.token_of_task"),
    "configuration key": ("set `db_config.max_capacity: 8`", "db_config.max_capacity: 8"),
    "default": ("kept for `receipt_days` (366)", "receipt_days 366"),
    "event or its field": ("the event *Study Complete*", "Study Complete"),
    "symbol": (
        "[`Store.finish`](edge_component/receiving/store.py)",
        "Store.finish in edge_component/receiving/store.py",
    ),
    "status": ("is answered 0xA701", "0xA701"),
    "path": ("see `edge_component/shop.py`", "edge_component/shop.py"),
    "option": ("with `--needs-nobody`", "--needs-nobody"),
    "name": ("set `EDGE_SERIES_QUITE_SECONDS`", "EDGE_SERIES_QUITE_SECONDS"),
}
MORE_WRONG = (
    (
        "link or picture",
        "[a heading](docs/operations.md#no-such-heading)",
        "docs/operations.md#no-such-heading",
    ),
    ("event or its field", "`detail.series_uid`", "detail.series_uid"),
    ("default", "listens at `dicom_port` 104", "dicom_port 104"),
    ("name", "the state `WaitForGodot`", "WaitForGodot"),
    ("name", "`series_quite_seconds`", "series_quite_seconds"),
    ("option", "```\npython -m cdk.doctor device --regions us-east-1\n```", "--regions"),
    ("path", "as `restorer.py` says", "restorer.py"),
    ("configuration key", "`senders[].komitment`", "senders[].komitment"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_pages_name_exists(kind: str) -> None:
    assert {name: wrong for name, page in PAGES.items() if (wrong := KINDS[kind](page))} == {}


@pytest.mark.parametrize(
    ("kind", "text", "wrong"), [*((kind, *case) for kind, case in WRONG.items()), *MORE_WRONG]
)
def test_a_wrong_name_is_found(kind: str, text: str, wrong: str) -> None:
    assert KINDS[kind](Page(ROOT / "README.md", text)) == {wrong}


def test_every_kind_of_name_is_tried_with_a_wrong_one() -> None:
    assert WRONG.keys() == KINDS.keys()


def test_no_name_of_others_is_left_over() -> None:
    everything = "\n".join(page.text for page in PAGES.values())
    assert [name for name in FOREIGN if name not in everything] == []


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Command lines of ours as they are printed: in code, in a shell or through make; `VERB` is none."""
    typed = re.findall(r"python -m (ops|local) ([a-z][^`#|)\n]*)", text)
    made = re.findall(r"make (ops|local) ARGS=(?:\"([^\"]*)\"|'([^']*)')", text)
    for room, words in [*typed, *((room, double or single) for room, double, single in made)]:
        if "…" not in words:
            yield room, shlex.split(words)


def misunderstood(text: str) -> list[str]:
    """Command lines that their own parser does not take."""
    parsers = {"ops": ops_parser(), "local": local_parser()}
    wrong = []
    for room, words in commands(text):
        try:
            parsers[room].parse_args(["7" if word in ("TICKET", "SLOTS") else word for word in words])
        except SystemExit:
            wrong.append(f"{room} {shlex.join(words)}")
    return wrong


@pytest.mark.parametrize("name", sorted(PAGES))
def test_commands_are_understood_by_their_own_parsers(name: str) -> None:
    assert misunderstood(PAGES[name].text) == []


def test_a_command_that_is_not_understood_is_found() -> None:
    assert misunderstood('`python -m ops slots boil`, `make ops ARGS="status --needs-attention"`') == [
        "ops slots boil"
    ]


def test_every_configuration_key_is_in_the_readme() -> None:
    for key in Config.model_fields:
        assert f"`{key}" in PAGES["docs/configuration.md"].text, key


def test_the_readme_has_the_defaults_of_the_configuration() -> None:
    rows = re.findall(
        r"^ *\| `([\w.]+)` \| `?([^`|]+?)`? \|", PAGES["docs/configuration.md"].text, flags=re.MULTILINE
    )
    said = {key: "" if value == "none" else value for key, value in rows}
    untouched = Config()
    assert len(said) > 8
    for key, value in said.items():
        default: Any = untouched
        for part in key.split("."):
            default = getattr(default, part)
        written = str(default).lower() if isinstance(default, bool) else str(default)
        assert value == ("" if default in (None, [], {}) else written), key


def test_every_outcome_and_every_verdict_is_explained() -> None:
    for word in (*Outcome, *Verdict):
        assert re.search(rf"\b{word.value}\b", PAGES["docs/architecture.md"].text), word


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_of_a_folder_is_in_its_index(folder: str) -> None:
    index = Page(ROOT / folder / "README.md", (ROOT / folder / "README.md").read_text(encoding="utf-8"))
    linked = {Path(target).name for target in re.findall(r"\]\(([^)#]+)\)", index.text)}
    assert {path.name for path in (ROOT / folder).glob("*.md")} - {"README.md"} <= linked
