"""Requests that are none, cut anywhere, one behind the other: answered or refused, metered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.fuzz.stand import Stand, chat, fuzzed, request
from tests.gateway.reports.stage import PATHS, STREAMING, body_of

_STREAM = {api: body_of(api, "TOKENS=2", limit=9, stream=True) for api in STREAMING}
GOOD = (
    request("POST", PATHS["chat"], chat()),
    request("POST", PATHS["chat"], chat(stream=True)),
    request("POST", PATHS["completions"], body_of("completions", "x")),
    request("POST", PATHS["embeddings"], body_of("embeddings", "x")),
    request("POST", PATHS["messages"], _STREAM["messages"]),
    request("POST", PATHS["responses"], _STREAM["responses"]),
    request("POST", PATHS["chat"], b"%x\r\n%b\r\n0\r\n\r\n" % (len(chat()), chat())).replace(
        b"content-length: %d" % len(b"%x\r\n%b\r\n0\r\n\r\n" % (len(chat()), chat())),
        b"transfer-encoding: chunked",
    ),
    request("POST", PATHS["chat"], chat(), (b"expect", b"100-continue")),
    request("GET", "/v1/models"),
    request("GET", "/v1/models/m"),
    request("HEAD", "/v1/models"),
    request("GET", "/healthz"),
    request("GET", "/metrics"),
    request("GET", "http://gateway/healthz"),
    request("GET", "/nowhere"),
    request("POST", PATHS["chat"], b"{"),
    request("POST", PATHS["chat"], chat(), key="wrong"),
)
"""Requests that are read; not all of them are served."""
_NASTY = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\xff",
    b"\x80",
    b"{",
    b"[",
    b'"',
    b"\\",
    b"0\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"content-length: 0\r\n",
    b"ffffffffffffffff\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"GET / HTTP/1.1\r\n",
    b"host: b\r\n",
    b"connection: close\r\n",
    b"POST ",
    b"connection: upgrade\r\nupgrade: h2c\r\n",
    b"expect: 100-continue\r\n",
    b";ext=1",
    b"%00",
    b"x-neocloud-metro: \xe9\r\n",
    b"connection: keep-alive\r\n",
    b"/../",
    b"?",
    b"#",
    b"http://",
)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand(tmp_path) as stand:
        yield stand


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Good requests with bytes put in, taken out, repeated and replaced."""
    data = b"".join(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40))
        more = draw(st.one_of(st.sampled_from(_NASTY), st.binary(max_size=8)))
        kind = draw(st.sampled_from(("put in", "take out", "repeat", "replace")))
        if kind == "put in":
            data = data[:place] + more + data[place:]
        elif kind == "take out":
            data = data[:place] + data[place + length :]
        elif kind == "repeat":
            data = data[: place + length] + data[place:]
        else:
            data = data[:place] + more + data[place + len(more) :]
    return data


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same in pieces."""
    edges = sorted({0, len(data), *(each % (len(data) + 1) for each in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 4000), max_size=6)


def test_spoilt_requests_are_answered_or_refused(stand: Stand) -> None:
    @fuzzed(600)
    @given(spoilt(), CUTS)
    def test(data: bytes, cuts: list[int]) -> None:
        heard = stand.talk(*cut(data, cuts))
        if len(heard.answers) > len(heard.exchanges):  # what could not be read ends it
            assert heard.closed
            assert heard.answers[-1].ends

    test()


@fuzzed(150)
@given(st.binary(max_size=300), CUTS)
def _anything(stand: Stand, data: bytes, cuts: list[int]) -> None:
    heard = stand.talk(*cut(data, cuts))
    assert not heard.exchanges


def test_bytes_of_any_kind_are_no_request(stand: Stand) -> None:
    _anything(stand)


def test_where_requests_are_cut_and_how_many_come_at_once_changes_nothing(stand: Stand) -> None:
    alone = {}
    for each in GOOD:
        heard = stand.talk(each)
        (alone[each],) = heard.statuses
        assert not heard.closed

    @fuzzed(200)
    @given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=25), CUTS)
    def test(many: list[bytes], cuts: list[int]) -> None:
        heard = stand.talk(*cut(b"".join(many), cuts))
        assert heard.statuses == [alone[each] for each in many]
        assert not heard.closed

    test()
    assert set(alone.values()) == {200, 400, 401, 404}


def test_every_single_cut_of_a_pipeline(stand: Stand) -> None:
    data = GOOD[0] + GOOD[8] + GOOD[6]
    for place in range(1, len(data)):
        assert stand.talk(data[:place], data[place:]).statuses == [200] * 3


def test_byte_by_byte(stand: Stand) -> None:
    data = b"".join(GOOD)
    heard = stand.talk(*(bytes((each,)) for each in data))
    assert len(heard.statuses) == len(GOOD)
