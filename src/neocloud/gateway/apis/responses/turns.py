"""What a request of the Responses API puts in, as the messages of a chat."""

from __future__ import annotations

from typing import Any

import msgspec

from neocloud.gateway.apis.refusals import ApiError

_ABSENT = msgspec.Raw()
Message = dict[str, Any]


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    input_audio: msgspec.Raw = _ABSENT


class _Kind(msgspec.Struct):
    type: str | None = None
    role: str | None = None


class _Spoken(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _Call(msgspec.Struct):
    call_id: str
    name: str
    arguments: str = "{}"


class _Output(msgspec.Struct):
    call_id: str
    output: str | list[_Part] = ""


_items = msgspec.json.Decoder(list[msgspec.Raw])
_kinds = msgspec.json.Decoder(_Kind)
_spoken = msgspec.json.Decoder(_Spoken)
_calls = msgspec.json.Decoder(_Call)
_outputs = msgspec.json.Decoder(_Output)

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
"""Models' own chat templates know no developer."""
_TEXTS = frozenset({"input_text", "output_text", "text", "refusal"})


def messages_of(instructions: str | None, given: bytes) -> list[Message]:
    """The messages of a chat.

    Args:
        instructions: stand first, as the system's.
        given: raw JSON of `input`.

    Raises:
        ApiError: 400, an item or part has no like in a chat.
        msgspec.MsgspecError: it is no input.
    """
    messages: list[Message] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    if given[:1] == b'"':
        messages.append({"role": "user", "content": msgspec.json.decode(given, type=str)})
        return messages
    for item in _items.decode(given):
        _add(messages, item)
    return messages


def _add(messages: list[Message], item: msgspec.Raw) -> None:
    kind = _kinds.decode(item)
    if kind.type == "message" or (kind.type is None and kind.role is not None):
        _say(messages, _spoken.decode(item))
    elif kind.type == "function_call":
        call = _calls.decode(item)
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": None})
        messages[-1].setdefault("tool_calls", []).append(
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
        )
    elif kind.type == "function_call_output":
        output = _outputs.decode(item)
        content = _content(output.output)
        messages.append({"role": "tool", "tool_call_id": output.call_id, "content": content})
    elif kind.type == "item_reference":
        raise ApiError(
            400, "answers are not kept here, so items cannot be referred to: send them whole",
            "no_stored_responses",
        )  # fmt: skip
    elif kind.type != "reasoning":  # models are not shown their earlier thoughts
        raise ApiError(
            400, f"input items of type {str(kind.type)[:64]!r} are not served for this model",
            "unsupported_item",
        )  # fmt: skip


def _say(messages: list[Message], spoken: _Spoken) -> None:
    role = _ROLES.get(spoken.role)
    if role is None:
        raise ApiError(400, f"there is no role {spoken.role[:64]!r}", "bad_body")
    content = spoken.content or ""
    if role == "user":
        messages.append({"role": role, "content": _content(content)})
        return
    text = content if isinstance(content, str) else _text(content, role)
    if role == "system" and messages and messages[-1]["role"] == "system":
        messages[-1]["content"] += "\n\n" + text  # templates take one, at the beginning
    else:
        messages.append({"role": role, "content": text})


def _text(parts: list[_Part], role: str) -> str:
    others = [part.type for part in parts if part.type not in _TEXTS]
    if others:
        raise ApiError(
            400, f"a part of type {others[0][:64]!r} cannot stand in a message of role {role}",
            "unsupported_part",
        )  # fmt: skip
    joint = "" if role == "assistant" else "\n"
    return joint.join([part.text or part.refusal or "" for part in parts])


def _content(content: str | list[_Part]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = [_part(part) for part in content]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _part(part: _Part) -> dict[str, Any]:
    if part.type in _TEXTS:
        return {"type": "text", "text": part.text or part.refusal or ""}
    if part.type == "input_image" and part.image_url is not None:
        image = {"url": part.image_url}
        if part.detail is not None:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    if part.type == "input_audio" and bytes(part.input_audio):
        return {"type": "input_audio", "input_audio": part.input_audio}
    what = "input_image without image_url" if part.type == "input_image" else part.type[:64]
    raise ApiError(400, f"a part of type {what} is not served for this model", "unsupported_part")
