"""Responses through the whole gateway, by OpenAI's client: one usage event each."""

from __future__ import annotations

from pathlib import Path

from openai import AsyncOpenAI, BadRequestError

from neocloud.ledger import Status

from .scripted import DONE, answers, event, streams, token
from .world import KEY, World, before, run, until


def client(world: World) -> AsyncOpenAI:
    host, port = world.server.address
    return AsyncOpenAI(base_url=f"http://{host}:{port}/v1", api_key=KEY, max_retries=0)


def test_report_10_a_translated_answer_is_one_event_streamed_or_not(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(3)) as world, client(world) as openai:
            whole = await openai.responses.create(model="m", input="hello", store=True)
            assert whole.output_text == "word word word "
            told = [e async for e in await openai.responses.create(
                model="m", input="hello", stream=True)]  # fmt: skip
            assert told[-1].type == "response.completed"
            assert told[-1].response.usage == whole.usage
            await until(lambda: len(world.usage()) == 2)
            for used in world.usage():
                assert (used.api, used.status) == ("responses", Status.COMPLETED)
                assert (used.input_tokens, used.cached_tokens, used.output_tokens) == (7, 2, 3)
                assert not used.estimated

    run(test)


def test_report_11_an_answer_that_failed_says_so_and_is_failed_in_the_ledger(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        script = streams(token("a"), event(error={"message": "shut down"}), DONE)
        async with before(tmp_path, script) as world, client(world) as openai:
            told = [e async for e in await openai.responses.create(
                model="m", input="hello", stream=True)]  # fmt: skip
            assert told[-1].type == "response.failed"
            assert (await world.event()).status == Status.FAILED

    run(test)


def test_what_cannot_be_translated_is_refused_before_it_is_admitted(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world, client(world) as openai:
            for more in ({"tools": [{"type": "web_search"}]}, {"previous_response_id": "resp_1"}):
                try:
                    await openai.responses.create(model="m", input="hello", extra_body=more)
                except BadRequestError as error:
                    assert error.status_code == 400
                else:
                    raise AssertionError(more)
            assert world.usage() == []
            assert world.mocks[0].bodies == []

    run(test)
