"""The request body: untouched where nothing is to add, and what is added where something is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.apis.api import Wanted
from neocloud.gateway.apis.openai import Chat
from neocloud.gateway.apis.refusals import ApiError

MESSAGES = '"messages": [{"role": "user", "content": "Grüße \\u20ac \\"stream\\""}]'


def sent(body: bytes, model: str = "m", limit: int | None = None) -> bytes:
    wanted = Wanted(model=model, limit=limit)
    return Chat.through.request(body, Chat().read(body), wanted)


def text(*fields: str) -> bytes:
    return ("{ " + ", ".join(('"model": "m"', MESSAGES, *fields)) + " }").encode()


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (text(), None),
        (text('"stream": false'), None),
        (text('"stream": null', '"temperature": 0.10'), None),
        (text('"max_tokens": 5'), 50),
        (text('"max_completion_tokens": 5'), 50),
        (text('"stream": true', '"stream_options": {"include_usage": true, "x": 1.0}'), None),
        (text('"tools": [{"a":1e0}]', '"max_tokens":5', '"stream":false'), 50),
    ],
)
def test_bytes_stay_where_nothing_is_to_add(body: bytes, limit: int | None) -> None:
    assert sent(body, limit=limit) is body


def test_usage_is_asked_for_at_the_front_and_the_rest_stays() -> None:
    body = text('"stream": true')
    out = sent(body)
    assert out == b'{"stream_options":{"include_usage":true},' + body[1:]
    assert json.loads(out) == {**json.loads(body), "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    "options",
    [
        "null",
        '{"include_usage": false}',
        '{"include_usage": null}',
        "{}",
        '{"include_usage": false, "x": [1]}',
    ],
)
def test_usage_is_asked_for_whatever_the_options_say(options: str) -> None:
    body = text('"stream": true', f'"stream_options": {options}')
    asked = {**(json.loads(options) or {}), "include_usage": True}
    assert json.loads(sent(body)) == {**json.loads(body), "stream_options": asked}
    assert not Chat().read(body).wants_usage


def test_no_usage_is_asked_for_without_a_stream() -> None:
    """Engines refuse stream_options on an answer that is no stream."""
    assert b"stream_options" not in sent(text(), limit=5, model="other")


def test_a_limit_is_set_where_the_client_sets_none() -> None:
    body = text()
    assert sent(body, limit=50) == b'{"max_tokens":50,' + body[1:]
    assert sent(body, limit=None) is body


@pytest.mark.parametrize(
    "field", ['"max_tokens": null', '"max_completion_tokens": null', '"max\\u005ftokens": null']
)
def test_a_limit_of_null_is_none(field: str) -> None:
    """JSON's readers take the last of two fields, so that null behind our limit would undo it."""
    read = json.loads(sent(text(field), limit=50))
    assert read["max_tokens"] == 50
    assert read.get("max_completion_tokens", 50) == 50


def test_options_under_an_escaped_name_do_not_hide_usage() -> None:
    body = text('"stream": true', '"stream\\u005foptions": null')
    assert json.loads(sent(body))["stream_options"] == {"include_usage": True}


def test_the_model_gets_the_engines_name() -> None:
    body = text('"seed": 7')
    assert json.loads(sent(body, model="meta/m")) == {**json.loads(body), "model": "meta/m"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"model": "m"}',
        b'{"messages": []}',
        b'{"model": 3, "messages": []}',
        b'{"model": "m", "messages": [], "stream": "yes"}',
        b'{"model": "m", "messages": [], "max_tokens": 1.5}',
        b'{"model": "m", "messages": [], "max_tokens": 0}',
        b'{"model": "m", "messages": [], "max_completion_tokens": -1}',
        b'{"model": "m", "messages": [], "stream_options": []}',
        b'{"model": "\xff", "messages": []}',
        b'{"model": "m", "messages": []} x',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        Chat().read(body)
    assert caught.value.status == 400


BODIES = st.fixed_dictionaries(
    {"model": st.sampled_from(("m", "ä")), "messages": st.just([{"content": '"max_tokens":1'}])},
    optional={
        "stream": st.sampled_from((True, False, None)),
        "stream_options": st.sampled_from(
            (None, {}, {"include_usage": True}, {"include_usage": False, "x": 1})
        ),
        "max_tokens": st.sampled_from((None, 1, 9)),
        "max_completion_tokens": st.sampled_from((None, 2)),
        "stop": st.text(max_size=3),
    },
)


@given(BODIES, st.sampled_from((None, 50)), st.booleans(), st.randoms())
def test_only_what_must_change_does(
    body: dict[str, Any], limit: int | None, escaped: bool, random: Any
) -> None:
    fields = list(body.items())
    random.shuffle(fields)
    raw = json.dumps(dict(fields), ensure_ascii=escaped).encode()
    out = json.loads(sent(raw, model="engine", limit=limit))
    expected = {**body, "model": "engine"}
    if body.get("stream"):
        expected["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    limits = (body.get("max_tokens"), body.get("max_completion_tokens"))
    if limit is not None and limits == (None, None):
        expected["max_tokens"] = limit
        expected.pop("max_completion_tokens", None)
    assert out == expected


def test_continuous_usage_is_asked_for_even_of_a_client_that_asked_for_usage() -> None:
    body = text('"stream": true', '"stream_options": {"include_usage": true, "x": 1}')
    out = Chat.through.request(body, Chat().read(body), Wanted(model="m", continuous=True))
    options = {"include_usage": True, "continuous_usage_stats": True, "x": 1}
    assert json.loads(out)["stream_options"] == options


@pytest.mark.parametrize("own", ["", '"cache_salt": "acme"', '"cache\\u005fsalt": "acme"'])
def test_a_client_cannot_take_another_tenants_salt(own: str) -> None:
    body = text(*([own] if own else []))
    wanted = Wanted(model="m", salt_field="cache_salt", salt="secret")
    salt = json.loads(Chat.through.request(body, Chat().read(body), wanted))["cache_salt"]
    assert salt == "secret" if not own else salt not in ("secret", "acme")
    other = Wanted(model="m", salt_field="cache_salt", salt="another")
    assert json.loads(Chat.through.request(body, Chat().read(body), other))["cache_salt"] != salt
