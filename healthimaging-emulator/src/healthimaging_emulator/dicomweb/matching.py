"""Query keys of a search, and whether attributes match them (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from ..service import errors
from .json_model import vr_of

_DATES = frozenset({"DA", "TM", "DT"})
_FUZZY = frozenset({"PatientName", "ReferringPhysicianName"})
_RESERVED = frozenset({"limit", "offset", "fuzzymatching", "includefield"})
MOST, FARTHEST, MOST_FIELDS = 1000, 1_000_000, 50


@dataclass(frozen=True)
class Key:
    """One attribute that has to match."""

    keyword: str
    vr: str
    value: str
    fuzzy: bool = False

    def matches(self, found: Any) -> bool:
        """Whether any of the attribute's values matches; an empty key matches everything."""
        if self.value == "":
            return True
        values = found if isinstance(found, list) else [found]
        return any(self._one(str(value).strip()) for value in values if value is not None)

    def _one(self, text: str) -> bool:
        if self.fuzzy:
            return _fuzzily(self.value, text)
        if self.vr == "UI":
            return text in re.split(r"[,\\]", self.value)
        if self.vr in _DATES and "-" in self.value:
            low, _, high = self.value.partition("-")
            return (not low or text >= low) and (not high or text[: len(high)] <= high)
        if "*" in self.value or "?" in self.value:
            pattern = re.escape(self.value).replace(r"\*", ".*").replace(r"\?", ".")
            return re.fullmatch(pattern, text, re.DOTALL | self._case) is not None
        return text == self.value or (self._case != 0 and text.casefold() == self.value.casefold())

    @property
    def _case(self) -> int:
        return int(re.IGNORECASE) if self.vr == "PN" else 0


def _fuzzily(wanted: str, name: str) -> bool:
    """Each word of the key begins a word of the name, whatever the case."""
    words = re.split(r"[\s^=,]+", name.casefold())
    keys = [key for key in re.split(r"[\s^=,*]+", wanted.casefold()) if key]
    return all(any(word.startswith(key) for word in words) for key in keys)


@dataclass(frozen=True)
class Query:
    """The parameters of a search."""

    keys: tuple[Key, ...]
    limit: int
    offset: int
    fields: tuple[str, ...]
    """Additional attributes, by keyword or eight digits, a sequence's path with dots; `all`."""

    def matches(self, attributes: dict[str, Any]) -> bool:
        """Whether all keys match."""
        return all(key.matches(attributes.get(key.keyword)) for key in self.keys)


def parse(parameters: list[tuple[str, str]]) -> Query:
    """The query of a URL; raises 400."""
    fuzzy = _last(parameters, "fuzzymatching", "false").lower() == "true"
    keys = [_key(name, value, fuzzy=fuzzy) for name, value in parameters if name not in _RESERVED]
    limit = _number(parameters, "limit", MOST, MOST)
    named = [value for name, value in parameters if name == "includefield"]
    fields = [each for value in named for each in value.split(",") if each]
    if len(fields) > MOST_FIELDS:
        raise errors.validation(f"includefield may be given {MOST_FIELDS} times, not {len(fields)}")
    offset = _number(parameters, "offset", 0, FARTHEST)
    return Query(tuple(keys), limit, offset, tuple(dict.fromkeys(_path(each) for each in fields)))


def _last(parameters: list[tuple[str, str]], name: str, default: str) -> str:
    return next((value for key, value in reversed(parameters) if key == name), default)


def _number(parameters: list[tuple[str, str]], name: str, default: int, most: int) -> int:
    text = _last(parameters, name, str(default))
    if not text.isascii() or not text.isdecimal() or int(text) > most:
        raise errors.validation(f"{name} must be a number from 0 to {most}, not {text}")
    return int(text)


def _key(name: str, value: str, *, fuzzy: bool) -> Key:
    keyword = _keyword(name)
    if keyword is None:
        raise errors.validation(f"Unknown query parameter {name}")
    vr = vr_of(tag_for_keyword(keyword) or 0, None)
    return Key(keyword, vr, value, fuzzy=fuzzy and keyword in _FUZZY)


def _keyword(name: str) -> str | None:
    """Of a keyword or of eight hexadecimal digits."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return keyword_for_tag(int(name, 16)) or None
    return name if tag_for_keyword(name) is not None else None


def _path(field: str) -> str:
    return ".".join(_keyword(part) or part.upper() for part in field.split(".")) if field != "all" else field
