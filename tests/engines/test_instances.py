"""Instances of JSON schemas: what is made validates, what cannot be made is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from neocloud.engines.emulated.instances import SchemaError, instance_of

NAMES = st.sampled_from(["city", "unit", "days", "a/b", "ü"])


def bounded(low: str, high: str, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(values, values).map(lambda pair: {low: min(pair), high: max(pair)})


INTEGERS = st.integers(-1000, 1000)
LEAVES = st.one_of(
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"enum": ["celsius", 3]},
            {"const": {"a": [1]}},
            {"type": ["string", "null"]},
            {"type": "string", "format": "date"},
            {"type": "string", "pattern": "^[A-Z]{3}$"},
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            {"type": "integer", "minimum": 7, "multipleOf": 5},
            {},
        ]
    ),
    bounded("minimum", "maximum", INTEGERS).map(lambda b: {"type": "integer", **b}),
    bounded("minimum", "maximum", st.floats(-1e6, 1e6)).map(lambda b: {"type": "number", **b}),
    bounded("minLength", "maxLength", st.integers(0, 40)).map(lambda b: {"type": "string", **b}),
)


def grown(parts: st.SearchStrategy) -> st.SearchStrategy:
    objects = st.dictionaries(NAMES, parts, max_size=4).flatmap(
        lambda properties: st.sets(st.sampled_from([*properties] or ["city"])).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": sorted(required & set(properties)),
                "additionalProperties": False,
            }
        )
    )
    arrays = st.tuples(parts, st.integers(0, 3)).map(
        lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
    )
    choices = st.lists(parts, min_size=1, max_size=3).map(lambda many: {"anyOf": many})
    return st.one_of(objects, arrays, choices)


@given(st.recursive(LEAVES, grown, max_leaves=8))
def test_what_is_made_validates(schema):
    Draft202012Validator(schema).validate(instance_of(schema))


def test_references_and_parts_that_all_hold():
    schema = {
        "$defs": {
            "Node": {
                "type": "object",
                "required": ["next", "name"],
                "properties": {
                    "name": {"$ref": "#/$defs/Name"},
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                },
            },
            "Name": {"type": "string", "minLength": 20},
        },
        "allOf": [{"$ref": "#/$defs/Node"}, {"required": ["more"]}],
        "properties": {"more": {"type": "integer", "exclusiveMinimum": 3}},
    }
    made = instance_of(schema)
    Draft202012Validator(schema).validate(made)
    assert made["more"] == 4


@pytest.mark.parametrize(
    "schema",
    [
        False,
        7,
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "string", "pattern": "^q{77}z$"},
        {"type": "string", "pattern": "("},
        {"type": "thing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"type": "array", "minItems": 2, "uniqueItems": True},
        {"anyOf": []},
    ],
)
def test_what_cannot_be_made_is_told(schema):
    with pytest.raises(SchemaError):
        instance_of(schema)
