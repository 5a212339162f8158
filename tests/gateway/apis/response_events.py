"""A plain reading of a stream of the Responses API, which holds each event to the rules."""

from __future__ import annotations

import json
from typing import Any

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
_TEXTS = {"output_text": "text", "reasoning_text": "text", "refusal": "refusal"}


def read_events(body: bytes) -> list[dict[str, Any]]:
    """The events; each says its type twice."""
    found = []
    for event in body.split(b"\n\n")[:-1]:
        name, data = event.split(b"\n")
        told = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + told["type"].encode()
        found.append(told)
    assert body == b"" or body.endswith(b"\n\n")
    return found


def judge(body: bytes) -> dict[str, Any]:
    """The response that the stream ends with, after every event before it was found in order."""
    events = read_events(body)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in TERMINAL
    assert not TERMINAL & set(kinds[:-1])
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert f"response.{last['status']}" == kinds[-1]
    assert first["id"] == last["id"]
    items = _items(events[2:-1])
    assert last["output"] == items
    assert len({item["id"] for item in items}) == len(items)
    final: dict[str, Any] = last
    return final


def _items(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    at = 0
    while at < len(events):
        added = events[at]
        assert added["type"] == "response.output_item.added"
        assert added["item"]["status"] == "in_progress"
        end = at + 1
        while events[end]["type"] != "response.output_item.done":
            assert events[end]["item_id"] == added["item"]["id"]
            assert events[end]["output_index"] == len(items)
            end += 1
        done = events[end]
        assert added["output_index"] == done["output_index"] == len(items)
        assert added["item"]["id"] == done["item"]["id"]
        inside = events[at + 1 : end]
        if done["item"]["type"] == "function_call":
            _call(added["item"], inside, done["item"])
        else:
            _parts(added["item"], inside, done["item"])
        items.append(done["item"])
        at = end + 1
    return items


def _call(added: dict[str, Any], inside: list[dict[str, Any]], done: dict[str, Any]) -> None:
    assert added["arguments"] == ""
    *deltas, last = inside
    assert last["type"] == "response.function_call_arguments.done"
    assert {event["type"] for event in deltas} <= {"response.function_call_arguments.delta"}
    text = "".join(event["delta"] for event in deltas)
    assert text == last["arguments"] == done["arguments"]
    assert added["name"] == last["name"] == done["name"]
    assert added["call_id"] == done["call_id"]


def _parts(added: dict[str, Any], inside: list[dict[str, Any]], done: dict[str, Any]) -> None:
    assert added["content"] == []
    parts = []
    at = 0
    while at < len(inside):
        begun = inside[at]
        kind = begun["part"]["type"]
        field = _TEXTS[kind]
        assert begun["type"] == "response.content_part.added"
        assert begun["part"][field] == ""
        end = at + 1
        while inside[end]["type"] == f"response.{kind}.delta":
            end += 1
        told, ended = inside[end], inside[end + 1]
        assert told["type"] == f"response.{kind}.done"
        assert ended["type"] == "response.content_part.done"
        text = "".join(event["delta"] for event in inside[at + 1 : end])
        assert text == told[field] == ended["part"][field]
        here = inside[at : end + 2]
        assert {event["content_index"] for event in here} == {len(parts)}
        parts.append(ended["part"])
        at = end + 2
    assert parts == done["content"]
