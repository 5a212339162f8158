"""Each fault of the fake upstream, seen as bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest

from .asked_raw import CHAT, ask, message, opened, request, run, take
from .behaviour import FAULTS
from .upstream import running

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
DONE = "[DONE]"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


STREAM_ENDS = {
    "truncate": "eof",
    "truncate-inside": "eof",
    "half-closed": "eof",
    "reset": "reset",
    "bad-chunk": "eof",
}


@pytest.mark.parametrize("fault", STREAM_ENDS)
def test_a_stream_breaks_off_after_the_chunks_told(fault):
    async def test() -> None:
        async with running(f"FAULT={fault} CHUNKS=9 AFTER=3 TOKENS=18") as upstream:
            answer = await ask(upstream, message("x PACE_MS=1", **USAGE))
            assert answer.status == 200
            # A reset may overtake what was sent before it.
            if fault != "reset":
                assert answer.rest.count(b'"delta":{"content":"t') == 3
            assert b"[DONE]" not in answer.rest
            assert not answer.rest.endswith(b"0\r\n\r\n")
            assert answer.ended == STREAM_ENDS[fault]
            (row,) = upstream.count.rows
            assert (row.outcome, row.completion_tokens) == ("fault", 6)
            if fault == "half-closed":
                assert upstream.connections  # it still listens to us
            await answer.close()

    run(test)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("stall", b't1 "'), ("stall-head", b"\r\n\r\n"), ("black-hole", b""), ("mute", b"")],
)
@pytest.mark.parametrize("stream", [True, False])
def test_nothing_more_comes_until_the_client_leaves_and_that_is_noticed(fault, seen, stream):
    async def test() -> None:
        async with running("CHUNKS=9") as upstream:
            body = message("x" if fault == "mute" else f"FAULT={fault}", stream=stream)
            upstream.mute = fault == "mute"
            _, writer = await opened(upstream)
            writer.write(request(CHAT, body))
            if fault == "mute":
                await until(lambda: bool(upstream.connections))
                writer.close()
                return
            await until(lambda: upstream.count.totals.requests == 1)
            assert upstream.count.totals.open == 1
            writer.close()
            await until(lambda: upstream.count.totals.aborted == 1)
            (row,) = upstream.count.rows
            assert row.outcome == "aborted"
            assert row.ended >= row.begun > 0
            assert upstream.count.totals.aborts == [row.ended]
            assert row.prompt_tokens == (0 if fault == "black-hole" else 1)
            if stream:
                assert row.completion_tokens == (2 if fault == "stall" else 0)

    run(test)


def test_a_client_that_leaves_a_paced_answer_is_noticed_and_its_tokens_are_counted():
    async def test() -> None:
        async with running("CHUNKS=1000 PACE_MS=1") as upstream:
            answer = await ask(upstream, message("x", **USAGE), until=b"t3 ")
            await answer.close()
            await until(lambda: upstream.count.totals.aborted == 1)
            given_tokens = upstream.count.totals.completion_tokens
            assert 4 <= given_tokens < 1000
            assert upstream.count.totals.whole_completion_tokens == 0

    run(test)


def test_an_error_within_a_stream_and_an_answer_that_is_one():
    async def test() -> None:
        async with running("CHUNKS=5") as upstream:
            done = await ask(upstream, message("FAULT=error-done", **USAGE))
            assert done.status == 200
            assert done.data()[-1] == DONE
            error = done.events()[-1]["error"]
            assert error["code"] == 500
            assert len(done.events()) == 4
            bare = await ask(upstream, message("FAULT=error-event", **USAGE))
            assert "error" in json.loads(bare.data()[-1])
            assert (await ask(upstream, message("FAULT=error-done"))).status == 500
            ok = await ask(upstream, message("FAULT=error-200", **USAGE))
            assert ok.status == 200
            assert "error" in json.loads(ok.body)
            limited = await ask(upstream, message("STATUS=429 RETRY_AFTER=7"))
            assert limited.status == 429
            assert b"retry-after: 7\r\n" in limited.head
            full = await ask(upstream, message("FAULT=full"))
            assert full.status == 503
            assert b"retry-after" not in full.head
            for api, fields in (("/v1/messages", {"max_tokens": 9}), ("/v1/responses", {})):
                body = {**message("FAULT=error-event"), **fields, "input": "x", "stream": True}
                assert "rror" in (await ask(upstream, body, api)).data()[-1]
            assert upstream.count.totals.refused == 3
            assert upstream.count.totals.faulted == 5

    run(test)


def test_framing_lies_are_told_as_they_should_be():
    async def test() -> None:
        async with running("CHUNKS=5") as upstream:
            honest = await ask(upstream, message("x"))
            size = len(honest.body)
            short = await ask(upstream, message("FAULT=length-short"), until=b'"usage"')
            assert b"content-length: %d\r\n" % (size - 10) in short.head
            long = await ask(upstream, message("FAULT=length-long"))
            assert b"content-length: %d\r\n" % (size + 10) in long.head
            assert (long.ended, len(long.rest)) == ("eof", size)
            assert (await ask(upstream, message("FAULT=length-long", **USAGE))).ended == "eof"
            squeezed = await ask(upstream, message("FAULT=gzip"))
            assert gzip.decompress(squeezed.body) == honest.body
            stream = await ask(upstream, message("FAULT=gzip", **USAGE))
            assert gzip.decompress(stream.body).endswith(b"data: [DONE]\n\n")
            for stream_too in ({}, USAGE):
                bare = await ask(upstream, message("FAULT=until-close", **stream_too))
                assert bare.ended == "eof"
                assert b"content-length" not in bare.head
                assert b"transfer-encoding" not in bare.head
                assert len(bare.rest) > 100
                two = await ask(upstream, message("FAULT=two-answers", **stream_too), until=b"evil")
                assert b"HTTP/1.1 200 OK" in two.rest
                odd = await ask(
                    upstream, message("FAULT=two-framings", **stream_too), until=b"0\r\n"
                )
                assert b"content-length" in odd.head
                assert b"transfer-encoding" in odd.head
                early = await ask(upstream, message("FAULT=interim", **stream_too), until=b"200 OK")
                assert early.status == 100
            cut = await ask(upstream, message("FAULT=truncate"))
            assert (cut.ended, len(cut.rest)) == ("eof", size // 2)

    run(test)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.startswith("inject")])
def test_injection_attempts_go_out_as_bytes(fault):
    async def test() -> None:
        async with running(f"FAULT={fault}") as upstream:
            answer = await ask(upstream, message("x"), until=b"}}")
            assert b"x-note: one" in answer.head
            if fault != "inject-nul":
                assert b"set-cookie: session=stolen\r\n" in answer.head
            big = await ask(upstream, message("FAULT=big-head"))
            assert len(big.head) > 100_000
            assert b"x-neocloud-replica" in (await ask(upstream, message("FAULT=headers"))).head

    run(test)


def test_keep_alive_that_lies_and_connections_that_close_on_reuse():
    async def test() -> None:
        async with running("CHUNKS=2") as upstream:
            kept = await ask(upstream, message("x", **USAGE))
            assert kept.ended == ""
            kept.writer.write(request(CHAT, message("again")))
            assert (await take(kept.reader, kept.writer, b"")).status == 200
            lies = await ask(upstream, message("FAULT=closes", **USAGE))
            assert b"keep-alive: timeout=5" in lies.head
            assert lies.data()[-1] == DONE
            assert await lies.reader.read() == b""
            reused = await ask(upstream, message("FAULT=closes-on-reuse"))
            assert reused.status == 200
            reused.writer.write(request(CHAT, message("again")))
            ended = await take(reused.reader, reused.writer, b"")
            assert (ended.head, ended.rest) == (b"", b"")
            assert ended.ended
            gone = await ask(upstream, message("FAULT=hang-up"))
            assert (gone.head, gone.ended) == (b"", "eof")

    run(test)


def test_every_fault_answers_or_ends_on_every_route():
    """No fault raises within the fake itself."""

    async def test() -> None:
        async with running() as upstream:
            paths = (CHAT, "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
            for fault in FAULTS:
                if fault == "exit":
                    continue
                for path in paths:
                    for stream in (False, True):
                        before = upstream.count.totals.requests
                        body = message(f"FAULT={fault}", stream=stream, max_tokens=9)
                        body |= {"prompt": "x", "input": "x"}
                        _, writer = await opened(upstream)
                        writer.write(request(path, body))
                        await until(lambda before=before: upstream.count.totals.requests > before)
                        writer.close()
            await until(lambda: upstream.count.totals.open == 0)
            assert {row.outcome for row in upstream.count.rows} == {
                "whole", "fault", "refused", "aborted",
            }  # fmt: skip

    run(test)
