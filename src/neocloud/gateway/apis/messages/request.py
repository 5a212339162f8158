"""A request of the Messages API as one of chat completions.

What has no counterpart is refused where its loss would change the answer (documents other than
text, tools that Anthropic's own servers run), and left out where it would not (cache marks,
Anthropic's own service tiers, the budget of thinking, which no engine promises). Fields that
Anthropic's API does not know pass through untouched, so that an engine's own
(`chat_template_kwargs`, `seed`) can be used.
"""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.api import Asked, Wanted
from neocloud.gateway.apis.messages.turns import Block, Turn, chat_messages
from neocloud.gateway.apis.openai.body import mixed_salt
from neocloud.gateway.apis.refusals import ApiError

_ABSENT = msgspec.Raw()
"""A union of `Raw` and `None` would take null alone."""


class _Tool(msgspec.Struct):
    name: str
    input_schema: msgspec.Raw = _ABSENT
    description: str | None = None
    type: str | None = None
    strict: bool | None = None


class _ToolChoice(msgspec.Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Format(msgspec.Struct):
    type: str
    schema: msgspec.Raw = _ABSENT


class _OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: _Format | None = None


class _Request(msgspec.Struct):
    """What is translated."""

    messages: list[Turn]
    max_tokens: int
    system: str | list[Block] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: _Metadata | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    mcp_servers: list[msgspec.Raw] | None = None
    container: msgspec.Raw = _ABSENT


_LEFT_OUT = frozenset({
    "cache_control", "context_management", "diagnostics", "inference_geo", "model",
    "speed", "stream", "thinking", "user_profile_id", "workspace_id",
})  # fmt: skip
"""Fields of Anthropic's that change nothing in an engine's answer, or stand there otherwise."""
_OWN_TIERS = frozenset({b"null", b'"auto"', b'"standard_only"'})
"""Values of `service_tier` that engines of chat completions do not know."""
_OURS = frozenset({"best_of", "max_completion_tokens", "n", "stream_options"})
"""Fields of chat completions that do not pass: how much is generated and what is told of it is
said in Anthropic's words, which the gateway has read."""
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""Above `high` not all engines know a word."""

_requests = msgspec.json.Decoder(_Request)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_PASSED = frozenset(_Request.__struct_fields__) | _LEFT_OUT | _OURS


def chat_body(body: bytes, asked: Asked, wanted: Wanted) -> bytes:
    """The body of a chat completion request that asks for the same.

    Raises:
        ApiError: 400, it cannot be put in these terms; the message says what and where.
    """
    try:
        request = _requests.decode(body)
        fields = _fields.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(f"the body is no messages request: {error}") from None
    if request.mcp_servers:
        raise _refused("mcp_servers: this model does not call servers by itself")
    if bytes(request.container) not in {b"", b"null"}:
        raise _refused("container: this model runs no code")
    messages = chat_messages(request.system, request.messages)
    out: dict[str, Any] = {
        "model": wanted.model,
        "messages": messages,
        "max_tokens": request.max_tokens,
    }
    if asked.stream:
        out["stream"] = True
        out["stream_options"] = {"include_usage": True}
        if wanted.continuous:
            out["stream_options"]["continuous_usage_stats"] = True
    if wanted.salt_field:
        own = fields.get(wanted.salt_field)
        out[wanted.salt_field] = wanted.salt if own is None else mixed_salt(wanted.salt, bytes(own))
    _add_sampling(out, request)
    _add_tools(out, request)
    if messages[-1]["role"] == "assistant" and not messages[-1].get("tool_calls"):
        # the answer goes on where the last turn ends (vLLM, SGLang, llama.cpp)
        out["continue_final_message"] = True
        out["add_generation_prompt"] = False
    if bytes(fields.get("service_tier", b"null")) in _OWN_TIERS:
        fields.pop("service_tier", None)
    for name, value in fields.items():
        if name not in _NOT_PASSED and name not in out:
            out[name] = value
    return msgspec.json.encode(out)


def _add_sampling(out: dict[str, Any], request: _Request) -> None:
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(request, name)
        if value is not None:
            out[name] = value
    if request.stop_sequences:
        out["stop"] = request.stop_sequences
    if request.metadata is not None and request.metadata.user_id is not None:
        out["user"] = request.metadata.user_id
    config = request.output_config or _OutputConfig()
    if config.effort is not None:
        if config.effort not in _EFFORTS:
            raise _refused(f"output_config.effort: one of {', '.join(_EFFORTS)}")
        out["reasoning_effort"] = _EFFORTS[config.effort]
    shape = config.format or request.output_format
    if shape is not None:
        if shape.type != "json_schema" or not bytes(shape.schema).startswith(b"{"):
            raise _refused("output_config.format: only a json_schema with its schema")
        described = {"name": "answer", "schema": shape.schema, "strict": True}
        out["response_format"] = {"type": "json_schema", "json_schema": described}


def _add_tools(out: dict[str, Any], request: _Request) -> None:
    if not request.tools:
        if request.tool_choice is not None and request.tool_choice.type in ("any", "tool"):
            raise _refused("tool_choice: there are no tools to choose from")
        return
    out["tools"] = [_tool(tool, place) for place, tool in enumerate(request.tools)]
    choice = request.tool_choice
    if choice is None:
        return
    if choice.type == "auto":
        out["tool_choice"] = "auto"
    elif choice.type == "any":
        out["tool_choice"] = "required"
    elif choice.type == "none":
        out["tool_choice"] = "none"
    elif choice.type == "tool" and choice.name:
        out["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        raise _refused("tool_choice: one of auto, any, none, and tool with its name")
    if choice.disable_parallel_tool_use:
        out["parallel_tool_calls"] = False


def _tool(tool: _Tool, place: int) -> dict[str, Any]:
    if tool.type not in (None, "custom"):
        raise _refused(
            f"tools.{place}: {tool.type!r} is run by Anthropic's own servers; "
            "give its name, description and input_schema to run it yourself"
        )
    if not bytes(tool.input_schema).startswith(b"{"):
        raise _refused(f"tools.{place}.input_schema: a JSON schema is needed")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.input_schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _refused(message: str) -> ApiError:
    return ApiError(400, message, "not_translatable")
