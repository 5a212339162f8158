"""Values that a JSON schema allows, for tool calls and structured answers.

As small as the schema lets them be: required properties only, the shortest arrays, numbers next to
zero. No model has chosen them, and a text that may be anything says `emulated`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

_WORD = "emulated"
_DEPTH = 32
_FORMATS = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "emulated@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/emulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# A pattern is matched by trying: texts that the patterns of everyday schemas take.
_TRIED = (
    _WORD, "", "a", "A", "0", "1", "00", "AA", "aa", "000", "AAA", "aaa", "0000", "00000", "000000",
    "EUR", "0.0", "1.0.0", "a0", "A0", "a-a", "a_a", "+10000000000", "#000000", "00:00", "true",
    *_FORMATS.values(),
)  # fmt: skip
_TYPE_OF = {
    "properties": "object", "required": "object", "additionalProperties": "object",
    "items": "array", "prefixItems": "array", "minItems": "array",
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "multipleOf": "number",
    "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
}  # fmt: skip


class SchemaError(ValueError):
    """No value can be made for a schema; the message says what it is about."""


def instance_of(schema: Any) -> Any:
    """A small value that `schema` allows.

    Taken into account: `type`, `const`, `enum`, `properties`, `required`, `items`, `prefixItems`,
    bounds of numbers, lengths and counts, `multipleOf`, `format`, `anyOf`, `oneOf` and `allOf`,
    `$ref` within the schema, and `pattern` where one of some everyday texts matches.

    Raises:
        SchemaError: nothing was found that it allows.
    """
    return _make(schema, schema, _DEPTH)


def _make(schema: Any, root: Any, depth: int) -> Any:
    if depth == 0:
        raise SchemaError("it refers to itself without end")
    if schema is True:
        return _WORD
    if not isinstance(schema, dict):
        raise SchemaError(f"{schema!r} allows nothing, or is no schema")
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return _make(_merged(_resolved(schema["$ref"], root), rest), root, depth - 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "allOf" in schema:
        whole: dict[str, Any] = {n: v for n, v in schema.items() if n != "allOf"}
        for part in schema["allOf"]:
            if isinstance(part, dict) and "$ref" in part:
                part = _merged(  # noqa: PLW2901
                    _resolved(part["$ref"], root), {n: v for n, v in part.items() if n != "$ref"}
                )
            whole = _merged(whole, part)
        return _make(whole, root, depth - 1)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            rest = {name: value for name, value in schema.items() if name != choice}
            options = [_merged(rest, option) for option in schema[choice]]
            return _first(options, root, depth)
    kind = schema.get("type") or next((_TYPE_OF[n] for n in schema if n in _TYPE_OF), "string")
    if isinstance(kind, list):
        return _first([{**schema, "type": one} for one in kind], root, depth)
    return _typed(kind, schema, root, depth)


def _first(schemas: list[Any], root: Any, depth: int) -> Any:
    said = "it offers nothing"
    for schema in schemas:
        try:
            return _make(schema, root, depth - 1)
        except SchemaError as error:
            said = str(error)
    raise SchemaError(said)


def _typed(kind: Any, schema: dict[str, Any], root: Any, depth: int) -> Any:
    if kind == "object":
        return _object(schema, lambda part: _make(part, root, depth - 1))
    if kind == "array":
        return _array(schema, lambda part: _make(part, root, depth - 1))
    if kind == "string":
        return _string(schema)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    raise SchemaError(f"the type {kind!r} is unknown")


def _object(schema: dict[str, Any], make: Callable[[Any], Any]) -> dict[str, Any]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    made = {name: make(properties.get(name, more)) for name in schema.get("required", ())}
    for name in properties:
        if len(made) >= schema.get("minProperties", 0):
            break
        if name not in made:
            made[name] = make(properties[name])
    while len(made) < schema.get("minProperties", 0):
        made[f"{_WORD}-{len(made)}"] = make(more)
    return made


def _array(schema: dict[str, Any], make: Callable[[Any], Any]) -> list[Any]:
    fixed, more = schema.get("prefixItems", []), schema.get("items", True)
    count = schema.get("minItems", 0)
    if count > 1 and schema.get("uniqueItems"):
        raise SchemaError("it wants several items that differ")
    return [make(fixed[place] if place < len(fixed) else more) for place in range(count)]


def _string(schema: dict[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    pattern = schema.get("pattern")
    if schema.get("format") in _FORMATS and pattern is None:
        return _FORMATS[schema["format"]]
    if pattern is None:
        text = _WORD * (int(least) // len(_WORD) + 1)
        return text[: int(min(max(least, len(_WORD)), most))]
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise SchemaError(f"the pattern {pattern!r}: {error}") from None
    for text in _TRIED:
        if least <= len(text) <= most and found.search(text):
            return text
    raise SchemaError(f"no text is known that matches the pattern {pattern!r}")


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    step = schema.get("multipleOf", 1 if whole else 0)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")

    def allowed(value: float) -> bool:
        inside = low <= value <= high
        return inside and (above is None or value > above) and (below is None or value < below)

    ends = [end for end in (low, high, above, below) if end is not None and math.isfinite(end)]
    tried: list[float] = [0]
    for end in ends:
        if step:
            near = math.floor(end / step)
            tried += [(near + more) * step for more in (-1, 0, 1, 2)]
        else:
            tried += [end, end - 1, end + 1, *((end + other) / 2 for other in ends)]
    found = [value for value in tried if allowed(value)]
    if not found:
        raise SchemaError("no number lies within its bounds")
    value = min(found, key=abs)
    return int(value) if whole else value


def _merged(one: Any, other: Any) -> Any:
    """A schema that asks for both, as far as its parts are plain."""
    if other is True or other == {}:
        return one
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    whole = {**one, **other}
    if "properties" in one and "properties" in other:
        whole["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        whole["required"] = [*one["required"], *other["required"]]
    return whole


def _resolved(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise SchemaError(f"{reference!r} lies outside of it")
    found = root
    for step in reference[1:].strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if name and (not isinstance(found, dict) or name not in found):
            raise SchemaError(f"{reference!r} is not there")
        found = found[name] if name else found
    return found
