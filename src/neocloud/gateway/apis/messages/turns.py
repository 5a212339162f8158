"""The turns of a conversation in Anthropic's blocks, as messages of chat completions."""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.refusals import ApiError

BILLING_HEADER = "x-anthropic-billing-header"
"""How Claude Code begins a block of its system prompt that holds a hash of the request: it is not
for the model, and no two requests would share a prefix with it (vLLM drops it too)."""


class Source(msgspec.Struct):
    """Where an image or a document is."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: str | list[Block] | None = None


class Block(msgspec.Struct):
    """A block of any type; which fields count follows from `type`."""

    type: str
    text: str = ""
    thinking: str = ""
    source: Source | str | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    tool_use_id: str = ""
    content: str | list[Block] | None = None
    is_error: bool | None = None
    title: str | None = None
    context: str | None = None


class Turn(msgspec.Struct):
    """One message."""

    role: str
    content: str | list[Block]


def chat_messages(system: str | list[Block] | None, turns: list[Turn]) -> list[dict[str, Any]]:
    """Messages of chat completions.

    A turn of the user's with results of tools becomes a message for each of them, then one with
    what else it holds, images of the results first: chat's tool messages hold text only. A result
    that is an error begins with that word; chat has no other sign of it.

    Raises:
        ApiError: 400, a block has no counterpart; the message says which.
    """
    out: list[dict[str, Any]] = []
    if system:
        text = system if isinstance(system, str) else _system_text(system, "system")
        if text:
            out.append({"role": "system", "content": text})
    if not turns:
        raise _refused("messages", "at least one message is needed")
    for place, turn in enumerate(turns):
        where = f"messages.{place}.content"
        content = turn.content
        if turn.role not in ("user", "assistant", "system"):
            raise _refused(f"messages.{place}.role", f"{turn.role!r} is no role")
        if isinstance(content, str):
            out.append({"role": turn.role, "content": content})
        elif turn.role == "user":
            out += _user(content, where)
        elif turn.role == "assistant":
            out.append(_assistant(content, where))
        else:
            out.append({"role": "system", "content": _system_text(content, where)})
    return out


def _system_text(blocks: list[Block], where: str) -> str:
    texts = []
    for place, block in enumerate(blocks):
        if block.type != "text":
            raise _refused(f"{where}.{place}", f"a block of type {block.type!r} cannot stand here")
        if block.text and not block.text.startswith(BILLING_HEADER):
            texts.append(block.text)
    return "\n\n".join(texts)


def _user(blocks: list[Block], where: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for place, block in enumerate(blocks):
        here = f"{where}.{place}"
        if block.type == "tool_result":
            inner = _parts_of(block.content, f"{here}.content")
            text = "\n".join(part["text"] for part in inner if part["type"] == "text")
            pictures += [part for part in inner if part["type"] != "text"]
            if block.is_error and not text.lower().startswith("error"):
                text = f"Error: {text}"
            if not block.tool_use_id:
                raise _refused(f"{here}.tool_use_id", "the call that it answers is needed")
            results.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": text})
        else:
            parts += _parts(block, here)
    parts = pictures + parts
    if not parts:
        return results or [{"role": "user", "content": ""}]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return [*results, {"role": "user", "content": parts[0]["text"]}]
    return [*results, {"role": "user", "content": parts}]


def _assistant(blocks: list[Block], where: str) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for place, block in enumerate(blocks):
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "thinking":
            thoughts.append(block.thinking)
        elif block.type == "redacted_thinking":
            pass  # nobody but Anthropic can read it
        elif block.type == "tool_use":
            given = bytes(block.input)
            function = {"name": block.name, "arguments": given.decode()}
            calls.append({"id": block.id, "type": "function", "function": function})
        else:
            raise _untranslatable(block, f"{where}.{place}")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts)}
    if thoughts:
        # the chat template drops what the model need not see; vLLM reads the first name, SGLang
        # and llama.cpp the second
        message["reasoning"] = message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
        if not texts:
            message["content"] = None
    return message


def _parts_of(content: str | list[Block] | None, where: str) -> list[dict[str, Any]]:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for place, block in enumerate(content):
        parts += _parts(block, f"{where}.{place}")
    return parts


def _parts(block: Block, where: str) -> list[dict[str, Any]]:
    source = block.source
    if block.type == "text":
        return [{"type": "text", "text": block.text}]
    if block.type == "image" and isinstance(source, Source):
        if source.type == "base64":
            url = f"data:{source.media_type};base64,{source.data}"
        elif source.type == "url":
            url = source.url
        else:
            raise _refused(f"{where}.source", f"an image by {source.type!r} cannot be had")
        return [{"type": "image_url", "image_url": {"url": url}}]
    if block.type == "document" and isinstance(source, Source):
        if source.type == "text":
            inner = [{"type": "text", "text": source.data}]
        elif source.type == "content":
            inner = _parts_of(source.content, f"{where}.source.content")
        else:
            raise _refused(f"{where}.source", "only documents of text can be put to this model")
        return [*_titles(block.title, block.context), *inner]
    if block.type == "search_result":
        origin = source if isinstance(source, str) else None
        return [*_titles(block.title, origin), *_parts_of(block.content, f"{where}.content")]
    raise _untranslatable(block, where)


def _titles(*lines: str | None) -> list[dict[str, Any]]:
    text = "\n".join(line for line in lines if line)
    return [{"type": "text", "text": text}] if text else []


def _untranslatable(block: Block, where: str) -> ApiError:
    return _refused(where, f"a block of type {block.type!r} cannot be put to this model")


def _refused(where: str, message: str) -> ApiError:
    return ApiError(400, f"{where}: {message}", "not_translatable")
