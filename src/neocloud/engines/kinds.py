"""Kinds of engines, and what each kind speaks unless its endpoint is told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

CHAT, COMPLETIONS, EMBEDDINGS = "chat", "completions", "embeddings"
RESPONSES, MESSAGES = "responses", "messages"
APIS = frozenset({CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES})
"""Every API that an engine may speak, as `Endpoint.speaks` and usage events name it."""

EMULATED = "emulated"
LLAMACPP = "llamacpp"
REMOTE = "remote"
SGLANG = "sglang"
VLLM = "vllm"


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine of a kind speaks.

    Attributes:
        speaks: APIs that it is asked in as they are; what it does not speak is translated, where
            that can be.
        continuous: it puts the usage so far into each event of a stream, when
            `stream_options.continuous_usage_stats` asks for it.
        salt_field: field of a request that parts its prefix cache; empty where there is none.
        ready_page: path that answers 200 while it takes requests.
    """

    speaks: frozenset[str]
    continuous: bool = False
    salt_field: str = ""
    ready_page: bytes = b"/health"


_OPENAI = frozenset({CHAT, COMPLETIONS, EMBEDDINGS})

# vLLM 0.33.0: entrypoints/openai/*/api_router.py, entrypoints/anthropic/api_router.py,
# entrypoints/pooling/embed/api_router.py; `cache_salt` in the protocol.py of each of them.
# SGLang 0.5.23: entrypoints/http_server.py has all five, but what it makes of /v1/messages
# (entrypoints/anthropic/serving.py) drops `cache_salt`, so that tenants would share its cache:
# messages are put to it as chat. Its /health generates a token and takes a second; /ready does not.
# llama.cpp of 2026-10: all five were run.
KINDS: Mapping[str, Manners] = MappingProxyType({
    VLLM: Manners(speaks=APIS, continuous=True, salt_field="cache_salt"),
    SGLANG: Manners(
        speaks=_OPENAI | {RESPONSES}, continuous=True, salt_field="cache_salt", ready_page=b"/ready"
    ),
    LLAMACPP: Manners(speaks=APIS),
    REMOTE: Manners(speaks=_OPENAI),
    EMULATED: Manners(speaks=_OPENAI, continuous=True, salt_field="cache_salt"),
})  # fmt: skip
"""By kind of engine."""
