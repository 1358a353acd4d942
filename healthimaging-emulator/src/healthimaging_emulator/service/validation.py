"""Server-side validation: every constraint of the service model, which boto3 itself hardly checks."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from botocore.model import Shape
from pydantic import ValidationError

from . import errors
from .model import members

_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "blob": (bytes,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def check(shape: Shape, value: object) -> None:
    """Raises ValidationException naming every member that breaks the model, as the service words it."""
    problems = _problems(shape, value, "")
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise errors.validation(f"{len(problems)} validation error{plural} detected: " + "; ".join(problems))


def _problems(shape: Shape, value: Any, where: str) -> list[str]:
    expected = _SCALARS[shape.type_name]
    if not isinstance(value, expected) or (bool not in expected and isinstance(value, bool)):
        return [f"Value at '{where}' failed to satisfy constraint: Member must be a {shape.type_name}"]
    own = [_failed(value, shape, where, rule) for rule in _broken_rules(shape, value)]
    return own + _nested_problems(shape, value, where)


def _failed(value: object, shape: Shape, where: str, rule: str) -> str:
    shown = "***" if shape.metadata.get("sensitive") or shape.type_name == "blob" else str(value)
    return f"Value '{shown}' at '{where}' failed to satisfy constraint: {rule}"


def _nested_problems(shape: Shape, value: Any, where: str) -> list[str]:
    if shape.type_name == "structure":
        return _structure_problems(shape, value, where)
    if shape.type_name == "list":
        member = shape.member  # type: ignore[attr-defined]
        return [p for i, item in enumerate(value, 1) for p in _problems(member, item, f"{where}.{i}.member")]
    if shape.type_name == "map":
        key, item = shape.key, shape.value  # type: ignore[attr-defined]
        return [
            p
            for k, v in value.items()
            for p in _problems(key, k, f"{where}.key") + _problems(item, v, f"{where}.{k}")
        ]
    return []


def _structure_problems(shape: Shape, value: dict[str, Any], where: str) -> list[str]:
    known = members(shape)
    dot = f"{where}." if where else ""
    required = shape.metadata.get("required", [])
    found = [
        f"Value null at '{dot}{name}' failed to satisfy constraint: Member must not be null"
        for name in required
        if name not in value
    ]
    for name, item in value.items():
        if name in known:  # what the model does not know is ignored, as rest-json services do
            found += _problems(known[name], item, f"{dot}{name}")
    if shape.metadata.get("union") and len(known.keys() & value.keys()) != 1:
        rule = f"Exactly one member must be set of {sorted(known)}"
        found.append(f"Value at '{where}' failed to satisfy constraint: {rule}")
    return found


def _broken_rules(shape: Shape, value: Any) -> list[str]:
    rules = shape.metadata
    low, high = rules.get("min"), rules.get("max")
    is_number = shape.type_name == "integer"
    size = value if is_number else len(value) if hasattr(value, "__len__") else 0
    noun = "value" if is_number else "length"
    broken = []
    if low is not None and size < low:
        broken.append(f"Member must have {noun} greater than or equal to {low}")
    if high is not None and size > high:
        broken.append(f"Member must have {noun} less than or equal to {high}")
    if "enum" in rules and value not in rules["enum"]:
        broken.append(f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        broken.append(f"Member must satisfy regular expression pattern: {rules['pattern']}")
    return broken


def in_words(error: ValidationError) -> str:
    """What is wrong with settings or a fault, in one line: each member, and what it has to be."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    )


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """The model writes Java patterns; of their extras it uses only \\p{ASCII}."""
    return re.compile(text.replace(r"\p{ASCII}", r"[\x00-\x7f]"), re.ASCII)
