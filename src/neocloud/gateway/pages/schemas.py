"""Schemas of requests and answers for the published OpenAPI document.

They name what the gateway reads, and what clients most use; other fields pass through to the
engine, so every object is open.
"""

from __future__ import annotations

from typing import Any

from neocloud.gateway.apis.openai.chat import MAX_ANSWERS
from neocloud.gateway.apis.openai.embeddings import MAX_INPUTS

Schema = dict[str, Any]

_NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
_NULLABLE_NUMBER: Schema = {"type": ["number", "null"]}
_NULLABLE_STRING: Schema = {"type": ["string", "null"]}
_ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
_TOKENS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}


def _integer(least: int, most: int | None = None) -> Schema:
    """An integer or null, which is as good as leaving it out."""
    schema: Schema = {"type": ["integer", "null"], "minimum": least}
    if most is not None:
        schema["maximum"] = most
    return schema


def _open(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": True,
    }


def ref(name: str) -> Schema:
    """A schema by its name in the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _texts(most: int | None = None) -> Schema:
    several: Schema = {"minItems": 1} if most is None else {"minItems": 1, "maxItems": most}
    return {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, **several},
            {**_TOKENS, "description": "Tokens of one text."},
            {"type": "array", "items": _TOKENS, **several},
        ]
    }


_STREAM_OPTIONS: Schema = {
    "type": ["object", "null"],
    "properties": {"include_usage": _NULLABLE_BOOLEAN},
    "additionalProperties": True,
}

_REQUESTS: dict[str, Schema] = {
    "ChatCompletionRequest": _open(
        ("model", "messages"),
        model=ref("Model"),
        messages={"type": "array", "items": _open(("role",), role={"type": "string"}),
                  "minItems": 1},
        stream=_NULLABLE_BOOLEAN,
        stream_options=_STREAM_OPTIONS,
        max_tokens=_integer(1),
        max_completion_tokens=_integer(1),
        n=_integer(1, MAX_ANSWERS),
        temperature=_NULLABLE_NUMBER,
        top_p=_NULLABLE_NUMBER,
        tools={"type": ["array", "null"], "items": _ANY_OBJECT},
        response_format={"type": ["object", "null"], "additionalProperties": True},
        service_tier=_NULLABLE_STRING,
    ),
    "CompletionRequest": _open(
        ("model", "prompt"),
        model=ref("Model"),
        prompt=_texts(),
        stream=_NULLABLE_BOOLEAN,
        stream_options=_STREAM_OPTIONS,
        max_tokens=_integer(0),
        n=_integer(1, MAX_ANSWERS),
        best_of=_integer(1, MAX_ANSWERS),
        temperature=_NULLABLE_NUMBER,
        top_p=_NULLABLE_NUMBER,
        service_tier=_NULLABLE_STRING,
    ),
    "EmbeddingRequest": _open(
        ("model", "input"),
        model=ref("Model"),
        input=_texts(MAX_INPUTS),
        dimensions=_integer(1),
        encoding_format={"enum": ["float", "base64"]},
    ),
    "ResponseRequest": _open(
        ("model", "input"),
        model=ref("Model"),
        input={"anyOf": [{"type": "string"}, {"type": "array", "items": _ANY_OBJECT}]},
        instructions=_NULLABLE_STRING,
        stream=_NULLABLE_BOOLEAN,
        max_output_tokens=_integer(1),
        temperature=_NULLABLE_NUMBER,
        top_p=_NULLABLE_NUMBER,
        store={"type": ["boolean", "null"],
               "description": "Whatever it says, no answer is kept."},
        background={"enum": [False, None], "description": "No answer is kept to be fetched."},
        previous_response_id={"type": "null", "description": "No answer is kept to follow on."},
        conversation={"type": "null", "description": "No conversation is kept."},
        prompt={"type": "null", "description": "No prompt is kept."},
        service_tier=_NULLABLE_STRING,
    ),
    "MessagesRequest": _open(
        ("model", "messages", "max_tokens"),
        model=ref("Model"),
        messages={
            "type": "array", "minItems": 1,
            "items": _open(("role", "content"), role={"enum": ["user", "assistant"]},
                           content={"anyOf": [{"type": "string"},
                                              {"type": "array", "items": _ANY_OBJECT}]}),
        },
        max_tokens={"type": "integer", "minimum": 1},
        system={"anyOf": [{"type": "string"}, {"type": "array", "items": _ANY_OBJECT}]},
        stream=_NULLABLE_BOOLEAN,
        stop_sequences={"type": ["array", "null"], "items": {"type": "string"}},
        temperature=_NULLABLE_NUMBER,
        top_p=_NULLABLE_NUMBER,
        tools={"type": "array", "items": _ANY_OBJECT},
        thinking={"type": ["object", "null"], "properties": {"type": {"type": "string"}}},
        n={"enum": [1, None], "description": "This API gives one answer."},
        service_tier=_NULLABLE_STRING,
    ),
}  # fmt: skip

_COUNT: Schema = {"type": "integer", "minimum": 0}
_OPENAI_USAGE = _open(("prompt_tokens", "total_tokens"), prompt_tokens=_COUNT,
                      completion_tokens=_COUNT, total_tokens=_COUNT)  # fmt: skip


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_ANSWERS: dict[str, Schema] = {
    "ChatCompletion": _open(
        ("choices",),
        id={"type": "string"}, created={"type": "integer"}, model={"type": "string"},
        choices=_list_of(_open((), index=_COUNT, message=_ANY_OBJECT,
                               finish_reason=_NULLABLE_STRING)),
        usage={"anyOf": [ref("Usage"), {"type": "null"}]},
    ),
    "Completion": _open(
        ("choices",),
        id={"type": "string"}, created={"type": "integer"}, model={"type": "string"},
        choices=_list_of(_open((), index=_COUNT, text={"type": "string"},
                               finish_reason=_NULLABLE_STRING)),
        usage={"anyOf": [ref("Usage"), {"type": "null"}]},
    ),
    "Embeddings": _open(
        ("data",),
        data=_list_of(_open(("embedding",), index=_COUNT, embedding={
            "anyOf": [_list_of({"type": "number"}), {"type": "string"}]})),
        usage={"anyOf": [ref("Usage"), {"type": "null"}]},
    ),
    "Response": _open(
        ("id", "object", "status", "output"),
        id={"type": "string"}, object={"const": "response"},
        status={"enum": ["completed", "incomplete", "failed", "in_progress"]},
        output=_list_of(_open(("type",), type={"type": "string"})),
        usage={"anyOf": [
            _open(("input_tokens", "output_tokens"), input_tokens=_COUNT, output_tokens=_COUNT,
                  total_tokens=_COUNT),
            {"type": "null"}]},
    ),
    "Message": _open(
        ("type", "role", "content", "usage"),
        id={"type": "string"}, type={"const": "message"}, role={"const": "assistant"},
        content=_list_of(_open(("type",), type={"type": "string"})),
        stop_reason=_NULLABLE_STRING,
        usage=_open(("input_tokens", "output_tokens"), input_tokens=_COUNT, output_tokens=_COUNT),
    ),
    "Usage": _OPENAI_USAGE,
    "ModelEntry": _open(
        ("id", "object"),
        id={"type": "string"}, object={"const": "model"}, created={"type": "integer"},
        owned_by={"type": "string"},
        precisions={"type": "array", "items": {"type": "string"},
                    "description": "Number formats that it is served in, as far as known."},
        emulated={"type": "boolean", "description": "Only emulated engines serve it."},
    ),
    "ModelList": _open(("object", "data"), object={"const": "list"},
                       data=_list_of(ref("ModelEntry"))),
    "Error": _open(
        ("error",),
        error=_open(("message",), message={"type": "string"}, type=_NULLABLE_STRING,
                    param=_NULLABLE_STRING, code={"type": ["string", "integer", "null"]}),
    ),
    "MessagesError": _open(
        ("type", "error"),
        type={"const": "error"},
        error=_open(("type", "message"), type={"type": "string"}, message={"type": "string"}),
        request_id=_NULLABLE_STRING,
    ),
}  # fmt: skip


def schemas(models: tuple[str, ...]) -> dict[str, Schema]:
    """All, by name; `models` are the names that a request may give, any if there are none."""
    model: Schema = {"type": "string", "description": "As `GET /v1/models` lists it."}
    if models:
        model["enum"] = list(models)
    return {"Model": model, **_REQUESTS, **_ANSWERS}
