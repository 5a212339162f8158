"""The published document: OpenAPI, whole, and of one mind with what the gateway reads."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.definitions import OPENAPI_31

from neocloud.gateway.apis import APIS as ALL
from neocloud.gateway.apis.api import Api, Wanted
from neocloud.gateway.apis.refusals import ApiError, error_body
from neocloud.gateway.pages.models import ModelCard
from neocloud.gateway.pages.openapi import document

APIS: dict[str, Api] = {api.path: api for api in ALL}
DOCUMENT: dict[str, Any] = json.loads(document(("m", "org/other")))
USER = {"role": "user", "content": "hi"}


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def asked_by(path: str) -> dict[str, Any]:
    body = DOCUMENT["paths"][path]["post"]["requestBody"]
    found: dict[str, Any] = body["content"]["application/json"]["schema"]
    return found


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in references(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in references(inner)]
    return []


def test_it_is_openapi() -> None:
    jsonschema.Draft202012Validator(OPENAPI_31).validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    broken = {**DOCUMENT, "paths": {"/x": {"get": {"responses": 7}}}}
    assert not jsonschema.Draft202012Validator(OPENAPI_31).is_valid(broken)


def test_every_reference_leads_somewhere_and_every_part_is_used() -> None:
    used = set(references(DOCUMENT))
    for target in used:
        found: Any = DOCUMENT
        for step in target.removeprefix("#/").split("/"):
            found = found[step]
    parts = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers", "parameters")
        for name in DOCUMENT["components"][kind]
    }
    assert parts == used


def test_every_public_route_is_in_it() -> None:
    routes = {(method, path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert routes == {("post", path) for path in APIS} | {
        ("get", "/v1/models"), ("get", "/v1/models/{model}"), ("get", "/healthz"),
        ("get", "/readyz"), ("get", "/metrics"), ("get", "/openapi.json"),
    }  # fmt: skip
    operations = [op["operationId"] for item in DOCUMENT["paths"].values() for op in item.values()]
    assert len(set(operations)) == len(operations)


def test_keys_are_asked_where_they_are_needed() -> None:
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            schemes = {name for each in operation["security"] for name in each}
            assert schemes == ({"bearer", "apiKey"} if path.startswith("/v1/") else set())


def test_models_are_named_if_they_are_known() -> None:
    assert DOCUMENT["components"]["schemas"]["Model"]["enum"] == ["m", "org/other"]
    assert "enum" not in json.loads(document())["components"]["schemas"]["Model"]


@pytest.mark.parametrize("path", APIS)
def test_refusals_have_the_shape_that_is_published(path: str) -> None:
    answers = DOCUMENT["paths"][path]["post"]["responses"]
    assert {"400", "401", "404", "413", "429", "503", "504"} <= answers.keys()
    for status, answer in answers.items():
        if status == "200":
            continue
        told = error_body(int(status), "no", "why", anthropic=APIS[path].anthropic, request_id="r")
        validator(answer["content"]["application/json"]["schema"]).validate(json.loads(told))
    assert "retry-after" in answers["429"]["headers"]
    assert "x-ratelimit-remaining-tokens" in answers["429"]["headers"]


def test_a_model_has_the_shape_that_is_published() -> None:
    card = ModelCard(id="m", precisions=("fp8",), emulated=True)
    schema = DOCUMENT["components"]["schemas"]["ModelEntry"]
    validator(schema).validate(json.loads(msgspec.json.encode(card)))
    assert set(schema["properties"]) == set(card.__struct_fields__)


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [USER]}),
    ("/v1/chat/completions", {"messages": [USER], "stream": None, "n": None, "max_tokens": 1,
                              "stream_options": None, "own": {"a": 1}}),
    ("/v1/chat/completions", {"messages": [USER], "stream": True, "n": 128,
                              "stream_options": {"include_usage": True, "own": 1}}),
    ("/v1/completions", {"prompt": "a"}),
    ("/v1/completions", {"prompt": ["a", "b"], "n": 2, "best_of": 2, "max_tokens": 0}),
    ("/v1/completions", {"prompt": [1, 2], "stream": True}),
    ("/v1/completions", {"prompt": [[1], [2]]}),
    ("/v1/embeddings", {"input": "a", "dimensions": 8, "encoding_format": "base64"}),
    ("/v1/embeddings", {"input": [[1], [2]]}),
    ("/v1/responses", {"input": "a"}),
    ("/v1/responses", {"input": [USER], "instructions": "b", "store": True, "background": False,
                       "previous_response_id": None, "max_output_tokens": 1}),
    ("/v1/messages", {"messages": [USER], "max_tokens": 1}),
    ("/v1/messages", {"messages": [USER], "max_tokens": 1, "system": [{"type": "text"}],
                      "stop_sequences": ["x"], "stream": True}),
]  # fmt: skip

BAD: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {}),
    ("/v1/chat/completions", {"messages": [USER], "model": 3}),
    ("/v1/chat/completions", {"messages": [USER], "stream": "yes"}),
    ("/v1/chat/completions", {"messages": [USER], "max_tokens": 0}),
    ("/v1/chat/completions", {"messages": [USER], "max_completion_tokens": 0}),
    ("/v1/chat/completions", {"messages": [USER], "n": 129}),
    ("/v1/chat/completions", {"messages": [USER], "stream_options": 1}),
    ("/v1/completions", {}),
    ("/v1/completions", {"prompt": None}),
    ("/v1/completions", {"prompt": []}),
    ("/v1/completions", {"prompt": "a", "max_tokens": -1}),
    ("/v1/completions", {"prompt": "a", "best_of": 0}),
    ("/v1/embeddings", {"input": {}}),
    ("/v1/embeddings", {"input": [[]]}),
    ("/v1/embeddings", {"input": ["a"] * 2049}),
    ("/v1/responses", {}),
    ("/v1/responses", {"input": 1}),
    ("/v1/responses", {"input": "a", "max_output_tokens": 0}),
    ("/v1/responses", {"input": "a", "background": True}),
    ("/v1/responses", {"input": "a", "previous_response_id": "resp_1"}),
    ("/v1/responses", {"input": "a", "conversation": {"id": "c"}}),
    ("/v1/responses", {"input": "a", "instructions": 1}),
    ("/v1/messages", {"messages": [USER]}),
    ("/v1/messages", {"messages": [USER], "max_tokens": 0}),
    ("/v1/messages", {"max_tokens": 1}),
]


@pytest.mark.parametrize(("path", "fields"), GOOD)
def test_what_the_document_allows_is_read(path: str, fields: dict[str, Any]) -> None:
    body = {"model": "m", **fields}
    validator(asked_by(path)).validate(body)
    assert APIS[path].read(json.dumps(body).encode()).model == "m"


@pytest.mark.parametrize(("path", "fields"), BAD)
def test_what_the_document_forbids_is_refused(path: str, fields: dict[str, Any]) -> None:
    body = {"model": "m", **fields}
    assert not validator(asked_by(path)).is_valid(body)
    with pytest.raises(ApiError) as refused:
        APIS[path].read(json.dumps(body).encode())
    assert refused.value.status == 400


def whole_numbers(value: Any) -> Any:
    """1.0 as 1: to JSON Schema both are integers, to the gateway the second alone."""
    if isinstance(value, dict):
        return {name: whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("path", APIS)
def test_what_schemathesis_makes_of_the_document_is_read(path: str) -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    api = APIS[path]

    @given(case=schema[path]["POST"].as_strategy())
    @settings(max_examples=25, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    def check(case: Any) -> None:
        text = json.dumps(whole_numbers(case.body)).encode()
        asked = api.read(text)
        assert asked.model == case.body["model"]
        for speaks in ({api.name}, {"chat"}):
            dialect = api.toward(frozenset(speaks))
            if dialect is None:
                continue
            try:
                told = dialect.request(text, asked, Wanted(model="e", limit=50))
            except ApiError as error:  # what chat completions cannot do
                assert error.status == 400
            else:
                assert json.loads(told)["model"] == "e"

    check()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(list(APIS)))
def test_what_is_no_request_is_refused_and_never_breaks(body: bytes, path: str) -> None:
    with pytest.raises(ApiError) as refused:
        APIS[path].read(body)
    assert refused.value.status == 400
