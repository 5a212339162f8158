"""The OpenAPI document of the gateway: every public route, what it takes, answers and refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from neocloud.gateway.pages.schemas import Schema, ref, schemas

VERSION = "1"
"""Of what the document describes; it rises when something that clients use goes away."""

_REFUSALS = {
    400: "The request is not one of this API, or asks for what cannot be served.",
    401: "No key, or one that is not known.",
    403: "The key may not do this.",
    404: "There is no such model for this key, or its engines cannot be asked by this route.",
    409: "A request with the same `idempotency-key` is under way, or was billed.",
    413: "The body is too large, or asks for more tokens than the tenant may use in a minute.",
    422: "The engine cannot process the request, or its `idempotency-key` was another's.",
    429: "A limit of the tenant is reached; `retry-after` says when to come again.",
    500: "The engine failed.",
    502: "The engine failed, or broke off.",
    503: "Nothing can serve the request at present; `retry-after` says when to come again.",
    504: "The answer did not come in time.",
}
_KEYED = (401, 403, 429, 503)
"""What a route with a key may refuse that asks no engine."""

_HEADERS: dict[str, tuple[str, Schema]] = {
    "x-request-id": ("By which the request's usage event is found.", {"type": "string"}),
    "retry-after": ("Seconds until it makes sense to come again.",
                    {"type": "integer", "minimum": 0}),
    "x-ratelimit-limit-requests": ("Requests a minute.", {"type": "integer"}),
    "x-ratelimit-remaining-requests": ("Requests left of them.", {"type": "integer"}),
    "x-ratelimit-reset-requests": ("Until all of them are there again, as in `1m2s`.",
                                   {"type": "string"}),
    "x-ratelimit-limit-tokens": ("Tokens a minute.", {"type": "integer"}),
    "x-ratelimit-remaining-tokens": ("Tokens left of them.", {"type": "integer"}),
    "x-ratelimit-reset-tokens": ("Until all of them are there again, as in `6m0s`.",
                                 {"type": "string"}),
    "x-neocloud-emulated": ("`true` if an emulated engine answered.", {"const": "true"}),
    "x-neocloud-explain": ("Why the request went where it did, as JSON.", {"type": "string"}),
}  # fmt: skip
_KEYS: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
"""Either will do, whatever the API."""
_LIMITS = tuple(name for name in _HEADERS if name.startswith("x-ratelimit-"))
_DESCRIPTION = (
    "OpenAI's and Anthropic's APIs for the models of this cloud. Fields that are not named here "
    "pass through to the engine. Each admitted request leaves one usage event, under its "
    "`x-request-id`."
)


class _Post(msgspec.Struct, frozen=True):
    """A route that an engine answers."""

    path: str
    operation: str
    summary: str
    asked: str
    answer: str
    streams: str = ""
    anthropic: bool = False


_POSTS = (
    _Post("/v1/chat/completions", "createChatCompletion", "Answer a chat",
          "ChatCompletionRequest", "ChatCompletion", "Chunks, then `[DONE]`."),
    _Post("/v1/completions", "createCompletion", "Continue texts",
          "CompletionRequest", "Completion", "Chunks, then `[DONE]`."),
    _Post("/v1/embeddings", "createEmbedding", "Vectors of texts",
          "EmbeddingRequest", "Embeddings"),
    _Post("/v1/responses", "createResponse", "Answer, in OpenAI's Responses API; nothing is kept",
          "ResponseRequest", "Response", "Events, the last of which holds the whole answer."),
    _Post("/v1/messages", "createMessage", "Answer, in Anthropic's Messages API",
          "MessagesRequest", "Message", "Events up to `message_stop`.", anthropic=True),
)  # fmt: skip


def document(models: Iterable[str] = ()) -> bytes:
    """The document as JSON, OpenAPI 3.1.

    Args:
        models: names that a request may give; none leaves them open.
    """
    paths: dict[str, Any] = {post.path: {"post": _posted(post)} for post in _POSTS}
    paths |= _models() | _plain()
    return msgspec.json.encode({
        "openapi": "3.1.0",
        "info": {"title": "neocloud gateway", "version": VERSION, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas(tuple(models)),
            "headers": {
                name: {"description": text, "schema": schema}
                for name, (text, schema) in _HEADERS.items()
            },
            "parameters": {
                "metro": {
                    "name": "x-neocloud-metro", "in": "header", "required": False,
                    "description": "Where the caller's user is; decides the round trip that "
                    "routing reckons with.",
                    "schema": {"type": "string"},
                },
                "explain": {
                    "name": "x-neocloud-explain", "in": "header", "required": False,
                    "description": "If it is there, whatever it says, the answer explains the "
                    "choice of the replica.",
                    "schema": {"type": "string"},
                },
                "idempotency": {
                    "name": "idempotency-key", "in": "header", "required": False,
                    "description": "For 24 hours no other request of this key with the same field "
                    "is served or billed.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                },
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`neocloud key`"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key",
                           "description": "The same key, as Anthropic's clients send it"},
            },
        },
    })  # fmt: skip


def _headers(*names: str) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(schema)}}


def _refused(statuses: Iterable[int], schema: str) -> dict[str, Any]:
    found = {}
    for status in statuses:
        more = ("retry-after", *_LIMITS) if status == 429 else ()
        more = ("retry-after",) if status == 503 else more
        found[str(status)] = {
            "description": _REFUSALS[status],
            "headers": _headers("x-request-id", *more),
            "content": _json(schema),
        }
    return found


def _posted(post: _Post) -> dict[str, Any]:
    answer: dict[str, Any] = _json(post.answer)
    if post.streams:
        # No type: of 3.1's readers some take the stream as one string, some each event by itself.
        answer["text/event-stream"] = {"schema": {"description": post.streams}}
    whole = {
        "description": "The answer; as a stream where `stream` is true."
        if post.streams
        else "The answer.",
        "headers": _headers("x-request-id", "x-neocloud-emulated", "x-neocloud-explain", *_LIMITS),
        "content": answer,
    }
    error = "MessagesError" if post.anthropic else "Error"
    return {
        "operationId": post.operation,
        "summary": post.summary,
        "security": _KEYS,
        "parameters": [
            {"$ref": "#/components/parameters/metro"},
            {"$ref": "#/components/parameters/explain"},
            {"$ref": "#/components/parameters/idempotency"},
        ],
        "requestBody": {"required": True, "content": _json(post.asked)},
        "responses": {"200": whole, **_refused(_REFUSALS, error)},
    }


def _models() -> dict[str, Any]:
    name = {
        "name": "model", "in": "path", "required": True, "description": "It may hold slashes.",
        "schema": {"type": "string", "minLength": 1},
    }  # fmt: skip

    def told(operation: str, summary: str, schema: str, statuses: tuple[int, ...]) -> Any:
        return {
            "operationId": operation,
            "summary": summary,
            "security": _KEYS,
            "responses": {
                "200": {"description": "As of now.", "content": _json(schema)},
                **_refused(statuses, "Error"),
            },
        }

    listed = told("listModels", "Models that this key may use", "ModelList", _KEYED)
    one = told("retrieveModel", "One of them", "ModelEntry", (*_KEYED, 404))
    return {
        "/v1/models": {"get": listed},
        "/v1/models/{model}": {"get": {**one, "parameters": [name]}},
    }


def _plain() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}

    def told(operation: str, summary: str, **answers: str) -> dict[str, Any]:
        return {
            "get": {
                "operationId": operation,
                "summary": summary,
                "security": [],
                "responses": {
                    status.removeprefix("is"): {"description": what, "content": text}
                    for status, what in answers.items()
                },
            }
        }

    found = {
        "/healthz": told("isAlive", "Whether the process lives", is200="It does."),
        "/readyz": told("isReady", "Whether requests are taken", is200="They are.",
                        is503="They are not; the body says why."),
        "/metrics": told("metrics", "Metrics in Prometheus's form", is200="All metrics."),
        "/openapi.json": told("openapi", "This document", is200="OpenAPI 3.1."),
    }  # fmt: skip
    own: Any = {"application/json": {"schema": {"type": "object"}}}
    found["/openapi.json"]["get"]["responses"]["200"]["content"] = own
    return found
