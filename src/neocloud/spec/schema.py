"""JSON Schema of the cloud file, made from the descriptions of its fields.

Editors use it to complete and to mark mistakes while the file is written. It checks shape and
bounds; what refers to the catalog or to another section only the loader can check.
"""

from __future__ import annotations

from typing import Any

from neocloud.spec.checks import EXACTLY_ONE
from neocloud.spec.fields import Described, described
from neocloud.spec.records import Cloud
from neocloud.spec.structures import reference

SCHEMA = "neocloud.cloud/1"
"""Name and version of the published schema."""


def cloud_schema() -> dict[str, Any]:
    """JSON Schema of `cloud.yaml`."""
    definitions: dict[str, Any] = {}
    _define(Cloud, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **reference(Cloud),
        "$defs": definitions,
    }


def _define(record: type[Any], definitions: dict[str, Any]) -> None:
    """Add the definition of a record and of all records inside it."""
    if record.__name__ in definitions:
        return
    fields = described(record)
    required = [field.name for field in fields if field.required]
    found: dict[str, Any] = {
        "description": (record.__doc__ or "").partition("\n")[0],
        # A record all of whose fields have defaults may stand without a value: `acme:`.
        "type": "object" if required else ["object", "null"],
        "properties": {field.name: _property(field) for field in fields},
        "additionalProperties": False,
    }
    if required:
        found["required"] = required
    if record is Cloud:  # without models and sites it is a company in figures
        found["anyOf"] = [
            {"required": ["sites", "models", "demand"]},
            {"required": ["finance", "contracts"]},
        ]
    if record in EXACTLY_ONE:
        found["oneOf"] = [{"required": [name]} for name in EXACTLY_ONE[record]]
    definitions[record.__name__] = found
    for field in fields:
        for _, inner in field.kind.inner():
            _define(inner, definitions)


def _property(field: Described) -> dict[str, Any]:
    parts = [field.full_meaning]
    if field.unit:
        parts.append(f"Unit: {field.unit}.")
    if not field.required:
        parts.append(f"Default: {field.default}.")
    return {"description": " ".join(parts), **field.kind.schema()}
