"""Values that we reflect, forward or look up: none of them becomes a field of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.fuzz.stand import Stand, chat, fuzzed, request
from tests.gateway.reports.stage import PATHS
from tests.gateway.world import KEY

_NAMES = (
    b"x-neocloud-metro", b"x-neocloud-explain", b"x-request-id", b"traceparent", b"tracestate",
    b"user-agent", b"x-api-key", b"authorization", b"cookie", b"forwarded", b"x-forwarded-for",
    b"accept-encoding", b"content-type", b"content-encoding", b"range", b"if-none-match", b"te",
    b"connection", b"keep-alive", b"expect", b"upgrade", b"anthropic-version",
    b"openai-organization",
    b"proxy-authorization", b"max-forwards", b"via", b"x-neocloud-emulated", b"host",
)  # fmt: skip
_ASKED = frozenset({"host", "content-type", "content-length", "authorization", "traceparent"})
"""Fields that an engine gets; all of them are ours."""


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand(tmp_path) as stand:
        yield stand


def test_values_of_fields_are_values(stand: Stand) -> None:
    letters = st.sampled_from(b"ab ,;=\"\t\x80\xff\xc3\xa9%0d%0a\\r\\n:'/-{}")
    value = st.one_of(
        st.lists(letters, max_size=30).map(bytes),
        st.sampled_from((b"close", b"upgrade", b"keep-alive", b"100-continue", b"trailers", b"gzip",
                         b"Bearer " + KEY.encode(), b"Bearer", b"Basic YTpi", KEY.encode(),
                         b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01", b"frankfurt")),
    )  # fmt: skip

    @fuzzed(500)
    @given(
        st.lists(st.tuples(st.sampled_from(_NAMES), value), max_size=4),
        st.sampled_from(sorted(PATHS.values())),
        st.booleans(),
    )
    def test(fields: list[tuple[bytes, bytes]], path: str, stream: bool) -> None:
        body = json.dumps({**json.loads(chat(stream=stream)), "prompt": "a", "input": "a",
                           "max_tokens": 3}).encode()  # fmt: skip
        heard = stand.talk(request("POST", path, body, *fields))
        assert len(heard.answers) == 1
        assert heard.statuses[0] in (200, 400, 401, 404, 417)
        if stand.upstream.heard and heard.statuses[0] == 200:
            sent = stand.upstream.heard[-1].headers
            assert set(sent) <= _ASKED
            assert sent["authorization"] == "Bearer engine"

    test()


_BREAKS = ("\r\nx-evil: 1", "\nx-evil: 1", "\rx-evil: 1", "\0", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")


@pytest.mark.parametrize("words", _BREAKS)
def test_names_of_models_break_no_line(stand: Stand, words: str) -> None:
    for path in PATHS.values():
        said = json.loads(chat(prompt="a", input="a", max_tokens=1)) | {"model": "m" + words}
        heard = stand.talk(request("POST", path, json.dumps(said).encode()))
        assert heard.statuses[0] in (400, 404)
        assert b"\nx-evil" not in heard.out
        assert len(heard.answers) == 1


@pytest.mark.parametrize("words", _BREAKS)
def test_fields_of_an_engine_break_no_line(stand: Stand, words: str) -> None:
    # What an engine says in its head goes nowhere; what it says in an error goes into the body.
    for stream in (False, True):
        body = chat(f"FAULT=headers STATUS=400 {words}", stream=stream)
        (answer,) = stand.talk(request("POST", PATHS["chat"], body)).answers
        assert answer.status == 400
        assert b"set-cookie" not in answer.fields
        assert b"x-secret" not in answer.fields
        json.loads(answer.body)


def test_the_path_is_told_back_as_json(stand: Stand) -> None:
    for target in (b'/"}]<script>', b"/%0d%0ax-evil:%201", b"/" + b"a" * 20_000, b"/v1/models/%22"):
        (answer,) = stand.talk(request("GET", target)).answers
        assert answer.status == 404
        assert answer.fields[b"content-type"] == b"application/json"
        assert len(answer.body) < 1000
        json.loads(answer.body)
