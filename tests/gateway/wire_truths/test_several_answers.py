"""Several answers to one request (`n`): vLLM and SGLang tell usage for each of them apart."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.reports.stage import Stage, body_of, scripted, stage
from tests.gateway.scripted import DONE, event, streams
from tests.gateway.world import Taker, run, until

from neocloud.ledger import Status

PROMPT = 7


def said(index: int, done: int, finish: str | None = None) -> bytes:
    """A token of one answer, with the usage of that answer so far."""
    delta: dict[str, Any] = {"content": f"t{index}.{done} "}
    usage = {"prompt_tokens": PROMPT, "completion_tokens": done, "total_tokens": PROMPT + done}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event(choices=[choice], usage=usage)


def before(tmp_path, test, *pieces: bytes, then: str) -> None:
    async def main() -> None:
        async with scripted(streams(*pieces, then=then)) as (_, url), stage(tmp_path, url) as up:
            await test(up)

    run(main)


@pytest.mark.parametrize("n", [2, 3])
def test_all_answers_of_a_client_that_leaves_are_counted(tmp_path, n):
    # Fails if the usage of the answer that spoke last is taken for that of the request.
    pieces = [said(index, done) for done in range(1, 5) for index in range(n)]

    async def test(up: Stage) -> None:
        taker = Taker()
        call = up.send("chat", body_of("chat", n=n, stream=True), taker)
        await until(lambda: f"t{n - 1}.4 ".encode() in taker.body)
        call.abort()
        (found,) = await up.settled(1)
        assert found.status is Status.ABORTED
        assert (found.input_tokens, found.output_tokens, found.estimated) == (PROMPT, 4 * n, False)

    before(tmp_path, test, *pieces, then="wait")


def test_all_answers_of_a_whole_stream_without_a_usage_event_are_counted(tmp_path):
    pieces = [said(0, 1), said(1, 1), said(0, 2, "stop"), said(1, 2), said(1, 3, "stop")]

    async def test(up: Stage) -> None:
        taker = await up.taken("chat", body_of("chat", n=2, stream=True))
        assert taker.whole
        (found,) = await up.settled(1)
        assert found.status is Status.COMPLETED
        assert (found.input_tokens, found.output_tokens) == (PROMPT, 5)

    before(tmp_path, test, *pieces, DONE, then="finish")


def test_an_end_after_one_of_two_answers_is_no_end(tmp_path):
    # Fails if the first reason to finish is taken for that of the request.
    async def test(up: Stage) -> None:
        taker = await up.taken("chat", body_of("chat", n=2, stream=True))
        assert not taker.whole
        (found,) = await up.settled(1)
        assert found.status is Status.FAILED

    before(tmp_path, test, said(0, 1, "stop"), said(1, 1), then="finish")
