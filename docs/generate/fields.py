"""The fields of a pydantic model with the docstring of each in the source."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SIGNS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


@dataclass(frozen=True)
class Described:
    """One field in words."""

    name: str
    default: str
    allowed: str
    meaning: str


def describe(model: type[BaseModel]) -> Iterator[Described]:
    """Every field, in the order of the source."""
    words = _docstrings(model)
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _default(field.get_default())
        yield Described(name, default, _allowed(field), words.get(name, ""))


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _own_docstrings(each)
    return found


def _own_docstrings(model: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class is one
    found: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    found[field.target.id] = inspect.cleandoc(text).split("\n\n")[0].replace("``", "`")
    return found


def _default(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, BaseModel):
        return ""
    return f"`{json.dumps(value, default=str, ensure_ascii=False)}`".replace('"', "")


def _allowed(field: FieldInfo) -> str:
    kinds = [kind for kind in _kinds(field.annotation) if kind is not NoneType]
    words = [_kind(kind) for kind in kinds]
    for limit in field.metadata:
        if type(limit) in _SIGNS:
            sign, attribute = _SIGNS[type(limit)]
            words.append(f"{sign} {getattr(limit, attribute):,}")
        elif isinstance(limit, MinLen) and limit.min_length > 1:
            words.append(f"at least {limit.min_length} characters")
        elif isinstance(limit, MaxLen):
            words.append(f"at most {limit.max_length} characters")
    return ", ".join(words)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _kind(kind: Any) -> str:
    kind = _plain(kind)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is list:
        inner = _plain(get_args(kind)[0])
        return "list" if inner is str else f"list of {inner.__name__}"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}
    return names.get(getattr(kind, "__name__", ""), getattr(kind, "__name__", "text"))
