"""The emulated engines over HTTP: counts, words, faults, clients that go away."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter

import numpy as np
import pytest

from neocloud.replica import Limits, Request, replay
from neocloud.wire import fetch

from . import exposition
from .world import chat, plan_with, run, serving, stream, streamed, table

USAGE = {"stream_options": {"include_usage": True}}


def test_usage_adds_up_to_what_the_engine_counts():
    async def test() -> None:
        async with serving(speed=20) as world:
            bodies = [
                chat(f"request {i % 7} " * (3 * i + 1), max_tokens=5 + 3 * i) for i in range(24)
            ]

            async def ask(i: int) -> dict:
                if i % 2:
                    return (await streamed(world, {**bodies[i], **USAGE})).events()[-1]["usage"]
                return json.loads((await world.post(bodies[i])).body)["usage"]

            usages = await asyncio.gather(*map(ask, range(24)))
            found = await world.metrics()
            assert found.prompt_tokens == sum(u["prompt_tokens"] for u in usages)
            assert found.generated_tokens == sum(u["completion_tokens"] for u in usages)
            assert found.cached_tokens == sum(
                u["prompt_tokens_details"]["cached_tokens"] for u in usages
            )
            assert all(
                u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"] for u in usages
            )
            assert (found.running, found.waiting, found.kv_usage) == (0, 0, 0)
            assert found.emulated
            other = world.endpoints[1]
            page = (await fetch(world.pool, b"GET", other.prefix + b"/metrics")).body.decode()
            assert "vllm:generation_tokens_total" in page
            assert all(
                value == 0
                for (name, _), value in exposition.read(page).items()
                if name == "vllm:generation_tokens_total"
            )

    run(test)


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 9}, {"max_tokens": 9, "ignore_eos": True}])
@pytest.mark.parametrize("page", [b"/v1/chat/completions", b"/v1/completions"])
def test_a_stream_says_what_a_whole_answer_says(limit, page):
    async def test() -> None:
        async with serving(speed=50) as world:
            body = {"model": "llama", "prompt": "Why is the sky blue?"} | limit
            if page.endswith(b"chat/completions"):
                body = chat("Why is the sky blue?", **limit)
            whole = json.loads((await world.post(body, page)).body)
            (choice,) = whole["choices"]
            text = choice["message"]["content"] if "message" in choice else choice["text"]
            taken = await streamed(world, {**body, **USAGE}, page)
            events = taken.events()
            assert taken.text() == text
            assert len(text) == 4 * whole["usage"]["completion_tokens"]
            assert events[-1]["choices"] == []
            assert events[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
            assert events[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
            assert all(event["usage"] is None for event in events[:-1])
            assert {e["id"] for e in events} == {events[0]["id"]}
            assert whole["id"] != events[0]["id"]
            if limit:
                assert whole["usage"]["completion_tokens"] == 9
                assert choice["finish_reason"] == "length"
            else:
                assert choice["finish_reason"] == "stop"

    run(test)


def test_answers_say_that_they_are_emulated():
    async def test() -> None:
        async with serving(speed=50) as world:
            answer = await world.post(chat("hi", max_tokens=40))
            said = json.loads(answer.body)
            assert "emulated" in said["choices"][0]["message"]["content"]
            assert said["system_fingerprint"].startswith("emulated-")
            assert len(said["system_fingerprint"]) == len("emulated-") + 8
            taken = await streamed(world, chat("hi", max_tokens=2))
            assert taken.events()[0]["system_fingerprint"] == said["system_fingerprint"]
            answers = [answer, await world.post(b"{"), await world.get(b"/health")]
            answers += [await world.get(b"/metrics"), await world.get(b"/v1/models")]
            heads = [taken.headers, *(a.headers for a in answers)]
            assert {head[b"x-neocloud-emulated"] for head in heads} == {b"true"}

    run(test)


def test_continuous_usage_counts_each_token():
    async def test() -> None:
        async with serving(speed=50) as world:
            options = {"include_usage": True, "continuous_usage_stats": True}
            body = chat("hi", max_tokens=6, ignore_eos=True, stream_options=options)
            events = (await streamed(world, body)).events()
            counts = [event["usage"]["completion_tokens"] for event in events]
            assert counts == [0, 1, 2, 3, 4, 5, 6, 6, 6]
            assert [len(event["choices"]) for event in events] == [1] * 8 + [0]
            roles = [e["choices"][0]["delta"].get("role") for e in events[:-1]]
            assert roles == ["assistant"] + [None] * 7

    run(test)


def test_without_being_asked_a_stream_holds_no_usage():
    async def test() -> None:
        async with serving(speed=50) as world:
            for options in ({}, {"stream_options": {"continuous_usage_stats": True}}):
                taken = await streamed(world, chat("hi", max_tokens=3, **options))
                assert b"usage" not in taken.body
                assert len(taken.events()) == 5

    run(test)


def test_a_repeated_prompt_is_found_in_whole_blocks_and_a_next_turn_finds_the_answer():
    async def test() -> None:
        async with serving(speed=50) as world:
            body = chat("tell me about Frankfurt " * 40, max_tokens=57, ignore_eos=True)
            first = json.loads((await world.post(body)).body)
            prompt = first["usage"]["prompt_tokens"]
            assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
            again = json.loads((await world.post(body)).body)["usage"]
            # The last prompt token is always computed, and a block is found whole or not at all.
            assert again["prompt_tokens_details"]["cached_tokens"] == (prompt - 1) // 16 * 16
            said = first["choices"][0]["message"]["content"]
            body["messages"] += [
                {"role": "assistant", "content": said},
                {"role": "user", "content": [{"type": "text", "text": "and about Ashburn?"}]},
            ]
            turn = json.loads((await world.post(body)).body)["usage"]
            # The last token of an answer is not computed on before the next turn.
            had = prompt + 57 - 1
            assert turn["prompt_tokens_details"]["cached_tokens"] == had // 16 * 16

    run(test)


def test_a_client_that_goes_away_frees_its_blocks_and_what_it_got_stays_counted():
    async def test() -> None:
        async with serving() as world:
            body = chat("hello " * 200, max_tokens=5000, ignore_eos=True)
            call, taker = stream(world.pool, world.first, body)
            await taker.some.wait()
            busy = await world.metrics()
            assert busy.running == 1
            assert busy.kv_usage is not None
            assert busy.kv_usage > 0
            call.abort()
            free = await world.until(lambda m: m.running == 0)
            assert free.kv_usage == 0
            assert len(taker.times) - 1 <= free.generated_tokens < 5000
            page = exposition.read((await world.get(b"/metrics")).body.decode())
            ended = {
                labels.rsplit('"', 2)[1]: value
                for (name, labels), value in page.items()
                if name == "vllm:request_success_total"
            }
            assert ended == {"stop": 0, "length": 0, "abort": 1}
            assert (await world.metrics()).generated_tokens == free.generated_tokens

    run(test)


def test_an_unstreamed_request_is_aborted_too():
    async def test() -> None:
        async with serving(plan_with(max_batch=1)) as world:
            bodies = [chat(f"{i}", max_tokens=4000, ignore_eos=True, stream=False) for i in "ab"]
            calls = [stream(world.pool, world.first, body)[0] for body in bodies]
            await world.until(lambda m: (m.running, m.waiting) == (1, 1))
            for call in calls:
                call.abort()
            ended = await world.until(lambda m: (m.running, m.waiting) == (0, 0))
            assert ended.generated_tokens < 4000

    run(test)


def test_a_full_queue_is_refused_with_503():
    async def test() -> None:
        async with serving(plan_with(max_batch=1), max_queue=1) as world:
            long = chat("hi", max_tokens=2000, ignore_eos=True)
            calls = []
            for _ in range(2):
                call, taker = stream(world.pool, world.first, long)
                calls.append(call)
                await taker.begun.wait()
                assert taker.status == 200
            refused = await world.post(long)
            assert refused.status == 503
            error = json.loads(refused.body)["error"]
            assert error["code"] == "queue_full"
            for call in calls:
                call.abort()
            await world.until(lambda m: m.running + m.waiting == 0)
            assert (await world.post(chat("hi", max_tokens=1))).status == 200

    run(test)


def test_a_client_that_does_not_read_costs_no_memory_and_misses_nothing():
    tokens = 20_000

    async def test() -> None:
        async with serving(speed=300) as world:
            reader, writer = await asyncio.open_connection(
                *world.server.address, limit=2**16, family=socket.AF_INET
            )
            body = json.dumps(
                chat("hi", max_tokens=tokens, ignore_eos=True, stream=True, **USAGE)
            ).encode()
            path = (world.first.prefix + b"/v1/chat/completions").decode()
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.transport.pause_reading()
            done = await world.until(lambda m: m.running == 0 and m.generated_tokens > 0)
            assert done.generated_tokens == tokens
            waiting = [c._transport.get_write_buffer_size() for c in world.server._connections]
            assert max(waiting) < 1024 * 1024
            writer.transport.resume_reading()
            taken = b""
            while not taken.endswith(b"0\r\n\r\n"):
                taken += await reader.read(2**20)
            assert len(taken) > 3 * 1024 * 1024
            assert taken.count(b'"delta":{"content"') == tokens
            assert b'"completion_tokens":%d' % tokens in taken
            writer.close()

    run(test)


def test_the_metrics_page_is_well_formed_and_whole():
    async def test() -> None:
        async with serving(speed=50) as world:
            for i in range(3):
                await world.post(chat(f"hi {i}", max_tokens=4))
            page = await world.get(b"/metrics")
            samples = exposition.read(page.body.decode())
            names = Counter(name for name, _ in samples)
            assert names["vllm:request_success_total"] == 3
            one = {name: value for (name, _), value in samples.items()}
            assert one["vllm:time_to_first_token_seconds_count"] == 3
            assert one["vllm:e2e_request_latency_seconds_count"] == 3
            assert (
                one["vllm:e2e_request_latency_seconds_sum"]
                >= one["vllm:time_to_first_token_seconds_sum"]
                > 0
            )
            assert one["vllm:generation_tokens_total"] == 12
            for _, labels in samples:
                assert labels.startswith('engine="0",model_name="llama",emulated="true"')

    run(test)


def test_energy_is_the_steps_and_the_idling_between_them():
    async def test() -> None:
        async with serving() as world:
            now = asyncio.get_running_loop().time
            usages = []
            earliest, before, latest = now(), await world.metrics(), now()
            for i in range(2):
                body = chat(f"{i} " * 100, max_tokens=20, ignore_eos=True)
                usages.append(json.loads((await world.post(body)).body)["usage"])
                await asyncio.sleep(0.05)
            soonest, after, last = now(), await world.metrics(), now()
            steps, busy, joules = table(), 0.0, 0.0
            for usage in usages:
                prompt, tokens = usage["prompt_tokens"], usage["completion_tokens"]
                costs = [steps.cost(0, 0, prompt, prompt * (prompt + 1) // 2)]
                costs += [steps.cost(1, prompt + i, 0, 0) for i in range(1, tokens)]
                busy += sum(seconds for seconds, _ in costs)
                joules += sum(of_step for _, of_step in costs)
            assert after.busy_s - before.busy_s == pytest.approx(busy)
            idle = (after.joules - before.joules - joules) / steps.idle_watts
            # Each page was made at some moment while it was asked for.
            tick = 0.002
            assert soonest - latest - busy - tick < idle < last - earliest - busy + tick

    run(test)


def test_steps_take_as_long_as_the_table_says():
    async def test() -> None:
        async with serving() as world:
            ratios = []
            for i in range(3):
                taken = await streamed(world, chat(f"{i} " * 300, max_tokens=60, **USAGE))
                usage = taken.events()[-1]["usage"]
                limits = Limits(max_batch=256, batch_tokens=8192, block_tokens=16, kv_blocks=9999)
                nothing = Request(
                    input_tokens=usage["prompt_tokens"],
                    output_tokens=usage["completion_tokens"],
                    prefix_ids=np.zeros(0, dtype=np.uint64),
                )
                (expected,) = replay([nothing], [0.0], limits, table()).served
                ratios.append(
                    (taken.times[-1] - taken.times[1])
                    / (expected.finish_s - expected.first_token_s)
                )
            assert sorted(ratios)[1] == pytest.approx(1.0, rel=0.15)

    run(test)
