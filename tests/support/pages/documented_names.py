"""What pages say, held against what is there: each kind of name has a function that finds the wrong ones."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

from pydantic import BaseModel

from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.messages.events import EdgeHeartbeat, SeriesComplete
from docs.generate.conformance.statuses import store_makers
from edge_component.dimse.statuses import UNRECOGNIZED_OPERATION
from edge_component.records import commitment
from edge_component.settings import Settings
from tests.support.pages.documentation import ROOT, Page, corpus, room_sources, tables, words

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
FOREIGN = {
    # Placeholders of a person's own
    "EDGE_HOST": "where the reader's edge is",
    # Names of other programs
    "pg_stat_activity": "PostgreSQL",
    "ERROR_CODE": "EventBridge, attributes of an undelivered event",
    "ERROR_MESSAGE": "EventBridge, attributes of an undelivered event",
    **dict.fromkeys(
        (
            "NoSuchBucket",
            "SlowDown",
            "ExpiredToken",
            "NoCredentialsError",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "DisabledException",
            "NotFoundException",
            "KMSInvalidStateException",
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "SSLError",
            "ThrottlingException",
            "ResourceNotFoundException",
            "NotAuthorizedForSourceException",
        ),
        "error codes of AWS and its SDK",
    ),
    # Options of other programs
    "--help": "argparse",
    "--require-approval": "cdk deploy",
    "--arn": "aws",
    "--dport": "iptables",
    "--to-ports": "iptables",
    "--rm": "docker",
    "--stop-timeout": "docker",
    # What decisions and the changelog tell of the past
    "0x0124": "a status that is not given any more",
    "test_the_lost_wake_up": "a test, named in a decision",
}
"""Names that the sources never say, each with whose it is; a test finds those that nobody names any more."""


def wrong_modules(page: Page) -> set[str]:
    """`python -m` of what cannot be run."""
    return {
        name for name in re.findall(r"python -m ([a-z0-9_.]+)", page.text) if not _is_module(name.rstrip("."))
    }


def wrong_targets(page: Page) -> set[str]:
    """Of make."""
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    return set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.text, flags=re.MULTILINE)) - known


def wrong_links(page: Page) -> set[str]:
    """To pages, headings and pictures."""
    return {target for target in re.findall(r"\]\(([^)\s]+)\)", page.prose) if not _leads(page, target)}


def wrong_tables(page: Page) -> set[str]:
    """After FROM."""
    return {table for table in re.findall(r"\bFROM (\w+)", page.text) if table.lower() not in tables()}


def wrong_columns(page: Page) -> set[str]:
    """`table.column`."""
    dotted = {span for span in page.spans if re.fullmatch(r"\w+\.\w+", span)}
    return {
        span
        for table, column, span in ((*span.split("."), span) for span in dotted)
        if table in tables() and not re.search(rf"\b{column}\b", tables()[table])
    }


def wrong_keys(page: Page) -> set[str]:
    """Of `config.yaml`, as `db_config.max_acu_capacity` or `senders[].commitment`."""
    top = "|".join(Config.model_fields)
    dotted = {span for span in page.spans if re.fullmatch(rf"({top})(\[\])?(\.\w+)+(: .+)?", span)}
    return {span for span in dotted if not _is_key(Config, span.split(":")[0].replace("[]", "").split("."))}


def wrong_defaults(page: Page) -> set[str]:
    """`receipt_days` (365): what a setting or key is when nobody sets it."""
    known = {name: field.get_default() for name, field in Settings.model_fields.items()}
    known |= {name: field.get_default() for name, field in Config.model_fields.items()}
    said = re.findall(r"`(?:EDGE_)?(\w+)` \(([\d,.]+)\)", page.text)
    said += re.findall(r"`(\w+_port)` (\d+)(?!\d*, off)", page.text)
    return {
        f"{name} {number}"
        for name, number in said
        if name.lower() in known and known[name.lower()] != float(number.replace(",", ""))
    }


def wrong_events(page: Page) -> set[str]:
    """*Series Complete* and the like, and the fields of their `detail`."""
    named = set(re.findall(r"(?<!\*)\*([A-Z][a-z]+(?: [A-Z][a-z]+)+)\*(?!\*)", page.prose))
    fields = {span for span in page.spans if re.fullmatch(r"detail\.\w+", span)}
    known = {f"detail.{name}" for event in (SeriesComplete, EdgeHeartbeat) for name in event.model_fields}
    return {name for name in named if f'"{name}"' not in corpus()} | (fields - known)


def wrong_symbols(page: Page) -> set[str]:
    """Links whose text is a function, class or constant, and whose target is the file that has it."""
    links = re.findall(r"\[`([\w.]+)`\]\(([^)\s]+\.py)\)", page.prose)
    return {f"{name} in {target}" for name, target in links if not _defines(page.path.parent / target, name)}


def wrong_statuses(page: Page) -> set[str]:
    """DICOM statuses that the edge never answers."""
    known = {0x0000, UNRECOGNIZED_OPERATION, *(make("").code for make in store_makers().values())}
    known |= {value for name, value in vars(commitment).items() if name.isupper() and type(value) is int}
    return {
        code for code in re.findall(r"0x[0-9A-F]{4}\b", page.text) if int(code, 16) not in known
    } - FOREIGN.keys()


def wrong_paths(page: Page) -> set[str]:
    """Of files and folders in the repository."""
    rooms = {path.name for path in ROOT.iterdir() if _is_room(path)}
    named = {span for span in page.spans if re.fullmatch(r"[\w.*-]+(/[\w.*-]*)+(:\d+)?", span)}
    inside = {span for span in named if span.split("/")[0] in rooms}
    files = {span for span in page.spans if re.fullmatch(r"[\w-]+\.(py|md|sql|json|yaml|toml|sh)", span)}
    return {path for path in inside if not any(ROOT.glob(path))} | {
        name for name in files if not _somewhere(page, name)
    }


def wrong_options(page: Page) -> set[str]:
    """`--options`: in the prose of any program of ours, in a command line of the one that is run."""
    named = {option for span in page.spans for option in OPTION.findall(span) if option not in corpus()}
    for room, rest in re.findall(r"python -m (\w+)[\w.]*([^\n`#|]*)", page.text):
        if (ROOT / room).is_dir():
            named |= {option for option in OPTION.findall(rest) if f'"{option}"' not in room_sources(room)}
    return named - FOREIGN.keys()


def wrong_names(page: Page) -> set[str]:
    """Columns, keys, settings, fields, variables, states, errors, symbols: what the sources never say."""
    named = {word for span in page.spans for word in _identifiers(span)}
    return named - words() - FOREIGN.keys()


KINDS: dict[str, Callable[[Page], set[str]]] = {
    "module": wrong_modules,
    "make target": wrong_targets,
    "link or picture": wrong_links,
    "table": wrong_tables,
    "column": wrong_columns,
    "configuration key": wrong_keys,
    "default": wrong_defaults,
    "event or its field": wrong_events,
    "symbol": wrong_symbols,
    "status": wrong_statuses,
    "path": wrong_paths,
    "option": wrong_options,
    "name": wrong_names,
}


def _identifiers(span: str) -> Iterator[str]:
    """What in a code span can only be a name of ours: snake_case, UPPER_CASE, CamelCase; no path, no URL."""
    if "/" in span or re.fullmatch(r"[a-z-]+:[A-Z]\w+", span):  # a path, an address; an action of IAM
        return
    for word in re.findall(r"(?<![\w-])[A-Za-z_][A-Za-z0-9_]*(?![\w-])", span):
        if "_" in word.strip("_") or re.fullmatch(r"(?:[A-Z][a-z]+){2,}", word):
            yield word


def _is_key(model: type[BaseModel], path: list[str]) -> bool:
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return field is not None
    inside = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    return any(_is_key(kind, path[1:]) for kind in inside if issubclass(kind, BaseModel))


def _defines(file: Path, name: str) -> bool:
    body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    for part in name.split("."):
        found = [node for node in body if part in _names(node)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return (
        {node.target.id} if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else set()
    )


def _leads(page: Page, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    path, _, anchor = unquote(target).partition("#")
    found = (page.path.parent / path).resolve() if path else page.path
    if not found.exists():
        return False
    return not anchor or anchor in Page(found, found.read_text(encoding="utf-8")).anchors


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _somewhere(page: Page, name: str) -> bool:
    if (page.path.parent / name).exists() or name in corpus():  # or made at run time
        return True
    return any(path.name == name for folder in ROOT.iterdir() if _is_room(folder) for path in _files(folder))


def _is_room(folder: Path) -> bool:
    return folder.is_dir() and not folder.name.startswith((".", "cdk.out"))


@cache
def _files(folder: Path) -> tuple[Path, ...]:
    return (*folder.parent.glob("*"), *folder.rglob("*"))
