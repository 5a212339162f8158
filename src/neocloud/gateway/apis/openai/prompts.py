"""How many prompts a field holds that may be text, tokens, or several of either."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis.refusals import ApiError

_several = msgspec.json.Decoder(list[msgspec.Raw])
_FORMS = "a string, a list of strings, a list of tokens, or a list of lists of tokens"


def prompts_of(field: bytes, name: str) -> int:
    """Count the prompts; whether they are all of one form is for the engine to say.

    Args:
        field: raw JSON.
        name: of the field.

    Raises:
        ApiError: 400, it is none of the forms, or empty.
    """
    if field[:1] == b'"':
        return 1
    if field[:1] != b"[":
        raise ApiError(400, f"{name} must be {_FORMS}", "bad_body")
    entries = _several.decode(field)
    first = bytes(entries[0])[:1] if entries else b""
    if first == b'"' or (first == b"[" and bytes(entries[0]).strip(b"[ \t\r\n]")):
        return len(entries)
    if first.isdigit():
        return 1
    raise ApiError(400, f"{name} must be {_FORMS}, and not empty", "bad_body")
