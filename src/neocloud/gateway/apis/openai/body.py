"""The little that the gateway changes in a request that passes through to an engine.

The client's bytes are kept as they are wherever adding fields at the front is enough.
"""

from __future__ import annotations

import hashlib

import msgspec

from neocloud.gateway.apis.api import Asked, Wanted

_REPEATED = (b'"stream_options"', b'"max_', b'_salt"', b'"extra_key"', b"\\u00")
"""Where one of these occurs, a field added at the front may stand in the body again, as null or
under an escaped name, and the last of two would win."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def engine_body(
    body: bytes, asked: Asked, wanted: Wanted, limit_field: str, limit_aliases: tuple[str, ...] = ()
) -> bytes:
    """The body that the engine gets: usage asked for, output limited, cache salted, its model name.

    Args:
        body: as the client sent it.
        asked: the same, read.
        wanted: what the gateway adds.
        limit_field: name of the limit of output tokens; empty where the API has none.
        limit_aliases: other names of the same, which are taken out where a limit is set.
    """
    front = b""
    limited = bool(limit_field) and asked.limit is None and wanted.limit is not None
    if limited:
        front = b'"%b":%d,' % (limit_field.encode(), wanted.limit or 0)
    if wanted.salt_field:
        front += b'"%b":"%b",' % (wanted.salt_field.encode(), wanted.salt.encode())
    if asked.stream and (
        wanted.continuous or not asked.wants_usage or b'"stream_options"' not in body
    ):
        front += (
            b'"stream_options":{"include_usage":true,"continuous_usage_stats":true},'
            if wanted.continuous
            else b'"stream_options":{"include_usage":true},'
        )
    if wanted.model != asked.model:
        return _rewritten(body, asked, wanted, limit_field if limited else "", limit_aliases)
    if not front:
        return body
    for word in _REPEATED:
        if word in body:
            return _rewritten(body, asked, wanted, limit_field if limited else "", limit_aliases)
    start = body.index(b"{") + 1
    return b"%b%b%b" % (body[:start], front, body[start:])


def _rewritten(
    body: bytes, asked: Asked, wanted: Wanted, limit_field: str, limit_aliases: tuple[str, ...]
) -> bytes:
    fields = _fields.decode(body)
    fields["model"] = msgspec.Raw(msgspec.json.encode(wanted.model))
    if asked.stream:
        given = fields.get("stream_options")
        options = {} if given is None else msgspec.json.decode(given) or {}
        options["include_usage"] = True
        if wanted.continuous:
            options["continuous_usage_stats"] = True
        else:
            options.pop("continuous_usage_stats", None)
        fields["stream_options"] = msgspec.Raw(msgspec.json.encode(options))
    if wanted.salt_field:
        own = fields.get(wanted.salt_field)
        salt = wanted.salt if own is None else mixed_salt(wanted.salt, bytes(own))
        fields[wanted.salt_field] = msgspec.Raw(msgspec.json.encode(salt))
    if limit_field:
        for alias in limit_aliases:
            fields.pop(alias, None)
        fields[limit_field] = msgspec.Raw(b"%d" % (wanted.limit or 0))
    return msgspec.json.encode(fields)


def mixed_salt(salt: str, own: bytes) -> str:
    """The tenant's salt with the client's own in it: it may part its users, never join tenants."""
    return hashlib.blake2b(own, key=salt.encode()[:64], digest_size=16).hexdigest()
