"""Anthropic's own client through `neocloud up`, before an engine that is asked by chat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from tests.gateway.world import KEY

from neocloud.ledger import Status

from .conftest import Room

TEXT = "".join(f"t{i} " for i in range(7))
ASKED: Any = {
    "model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "one two"}]
}  # fmt: skip
TOOL: Any = {"name": "look", "input_schema": {"type": "object"}}


@pytest.fixture
def client(fake: Room) -> Iterator[Anthropic]:
    with Anthropic(base_url=fake.front.url, api_key=KEY, max_retries=0, timeout=30) as made:
        yield made


def words(text: str) -> Any:
    return {**ASKED, "messages": [{"role": "user", "content": text}]}


def test_a_message_streamed_and_not(fake, client):
    whole = client.messages.create(**ASKED)
    assert whole.content[0].text == TEXT
    assert (whole.usage.input_tokens, whole.usage.cache_read_input_tokens) == (1, 1)
    assert (whole.usage.output_tokens, whole.stop_reason) == (7, "end_turn")
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == TEXT
        final = stream.get_final_message()
    assert (final.usage.output_tokens, final.stop_reason) == (7, "end_turn")
    first, second = fake.events(2)
    assert first.request_id == whole._request_id
    assert second.request_id == stream.request_id
    for event in (first, second):
        assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (2, 1, 7)
        assert event.api == "messages"


def test_tools_streamed_and_not(fake, client):
    forced: Any = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}}
    whole = client.messages.create(**ASKED, **forced)
    assert (whole.stop_reason, whole.content[0].input) == ("tool_use", {"said": TEXT})
    with client.messages.stream(**ASKED, **forced) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.content[0].input) == ("tool_use", {"said": TEXT})
    assert [event.output_tokens for event in fake.events(2)] == [7, 7]


def test_a_limit_is_told_as_such(fake, client):
    whole = client.messages.create(**{**ASKED, "max_tokens": 3})
    assert (whole.stop_reason, whole.usage.output_tokens) == ("max_tokens", 3)
    (event,) = fake.events(1)
    assert event.output_tokens == 3


ERRORS = [
    ("STATUS=400", anthropic.BadRequestError, "invalid_request_error"),
    ("STATUS=413", anthropic.APIStatusError, "request_too_large"),
    ("STATUS=422", anthropic.UnprocessableEntityError, "invalid_request_error"),
    ("STATUS=429", anthropic.RateLimitError, "rate_limit_error"),
    ("FAULT=draining", anthropic.InternalServerError, "api_error"),
    ("FAULT=full", anthropic.APIStatusError, "overloaded_error"),
]


@pytest.mark.parametrize(("said", "error", "kind"), ERRORS)
def test_errors_of_the_engine_have_the_clients_classes(fake, client, said, error, kind):
    with pytest.raises(error) as raised:
        client.messages.create(**words(said))
    body: Any = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    (event,) = fake.events(1)
    assert event.status is Status.FAILED
    assert raised.value.request_id == event.request_id


def test_errors_of_the_gateway_have_the_clients_classes(fake, client):
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="wrong").messages.create(**ASKED)
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(**{**ASKED, "model": "none"})
    body: Any = missing.value.body
    assert body["error"]["type"] == "not_found_error"
    assert body["request_id"] == missing.value.request_id
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**{**ASKED, "max_tokens": 0})
    with pytest.raises(anthropic.APIStatusError) as large:
        client.messages.create(**words("x" * 5_000_000))
    assert large.value.status_code == 413
    fake.events(0)


def test_a_stream_that_fails_raises_in_the_client(fake, client):
    with (
        pytest.raises(anthropic.APIStatusError, match="shut down"),
        client.messages.stream(**words("FAULT=error-event AFTER=1 CHUNKS=5")) as stream,
    ):
        json.dumps(list(stream.text_stream))
    (event,) = fake.events(1)
    assert event.status is Status.FAILED
