"""Images, sounds and files inside a prompt: how many there are, and where they come from.

An engine fetches what a URL in a prompt names, from inside the operator's network. So only `data:`
URLs pass, and URLs of hosts that the operator lists: a tenant must not read the metadata service of
a machine through a picture (server-side request forgery).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from neocloud.gateway.apis.refusals import ApiError

_URL_FIELDS = frozenset({"url", "image_url", "video_url", "audio_url", "file_url"})
_DATA_FIELDS = frozenset({"data", "file_data"})
_KINDS = frozenset({
    "image_url", "input_image", "image", "input_audio", "audio_url", "video_url", "input_video",
    "file", "input_file", "document",
})  # fmt: skip
_NOT_FETCHED = frozenset({"input", "input_schema", "parameters", "schema", "arguments"})
"""What the model wrote to a tool, and the shape of it: no engine fetches what stands in there."""
_MAX_DEPTH = 32


class Media(msgspec.Struct):
    """What was found: parts that are media, and the bytes of their contents in the prompt."""

    parts: int = 0
    bytes: int = 0


NO_MEDIA = Media()


def media_of(prompt: bytes, hosts: frozenset[str]) -> Media:
    """Count the media of a prompt.

    Args:
        prompt: raw JSON of messages, prompt or input.
        hosts: whose URLs an engine may fetch.

    Raises:
        ApiError: 400, a URL is neither `data:` nor of one of these hosts, or the JSON is too deep.
    """
    # A medium is a part in a list of parts within the prompt: single letters are found quickly.
    # vLLM takes parts without a type too; and a name may be written escaped.
    if prompt.find(b"[", 1) < 0 or not (
        b'"type"' in prompt
        or b'_url"' in prompt
        or b'"input_audio"' in prompt
        or (b"\\" in prompt and b"\\u00" in prompt)
    ):
        return NO_MEDIA
    found = Media()
    try:
        value = msgspec.json.decode(prompt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the prompt is not JSON: {error}", "bad_body") from None
    _walk(value, found, hosts, 0)
    return found


def _walk(value: Any, found: Media, hosts: frozenset[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ApiError(400, f"the prompt is nested deeper than {_MAX_DEPTH} levels", "bad_body")
    if isinstance(value, list):
        for each in value:
            _walk(each, found, hosts, depth + 1)
    elif isinstance(value, dict):
        kind = value.get("type")
        if kind in _KINDS or (kind is None and not _KINDS.isdisjoint(value)):
            found.parts += 1
        for name, each in value.items():
            if isinstance(each, str):
                if name in _URL_FIELDS:
                    _check(each, hosts)
                    found.bytes += len(each)
                elif name in _DATA_FIELDS:
                    found.bytes += len(each)
            elif name not in _NOT_FETCHED:
                _walk(each, found, hosts, depth + 1)


def _check(url: str, hosts: frozenset[str]) -> None:
    if url[:5].lower() == "data:":
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
        parts = urlsplit("")
    if host is not None and parts.scheme in ("http", "https") and host.lower() in hosts:
        return
    raise ApiError(
        400,
        "media by URL are not fetched here, except from hosts that the operator lists "
        "(gateway.media_hosts): send it as a data: URL",
        "media_url_not_allowed",
    )
