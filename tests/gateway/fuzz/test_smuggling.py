"""A request hidden in another is never served: what others may read otherwise is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.fuzz.stand import Stand, chat, request
from tests.gateway.reports.stage import PATHS
from tests.gateway.world import KEY

_WHERE = PATHS["chat"].encode()
HIDDEN = request("POST", PATHS["chat"], chat("TAG=hidden"))
"""What must not be served: it would be billed to whoever's connection it is on."""
_BODY = chat("TAG=open")
_CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)


def _post(*fields: bytes, body: bytes = _BODY, version: bytes = b"HTTP/1.1") -> bytes:
    lines = [
        b"POST %b %b" % (_WHERE, version),
        b"host: a",
        b"authorization: Bearer " + KEY.encode(),
    ]
    return b"\r\n".join([*lines, *fields]) + b"\r\n\r\n" + body


_CODINGS = (
    b"transfer-encoding: xchunked", b"transfer-encoding : chunked",
    b"transfer-encoding:\x0bchunked",
    b"transfer-encoding: chunked\r\ntransfer-encoding: identity", b" transfer-encoding: chunked",
    b"transfer-encoding: identity\r\ntransfer-encoding: chunked", b"transfer-encoding:\r\n chunked",
    b"transfer-encoding: chunked, identity", b"transfer-encoding: identity", b"transfer-encoding: ",
    b"transfer-encoding: gzip, chunked", b"transfer-encoding: chunked, chunked",
    b"transfer-encoding: \"chunked\"", b"transfer-encoding: chunked;q=1",
    b"transfer-encoding\n: chunked",
    b"x: y\ntransfer-encoding: chunked", b"x: y\rtransfer-encoding: chunked",
    b"transfer-encoding: chunked\0", b"transfer\0-encoding: chunked",
    b"transfer-encoding: ch\xc5\xbfunked",
)  # fmt: skip
_LENGTHS = (
    b"content-length: +%d", b"content-length: -%d", b"content-length: 0x%x",
    b"content-length: %d, %d",
    b"content-length: %d\r\ncontent-length: %d", b"content-length: %d\r\ncontent-length: 0",
    b"content-length: 0\r\ncontent-length: %d", b"content-length : %d", b"content-length:\r\n %d",
    b"content-length: %d a", b"content-length: %d.0", b"content-length: %de0", b"content-length: ",
    b"content-length: 1_0", b"content-length: 99999999999999999999999", b"x: y\ncontent-length: %d",
    b"content-length\0: %d", b"content-length: %d\0", b"\xef\xbc\x91content-length: %d",
)  # fmt: skip
_CHUNKS = (
    b"0x%x\r\n", b"+%x\r\n", b"-%x\r\n", b"%x\n", b" %x\r\n", b"%x \r\n", b"%x\r",
    b"%x\t;a\r\n", b"%xg\r\n",
    b"%x;a\nb\r\n", b"%x;\r\r\n", b"%x;a\rb\r\n", b"ffffffffffffffffff%x\r\n", b"%x;\0\r\n",
    b"\r\n%x\r\n",
)  # fmt: skip
_HEADS = {
    "bare line feeds": _post(b"content-length: %d" % len(_BODY)).replace(b"\r\n", b"\n"),
    "bare carriage returns": b"GET /healthz HTTP/1.1\rhost: a\r\r",
    "folded": _post(b"x: a\r\n b", b"content-length: %d" % len(_BODY)),
    "folded with a tab": _post(b"x: a\r\n\tb", b"content-length: %d" % len(_BODY)),
    "NUL in a value": _post(b"x: a\0b", b"content-length: %d" % len(_BODY)),
    "no colon": _post(b"nothing", b"content-length: %d" % len(_BODY)),
    "no name": _post(b": nothing", b"content-length: %d" % len(_BODY)),
    "a name with a blank": _post(b"a b: c", b"content-length: %d" % len(_BODY)),
    "two hosts": _post(b"host: b", b"content-length: %d" % len(_BODY)),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "tabs": b"GET\t/healthz\tHTTP/1.1\r\nhost: a\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "version 0.9": b"GET /healthz HTTP/0.9\r\nhost: a\r\n\r\n",
    "version 1.2": b"GET /healthz HTTP/1.2\r\nhost: a\r\n\r\n",
    "version 2": b"GET /healthz HTTP/2.0\r\nhost: a\r\n\r\n",
    "version in small letters": b"GET /healthz http/1.1\r\nhost: a\r\n\r\n",
    "a blank in the target": b"GET /health z HTTP/1.1\r\nhost: a\r\n\r\n",
    "coding and length": _post(b"content-length: 5", b"transfer-encoding: chunked", body=_CHUNKED),
    "length and coding": _post(b"transfer-encoding: chunked", b"content-length: 5", body=_CHUNKED),
    "coding in 1.0": _post(b"transfer-encoding: chunked", body=_CHUNKED, version=b"HTTP/1.0"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}  # fmt: skip


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with Stand(tmp_path) as stand:
        yield stand


def _refused(stand: Stand, data: bytes) -> None:
    """It is refused, nothing of it is served, and nothing behind it is believed."""
    for pieces in ((data, HIDDEN), (data + HIDDEN,), (request("GET", "/healthz") + data, HIDDEN)):
        heard = stand.talk(*pieces)
        assert heard.closed
        assert heard.answers[-1].ends
        assert heard.answers[-1].status in (400, 413, 417, 431, 501, 505)
        assert {exchange.path for exchange in heard.exchanges} <= {"/healthz"}
    assert not stand.upstream.count.asked


@pytest.mark.parametrize("head", _HEADS)
def test_a_head_that_others_may_read_otherwise(stand: Stand, head: str) -> None:
    _refused(stand, _HEADS[head])


@pytest.mark.parametrize("coding", _CODINGS)
def test_a_coding_that_others_may_read_otherwise(stand: Stand, coding: bytes) -> None:
    _refused(stand, _post(coding, body=_CHUNKED))
    _refused(stand, _post(b"content-length: %d" % len(_CHUNKED), coding, body=_CHUNKED))
    _refused(stand, _post(coding, b"content-length: 4", body=_CHUNKED))


@pytest.mark.parametrize("length", _LENGTHS)
def test_a_length_that_others_may_read_otherwise(stand: Stand, length: bytes) -> None:
    size = len(_BODY)
    _refused(stand, _post(length.replace(b"%d", b"%d" % size).replace(b"%x", b"%x" % size)))


@pytest.mark.parametrize("chunk", _CHUNKS)
def test_a_chunk_that_others_may_read_otherwise(stand: Stand, chunk: bytes) -> None:
    line = chunk.replace(b"%x", b"%x" % len(_BODY))
    body = line + _BODY + b"\r\n0\r\n\r\n"
    _refused(stand, _post(b"transfer-encoding: chunked", body=body))


def test_a_body_that_is_shorter_or_longer_than_it_says(stand: Stand) -> None:
    # What is behind a body is a next request, in whose place another cannot be put.
    for size in (0, 1, len(_BODY) - 1):
        heard = stand.talk(_post(b"content-length: %d" % size), HIDDEN)
        assert heard.answers[0].status == 400
        assert heard.closed
    heard = stand.talk(_post(b"content-length: %d" % (len(_BODY) + len(HIDDEN))), HIDDEN)
    assert len(heard.exchanges) == 1
    assert heard.answers[0].status == 400, "the hidden request is part of a body that is no JSON"
    assert not stand.upstream.count.asked


def test_fields_behind_a_chunked_body_decide_nothing(stand: Stand) -> None:
    trailers = b"authorization: Bearer wrong\r\nhost: b\r\nx-neocloud-metro: nowhere\r\n"
    body = _CHUNKED[:-2] + trailers + b"\r\n"
    heard = stand.talk(_post(b"transfer-encoding: chunked", body=body), request("GET", "/healthz"))
    assert heard.statuses == [200, 200]
    assert stand.upstream.count.asked == {"open": 1}
    framing = _CHUNKED[:-2] + b"content-length: 3\r\n\r\n"
    heard = stand.talk(_post(b"transfer-encoding: chunked", body=framing), HIDDEN)
    assert heard.statuses == [400]
    assert stand.upstream.count.asked == {"open": 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused_and_echo_nothing(stand: Stand, method: str) -> None:
    for path in (*PATHS.values(), "/healthz", "/v1/models", "*", "/nowhere"):
        heard = stand.talk(request(method, path, b"", (b"x-echo", b"echoed")))
        assert len(heard.answers) == 1
        (status,) = heard.statuses
        assert status in ((200, 404, 405) if method in ("GET", "HEAD") else (400, 404, 405))
        assert b"echoed" not in heard.out
        assert KEY.encode() not in heard.out


def test_no_tunnel_is_opened(stand: Stand) -> None:
    for target in (b"engine:80", b"127.0.0.1:22", b"/healthz"):
        heard = stand.talk(request("CONNECT", target), HIDDEN)
        assert heard.closed
        assert all(400 <= status < 500 for status in heard.statuses)
    assert not stand.upstream.count.asked


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
def test_no_other_protocol_is_spoken(stand: Stand, protocol: bytes) -> None:
    fields = ((b"connection", b"upgrade"), (b"upgrade", protocol))
    heard = stand.talk(request("POST", PATHS["chat"], chat("TAG=open"), *fields), HIDDEN)
    assert heard.closed
    assert 101 not in heard.statuses
    assert "hidden" not in stand.upstream.count.asked


def test_the_target_may_name_any_host_and_changes_nothing(stand: Stand) -> None:
    for target in ("http://other:1/healthz", "http://user:pass@other/healthz", "//other/healthz"):
        heard = stand.talk(request("GET", target))
        assert heard.statuses[0] in (200, 400, 404)
    absolute = "http://169.254.169.254" + PATHS["chat"]
    assert stand.talk(request("POST", absolute, chat("TAG=open"))).statuses == [200]
    assert stand.upstream.heard[-1].headers["host"] == "{}:{}".format(*stand.upstream.address)


def test_expectations(stand: Stand) -> None:
    body = chat()
    whole = request("POST", PATHS["chat"], body, (b"expect", b"100-continue"))
    heard = stand.talk(whole[: -len(body)], body)
    assert heard.out.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert heard.statuses == [200]
    _refused(stand, request("POST", PATHS["chat"], body, (b"expect", b"the-unexpected")))
