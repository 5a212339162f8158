"""The fake upstream does what it is told, and counts what it gave."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .asked_raw import CHAT, ask, message, opened, run, take
from .behaviour import PLAIN, USAGES, Behaviour, behaviour_of
from .upstream import ROOT, Upstream, process, refused_address, running

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
DONE = "[DONE]"


def test_words_are_read_and_wrong_ones_are_told():
    told = behaviour_of("please FAULT=stall, and CHUNKS=5\nPACE_MS=2.5 DONE=0 TAG=a.b-1")
    assert (told.chunks, told.pace_ms, told.done, told.tag) == (5, 2.5, False, "a.b-1")
    assert told.fault == "stall"
    assert behaviour_of("CHUNKS=1 CHUNKS=2").chunks == 2
    assert behaviour_of("XCHUNKS=1 chunks=2") is PLAIN
    for wrong in ("FAULT=nothing", "USAGE=x", "CHUNKS=many"):
        with pytest.raises(ValueError, match=wrong.split("=")[1] + "|int"):
            behaviour_of(wrong)


def test_each_api_answers_streamed_and_whole_and_the_count_is_exact():
    async def test() -> None:
        async with running("CHUNKS=4 TOKENS=9 PROMPT=11 CACHED=5") as upstream:
            asks = {
                CHAT: message("hi"),
                "/v1/completions": {"model": "m", "prompt": "hi"},
                "/v1/responses": {"model": "m", "input": "hi"},
                "/v1/messages": message("hi", max_tokens=50),
            }
            for path, body in asks.items():
                whole = json.loads((await ask(upstream, body, path)).body)["usage"]
                events = (await ask(upstream, {**body, **USAGE}, path)).events()
                last = [e.get("usage") or e.get("response", {}).get("usage") for e in events]
                assert [usage for usage in last if usage][-1] == whole
                counts = list(whole.values())
                assert 9 in counts, whole
                assert 11 in counts or counts[0] == 11 - 5, whole
            body = {"model": "m", "input": ["a", "b"]}
            vectors = json.loads((await ask(upstream, body, "/v1/embeddings")).body)["data"]
            assert [sum(x * x for x in v["embedding"]) for v in vectors] == [1, 1]
            totals = upstream.count.totals
            assert (totals.requests, totals.whole, totals.open) == (9, 9, 0)
            assert totals.prompt_tokens == 9 * 11
            assert totals.completion_tokens == totals.whole_completion_tokens == 8 * 9
            assert totals.cached_tokens == 9 * 5
            assert totals.by_api == dict.fromkeys(
                ("chat", "completions", "responses", "messages"), 2
            ) | {"embeddings": 1}

    run(test)


@given(st.integers(0, 40), st.integers(0, 12), st.integers(1, 3))
def test_events_hold_all_tokens_however_many_there_are(tokens, chunks, n):
    async def test() -> None:
        async with running(f"TOKENS={tokens} CHUNKS={chunks}") as upstream:
            body = message("hi", **USAGE, n=n)
            events = (await ask(upstream, body)).events()
            texts = [""] * n
            for event in events:
                for choice in event["choices"]:
                    texts[choice["index"]] += choice["delta"].get("content", "")
            assert texts == ["".join(f"t{i} " for i in range(tokens))] * n
            assert events[-1]["usage"]["completion_tokens"] == tokens * n
            assert upstream.count.totals.completion_tokens == tokens * n
            assert len([e for e in events if e["choices"] and "content" in str(e)]) >= chunks * n

    run(test)


@pytest.mark.parametrize("usage", USAGES)
def test_usage_stands_where_it_is_told(usage):
    async def test() -> None:
        async with running(f"CHUNKS=3 CACHED=1 REASONING=2 USAGE={usage}") as upstream:
            answer = await ask(upstream, message("one two", **USAGE))
            events = answer.events()
            told = [event.get("usage") for event in events]
            counts = [use["completion_tokens"] if use else None for use in told]
            kinds = [len(event["choices"]) for event in events]
            expected = {
                "own": [None] * 5 + [3],
                "null": [None] * 5 + [3],
                "bad": [None] * 5 + ["many"],
                "last": [None, None, None, 3, None],
                "finish": [None] * 4 + [3],
                "each": [0, 1, 2, 3, 3],
                "cumulative": [None, 1, 2, 3, None],
                "never": [None] * 5,
            }
            assert counts == expected[usage]
            assert kinds == [1] * 5 + [0] * (len(counts) - 5)
            assert ("usage" in events[0]) == (usage in ("own", "null", "each"))
            assert answer.data()[-1] == DONE
            if usage not in ("never", "bad"):
                use = [use for use in told if use][-1]
                assert use["prompt_tokens_details"] == {"cached_tokens": 1}
                assert use["completion_tokens_details"] == {"reasoning_tokens": 2}
            whole = json.loads((await ask(upstream, message("one two"))).body)
            assert ("usage" in whole) == (usage != "never")

    run(test)


def test_continuous_usage_is_told_when_asked_for():
    async def test() -> None:
        async with running("CHUNKS=2 TOKENS=5") as upstream:
            options = {"include_usage": True, "continuous_usage_stats": True}
            events = (
                await ask(upstream, message("x", stream=True, stream_options=options))
            ).events()
            assert [e["usage"]["completion_tokens"] for e in events] == [0, 2, 5, 5, 5]

    run(test)


def test_bytes_are_cut_anywhere_and_events_are_written_in_every_allowed_way():
    async def test() -> None:
        async with running("CHUNKS=3 UTF8=1 CACHED=0") as upstream:
            plain = await ask(upstream, message("x", **USAGE))
            assert "é€𝄞" in plain.body.decode()
            for words in ("SPLIT=1", "SPLIT=7", "CRLF=1", "COMMENTS=1", "MULTILINE=1"):
                other = await ask(upstream, message(words, **USAGE))
                events, expected = other.events(), plain.events()
                assert events == expected, words
                if words == "SPLIT=7":
                    assert len(other.pieces) > 10
            last = other.body.decode().split("\n\n")[-3]
            assert last.count("data: ") > 10
            long = await ask(upstream, message("CHUNKS=2 SIZE=300000", **USAGE))
            assert len(long.events()[1]["choices"][0]["delta"]["content"]) == 300_000

    run(test)


def test_it_drains_as_engines_do_bounds_its_queue_and_goes_deaf():
    async def test() -> None:
        async with running("CHUNKS=3", context=100, max_open=2) as upstream:

            async def page(path: str, method: str = "GET") -> int:
                reader, writer = await opened(upstream)
                writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                return (await take(reader, writer, b"")).status

            running_stream = await ask(upstream, message("PACE_MS=5", **USAGE), until=b"t0 ")
            await page("/drain", "POST")
            assert (await ask(upstream, message("x"))).status == 500
            assert await page("/health") == 200
            rest = await take(running_stream.reader, running_stream.writer, b"[DONE]")
            assert b'"completion_tokens":3' in rest.rest + rest.head
            await page("/drain?kind=sglang", "POST")
            assert await page("/health") == 503
            await page("/resume", "POST")
            assert (await ask(upstream, message("x"))).status == 200
            assert (await ask(upstream, {**message("x"), "model": "z"})).status == 404
            assert (await ask(upstream, message("x", max_tokens=100))).status == 400
            held = [await ask(upstream, message("FAULT=stall", **USAGE), until=b"t1") for _ in "ab"]
            assert (await ask(upstream, message("x"))).status == 503
            for one in held:
                await one.close()
            await upstream.deaf()
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(*upstream.address)
            await upstream.listen()
            assert await page("/health") == 200
            assert await page("/metrics") == 200
            assert await page("/nothing") == 404
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(*refused_address())

    run(test)


def test_the_next_requests_may_have_behaviours_of_their_own_and_what_was_heard_is_kept():
    async def test() -> None:
        async with running() as upstream:
            upstream.next += [Behaviour(status=500), Behaviour(chunks=1)]
            assert (await ask(upstream, message("TAG=r1"))).status == 500
            answer = await ask(upstream, message("TAG=r1", unknown={"a": 1}))
            assert json.loads(answer.body)["usage"]["completion_tokens"] == 1
            assert upstream.heard[-1].json()["unknown"] == {"a": 1}
            answer = await ask(upstream, message("TAG=r1"))
            assert json.loads(answer.body)["usage"]["completion_tokens"] == 3
            assert (upstream.count.asked["r1"], upstream.count.whole["r1"]) == (3, 2)

    run(test)


def test_a_forced_tool_is_called_with_json():
    async def test() -> None:
        async with running("CHUNKS=3") as upstream:
            tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
            body = message("x", tools=tools, tool_choice="required")
            whole = json.loads((await ask(upstream, body)).body)["choices"][0]
            assert whole["finish_reason"] == "tool_calls"
            call = whole["message"]["tool_calls"][0]["function"]
            assert call["name"] == "look"
            pieces = ""
            for event in (await ask(upstream, {**body, **USAGE})).events():
                for choice in event["choices"]:
                    for part in choice["delta"].get("tool_calls", ()):
                        pieces += part["function"]["arguments"]
            assert pieces == call["arguments"]
            assert json.loads(pieces) == {"said": "t0 t1 t2 "}
            named = message("x", max_tokens=50, tool_choice={"type": "tool", "name": "look"})
            said = json.loads((await ask(upstream, named, "/v1/messages")).body)
            assert said["content"][0]["input"] == {"said": "t0 t1 t2 "}
            assert said["stop_reason"] == "tool_use"

    run(test)


def fetched(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=20) as answer:
        return answer.read()


def test_a_process_of_its_own_counts_is_steered_and_ends_with_its_maker():
    with process("CHUNKS=2", "--models", "m,other") as url:
        fetched(url + "/next", b"STATUS=500\nCHUNKS=7")
        fetched(url + "/behaviour", b"CHUNKS=4")
        with pytest.raises(urllib.error.HTTPError):
            fetched(url + CHAT, json.dumps(message("x")).encode())
        for tokens in (7, 4):
            said = json.loads(fetched(url + CHAT, json.dumps(message("TAG=a")).encode()))
            assert said["usage"]["completion_tokens"] == tokens
        totals = json.loads(fetched(url + "/count"))
        assert (totals["requests"], totals["completion_tokens"], totals["refused"]) == (3, 11, 1)
        assert json.loads(fetched(url + "/tags")) == {"a": {"asked": 2, "whole": 2}}
        assert len(json.loads(fetched(url + "/requests"))) == 3
        assert json.loads(fetched(url + "/heard"))["target"] == CHAT
        fetched(url + "/reset", b"")
        assert json.loads(fetched(url + "/count"))["requests"] == 0
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            fetched(url + CHAT, json.dumps(message("FAULT=exit CHUNKS=3", **USAGE)).encode())
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.upstream"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    child.stdout.readline()
    child.stdin.close()
    assert child.wait(20) == 0
    child.stdout.close()


def test_the_upstream_is_told_nothing_twice():
    upstream = Upstream()
    assert upstream.behaviour is PLAIN
    assert upstream.count.totals.requests == 0
