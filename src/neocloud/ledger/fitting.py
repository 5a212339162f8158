"""Values that no ledger can hold, made such that it can: a record is never lost for one of them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from neocloud.ledger.records import UsageEvent

R = TypeVar("R", bound=msgspec.Struct)

MOST_TOKENS = 2**53 - 1
"""Largest count that every reader of JSON and every database takes; no request has so many."""
_MOST = 2**63 - 1


def with_possible_tokens(event: UsageEvent) -> UsageEvent:
    """The event with counts from 0 to `MOST_TOKENS`, marked as estimated if one was not."""
    counts = {
        name: min(max(getattr(event, name), 0), MOST_TOKENS)
        for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    }
    return msgspec.structs.replace(event, estimated=True, **counts)


def writable(record: R) -> R:
    """The record with numbers of 64 bits and text that UTF-8 can write."""
    changed: dict[str, object] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str):
            text = value.encode("utf-8", "replace").decode()
            if text != value:
                changed[name] = text
        elif isinstance(value, int) and not -_MOST <= value <= _MOST:
            changed[name] = _MOST if value > 0 else -_MOST
    return msgspec.structs.replace(record, **changed)
