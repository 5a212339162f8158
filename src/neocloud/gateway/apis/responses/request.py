"""A request of the Responses API as a chat completion request, for engines that speak only that."""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.apis.responses.turns import messages_of

MULTIPLIERS = ("n", "best_of", "max_tokens", "max_completion_tokens", "n_predict")
"""Fields of other APIs by which an answer would be longer, or more than one, unseen by the limits
that were read."""
_OWN = (
    *MULTIPLIERS, "input", "instructions", "max_output_tokens", "text", "tools", "tool_choice",
    "parallel_tool_calls", "reasoning", "top_logprobs", "include", "messages", "response_format",
    "logprobs", "reasoning_effort", "stream_options", "store", "metadata", "background",
    "background_options", "previous_response_id", "conversation", "prompt", "truncation",
    "max_tool_calls", "context_management",
)  # fmt: skip
"""What does not pass as it is: translated, without meaning for chat, or set here."""
_LOGPROBS = "message.output_text.logprobs"
_ABSENT = msgspec.Raw()


class _Tool(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = _ABSENT
    strict: bool | None = None


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[_Tool] = []


class _Format(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = _ABSENT
    strict: bool | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None


class _Request(msgspec.Struct):
    input: msgspec.Raw
    instructions: str | None = None
    max_output_tokens: int | None = None
    text: _Text | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Reasoning | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None


_decoder = msgspec.json.Decoder(_Request)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def chat_request(body: bytes) -> bytes:
    """The same as a chat completion request; fields that neither API knows pass through.

    Raises:
        ApiError: 400, it asks for what chat completions cannot do.
    """
    try:
        fields: dict[str, Any] = _fields.decode(body)
        asked = _decoder.decode(body)
        messages = messages_of(asked.instructions, bytes(asked.input))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is no response request: {error}", "bad_body") from None
    for name in _OWN:
        fields.pop(name, None)
    fields = {name: value for name, value in fields.items() if bytes(value) != b"null"}
    fields["messages"] = messages
    if asked.max_output_tokens is not None:
        fields["max_tokens"] = asked.max_output_tokens
    if asked.text is not None:
        _set_format(fields, asked.text)
    if asked.reasoning is not None and asked.reasoning.effort is not None:
        fields["reasoning_effort"] = asked.reasoning.effort
    if asked.top_logprobs or _LOGPROBS in (asked.include or ()):
        fields["logprobs"] = True
        fields["top_logprobs"] = asked.top_logprobs or 0
    _set_tools(fields, asked)
    return msgspec.json.encode(fields)


def _set_format(fields: dict[str, Any], text: _Text) -> None:
    if text.verbosity is not None:
        fields["verbosity"] = text.verbosity
    form = text.format
    if form is None or form.type == "text":
        return
    if form.type == "json_object":
        fields["response_format"] = {"type": "json_object"}
    elif form.type == "json_schema":
        schema = {
            "name": form.name or "answer",
            "description": form.description,
            "schema": form.schema if bytes(form.schema) else None,
            "strict": form.strict,
        }
        schema = {name: value for name, value in schema.items() if value is not None}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    else:
        raise ApiError(
            400, f"text.format of type {form.type[:64]!r} is not served for this model",
            "unsupported_format",
        )  # fmt: skip


def _set_tools(fields: dict[str, Any], asked: _Request) -> None:
    tools = asked.tools or []
    others = sorted({tool.type for tool in tools if tool.type != "function"})
    if others:
        raise ApiError(
            400,
            f"tools of type {', '.join(others)[:200]} are not served for this model, only of type "
            "function: the gateway calls no tools itself",
            "unsupported_tool",
        )
    choice: Any = asked.tool_choice
    if isinstance(choice, _Choice):
        if choice.type == "allowed_tools":
            allowed = {tool.name for tool in choice.tools}
            tools = [tool for tool in tools if tool.name in allowed]
            choice = choice.mode or "auto"
        elif choice.type == "function" and choice.name:
            choice = {"type": "function", "function": {"name": choice.name}}
        else:
            raise ApiError(
                400, f"tool_choice of type {choice.type[:64]!r} is not served for this model",
                "unsupported_tool",
            )  # fmt: skip
    if not tools:
        if choice not in {None, "auto", "none"} if isinstance(choice, str | None) else True:
            raise ApiError(400, "tool_choice asks for a tool, but there is none", "bad_tool_choice")
        return
    fields["tools"] = [{"type": "function", "function": _function(tool)} for tool in tools]
    if choice is not None:
        fields["tool_choice"] = choice
    if asked.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = asked.parallel_tool_calls


def _function(tool: _Tool) -> dict[str, Any]:
    if not tool.name:
        raise ApiError(400, "a tool of type function needs a name", "bad_body")
    told = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if bytes(tool.parameters) not in {b"", b"null"} else None,
        "strict": tool.strict,
    }
    return {name: value for name, value in told.items() if value is not None}
